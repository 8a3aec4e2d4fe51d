"""Names of labels in the tables that atlases come with."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.sources.label_table import LabelTable

NAMES = {3: "Vis_1", 7: "Aud_1", 300: "Def_1"}

# As CBIG writes Schaefer2018_*_order.txt: tabs, no names of columns.
SCHAEFER = "".join(f"{i}\t{name}\t120\t18\t131\t0\n" for i, name in NAMES.items())
# As FreeSurferColorLUT.txt: blanks, comments, an entry for 0.
FREESURFER = (
    "#$Id: FreeSurferColorLUT.txt,v 1.38 $\n\n#No. Label Name:                 R   G   B   A\n\n"
    "0   Unknown   0   0   0   0\n"
    + "".join(f"{i:<4}{name:<30} 70 130 180 0\n" for i, name in NAMES.items())
)
# As ITK-SNAP: the colour first.
SNAP = "# ITK-SnAP Label Description File\n" + "".join(
    f'{i:5}   255    0    0        1  1  1    "{name}"\n' for i, name in NAMES.items()
)
DSEG = "index\tname\tcolor\n" + "".join(f"{i}.0\t{name}\t#ff0000\n" for i, name in NAMES.items())
BARE = "".join(f"{i},{name}\n" for i, name in NAMES.items())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("Schaefer2018_3Parcels_7Networks_order.txt", SCHAEFER),
        ("FreeSurferColorLUT.txt", FREESURFER),
        ("labels.label", SNAP),
        ("dseg.tsv", DSEG),
        ("bare.csv", BARE),
    ],
)
def test_every_kind_of_table_gives_the_same_names(tmp_path: Path, file: str, text: str) -> None:
    table = tmp_path / file
    table.write_text(text)
    names = LabelTable(table).names()
    assert {i: name for i, name in names.items() if i} == NAMES


def test_unicode_text_of_excel_is_read(tmp_path: Path) -> None:
    table = tmp_path / "dseg.tsv"
    table.write_text(DSEG.replace("Aud", "Hör"), encoding="utf-16")
    assert LabelTable(table).names()[7] == "Hör_1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SCHAEFER.encode() + b"x\tA\t1\t1\t1\t0\n", "line 4: 'x.*expected an id and a name"),
        (SCHAEFER.encode() + b"3\tA\t1\t1\t1\t0\n", "line 4: the id 3 occurs in two rows"),
        (b"index\tname\n3.5\tA\n", "'3.5' in column index is not a whole number"),
        (b"number\tlabel\n2\ta\n", "known to hold ids; give it with id_column:"),
        (b"roi\tcolour\n2\ta\n", "known to hold names; give it with name_column:"),
        (b"index\tname\n1e300\tA\n", "'1e300' in column index is not a whole number"),
        (b"index\tname\n3\tgauche \xe9\n", "not .* text file in UTF-8 .*; save it as UTF-8"),
        (b"index\tname\n3\tA\0\n", "holds zero bytes"),
        (b"", "no rows below its first line"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "table.tsv"
    table.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        LabelTable(table).names()


def test_columns_by_name(tmp_path: Path) -> None:
    table = tmp_path / "atlas.tsv"
    table.write_text("number\twhat\n2\ta\n")
    assert LabelTable(table, "number", "what").names() == {2: "a"}
    with pytest.raises(ValueError, match="no column 'which', only number, what"):
        LabelTable(table, "number", "which").names()
    table.write_text(SCHAEFER)
    with pytest.raises(ValueError, match="has no names of columns, its first line is '3"):
        LabelTable(table, id_column="index").names()

"""Names of the ids of an atlas, from a table.

Three formats are distinguished by the first line that is not a comment:

- csv or tsv with names of the columns (``index<TAB>name``, ``roi;label``);
- FreeSurfer's colour tables, without a header: an id, a name and the colour, separated by blanks or
  tabs
  (``2001   ctx-lh-bankssts   25 100 40 0``), like ``FreeSurferColorLUT.txt`` and Schaefer's
  ``Schaefer2018_400Parcels_7Networks_order.txt``;
- ITK-SNAP's label descriptions, with the colour first and the name in quotation marks.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hear_brainsoundnet.sound_files import shown
from training.sources.tables import is_number, read_table, read_text

ID_COLUMNS = ("roi", "id", "index", "label_id", "region_id", "parcel", "value")
NAME_COLUMNS = ("label", "name", "region", "region_name", "roi_name", "label_name")
COMMENTS = ("#", "//")
MOST_ID = 2**31 - 1  # label images are written as int32


@dataclass(frozen=True)
class LabelTable:
    """A table of names.

    Attributes
    ----------
    path : Path
        Its file.
    id_column, name_column : str or None
        Its columns; by default those with a usual name.
    """

    path: Path
    id_column: str | None = None
    name_column: str | None = None

    def names(self) -> dict[int, str]:
        """Names by id.

        Raises
        ------
        FileNotFoundError
            If there is no such table.
        ValueError
            If a column is missing, or an id is not an integer or occurs in two rows.
        """
        text = read_text(self.path)
        rows = _rows_without_header(self.path, text)
        if rows is None:
            rows = self._rows_with_header()
        elif self.id_column or self.name_column:
            raise ValueError(
                f"{self.path} has no names of columns, its first line is "
                f"{text.splitlines()[0][:60]!r}; leave id_column and name_column out"
            )
        names: dict[int, str] = {}
        for line, number, name in rows:
            if number in names:
                raise ValueError(f"{self.path} line {line}: the id {number} occurs in two rows")
            names[number] = name
        return names

    def _rows_with_header(self) -> Iterator[tuple[int, int, str]]:
        columns, rows = read_table(self.path)
        ids = self.id_column or self._first(ID_COLUMNS, columns, "ids", "id_column")
        others = [column for column in columns if column != ids]
        names = self.name_column or self._first(NAME_COLUMNS, others, "names", "name_column")
        for column in (ids, names):
            if column not in columns:
                raise ValueError(f"{self.path} has no column {column!r}, only {', '.join(columns)}")
        for line, row in rows.items():
            number = _whole(row[ids])
            if number is None:
                raise ValueError(
                    f"{self.path} line {line}: {row[ids]!r} in column {ids} is not a whole number; "
                    "name the column of ids with id_column:"
                )
            yield line, number, row[names]

    def _first(self, usual: Sequence[str], columns: list[str], what: str, setting: str) -> str:
        lower = {column.lower(): column for column in columns}
        for name in usual:
            if name in lower:
                return lower[name]
        raise ValueError(
            f"{self.path}: none of the columns {', '.join(columns)} is known to hold {what}; give "
            f"it with {setting}:"
        )


def label_names(
    image: Path,
    present: Sequence[int],
    table: LabelTable | None = None,
    known: Mapping[int, str] | None = None,
) -> tuple[tuple[str, ...], list[str]]:
    """Names of the labels of an image, and findings.

    Parameters
    ----------
    image : Path
        Its file, for messages.
    present : sequence of int
        The labels in it.
    table : LabelTable, optional
        Their names; a name shared by several labels gets its id appended.
    known : mapping, optional
        Names by id in the image's own file, used without a table.

    Raises
    ------
    FileNotFoundError
        If there is no such table.
    ValueError
        If the table is damaged or lacks a label.
    """
    names = {i: (known or {}).get(i) or f"label {i}" for i in present}
    findings = []
    if table is not None:
        named = table.names()
        if missing := [str(i) for i in present if i not in named]:
            raise ValueError(f"{table.path} has no row for the labels {shown(missing)} of {image}")
        names = {i: named[i] for i in present}
        without = [f"{i} ({name})" for i, name in named.items() if i and i not in names]
        if without:
            findings.append(
                f"{table.path} names labels without a voxel in {image}: {', '.join(without)}"
            )
    counts = Counter(names.values())
    distinct = (name if counts[name] == 1 else f"{name} {i}" for i, name in names.items())
    return tuple(distinct), findings


def _rows_without_header(table: Path, text: str) -> Iterator[tuple[int, int, str]] | None:
    """Line, id and name of each row of a colour table; None if the file is not one."""
    lines = [
        (i, line.strip())
        for i, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith(COMMENTS)
    ]
    if not lines or len(_cells(lines[0][1])) < 2 or _whole(_cells(lines[0][1])[0]) is None:
        return None
    return _colour_rows(table, lines)


def _colour_rows(table: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
    for line, content in lines:
        cells = _cells(content)
        number = _whole(cells[0])
        # ITK-SNAP: id, three colours, opacity, two switches, name; the others: id, name, colours
        is_snap = len(cells) == 8 and all(is_number(cell) for cell in cells[:7])
        name = cells[7] if is_snap else cells[1] if len(cells) > 1 else ""
        if number is None or not name:
            raise ValueError(
                f"{table} line {line}: {content[:60]!r}, expected an id and a name, as in the rows "
                "before"
            )
        yield line, number, name


def _cells(line: str) -> list[str]:
    """Cells separated by tabs, commas or semicolons; else by blanks, with quotation marks."""
    for delimiter in "\t;,":
        if delimiter in line:
            return [cell.strip().strip('"') for cell in line.split(delimiter)]
    try:
        return shlex.split(line)
    except ValueError:  # an unbalanced quotation mark
        return line.split()


def _whole(text: str) -> int | None:
    """An integer in the range of label images, also when written as ``3.0``."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) <= MOST_ID else None

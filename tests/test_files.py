"""CSV as other programs read it."""

import csv
import io

import pandas

from hear_brainsoundnet.files import csv_table

NAMES = ["plain.wav", 'comma, "quote".wav', "line\nfeed.wav", "carriage\rreturn.wav", " space "]


def test_names_with_any_character_are_read_back_by_the_standard_library_and_pandas():
    content = csv_table(["path", "n"], [(name, i) for i, name in enumerate(NAMES)])
    lines = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [line["path"] for line in lines] == NAMES
    assert pandas.read_csv(io.BytesIO(content))["path"].tolist() == NAMES


def test_bytes_that_are_no_utf8_are_escaped():
    assert csv_table(["path"], [("caf\udce9.wav",)]) == b"path\ncaf\\xe9.wav\n"

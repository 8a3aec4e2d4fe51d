"""Small text tables: columns separated by commas, semicolons or tabs, names in the first line."""

from __future__ import annotations

import codecs
import csv
from io import StringIO
from pathlib import Path

DELIMITERS = "\t;,"
MOST_BYTES = 256 * 2**20  # tables are read into memory
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # "Unicode text" of Excel


def is_number(text: str) -> bool:
    """Whether a cell is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_text(path: Path) -> str:
    """Content of a text file, UTF-8, or UTF-16 with a byte order mark.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not text, in another encoding, or too large for a table.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such table: {path}")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, a table at most {MOST_BYTES}")
    content = path.read_bytes()
    encoding = MARKS.get(content[:2], "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not a csv or tsv text file in UTF-8 ({error}); save it as UTF-8, in "
            "Excel as CSV UTF-8"
        ) from error
    if "\0" in text:
        raise ValueError(f"{path} is not a csv or tsv text file: it holds zero bytes")
    return text


def read_table(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Read a csv or tsv file as text; the delimiter is the most frequent one in the first line.

    Returns
    -------
    columns : list of str
        Names in the first line.
    rows : dict
        Line number in the file to a row: column name to its text, stripped.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not text, a column is repeated or a row has the wrong number of columns.
    """
    text = read_text(path)
    first_line = text.partition("\n")[0]
    rows: dict[int, dict[str, str]] = {}
    try:
        reader = csv.reader(
            StringIO(text, newline=""),
            delimiter=max(DELIMITERS, key=first_line.count),
            strict=True,
        )
        columns = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise ValueError(
                    f"{path} line {reader.line_num}: {len(cells)} columns, expected the "
                    f"{len(columns)} of the first line ({', '.join(columns)[:200]})"
                )
            texts = (cell.strip() for cell in cells)
            rows[reader.line_num] = dict(zip(columns, texts, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path} is not a csv or tsv text file ({error})") from error
    if len(set(columns)) != len(columns):
        raise ValueError(f"{path}: a column is repeated in {', '.join(columns)[:200]}")
    if not rows:
        raise ValueError(f"{path} has no rows below its first line")
    return columns, rows

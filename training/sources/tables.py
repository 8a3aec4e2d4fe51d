"""Small tables of text: comma, semicolon or tab between the columns, names in the first line."""

from __future__ import annotations

import csv
from pathlib import Path

DELIMITERS = "\t;,"


def read_table(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Read a csv or tsv file as text; the delimiter is the one that the first line has most of.

    Returns
    -------
    columns : list of str
        Names in the first line.
    rows : dict
        Line number in the file to a row: column name to its text, without surrounding blanks.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no text, or a column is named twice or a row has another number of columns.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such table: {path}")
    rows: dict[int, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first_line = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(DELIMITERS, key=first_line.count), strict=True)
            columns = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    raise ValueError(
                        f"{path} line {reader.line_num}: {len(cells)} columns, expected the "
                        f"{len(columns)} of the first line ({', '.join(columns)})"
                    )
                texts = (cell.strip() for cell in cells)
                rows[reader.line_num] = dict(zip(columns, texts, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is not a csv or tsv text file ({error})") from error
    if len(set(columns)) != len(columns):
        raise ValueError(f"{path}: a column is named twice in {', '.join(columns)}")
    if not rows:
        raise ValueError(f"{path} has no rows below its first line")
    return columns, rows

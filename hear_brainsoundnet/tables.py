"""CSV tables that round-trip in every program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # prefixes of formulas in spreadsheets


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    r"""A CSV table with a header, UTF-8, one row per line.

    Cells with commas, quotes or any line breaks are quoted. Bytes of a file name that are not UTF-8
    are written as ``\xNN``. None is an empty cell.

    Examples
    --------
    >>> csv_table(["path", "n"], [["a,b.wav", 2], ["new\rline.wav", None]])
    b'path,n\n"a,b.wav",2\n"new\rline.wav",\n'
    """
    lines = [",".join(map(_cell, row)) + "\n" for row in (header, *rows)]
    text = "".join(lines).encode("utf-8", "surrogateescape")
    return text.decode("utf-8", "backslashreplace").encode()


def path_cell(path: str) -> str:
    """A relative path that no spreadsheet interprets as a formula; it still names the same file.

    Examples
    --------
    >>> path_cell("a.wav"), path_cell("=1+1.wav")
    ('a.wav', './=1+1.wav')
    """
    return f"./{path}" if path.startswith(FORMULA) else path


def text_cell(text: str) -> str:
    """Text that no spreadsheet interprets as a formula: such cells are prefixed by an apostrophe.

    Examples
    --------
    >>> text_cell("-left hemisphere")
    "'-left hemisphere"
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text

"""Results pages, generated reproducibly from the JSON files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.results import read_result
from hear_brainsoundnet.files import write_atomically

Picture = tuple[str, Callable[[Mapping[str, Any]], bytes]]  # title, and function that draws the PNG


def page_path(out: Path) -> Path:
    """Path of the Markdown file; plots and numbers beside it are named after it.

    Raises
    ------
    ValueError
        If the name has another suffix.

    Examples
    --------
    >>> page_path(Path("page")).name, page_path(Path("page.md")).name
    ('page.md', 'page.md')
    """
    if out.suffix not in ("", ".md"):
        raise ValueError(f"expected the name of a page, such as page.md, got {out}")
    return out.with_suffix(".md")


def write_results_page(
    results: Path,
    page: Path,
    *,
    program: str,
    heading: Sequence[str],
    names: Sequence[str],
    missing: str,
    pictures: Mapping[str, Picture] = MappingProxyType({}),
) -> Path:
    """Write a page and its plots beside it.

    Parameters
    ----------
    results : Path
        Folder of the JSON files; an experiment without one is marked as such.
    page : Path
        The page, for example ``results.md``; see :func:`page_path`.
    program : str
        The command that produces results, for the error message.
    heading : sequence of str
        First lines of the page.
    names : sequence of str
        The experiments, in order on the page.
    missing : str
        Text for experiments without results, for example "Not run yet".
    pictures : mapping
        By experiment.

    Raises
    ------
    FileNotFoundError
        If there are no results.
    ValueError
        If `page` is not the name of a page.
    """
    page = page_path(page)
    documents = {name: read_result(results, name) for name in names}
    if not any(documents.values()):
        raise FileNotFoundError(f"no results in {results}; run first: {program} --help")
    lines = list(heading)
    for name, document in documents.items():
        if document is None:
            lines += ["", f"## {name}", "", f"{missing}: no `{name}.json`."]
            continue
        lines += ["", *format_experiment(document)]
        if name in pictures:
            title, draw = pictures[name]
            picture = page.with_name(f"{page.stem}-{name}.png")
            write_atomically(picture, draw(document))
            lines += ["", f"![{title}]({picture.name})"]
    write_atomically(page, ("\n".join(lines) + "\n").encode())
    return page


def format_experiment(document: Mapping[str, Any]) -> list[str]:
    """Title, tables, notes, and provenance."""
    lines = [f"## {document['title']}", "", *format_table(document["rows"])]
    for table in document.get("tables", ()):
        lines += ["", f"### {table['title']}", "", *format_table(table["rows"])]
    if document["notes"]:
        lines += ["", *(f"- {note}" for note in document["notes"])]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    seeds = "; ".join(f"{name} {_listed(own)}" for name, own in document.get("seeds", {}).items())
    lines += ["", "```", document["command"], "```", ""]
    lines += [f"Seeds: {seeds}."] if seeds else []
    lines += [f"Revision {document['git_revision'] or 'unknown'}; {versions}."]
    return lines


def format_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as a Markdown table; with all columns, in order of appearance.

    Examples
    --------
    >>> format_table([{"model": "a", "r": 0.12345}, {"model": "b", "n": 3}])
    ['| model | r | n |', '| --- | --- | --- |', '| a | 0.123 |  |', '| b |  | 3 |']
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[format_cell(row.get(column, "")) for column in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in (columns, ["---"] * len(columns), *cells)]


def format_cell(value: object) -> str:
    """Floats with three decimals; undefined values as "undefined"."""
    if value is None:
        return "undefined"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value).replace("|", "\\|")


def _listed(seeds: Sequence[int]) -> str:
    first, last = seeds[0], seeds[-1]
    in_order = len(seeds) > 2 and list(seeds) == list(range(first, last + 1))
    return f"{first} to {last}" if in_order else ", ".join(map(str, seeds))

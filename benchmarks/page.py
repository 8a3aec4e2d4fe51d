"""Results pages: what was measured, the main table, pictures and the command, from results alone.

A page is Markdown. Tables that are too long to read are CSV files beside it, pictures PNG files.
Equal results give equal bytes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.results import Document, read_result
from hear_brainsoundnet.files import write_atomically

MOST_ROWS = 24  # of a main table on a page
MOST_FURTHER_ROWS = 12  # of any other table

Rows = Sequence[Mapping[str, Any]]
Picture = tuple[str, Callable[[Any], bytes]]  # title, and function that draws a document's PNG


@dataclass(frozen=True)
class Section:
    """One document on a page.

    Attributes
    ----------
    name : str
        In the names of its pictures and tables beside the page.
    document : mapping
        See :mod:`benchmarks.results`; its first note says what was measured.
    pictures : sequence of Picture
    summary : sequence of mapping, optional
        Rows of a shorter main table; those of the document are then in a CSV file.
    """

    name: str
    document: Document
    pictures: Sequence[Picture] = ()
    summary: Rows | None = None


@dataclass(frozen=True)
class ResultsPage:
    """The page of a benchmark whose experiments have one results file each.

    Attributes
    ----------
    benchmark : str
        Its name on the command line.
    title, intro : str
        Heading, and a sentence or two below it.
    experiments : mapping
        Names of the results in order on the page, with their pictures.
    summaries : mapping
        Functions from a document to the rows of a shorter main table, by experiment.
    """

    benchmark: str
    title: str
    intro: str
    experiments: Mapping[str, Sequence[Picture]]
    summaries: Mapping[str, Callable[[Document], Rows]] = field(default_factory=dict)

    def write(self, results: Path, page: Path) -> Path:
        """Write the page; experiments without results are left out.

        Raises
        ------
        FileNotFoundError
            If there are no results.
        """
        documents = read_documents(results, self.experiments, self.benchmark)
        summaries = {
            name: shorten(documents[name])
            for name, shorten in self.summaries.items()
            if name in documents
        }
        sections = [
            Section(name, document, self.experiments[name], summaries.get(name))
            for name, document in documents.items()
        ]
        intro = [self.intro, "", written_by(f"{self.benchmark} page")]
        return write_page(page, self.title, intro, sections)


def read_documents(results: Path, names: Iterable[str], benchmark: str) -> dict[str, Document]:
    """Those of a benchmark's results that exist, by name.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    read = {name: read_result(results, name) for name in names}
    documents = {name: document for name, document in read.items() if document is not None}
    if not documents:
        raise FileNotFoundError(
            f"no results in {results}; run first: python -m benchmarks {benchmark} --help"
        )
    return documents


def write_page(
    page: Path,
    title: str,
    intro: Sequence[str],
    sections: Sequence[Section],
    more: Sequence[str] = (),
) -> Path:
    """Write a page, and its pictures and long tables beside it.

    Parameters
    ----------
    page : Path
        The page, for example ``results.md``; see :func:`page_path`.
    title : str
    intro : sequence of str
        Lines before the sections.
    sections : sequence of Section
    more : sequence of str
        Lines after them.

    Raises
    ------
    ValueError
        If `page` is not the name of a page.
    """
    page = page_path(page)
    lines = [f"# {title}", "", *intro, *(each for own in sections for each in _lines(own, page))]
    write_atomically(page, ("\n".join([*lines, *more]) + "\n").encode())
    return page


def written_by(command: str, folder: str = "results") -> str:
    """Where the page comes from, as a line of it."""
    return (
        f"Written by `python -m benchmarks {command}` from the JSON files in the folder "
        f"`{folder}`; not to be edited."
    )


def page_path(out: Path) -> Path:
    """Path of the Markdown file.

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


def format_table(rows: Rows) -> list[str]:
    """Rows as a Markdown table, with all columns in order of appearance.

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


def crossed(rows: Rows, down: str, across: str, value: str) -> list[dict[str, Any]]:
    """A table of one column's values, with a row for each `down` and a column for each `across`.

    Examples
    --------
    >>> rows = [{"null": n, "data": d, "p": p} for n, d, p in (("a", "x", 1), ("b", "x", 2))]
    >>> crossed(rows, "data", "null", "p")
    [{'p by data': 'x', 'a': 1, 'b': 2}]
    """
    table: dict[Any, dict[str, Any]] = {}
    for row in rows:
        table.setdefault(row[down], {f"{value} by {down}": row[down]})[str(row[across])] = row[
            value
        ]
    return list(table.values())


def one_document(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Commands, revisions and versions of several documents as those of one.

    Examples
    --------
    >>> parts = [{"command": c, "git_revision": None, "versions": {"torch": "2"}} for c in "ab"]
    >>> one_document(parts)
    {'command': 'a\\nb', 'git_revision': '', 'versions': {'torch': '2'}}
    """
    versions: dict[str, dict[str, None]] = {}
    for document in documents:
        for name, version in document["versions"].items():
            versions.setdefault(name, {})[version] = None
    revisions = dict.fromkeys(each["git_revision"] for each in documents if each["git_revision"])
    return {
        "command": "\n".join(dict.fromkeys(each["command"] for each in documents)),
        "git_revision": ", ".join(revisions),
        "versions": {name: " or ".join(own) for name, own in versions.items()},
    }


def _lines(section: Section, page: Path) -> Iterator[str]:
    document = section.document
    what, *notes = document["notes"] or [""]
    rows = document["rows"] if section.summary is None else section.summary
    tables = [table for table in document.get("tables", ()) if table["rows"]]
    yield from ("", f"## {document['title']}")
    if what:
        yield from ("", what)
    files = []
    if section.summary is not None or len(rows) > MOST_ROWS:
        files.append(("all rows", _write_csv(document["rows"], page, section.name)))
    if 0 < len(rows) <= MOST_ROWS:
        yield from ("", *format_table(rows))
    for number, (title, draw) in enumerate(section.pictures, 1):
        suffix = f"-{number}" if len(section.pictures) > 1 else ""
        picture = page.with_name(f"{page.stem}-{section.name}{suffix}.png")
        write_atomically(picture, draw(document))
        yield from ("", f"![{title}]({picture.name})")
    for table in tables:
        if len(table["rows"]) <= MOST_FURTHER_ROWS:
            yield from ("", f"**{table['title']}**", "", *format_table(table["rows"]))
        else:
            slug = re.sub(r"[^a-z0-9]+", "-", table["title"].lower()).strip("-")
            path = _write_csv(table["rows"], page, f"{section.name}-{slug}")
            files.append((table["title"].lower(), path))
    if files:
        yield from ("", "Tables: " + ", ".join(f"[{title}]({file})" for title, file in files) + ".")
    if notes:
        yield from ("", *(f"- {note}" for note in notes))
    yield from ("", "```", *document["command"].splitlines(), "```", "", _provenance(document))


def _write_csv(rows: Rows, page: Path, name: str) -> str:
    """Write a table beside the page; returns the file's name."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = page.with_name(f"{page.stem}-{name}.csv")
    write_atomically(path, text.getvalue().encode())
    return path.name


def _provenance(document: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    seeds = "; ".join(f"{name} {_listed(own)}" for name, own in document.get("seeds", {}).items())
    parts = [f"Seeds: {seeds}."] * bool(seeds)
    parts += [f"Revision {document['git_revision']}."] * bool(document["git_revision"])
    return " ".join([*parts, f"Versions: {versions}."])


def _listed(seeds: Sequence[int]) -> str:
    first, last = seeds[0], seeds[-1]
    in_order = len(seeds) > 2 and list(seeds) == list(range(first, last + 1))
    return f"{first} to {last}" if in_order else ", ".join(map(str, seeds))

"""Shell lines of the documents: Markdown pages, comments of recipes and examples, docstrings."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("hear_brainsoundnet", "training", "benchmarks")
SHELL = ("", "sh", "bash", "shell", "console")  # info strings of fenced blocks of commands
OPERATORS = {"|", "||", "&&", ";", "&", "<", ">", ">>", "2>"}
PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:python3? -m (?:training|benchmarks|hear_brainsoundnet|heareval)\b"
    r"|hear-brainsoundnet\b|hear-validator\b|pip (?:install|download)\b|make [a-z]"
    r"|accelerate launch\b|torchrun\b)"
)


@dataclass(frozen=True)
class ShellLine:
    """A command as a document prints it.

    Attributes
    ----------
    document : str
        Path from the root of the checkout.
    number : int
        Of its first line there, from 1.
    text : str
        Continuation lines joined, comments removed.
    is_whole : bool
        Whether it is a line of a block, to be copied; False where a sentence quotes it.
    section : str
        The heading above it; "" outside of Markdown.
    """

    document: str
    number: int
    text: str
    is_whole: bool
    section: str = ""

    @property
    def place(self) -> str:
        """For a message."""
        return f"{self.document}:{self.number}: {self.text}"

    def commands(self) -> list[list[str]]:
        """The words of each simple command, without assignments before it and redirections."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        lexer.commenters = ""
        commands: list[list[str]] = [[]]
        skip = False
        for word in lexer:
            if word in ("<", ">", ">>", "2>"):
                skip = True
            elif word in OPERATORS:
                commands.append([])
            elif skip:
                skip = False
            elif commands[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
                commands[-1].append(word)
        return [words for words in commands if words]


def documents() -> list[Path]:
    """Every document that may print commands."""
    found = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    found += sorted((ROOT / "benchmarks").rglob("*.md"))
    found += sorted((ROOT / "docs" / "examples").glob("*.py"))
    found += sorted((ROOT / "training" / "recipes").rglob("*.yaml"))
    for package in PACKAGES:
        found += sorted((ROOT / package).rglob("*.py"))
    return found


@functools.cache
def all_lines() -> tuple[ShellLine, ...]:
    """Of all documents, in order."""
    return tuple(line for path in documents() for line in lines_of(path))


def lines_of(path: Path) -> list[ShellLine]:
    """Of one document."""
    name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [*markdown_blocks(name, text), *quoted(name, without_blocks(text), "`")]
    comments = "\n".join(
        line.strip().removeprefix("#") if line.strip().startswith("#") else ""
        for line in text.splitlines()
    )
    if path.parent.name == "examples":
        return list(quoted(name, comments, "``"))  # its code is run
    if path.suffix == ".yaml":
        blocks = (line for line in markdown_blocks(name, comments) if PROGRAM.match(line.text))
        return [*blocks, *quoted(name, comments, "`")]
    return docstring_lines(name, text)


def docstring_lines(name: str, text: str) -> list[ShellLine]:
    """Commands in the docstrings of a module."""
    found: list[ShellLine] = []
    if not PROGRAM.search(text):
        return found  # most modules: not worth parsing
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        docstring = ast.get_docstring(node, clean=True)
        if docstring is None:
            continue
        first = node.body[0].lineno - 1
        for line in [
            *(each for each in markdown_blocks(name, docstring) if PROGRAM.match(each.text)),
            *quoted(name, docstring, "``"),
        ]:
            found.append(ShellLine(name, first + line.number, line.text, line.is_whole))
    return found


def markdown_blocks(name: str, text: str) -> Iterator[ShellLine]:
    """Every line of an indented block, or of a fenced one without another language."""
    section, fence, before = "", None, ""
    in_block = False
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        opened = re.match(r"```(\S*)", line)
        if opened:
            fence = opened[1] if fence is None else None
            in_block = False
        elif fence is None and line.startswith("#") and not in_block:
            section = line.lstrip("# ")
        else:
            is_indented = line.startswith("    ") and (in_block or not before.strip())
            in_block = fence is None and is_indented
            if in_block or (fence is not None and fence in SHELL):
                start = start if pending else number
                pending += without_comment(line.strip())
                if pending.endswith("\\"):
                    pending = pending[:-1].rstrip() + " "
                elif pending:
                    yield ShellLine(name, start, pending, True, section)
                    pending = ""
        before = line


def without_blocks(text: str) -> str:
    """The sentences alone, every line in its place."""
    fenced, lines = False, []
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        lines.append("" if fenced or line.startswith(("```", "    ")) else line)
    return "\n".join(lines)


def quoted(name: str, text: str, mark: str) -> Iterator[ShellLine]:
    """Commands within sentences, also those that a line break divides."""
    tick = re.escape(mark)
    for match in re.finditer(rf"(?<!`){tick}([^`]+){tick}(?!`)", text):
        command = " ".join(match[1].replace("#", " ").split())
        if PROGRAM.match(command):
            yield ShellLine(name, text.count("\n", 0, match.start()) + 1, command, False)


def without_comment(line: str) -> str:
    """Up to `` # ``.

    Examples
    --------
    >>> without_comment("make demo    # in a minute"), without_comment("# nothing")
    ('make demo', '')
    """
    return re.sub(r"(?:^|\s+)#(?:\s.*)?$", "", line).rstrip()

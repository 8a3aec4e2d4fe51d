"""Every command that a document prints could be called: a renamed option fails here."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Sequence

import pytest
from command_parsers import check, command_of
from shell_lines import PACKAGES, ROOT, ShellLine, all_lines, markdown_blocks, quoted

# A command that a text of the programs names.
NAMED = re.compile(r"(?:python -m (training|benchmarks)|(hear-brainsoundnet)) ([a-z][\w -]+)")


def wrong(lines: Sequence[ShellLine]) -> list[str]:
    """What is wrong with which line."""
    found = []
    for line in lines:
        for words in line.commands() if line.is_whole else [line.text.split()]:
            try:
                check(words, is_whole=line.is_whole)
            except ValueError as error:
                found.append(f"{line.place}: {error}")
    return found


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some options may come from the environment."""
    monkeypatch.setenv("BRAINSOUNDNET_DATA", "DATA")


def test_every_documented_command_could_be_called() -> None:
    lines = all_lines()
    assert len([line for line in lines if line.is_whole]) > 80
    assert len([line for line in lines if not line.is_whole]) > 50
    assert wrong(lines) == []


def test_files_that_documents_name_are_there() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = re.compile(r"`((?:hear_brainsoundnet|training|benchmarks|tests|docs)/[\w/.]+\.\w+)`")
    paths = {(page.name, name) for page in pages for name in named.findall(page.read_text())}
    assert len(paths) > 20
    assert sorted(each for each in paths if not (ROOT / each[1]).exists()) == []


@pytest.mark.parametrize("variables", [[], ["COMMITTED=1", "AUDIO=my/recordings"]])
@pytest.mark.parametrize("target", ["demo", "train-demo", "default-checkpoint"])
def test_the_makefile_calls_what_there_is(target: str, variables: list[str]) -> None:
    words = ["make", "--dry-run", "--no-print-directory", target, *variables]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    ran = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    text = ran.stdout.replace("\\\n", " ").replace(".venv/bin/", "")
    commands = re.findall(r"python -m (?:training|benchmarks).*?(?= \|\||$)", text, re.MULTILINE)
    lines = [
        ShellLine("Makefile", 0, command.replace("$task", "make-esc10"), True)
        for command in commands
    ]
    assert lines
    assert wrong(lines) == []


def test_messages_name_commands_that_there_are() -> None:
    """Errors say what to run: in every text of the programs, not only in their documents."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            source = path.read_text()
            if "python -m" not in source and "hear-brainsoundnet" not in source:
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = " ".join(node.value.split())
                    found |= {match.groups() for match in NAMED.finditer(text)}
    missing = []
    for module, plugin, text in sorted(found, key=str):
        command = command_of(module or "hear_brainsoundnet")
        for name in text.split()[: 2 if module == "benchmarks" else 1]:
            if name.startswith("-") or not hasattr(command, "commands"):
                break
            if name not in command.commands:
                missing.append(f"{module or plugin} {text}")
                break
            command = command.commands[name]
    assert len(found) > 20
    assert missing == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("python -m training fit a.yaml --to b", "fit has no option --to"),
        ("python -m training fit a.yaml", "Missing option '--out'"),
        ("python -m training fit a.yaml --out b optimiser.rate=1", "no key 'rate'"),
        ("python -m training fitting", "'fitting' is no command of training"),
        ("python -m training.nothing", "there is no program python -m training.nothing"),
        ("python -m benchmarks speed embedding --rounds many", "for '--rounds'"),
        ("hear-brainsoundnet embed a -o b | hear-brainsoundnet read", "'read' is no command"),
        ("make nothing", "no target nothing"),
        ("make demo SOUND=a", "no variable SOUND"),
        ('pip install ".[all]"', "no extras all"),
        ("pip install heareval==1.0", "heareval==1.0 is not what constraints.txt has"),
        ("accelerate launch --cpus -m training fit a.yaml --out b", "no option --cpus"),
        ("runs/      what fits leave", "'runs/' is no program"),
    ],
)
def test_wrong_commands_are_detected(text: str, message: str) -> None:
    (found,) = wrong([ShellLine("README.md", 1, text, True)])
    assert message in found


def test_lines_are_read_as_they_would_be_copied() -> None:
    text = """# Title

Say `make demo`, or `python -m training fit
RECIPE` with text around.

    make demo                # a comment
    python -m training fit a.yaml \\
      --out b '{"c": 1}'

```python
not = "shell"
```

```
A=1 hear-brainsoundnet embed - < list.txt | cat
```
"""
    blocks = list(markdown_blocks("x.md", text))
    assert [(line.number, line.text) for line in blocks] == [
        (6, "make demo"),
        (7, "python -m training fit a.yaml --out b '{\"c\": 1}'"),
        (15, "A=1 hear-brainsoundnet embed - < list.txt | cat"),
    ]
    assert blocks[1].commands() == [
        ["python", "-m", "training", "fit", "a.yaml", "--out", "b", '{"c": 1}']
    ]
    assert blocks[2].commands() == [["hear-brainsoundnet", "embed", "-"], ["cat"]]
    assert [(line.number, line.text) for line in quoted("x.md", text, "`")] == [
        (3, "make demo"),
        (3, "python -m training fit RECIPE"),
    ]

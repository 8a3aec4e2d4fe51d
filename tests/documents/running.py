"""Running the shell lines of documents as they are printed, on small stand-ins, in order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import stand_ins
from exceptions import rule_for
from shell_lines import ROOT, ShellLine, all_lines

LINES = [line for line in all_lines() if line.is_whole]
TIMEOUT = 900  # seconds, for one line on a busy machine

# Pages of docs that share a folder, and what has to be there before the lines of each.
STORIES: dict[str, dict[str, Sequence[Callable[[Path], None]]]] = {
    "start": {"start": [stand_ins.recordings]},
    "command line": {"command_line": [stand_ins.recordings, stand_ins.brain, stand_ins.weights]},
    "scale": {"scale": [stand_ins.recordings]},
    "HEAR": {"hear": [stand_ins.published_data]},
    "correspondence": {"cortex": [stand_ins.published_data, stand_ins.own_module]},
    "own fMRI": {
        "align": [stand_ins.recordings, stand_ins.recipes, stand_ins.study],
        "pretrain": [],
        "evaluate": [stand_ins.fits],
    },
}
PAGES = ("calibration", "correspondence", "hear", "published")  # benchmarks that are run


def page_of(name: str) -> str:
    """The document of a page of a story."""
    return f"docs/{name}.md"


def lines_of(document: str) -> list[ShellLine]:
    """In order."""
    return [line for line in LINES if line.document == document]


def run(line: ShellLine, folder: Path) -> None:
    """Run a line in a folder as a shell would, unless it is an exception."""
    rule = rule_for(line)
    if rule is not None and not rule.more:
        return
    text = f"{line.text} {rule.more}" if rule else line.text
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)}
    environment.pop("BRAINSOUNDNET_DATA", None)
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    output = (ran.stdout + ran.stderr)[-3000:]
    assert ran.returncode == 0, f"{line.place} ended with status {ran.returncode}:\n{output}"
    assert "Traceback" not in ran.stderr, f"{line.place}:\n{output}"


def run_page(page: str, folder: Path) -> None:
    """Every line of a page once; the results that the source tree holds are left as they were."""
    results = sorted((ROOT / page).parent.rglob("results*"))
    before = {path: path.stat().st_mtime_ns for path in results}
    lines = {line.text: line for line in lines_of(page)}
    for line in lines.values():
        run(line, folder)
    assert {path: path.stat().st_mtime_ns for path in results} == before
    assert sorted((ROOT / page).parent.rglob("results*")) == results

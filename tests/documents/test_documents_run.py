"""Every shell line of every document runs as it is printed, on small stand-ins, in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import stand_ins
from exceptions import RULES, rule_for
from shell_lines import ROOT, ShellLine, all_lines

from benchmarks.calibration.page import EXPERIMENTS

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line for line in all_lines() if line.is_whole]
TIMEOUT = 900  # seconds, for one line on a busy machine

# Sections of the README that share a folder, and what has to be there before.
STORIES: dict[str, tuple[Sequence[str], Sequence[Callable[[Path], None]]]] = {
    "command line": (["Command line"], [stand_ins.recordings, stand_ins.brain]),
    "HEAR": (["HEAR"], [stand_ins.published_data]),
    "correspondence": (
        ["Which stage resembles which part of auditory cortex"],
        [stand_ins.published_data, stand_ins.own_module],
    ),
    "weights": (["Weights"], [stand_ins.recordings, stand_ins.weights]),
}
OWN_FMRI = ["Align it with your own fMRI", "Pretrain it on sound", "What a model is worth"]
PAGES = ("calibration", "correspondence", "hear", "published")  # benchmarks that are run
EXCEPTED = ["Two commands", "Python"]  # installing, and programs that other tests run


def section_text(title: str) -> str:
    """A section of the README."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def lines_of(document: str, section: str = "") -> list[ShellLine]:
    """In order."""
    return [
        line
        for line in LINES
        if line.document == document and (not section or line.section == section)
    ]


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
    said = (ran.stdout + ran.stderr)[-3000:]
    assert ran.returncode == 0, f"{line.place} ended with status {ran.returncode}:\n{said}"
    assert "Traceback" not in ran.stderr, f"{line.place}:\n{said}"


def test_every_line_is_run_or_excepted_for_a_reason() -> None:
    sections = {line.section for line in lines_of("README.md")}
    told = {section for titles, _ in STORIES.values() for section in titles}
    assert sections <= told | set(OWN_FMRI) | set(EXCEPTED)
    for line in LINES:
        rule = rule_for(line)
        is_run = line.document == "README.md" or Path(line.document).parent.name in PAGES
        assert rule or is_run, f"{line.place}: neither run nor excepted; see exceptions.py"
        if line.section in EXCEPTED:
            assert rule, f"{line.place}: its section has no stand-ins; see STORIES"
    for rule in RULES:
        assert any(rule_for(line) == rule for line in LINES), f"excepts nothing: {rule}"
    assert all(len(rule.reason) > 8 for rule in RULES)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_a_section_of_the_readme_runs_as_printed(story: str, tmp_path: Path) -> None:
    titles, prepare = STORIES[story]
    if story == "HEAR":
        pytest.importorskip("heareval", reason="heareval is not installed")
    for make in prepare:
        make(tmp_path)
    for title in titles:
        for line in lines_of("README.md", title):
            run(line, tmp_path)


@pytest.mark.slow
def test_the_readme_takes_a_study_from_fmri_to_a_report(tmp_path: Path) -> None:
    """Its two recipes included, on two simulated listeners."""
    stand_ins.recordings(tmp_path)
    stand_ins.recipes(tmp_path, section_text(OWN_FMRI[0]))
    stand_ins.study(tmp_path)
    for title in OWN_FMRI:
        if title == "What a model is worth":
            stand_ins.fits(tmp_path)
        for line in lines_of("README.md", title):
            run(line, tmp_path)
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
    assert (tmp_path / "sub-01.targets.nii.gz").is_file()


@pytest.mark.slow
def test_the_simulation_that_the_readme_speaks_of_runs(tmp_path: Path) -> None:
    """It stands within a sentence, and the recipe that it leaves is to be prepared."""
    stand_ins.recordings(tmp_path)
    (command,) = re.findall(r"`(python -m training simulate [^`]+)`", README)
    small = [word for each in stand_ins.SMALL for word in ("--set", shlex.quote(each))]
    for text in (" ".join([command, *small]), "python -m training prepare experiment/prepare.yaml"):
        run(ShellLine("README.md", 0, " ".join(text.split()), True), tmp_path)


def run_page(page: str, folder: Path) -> None:
    """Every line of a page once; the results that the source tree holds are left as they were."""
    results = sorted((ROOT / page).parent.rglob("results*"))
    before = {path: path.stat().st_mtime_ns for path in results}
    lines = {line.text: line for line in lines_of(page)}
    for line in lines.values():
        run(line, folder)
    assert {path: path.stat().st_mtime_ns for path in results} == before
    assert sorted((ROOT / page).parent.rglob("results*")) == results


@pytest.mark.slow
def test_the_page_of_correspondence_runs_as_printed(tmp_path: Path) -> None:
    stand_ins.natural_sounds(tmp_path / "DATA" / "fmri" / "natsound165")
    page = "benchmarks/correspondence/results.md"
    run_page(page, tmp_path)
    numbers = tmp_path / "benchmark-results" / "correspondence" / "results"
    run_lines = {line.text for line in lines_of(page) if rule_for(line) is None}
    assert len(list(numbers.glob("*.json"))) == len(run_lines)


@pytest.mark.slow
def test_the_page_of_calibration_runs_at_a_small_size(tmp_path: Path) -> None:
    run_page("benchmarks/calibration/results.md", tmp_path)
    numbers = tmp_path / "benchmark-results" / "calibration" / "results"
    assert {path.stem for path in numbers.iterdir()} == set(EXPERIMENTS)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("benchmark", ["published", "hear"])
def test_the_pages_of_published_data_run_as_printed(
    benchmark: str, data_folder: Path, tmp_path: Path
) -> None:
    """Published scores, and tasks made from published recordings."""
    (tmp_path / "DATA").symlink_to(data_folder)
    run_page(f"benchmarks/{benchmark}/results.md", tmp_path)

"""Every line of every document is run, or has a reason not to be; the pages of docs."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import pytest
import stand_ins
import torch
from exceptions import RULES, rule_for
from running import LINES, PAGES, STORIES, lines_of, page_of, run
from shell_lines import ROOT, ShellLine

TOLD = {page_of(page) for pages in STORIES.values() for page in pages}
WITH_PYTHON = sorted(
    path.name for path in (ROOT / "docs").glob("*.md") if "```python" in path.read_text()
)


def test_every_line_is_run_or_excepted_for_a_reason() -> None:
    run_lines = {line.text for line in LINES if line.document in TOLD}
    for line in LINES:
        is_run = line.text in run_lines or Path(line.document).parent.name in PAGES
        assert rule_for(line) or is_run, (
            f"{line.place}: neither run nor excepted; see exceptions.py"
        )
    for rule in RULES:
        assert any(rule_for(line) == rule for line in LINES), f"excepts nothing: {rule}"
    assert all(len(rule.reason) > 8 for rule in RULES)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_the_lines_of_pages_run_as_printed(story: str, tmp_path: Path) -> None:
    if story == "HEAR":
        pytest.importorskip("heareval", reason="heareval is not installed")
    for page, prepare in STORIES[story].items():
        for make in prepare:
            make(tmp_path)
        for line in lines_of(page_of(page)):
            run(line, tmp_path)
    if story == "own fMRI":
        assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
        assert (tmp_path / "sub-01.targets.nii.gz").is_file()


@pytest.mark.slow
def test_the_simulation_that_a_page_speaks_of_runs(tmp_path: Path) -> None:
    """It stands within a sentence, and the recipe that it leaves is to be prepared."""
    stand_ins.recordings(tmp_path)
    page = (ROOT / "docs" / "align.md").read_text()
    (command,) = re.findall(r"`(python -m training simulate [^`]+)`", page)
    small = map(shlex.quote, stand_ins.SMALL)
    for text in (" ".join([command, *small]), "python -m training prepare experiment/prepare.yaml"):
        run(ShellLine("docs/align.md", 0, " ".join(text.split()), True), tmp_path)


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_the_python_blocks_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other as a reader would, beside ``recording.wav`` and ``recordings/``."""
    monkeypatch.chdir(tmp_path)
    stand_ins.recordings(tmp_path)
    torch.manual_seed(0)
    text = (ROOT / "docs" / page).read_text()
    names: dict[str, object] = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL), 1):
        exec(compile(block, f"{page}, Python block {number}", "exec"), names)


def test_the_numbers_of_the_pages_are_those_of_the_code() -> None:
    from hear_brainsoundnet import load_model, stage_geometry
    from hear_brainsoundnet.level import SILENCE, WINDOW_S

    def decibels(level: float) -> int:
        return round(20 * math.log10(level))

    model = load_model()
    rate = model.card.sample_rate
    start, embeddings = (
        " ".join((ROOT / "docs" / page).read_text().split())
        for page in ("start.md", "embeddings.md")
    )
    assert f"a scene has {model.scene_embedding_size:,} numbers" in start
    assert f"a frame {model.timestamp_embedding_size}." in start
    assert f"one level, {-decibels(model.level)} decibels below full scale" in embeddings
    assert f"below {decibels(SILENCE)} decibels" in embeddings
    assert WINDOW_S == 4
    assert "the four seconds around each moment" in embeddings
    stages = stage_geometry()
    seen = stages["conv7"].receptive_field / rate
    assert f"a frame of conv7 sees {seen:.1f} s" in embeddings
    conv4 = stages["conv4"]
    first = conv4.centre + conv4.frames_within(rate).start * conv4.hop
    assert f"({1000 * first / rate:.0f} ms for conv4)" in embeddings

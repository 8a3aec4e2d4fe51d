"""Every line of every document is run, or has a reason not to be; pages of docs and of results."""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import stand_ins
import torch
from exceptions import RULES, rule_for
from running import LINES, PAGES, STORIES, lines_of, page_of, run, run_page
from shell_lines import ROOT, ShellLine

from benchmarks.calibration.page import PAGE
from hear_brainsoundnet import AudioFile, load_model

RUN_DOCUMENTS = {page_of(page) for pages in STORIES.values() for page in pages}
WITH_PYTHON = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    if "```python" in path.read_text()
)
RAY_SCRIPT = ROOT / "docs" / "embed_with_ray.py"


def test_every_line_is_run_or_excepted_for_a_reason() -> None:
    run_lines = {line.text for line in LINES if line.document in RUN_DOCUMENTS}
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
    text = (ROOT / page).read_text()
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
    start, embeddings, readme = (
        " ".join((ROOT / page).read_text().split())
        for page in ("docs/start.md", "docs/embeddings.md", "README.md")
    )
    assert f"a scene has {model.scene_embedding_size:,} numbers" in start
    assert f"a frame {model.timestamp_embedding_size}." in start
    assert f"a scene is {model.scene_embedding_size:,} numbers" in readme
    assert f"a moment {model.timestamp_embedding_size} numbers" in readme
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
    assert {path.stem for path in numbers.iterdir()} == set(PAGE.experiments)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("benchmark", ["published", "hear"])
def test_the_pages_of_published_data_run_as_printed(
    benchmark: str, data_folder: Path, tmp_path: Path
) -> None:
    """Published scores, and tasks made from published recordings."""
    (tmp_path / "DATA").symlink_to(data_folder)
    run_page(f"benchmarks/{benchmark}/results.md", tmp_path)


@pytest.mark.slow
def test_ray_data_embeds_as_the_model_itself(tmp_path: Path):
    pytest.importorskip("ray")
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    for number in range(3):
        (tmp_path / "sounds").mkdir(exist_ok=True)
        path = tmp_path / "sounds" / f"{number}.wav"
        soundfile.write(path, 0.1 * generator.standard_normal(8000 * (number + 1)), 16_000)
    command = [sys.executable, str(RAY_SCRIPT), str(tmp_path / "sounds"), str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    table = pandas.read_parquet(tmp_path / "out").set_index("path")
    assert len(table) == 3
    model = load_model()
    for path, row in table.iterrows():
        with AudioFile(Path(path)) as sound:
            expected = model.embed(sound, timestamps=False).scene[0].numpy()
        np.testing.assert_allclose(row["embedding"], expected, rtol=1e-4, atol=1e-5)

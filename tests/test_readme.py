"""What the README says is what the code does."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from simulated_recordings import write_recordings

from benchmarks.default_checkpoint.page import BEGINS, ENDS, IN_README, RESULTS, brief_table

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_scores_are_those_of_the_results():
    table = re.search(f"{BEGINS}(.*?){ENDS}", README, re.DOTALL)
    assert table.group(1) == brief_table(RESULTS, IN_README)


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One after the other as a reader would, beside ``recording.wav`` and ``recordings/``."""
    monkeypatch.chdir(tmp_path)
    write_recordings(tmp_path / "recordings")
    shutil.copy(tmp_path / "recordings" / "recording-00.wav", tmp_path / "recording.wav")
    torch.manual_seed(0)
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) >= 2
    names: dict[str, object] = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"README.md, Python example {number + 1}", "exec"), names)
        if number == 0:
            shapes = {name: names[name].shape for name in ("scene", "frames", "milliseconds")}
    assert shapes["scene"] == (4, 10 * 32 + 4 * (64 + 128) + 2 * 256)
    assert f"a scene is {shapes['scene'][1]:,} numbers" in README
    assert shapes["frames"][:2] == shapes["milliseconds"]
    assert f"a moment {shapes['frames'][2]} numbers" in README
    assert len(README.splitlines()) <= 150


def test_every_linked_file_exists():
    root = Path(__file__).parent.parent
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (root / link).exists()] == []

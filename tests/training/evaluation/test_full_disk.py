"""A full disk and a folder without rights, in one line for each command that writes."""

from __future__ import annotations

import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import soundfile
import yaml
from small_fits import SMALL

from hear_brainsoundnet.cli import main as plugin
from training.cli import main as training


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes; that holds for what C libraries write as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def commands(
    fits: dict[str, Path],
    mapped: Path,
    evaluation: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[str]]:
    """Arguments of each command; OUT stands for what is written."""
    folder = tmp_path_factory.mktemp("recipes")
    run = str(fits["one"])
    config = yaml.safe_load((fits["one"] / "config.yaml").read_text())
    (folder / "fit.yaml").write_text(yaml.safe_dump({"data": config["data"], **SMALL}))
    (folder / "sounds").mkdir()
    for i in range(2):
        sound = np.random.default_rng(i).uniform(-0.3, 0.3, 22_050 * 4)
        soundfile.write(folder / "sounds" / f"{i}.wav", sound, 22_050)
    return {
        "fit": ["fit", str(folder / "fit.yaml"), "subjects=[sub-01]", "--out", "OUT"],
        "export": ["export", run, "OUT.safetensors"],
        "map": ["map", str(mapped), "OUT.png"],
        "evaluate": ["evaluate", run, "n_permutations=0", "--out", "OUT"],
        "compare": ["compare", f"{evaluation}:one", f"{evaluation}:two", "--out", "OUT"],
        "partition": ["partition", str(evaluation), "spaces=[envelope]", "--out", "OUT"],
        "report": ["report", str(evaluation), "--out", "OUT"],
        "simulate": ["simulate", "OUT", "--audio", str(folder / "sounds"), "n_runs=2"],
        "embed": ["embed", str(folder / "sounds"), "-o", "OUT", "--jobs", "1"],
    }


@pytest.fixture(scope="module")
def mapped(fits: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit with an image of its targets."""
    folder = tmp_path_factory.mktemp("mapped") / "run"
    shutil.copytree(fits["one"], folder)
    ids = np.zeros((4, 4, 4), dtype=np.int16)
    ids.flat[:4] = range(1, 5)
    nibabel.save(nibabel.Nifti1Image(ids, np.eye(4)), folder / "model.targets.nii.gz")
    return folder


@pytest.fixture
def run(
    commands: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> Callable[[str, Path], tuple[Any, list[str]]]:
    """Call a command with a place for OUT; returns its exit status and what the program says."""

    def call(name: str, place: Path) -> tuple[Any, list[str]]:
        arguments = [each.replace("OUT", str(place)) for each in commands[name]]
        with pytest.raises(SystemExit) as stop:
            (plugin if name == "embed" else training)(arguments)
        lines = capsys.readouterr().err.splitlines()
        assert "Traceback" not in "".join(lines)
        begin = ("python -m training: ", "hear-brainsoundnet: ")
        return stop.value.code, [line for line in lines if line.startswith(begin)]

    return call


NAMES = ("fit", "export", "map", "evaluate", "compare", "partition", "report", "simulate", "embed")


MIDWAY = dict.fromkeys(NAMES, 3_000) | dict.fromkeys(("fit", "simulate", "embed"), 20_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n_bytes"), [(name, n_bytes) for name in NAMES for n_bytes in (0, MIDWAY[name])]
)
def test_a_full_disk_is_one_line_that_says_what_to_do(
    run: Any, tmp_path: Path, name: str, n_bytes: int
):
    """At the first byte and somewhere on the way, where there is so much."""
    with full_disk(n_bytes):
        status, lines = run(name, tmp_path / "out")
    if n_bytes and status == 0:
        pytest.fail(f"{name} writes no file of {n_bytes} bytes; try less")
    assert status == 1
    assert len(lines) == 1
    kept = "(finished work is kept|finished files are kept, the same command resumes from there)"
    assert re.search(
        rf"{tmp_path}/out.*(cannot be written \(|: )File too large.*; .*{kept}", lines[0]
    ), lines[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_may_not_be_written_to_is_one_line(run: Any, name: str):
    """/sys takes no files of anybody's, not even of root."""
    status, lines = run(name, Path("/sys/out"))
    assert status == 1
    assert len(lines) == 1
    assert re.search(r"/sys/\.?out.*(not permitted|denied|Read-only)", lines[0]), lines[0]
    assert "another" in lines[0] or "resumes from there" in lines[0]

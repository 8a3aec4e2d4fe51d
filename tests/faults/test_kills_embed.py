"""``embed`` killed anywhere resumes and ends with the bytes of an undisturbed command.

Sounds of both ways through the network, short ones that share passes and long ones, and one that
cannot be read.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from kills import killed_everywhere, undisturbed
from result_folders import contents

PRELOAD = ("hear_brainsoundnet.batch", "hear_brainsoundnet.checkpoint")
pytestmark = pytest.mark.slow


def embed(
    out: Path,
    *,
    sounds: Path,
    kind: str = "both",
    scene: str = "conv1",
    window: float | None = None,
    force: bool = False,
) -> None:
    """What ``hear-brainsoundnet embed`` does, with a small and quick embedding."""
    from hear_brainsoundnet.batch import embed_files
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.sound_files import find_audio
    from hear_brainsoundnet.windows import Windows

    model = EmbeddingModel(
        load_checkpoint("untrained"), sample_rate=22_050, scene=scene, timestamps="conv3"
    )
    windows = None if window is None else Windows(window, window / 2)
    embed_files(find_audio([sounds]), out, model, kind=kind, windows=windows, force=force)


@pytest.fixture
def every(request: pytest.FixtureRequest) -> int:
    return request.config.getoption("--kill-every") or 8


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(0)
    for name, n_samples in (("a", 4_000), ("deep/b", 3_000), ("c", 50_000)):
        path = folder / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, generator.uniform(-0.5, 0.5, n_samples), 22_050)
    (folder / "broken.wav").write_text("no sound")
    return folder


def finished(job, folder: Path) -> dict[str, bytes]:
    undisturbed(job, folder, preload=PRELOAD)
    return contents(folder)


@pytest.mark.parametrize("options", [{}, {"kind": "scene", "window": 0.5}])
def test_killed_at_operations_on_files(
    sounds: Path, tmp_path: Path, options: dict[str, object], every: int
):
    job = partial(embed, sounds=sounds, **options)
    expected = finished(job, tmp_path / "whole")
    kills = killed_everywhere(job, tmp_path / "out", expected, preload=PRELOAD, every=every)
    assert kills.wrong == {}
    assert len(kills.places) * every > 40
    print(f"\n{len(kills.places)} kills")


@pytest.mark.parametrize("second", [5, 9, 14])
def test_killed_at_two_operations(sounds: Path, tmp_path: Path, second: int, every: int):
    """The start after a kill is killed, too."""
    job = partial(embed, sounds=sounds)
    expected = finished(job, tmp_path / "whole")
    kills = killed_everywhere(
        job, tmp_path / "out", expected, preload=PRELOAD, every=2 * every, second_kill=second
    )
    assert kills.wrong == {}


def test_killed_while_files_are_added_to_a_finished_folder(
    sounds: Path, tmp_path: Path, every: int
):
    """The results of the command before are still there, and are resumed."""
    job = partial(embed, sounds=sounds)
    undisturbed(job, tmp_path / "before", preload=PRELOAD)
    added = sounds / "b_added.wav"
    soundfile.write(added, np.random.default_rng(1).uniform(-0.5, 0.5, 5_000), 22_050)
    try:
        expected = finished(job, tmp_path / "more")
        kills = killed_everywhere(
            job,
            tmp_path / "out",
            expected,
            before=tmp_path / "before",
            preload=PRELOAD,
            every=every,
        )
    finally:
        added.unlink()
    assert kills.wrong == {}


def test_killed_while_other_results_are_overwritten(sounds: Path, tmp_path: Path, every: int):
    other = partial(embed, sounds=sounds, scene="conv2")
    undisturbed(other, tmp_path / "before", preload=PRELOAD)
    job = partial(embed, sounds=sounds, force=True)
    expected = finished(job, tmp_path / "whole")
    kills = killed_everywhere(
        job, tmp_path / "out", expected, before=tmp_path / "before", preload=PRELOAD, every=every
    )
    assert kills.wrong == {}

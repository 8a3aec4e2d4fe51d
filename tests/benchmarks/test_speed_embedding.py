"""Speed of embeddings: the arithmetic of the measurement, and that contenders do the same work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.speed import clips, folders
from benchmarks.speed.clips import (
    MATRIX_FLOP,
    ClipSpeed,
    embed,
    flop_per_second_of_audio,
    measure_clips,
    noise,
)
from benchmarks.speed.earlier import EarlierEmbedding
from benchmarks.speed.folders import measure_folder, measure_start, recordings
from benchmarks.speed.long_sounds import LongSpeed, Task, measure_long, measure_memory, memory_tasks
from benchmarks.speed.plain_loop import embed_folder
from benchmarks.speed.timing import Comparison
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.soundnet import SoundNet


def comparison(seconds: float, plain_seconds: float) -> Comparison:
    return Comparison((seconds,) * 3, (plain_seconds,) * 3, (seconds,) * 3, (plain_seconds,) * 3)


def clip_speed(seconds: float, plain_seconds: float, duration: float = 10.0) -> ClipSpeed:
    ours = comparison(seconds, plain_seconds)
    return ClipSpeed("scene", duration, 2, 3, ours, ours, ours, (0.1, 0.1, 0.1), 2e-6)


def test_operations_are_those_that_torch_counts() -> None:
    """Over ten minutes, in which the frames that padding adds do not matter; without memory."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        SoundNet().eval()(torch.zeros(1, 600 * 22_050), ["conv7"])
    assert flop_per_second_of_audio("conv7") == pytest.approx(counter.get_total_flops() / 600, 1e-3)


def test_operations_are_those_of_convolutions() -> None:
    with pytest.raises(ValueError, match=r"expected one of conv1, .*, got 'pool1'"):
        flop_per_second_of_audio("pool1")


def test_share_of_the_matrix_rate_by_hand() -> None:
    speed = clip_speed(1.0, 2.0)
    # 60 s of audio in a second, and a product in 0.1 s
    share = flop_per_second_of_audio("conv7") * 60 / (MATRIX_FLOP / 0.1)
    assert speed.share == pytest.approx(share)
    assert speed.throughput(speed.fast.seconds) == 60.0


def test_two_hours_are_compared_by_second_of_audio() -> None:
    speed = LongSpeed("scene", 10.0, 60.0, comparison(1.0, 4.0), comparison(6.0, 4.0))
    assert [row["times faster"] for row in speed.rows()] == [4.0, 4.0]
    assert [row["audio s/s"] for row in speed.rows()] == [10, 10]
    assert len(set(memory_tasks(1))) == len(memory_tasks(1))


@pytest.mark.parametrize("kind", clips.KINDS)
def test_the_earlier_recipe_gives_what_the_preset_paper_gives(
    untrained: Checkpoint, kind: clips.Kind
) -> None:
    """The same work: else the comparison would mean nothing."""
    audio = noise(2, 3.0, seed=1)
    model = EmbeddingModel(untrained, sample_rate=clips.RATE, preset="paper")
    earlier = EarlierEmbedding(untrained)
    found = earlier.embed(audio, clips.RATE, kind)
    expected = embed(model, audio, kind).numpy()
    if kind == "timestamps":  # ours leaves out what lies before and after the clip
        within = model.stages["conv4"].frames_within(3 * 22_050)
        found = found[:, within.start : within.stop]
    assert found.shape == expected.shape
    # Its resampler makes its kernel in single precision.
    assert np.abs(found - expected).max() <= 1e-4 * np.ptp(expected)


def test_clips_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "AUDIO_PER_TURN", 1.0)
    speed = measure_clips("timestamps", 0.4, 2, n_rounds=2)
    assert speed.n_repeats == 2
    assert len(speed.matrix_seconds) == len(speed.fast.speedups) == 2
    assert 0 < speed.share < 1
    assert speed.difference <= 1e-5


def test_no_speed_without_equality(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "EQUAL", 0.0)
    with pytest.raises(ValueError, match="expected scene embeddings of the fast way within"):
        measure_clips("scene", 0.4, 1, n_rounds=1)


@pytest.mark.slow
def test_long_sounds_and_their_memory_are_measured() -> None:
    speed = measure_long("timestamps", 1, shorter=1.0, longer=2.0)
    assert min(row["times faster"] for row in speed.rows()) > 0
    earlier = measure_memory(Task("earlier", "scene", 20.0, 2, 1))
    assert earlier.result == 2 * 1024 * 4
    # The first layer alone, before and after normalisation, for 40 s of sound
    assert earlier.peak > 2 * 40 * 11_025 * 16 * 4
    fast = measure_memory(Task("fast", "timestamps", 20.0, 2, 1, preset="paper"))
    assert fast.result == 2 * 430 * 128 * 4  # 430 frames of conv4 lie within 20 s
    assert fast.peak < earlier.peak
    with pytest.raises(ChildProcessError, match=r"Task.*failed in its process"):
        measure_memory(Task("fast", "scene", 1.0, 1, 0))


@pytest.mark.slow
def test_folders_are_measured(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.wav" for i in range(2)]
    for path in paths:
        soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(4000), 8000)
    compared = measure_folder(paths, n_rounds=1)
    assert compared["earlier"].seconds == compared["own"].seconds
    assert compared["earlier"].plain_seconds != compared["own"].plain_seconds


def test_start_up_is_one_file_in_a_new_folder_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(folders, "_call", lambda *arguments: calls.append(arguments))
    assert len(measure_start(Path("dog.wav"), n_rounds=3)) == 3
    assert {call[:4] for call in calls} == {("hear_brainsoundnet", "embed", "dog.wav", "-o")}
    assert len({call[4] for call in calls}) == 4  # the first one does not count


@pytest.mark.parametrize("way", ["earlier", "own"])
def test_plain_loops_embed_every_file(tmp_path: Path, way: str) -> None:
    (tmp_path / "deep").mkdir()
    samples = 0.1 * np.random.default_rng(0).standard_normal((1200, 2))
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    soundfile.write(tmp_path / "deep" / "b.ogg", samples, 8000)
    assert embed_folder(way, tmp_path, tmp_path / "out") == 2
    for name in ("a.wav", "b.ogg"):
        with np.load(tmp_path / "out" / f"{name}.npz") as found:
            assert set(found) == {"scene", "timestamps"}
    with pytest.raises(ValueError, match="way must be one of earlier, own, got 'other'"):
        embed_folder("other", tmp_path, tmp_path / "out")


def test_recordings_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no recordings in .*fsdd.*--data"):
        recordings(tmp_path, "FSDD")


@pytest.mark.realdata
def test_the_sets_are_complete(data_folder: Path) -> None:
    assert len(recordings(data_folder, "FSDD")) == 3000
    assert len(recordings(data_folder, "ESC-10")) == 400

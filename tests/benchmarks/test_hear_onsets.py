"""Composed clips: labels and sound agree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_tasks import BURST_SECONDS, SAMPLE_RATE, write_synthetic_esc10

from benchmarks.hear.task_folder import read_task
from benchmarks.hear.tasks import onsets
from benchmarks.hear.tasks.esc10 import list_clips
from benchmarks.hear.tasks.onsets import FRAME_SECONDS, find_acoustic_events

WINDOW = round(0.02 * SAMPLE_RATE)


@pytest.fixture(scope="module")
def synthetic_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_esc10(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def task_path(synthetic_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onsets.make_onsets(synthetic_data, tmp_path_factory.mktemp("tasks"), seed=3)


def test_burst_is_found_where_it_was_written(synthetic_data: Path) -> None:
    clip = next(clip for clip in list_clips(synthetic_data) if clip.category == "Dog bark")
    ((start, stop),) = find_acoustic_events(clip.read(SAMPLE_RATE), SAMPLE_RATE)
    found = np.array([start, stop]) / SAMPLE_RATE
    np.testing.assert_allclose(found, BURST_SECONDS, atol=2 * FRAME_SECONDS)


def test_close_stretches_join_and_distant_ones_do_not() -> None:
    audio = np.zeros(3000)
    for start in (100, 500, 1200):  # pauses of 0.2 s and 0.5 s at 1 kHz
        audio[start : start + 200] = 1.0
    assert find_acoustic_events(audio, 1000) == [(100, 700), (1200, 1400)]
    assert find_acoustic_events(np.zeros(3000), 1000) == []


@pytest.mark.parametrize("split", list(onsets.FOLDS))
def test_energy_rises_at_every_labelled_onset_and_falls_at_its_end(
    task_path: Path, split: str
) -> None:
    task = read_task(task_path)
    task.check_audio(SAMPLE_RATE)
    assert len(task.labels[split]) >= 20
    for name, events in task.labels[split].items():
        audio, _ = soundfile.read(task_path / str(SAMPLE_RATE) / split / name)
        assert events
        assert len(audio) / SAMPLE_RATE >= 10
        for event in events:
            onset, end = (round(event[key] * SAMPLE_RATE / 1000) for key in ("start", "end"))
            before, after = audio[onset - WINDOW : onset], audio[onset : onset + WINDOW]
            assert np.mean(after**2) > 2 * np.mean(before**2)
            assert np.mean(audio[end - 2 * WINDOW : end - WINDOW] ** 2) > 2 * np.mean(
                audio[end : end + WINDOW] ** 2
            )


def test_events_stand_out_by_the_ratio_that_is_recorded(task_path: Path) -> None:
    """Power with the event over power right before it is 1 + the ratio, for steady sounds."""
    ratios = {snr: [] for snr in onsets.SNR_DB}
    for name, events in read_task(task_path).labels["train"].items():
        audio, _ = soundfile.read(task_path / str(SAMPLE_RATE) / "train" / name)
        for event in events:
            onset, end = (round(event[key] * SAMPLE_RATE / 1000) for key in ("start", "end"))
            background = np.mean(audio[onset - SAMPLE_RATE // 4 : onset] ** 2)
            ratios[event["snr_db"]].append(np.mean(audio[onset:end] ** 2) / background)
    for snr, found in ratios.items():
        assert np.median(found) == pytest.approx(1 + 10 ** (snr / 10), rel=0.1)


def test_no_recording_is_in_two_splits(task_path: Path) -> None:
    task = read_task(task_path)
    for split, folds in onsets.FOLDS.items():
        sources = {event["source"] for events in task.labels[split].values() for event in events}
        assert {int(source[0]) for source in sources} <= set(folds)


@pytest.mark.slow
def test_seed_decides(synthetic_data: Path, task_path: Path, tmp_path: Path) -> None:
    again = onsets.make_onsets(synthetic_data, tmp_path / "again", seed=3)
    for file in sorted(path for path in task_path.rglob("*") if path.is_file()):
        assert (again / file.relative_to(task_path)).read_bytes() == file.read_bytes()
    other = onsets.make_onsets(synthetic_data, tmp_path / "other", seed=4)
    assert json.loads((other / "test.json").read_text()) != json.loads(
        (task_path / "test.json").read_text()
    )
    with pytest.raises(ValueError, match="was made with seed 4, requested seed 3"):
        onsets.make_onsets(synthetic_data, tmp_path / "other", seed=3)


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    few = tmp_path / "few"
    folder = few / "audio" / "esc10" / "002 - Rain"
    folder.mkdir(parents=True)
    soundfile.write(folder / "1-1-A.ogg", np.ones(SAMPLE_RATE), SAMPLE_RATE)
    with pytest.raises(ValueError, match="no usable recording of 'Baby cry'"):
        onsets.make_onsets(few, tmp_path / "tasks")
    assert not list((tmp_path / "tasks").glob("*"))

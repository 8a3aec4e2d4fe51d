from pathlib import Path

import numpy as np
import pytest
from small_dataset import RATE, changing_sound, write_prepared

from training.data.prepared import Prepared, Run
from training.partition.low_level import low_level_features

TR = 1.49


def dataset(folder: Path, sound: np.ndarray, *runs: Run) -> Prepared:
    tables = {run: np.zeros((run.n_trs, 1)) for run in runs}
    return Prepared(write_prepared(folder, {"sound": sound}, tables, runs[0].tr))


def run_of(name: str, *, start: float = 0.0, tr: float = TR, n_trs: int = 4) -> Run:
    return Run("sub-01", name, "sound", "", name, "", start, tr, n_trs)


def tone(hz: float, seconds: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def int16(sound: np.ndarray) -> np.ndarray:
    return np.rint(32767 * sound).astype(np.int16)


def test_rows_belong_to_their_trs(tmp_path: Path):
    sound = np.zeros(round(6 * TR * RATE))
    first = round(2 * TR * RATE)
    sound[first : first + round(TR * RATE)] = tone(1000, TR)
    late = run_of("late", start=TR)
    prepared = dataset(tmp_path / "data", int16(sound), run_of("a"), late)
    for run, row in ((prepared.runs[0], 2), (prepared.runs[1], 1)):
        level = low_level_features(prepared, run, ["envelope"])["envelope"][:, 0]
        assert level[row] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
        assert np.delete(level, row).max() < 0.01


def test_all_spaces_are_finite_even_past_the_end_of_the_sound(tmp_path: Path):
    run = run_of("a", start=-3.0, n_trs=9)
    prepared = dataset(tmp_path / "data", changing_sound(5.0, seed=1), run)
    features = low_level_features(prepared, run)
    shapes = {name: own.shape for name, own in features.items()}
    assert shapes == {"envelope": (9, 1), "spectrogram": (9, 32), "modulation": (9, 45)}
    assert all(np.isfinite(own).all() for own in features.values())
    assert features["envelope"][-1] == 0


@pytest.mark.parametrize("seconds", [0.002, 0.3, 2.0])
def test_a_sound_without_trs_is_one_row(tmp_path: Path, seconds: float):
    run = run_of("a", tr=0.0, n_trs=1)
    prepared = dataset(tmp_path / "data", changing_sound(seconds, seed=1), run)
    features = low_level_features(prepared, run)
    assert all(len(own) == 1 and np.isfinite(own).all() for own in features.values())

import json

import h5py
import numpy as np
import pytest
from small_dataset import RATE, write_prepared

from training.prepared import DatasetInfo, Prepared, Run

TR = 1.49


def run_of(name="run-1", subject="sub-01", tr=TR, n_trs=8):
    return Run(subject, name, "film", "ses-01", "e01", "s01", 0.5, tr, n_trs)


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    runs = [run_of("zebra"), run_of("ant"), run_of("bee", "sub-02")]
    tables = {run: generator.standard_normal((8, 3)).astype(np.float32) for run in runs}
    sound = generator.integers(-100, 100, RATE).astype(np.int16)
    return write_prepared(tmp_path / "film", {"film": sound}, tables, TR)


def changed_info(folder, **changes):
    path = folder / "dataset.json"
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(json.dumps(document))


def test_runs_come_in_the_order_in_which_they_were_written(folder):
    prepared = Prepared(folder)
    assert [run.name for run in prepared.runs] == ["zebra", "ant", "bee"]
    assert prepared.runs[0] == run_of("zebra")
    assert prepared.subjects == ["sub-01", "sub-02"]
    assert prepared.n_targets == 3


def test_numbers_come_back_as_they_were_written(folder):
    prepared = Prepared(folder)
    with h5py.File(folder / "bold" / "sub-01.h5") as file:
        expected = file["ant"][()]
    bold = prepared.bold(prepared.runs[1])
    assert bold.dtype == np.float32
    np.testing.assert_array_equal(bold, expected)
    audio = prepared.audio("film")
    assert isinstance(audio, np.memmap)
    np.testing.assert_array_equal(audio, np.load(folder / "audio" / "film.npy"))


def test_unfinished_preparation_is_no_dataset(folder):
    (folder / "dataset.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"did not come to an end; run python -m training"):
        Prepared(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 7}, r"dataset\.json is not readable \(format version 7, this program"),
        ({"target_ids": [1, 3, 2]}, r"its content is wrong: .*must be ascending, each once"),
        ({"target_names": ["a"]}, r"its content is wrong: .*1 names for 3 targets"),
        ({"tr": 0}, r"its content is wrong: .*kind time_series does not go with a TR of 0"),
        ({"sample_rate": "fast"}, r"its sample_rate is wrong"),
        ({"colour": "red"}, r"its colour is wrong"),
        ({"tr": 2.0}, r"sub-01\.h5: run zebra has a TR of 1\.49 s, not 2\.0 s"),
        (
            {"target_ids": [1, 2], "target_names": ["a", "b"]},
            r"run zebra has shape \(8, 3\), expected \(n_trs, 2\)",
        ),
    ],
)
def test_description_that_does_not_fit(folder, changes, message):
    changed_info(folder, **changes)
    with pytest.raises(ValueError, match=message):
        Prepared(folder)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_description_that_is_not_readable(folder, content):
    (folder / "dataset.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"dataset\.json is not readable .*prepare the dataset anew"
    ):
        Prepared(folder)


def test_no_runs(folder):
    for path in (folder / "bold").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"has no runs in its folder bold; prepare it anew"):
        Prepared(folder)


def test_damaged_responses(folder):
    path = folder / "bold" / "sub-02.h5"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"sub-02\.h5 is damaged .*prepare the dataset anew"):
        Prepared(folder)


def test_run_that_is_not_there(folder):
    with pytest.raises(ValueError, match=r"sub-01\.h5: run bat cannot be read"):
        Prepared(folder).bold(run_of("bat"))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, r"film\.npy is missing; prepare the dataset anew"),
        (np.zeros(0, np.int16), r"film\.npy holds int16 of shape \(0,\), expected int16"),
        (np.zeros(5, np.float32), r"film\.npy holds float32 of shape \(5,\)"),
        (np.zeros((5, 2), np.int16), r"film\.npy holds int16 of shape \(5, 2\)"),
        (b"nonsense", r"film\.npy is damaged .*prepare the dataset anew"),
    ],
)
def test_sound_that_cannot_be_used(folder, samples, message):
    path = folder / "audio" / "film.npy"
    path.unlink()
    if isinstance(samples, bytes):
        path.write_bytes(samples)
    elif samples is not None:
        np.save(path, samples)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Prepared(folder).audio("film")


def test_sound_responses_have_no_tr():
    with pytest.raises(ValueError, match="kind sound_responses does not go with a TR of 1"):
        DatasetInfo(
            name="sounds", kind="sound_responses", tr=1, sample_rate=RATE,
            target_ids=(1,), target_names=("a",),
        )  # fmt: skip

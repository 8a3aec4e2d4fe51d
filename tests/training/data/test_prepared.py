import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_dataset import RATE, change_dataset, without_checksums, write_prepared

from training.checksums import checksum_of
from training.data.dataset_info import DatasetInfo
from training.data.prepared import Prepared, Run, targets_image
from training.data.prepared_tables import probe

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
    """A description that was changed by hand, without its own checksum."""
    path = folder / "dataset.json"
    document = json.loads(path.read_text())
    del document["checksum"]
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
        ValueError, match=r"dataset\.json is not readable .*prepare the dataset again"
    ):
        Prepared(folder)


def test_no_runs(folder):
    for path in (folder / "bold").iterdir():
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"sub-01\.h5 is missing; prepare the dataset again"
    ):
        Prepared(folder)
    change_dataset(folder)
    with pytest.raises(ValueError, match=r"has no runs in its folder bold; prepare it again"):
        Prepared(folder)


def test_subject_that_was_put_in_by_hand(folder):
    shutil.copy(folder / "bold" / "sub-02.h5", folder / "bold" / "sub-03.h5")
    with pytest.raises(ValueError, match=r"sub-03\.h5 is not listed .* python -m training merge"):
        Prepared(folder)


def test_a_changed_byte_anywhere_is_noticed(folder):
    """Numbers in the middle of a file, too, which HDF5 and numpy read without a word."""
    whole = Prepared(folder)
    for path, content in {path: path.read_bytes() for path in folder.rglob("*.*")}.items():
        for place in (0, len(content) // 3, len(content) // 2, len(content) - 1):
            changed = bytearray(content)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(ValueError, match=r"damaged|changed since|is wrong|not readable"):
                Prepared(folder).audio("film")
            if path.suffix != ".json":  # which is read once
                with pytest.raises(ValueError, match="damaged"):
                    [whole.bold(run) for run in whole.runs] + [whole.audio("film")]
        path.write_bytes(content)
    assert Prepared(folder).runs == whole.runs


def test_file_of_another_length_is_damaged(folder):
    path = folder / "bold" / "sub-02.h5"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"sub-02\.h5 is damaged: it has 500 bytes, \d+ were writ"):
        Prepared(folder)


def test_damaged_image_of_the_targets_is_refused(folder):
    assert targets_image(folder) is None
    path = folder / "targets.nii.gz"
    path.write_bytes(b"an image")
    with pytest.raises(ValueError, match=r"targets\.nii\.gz is not listed in dataset\.json"):
        targets_image(folder)
    change_dataset(folder)
    assert targets_image(folder) == path
    path.write_bytes(b"an imbge")
    with pytest.raises(ValueError, match=r"targets\.nii\.gz is damaged"):
        targets_image(folder)


def test_a_file_is_hashed_once(folder, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        "training.data.prepared_files.checksum_of",
        lambda path: hashed.append(path.name) or checksum_of(path),
    )
    monkeypatch.setattr("training.data.prepared_files._hashed", {})
    for _ in range(3):
        prepared = Prepared(folder)
        for run in prepared.runs:
            prepared.bold(run)
    assert hashed == ["sub-01.h5", "sub-02.h5"]
    prepared.audio("film")
    prepared.audio("film")
    assert hashed == ["sub-01.h5", "sub-02.h5", "film.npy"]


def test_dataset_without_checksums_is_refused(folder):
    without_checksums(folder)
    with pytest.raises(ValueError, match=r"without checksums.*; prepare the dataset again: undam"):
        Prepared(folder)


FAULTS = sorted((Path(__file__).parent / "damaged_tables").glob("*.h5"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if "HANG" in path.name else [])
        for path in FAULTS
    ],
)
def test_tables_on_which_hdf5_fails_are_one_line(folder, fault, monkeypatch):
    """Found by chance: HDF5 raises odd kinds of errors on these, crashes, or comes to no end."""
    monkeypatch.setattr("training.data.prepared_tables.SECONDS", 4.0)
    assert len(FAULTS) == 6
    path = folder / "bold" / "sub-02.h5"
    shutil.copy(fault, path)
    with pytest.raises(ValueError, match=r"sub-02\.h5 is damaged: it has 18688 bytes"):
        Prepared(folder)
    (text,) = probe([path]).values()
    assert text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("process", "message"),
    [
        ("import time; time.sleep(60)", "HDF5 does not finish reading it"),
        ("import os; os.kill(os.getpid(), 11)", "HDF5 crashed on it (SIGSEGV)"),
    ],
)
def test_reading_in_another_process_ends(folder, tmp_path, monkeypatch, process, message):
    reader = tmp_path / "reader.py"
    reader.write_text(f"print('\"\"', flush=True)\n{process}\n")
    monkeypatch.setattr("training.data.prepared_tables.__file__", str(reader))
    monkeypatch.setattr("training.data.prepared_tables.SECONDS", 1.5)
    one, two = sorted((folder / "bold").glob("*.h5"))
    assert probe([one, two]) == {two: message}


def test_table_that_lies_in_another_file_is_refused(folder, tmp_path):
    path = folder / "bold" / "sub-01.h5"
    shutil.move(path, tmp_path / "elsewhere.h5")
    with h5py.File(path, "w") as file:
        file["zebra"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/zebra")
    change_dataset(folder)
    with pytest.raises(ValueError, match=r"sub-01\.h5 is damaged \(run zebra lies in another file"):
        Prepared(folder)


def test_stimulus_outside_of_the_dataset_is_refused(folder):
    with h5py.File(folder / "bold" / "sub-01.h5", "a") as file:
        file["ant"].attrs["stimulus"] = "../../secret"
    change_dataset(folder)
    with pytest.raises(ValueError, match=r"run ant: the stimulus '../../secret' starts with a dot"):
        Prepared(folder)


def test_description_that_was_changed_by_hand(folder):
    path = folder / "dataset.json"
    path.write_text(path.read_text().replace("parcel_2", "parcel_9"))
    with pytest.raises(ValueError, match=r"has changed since it was written.* take out the line"):
        Prepared(folder)
    changed_info(folder)
    assert Prepared(folder).info.target_names[1] == "parcel_9"


def test_deep_description_is_refused(folder):
    (folder / "dataset.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"dataset\.json is not readable \(.*recursion"):
        Prepared(folder)


def test_run_that_is_not_there(folder):
    with pytest.raises(ValueError, match=r"sub-01\.h5: run bat cannot be read"):
        Prepared(folder).bold(run_of("bat"))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (None, r"film\.npy is missing; prepare the dataset again"),
        (np.zeros(0, np.int16), r"film\.npy holds int16 of shape \(0,\), expected int16"),
        (np.zeros(5, np.float32), r"film\.npy holds float32 of shape \(5,\)"),
        (np.zeros((5, 2), np.int16), r"film\.npy holds int16 of shape \(5, 2\)"),
        (b"nonsense", r"film\.npy is damaged .*prepare the dataset again"),
    ],
)
def test_sound_that_cannot_be_used(folder, samples, message):
    path = folder / "audio" / "film.npy"
    path.unlink()
    if isinstance(samples, bytes):
        path.write_bytes(samples)
    elif samples is not None:
        np.save(path, samples)
    if samples is not None:
        change_dataset(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Prepared(folder).audio("film")


def test_sound_responses_have_no_tr():
    with pytest.raises(ValueError, match="kind sound_responses does not go with a TR of 1"):
        DatasetInfo(
            name="sounds", kind="sound_responses", tr=1, sample_rate=RATE,
            target_ids=(1,), target_names=("a",),
        )  # fmt: skip

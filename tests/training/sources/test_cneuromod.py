"""CNeuroMod's h5 files: small ones that are written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
from pydantic import ValidationError

from training.sources.cneuromod import CneuromodSource

N_PARCELS = 7
GRID = "space-MNI152NLin2009cAsym_atlas-Schaefer18_parcel-1000Par7Net"
FILMS = (
    "friends/s1/friends_s01e02a.mkv",
    "friends/s1/friends_s01e02b.mkv",
    "movie10/bourne/bourne01.mkv",
    "movie10/life/life01.mkv",
    "movie10/figures/figures01.mkv",
)
FRIENDS = ("ses-003_task-s01e02a", "ses-003_task-s01e02b")
MOVIES = ("ses-001_task-bourne01", "ses-006_task-life01_run-1", "ses-009_task-life01_run-2")


class Release:
    """The folders ``fmri`` and ``stimuli/movies``."""

    def __init__(self, root: Path) -> None:
        self.fmri = root / "fmri"
        self.stimuli = root / "stimuli" / "movies"
        for film in FILMS:
            path = self.stimuli / film
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")

    def write(
        self, subject: str, task: str, keys: tuple[str, ...], n_parcels: int = N_PARCELS
    ) -> tuple[Path, dict[str, np.ndarray]]:
        folder = self.fmri / subject / "func"
        folder.mkdir(parents=True, exist_ok=True)
        ending = "desc-s123456_bold.h5" if task == "friends" else "bold.h5"
        path = folder / f"{subject}_task-{task}_{GRID}_{ending}"
        generator = np.random.default_rng(len(keys))
        tables = {key: generator.standard_normal((12 + i, n_parcels)) for i, key in enumerate(keys)}
        with h5py.File(path, "w") as file:
            for key, table in tables.items():
                file[key] = table.astype(np.float32)
                file[key].attrs["anything"] = "at all"
        return path, tables

    def source(self, **settings: Any) -> CneuromodSource:
        known = {"kind": "cneuromod", "fmri": self.fmri, "stimuli": self.stimuli}
        return CneuromodSource.model_validate(known | settings)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_runs_are_the_datasets_of_both_files(release: Release) -> None:
    _, friends = release.write("sub-01", "friends", FRIENDS)
    path, movies = release.write("sub-01", "movie10", MOVIES)
    collection = release.source().collect()
    found = {one.run: one for one in collection.recordings}
    assert tuple(found) == (*FRIENDS, *MOVIES)
    for key, table in (friends | movies).items():
        np.testing.assert_array_equal(found[key].load(), table.astype(np.float32))
    one = found["ses-003_task-s01e02a"]
    assert (one.subject, one.session, one.stimulus) == ("sub-01", "003", "friends_s01e02a")
    assert (one.episode, one.season, one.tr, one.start) == ("s01e02", "s01", 1.49, 0.0)
    one = found["ses-001_task-bourne01"]
    assert (one.stimulus, one.episode, one.season) == ("bourne01", "bourne01", "bourne")
    assert one.files == (path,)
    assert collection.stimuli["bourne01"] == release.stimuli / "movie10/bourne/bourne01.mkv"
    assert collection.targets.ids == tuple(range(1, N_PARCELS + 1))
    assert collection.targets.atlas == "Schaefer18_1000Par7Net"
    assert collection.targets.image is None


def test_repeats_share_their_stimulus_and_are_reported(release: Release) -> None:
    release.write("sub-01", "movie10", ("task-life01_run-1", "task-life01_run-2"))
    collection = release.source(tasks=["movie10"]).collect()
    assert [(one.stimulus, one.episode, one.session) for one in collection.recordings] == [
        ("life01", "life01", "")
    ] * 2
    assert collection.stimuli == {"life01": release.stimuli / "movie10/life/life01.mkv"}
    assert (
        "stimuli that played more than once to a subject, kept as repeats: sub-01 life01 (in "
        "task-life01_run-1, task-life01_run-2)" in collection.findings
    )


def test_what_is_left_out_is_said(release: Release) -> None:
    keys = (*FRIENDS, "ses-003_task-s07e01a", "notes", "task-../x")
    path, _ = release.write("sub-01", "friends", keys[:-1])
    release.write("sub-02", "movie10", MOVIES)
    collection = release.source().collect()
    assert {one.run for one in collection.recordings} == {*FRIENDS, *MOVIES}
    for expected in (
        f"left out, not of the form ses-001_task-s01e02a or task-life01_run-1: {path} (notes",
        "sub-01_ses-003_task-s07e01a",
        "sub-01 has no movie10",
        "sub-02 has no friends",
        "that belong to no run: figures01",
    ):
        assert sum(expected in text for text in collection.findings) == 1, expected


def test_subjects_and_tasks_choose_files(release: Release) -> None:
    for subject in ("sub-01", "sub-02"):
        release.write(subject, "friends", FRIENDS)
        release.write(subject, "movie10", MOVIES)
    source = release.source(subjects=["02"], tasks=["friends"])
    assert {(one.subject, one.run) for one in source.collect().recordings} == {
        ("sub-02", key) for key in FRIENDS
    }
    with pytest.raises(ValueError, match="has no sub-07; it has sub-01, sub-02"):
        release.source(subjects=["sub-07"]).collect()
    with pytest.raises(ValidationError, match="tasks"):
        release.source(tasks=[])


def test_different_numbers_of_columns_are_refused(release: Release) -> None:
    release.write("sub-01", "friends", FRIENDS)
    release.write("sub-02", "friends", FRIENDS, n_parcels=N_PARCELS + 1)
    with pytest.raises(ValueError, match=r"has 8 columns, but ses-003_task-s01e02a of .* has 7"):
        release.source(tasks=["friends"]).collect()


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_file_that_is_cut_off_is_named(release: Release, share: float) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=rf"{path.name} is damaged or cut off"):
        release.source().collect()


def test_file_that_breaks_after_it_was_found_is_named(release: Release) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    recording = release.source().collect().recordings[0]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{path.name} is damaged or cut off"):
        recording.load()
    release.write("sub-01", "friends", FRIENDS, n_parcels=3)
    with pytest.raises(ValueError, match=r"has changed to shape \(12, 3\)"):
        recording.load()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), r"has shape \(5,\), expected \(n_trs, n_targets\)"),
        (np.zeros((5, 2, 2)), r"has shape \(5, 2, 2\)"),
        (np.zeros((0, 7)), r"of shape \(0, 7\), not numbers"),
        (np.array([[b"a"]]), "not numbers"),
        (None, "has shape None"),
    ],
)
def test_datasets_that_are_no_time_course_are_refused(
    release: Release, values: np.ndarray | None, message: str
) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    with h5py.File(path, "a") as file:
        if values is None:
            file.create_group("ses-004_task-s01e03a")
        else:
            file["ses-004_task-s01e03a"] = values
    with pytest.raises(ValueError, match=f"ses-004_task-s01e03a .*{message}"):
        release.source().collect()


def test_link_to_nowhere_is_refused(release: Release) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    with h5py.File(path, "a") as file:
        file["ses-004_task-s01e03a"] = h5py.SoftLink("/gone")
    with pytest.raises(ValueError, match=rf"{path.name} is damaged"):
        release.source().collect()


def test_empty_folders_are_refused(release: Release) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder of time courses"):
        release.source().collect()
    release.fmri.mkdir()
    with pytest.raises(ValueError, match=r"has no .h5 or .hdf5 file, such as .*friends\|movie10"):
        release.source().collect()
    release.write("sub-01", "friends", ())
    with pytest.raises(ValueError, match=r"has no run: .*sub-01 has no movie10"):
        release.source().collect()
    release.write("sub-01", "friends", ("ses-001_task-s09e01a",))
    with pytest.raises(ValueError, match=r"no run has a stimulus: .*sub-01_ses-001_task-s09e01a"):
        release.source().collect()


def test_two_files_of_one_task_are_refused(release: Release) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    path.with_name(path.name.replace("1000Par", "400Par")).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"2 files of sub-01 for friends: .*1000Par.*400Par"):
        release.source().collect()


def test_labels_give_names_and_an_image(release: Release, tmp_path: Path) -> None:
    release.write("sub-01", "friends", FRIENDS)
    labels, table = tmp_path / "schaefer.nii.gz", tmp_path / "schaefer.tsv"
    values = np.arange(8, dtype=np.int16).reshape(2, 2, 2)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), labels)
    table.write_text("index\tname\n" + "".join(f"{i}\tVis_{i}\n" for i in range(1, 8)))
    targets = release.source(labels=labels, label_table=table).collect().targets
    assert (targets.names[:2], targets.atlas) == (("Vis_1", "Vis_2"), "schaefer")
    np.testing.assert_array_equal(targets.image.get_fdata(), values)
    nibabel.save(nibabel.Nifti1Image(values[:1], np.eye(4)), labels)
    with pytest.raises(ValueError, match=r"has 3 labels from 1 to 3, but the 7 columns"):
        release.source(labels=labels).collect()
    with pytest.raises(ValidationError, match="names the parcels of labels"):
        release.source(label_table=table)

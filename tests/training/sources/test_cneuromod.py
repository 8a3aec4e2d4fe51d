"""CNeuroMod's h5 files: their layouts, runs, films and faults."""

from __future__ import annotations

from collections.abc import Callable
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
NEXT = "ses-004_task-s01e03a"  # a further dataset
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


def test_exclusions_are_findings(release: Release) -> None:
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


def test_file_that_breaks_after_it_was_found_is_named(release: Release) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    recording = release.source().collect().recordings[0]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{path.name} is damaged or cut off"):
        recording.load()
    release.write("sub-01", "friends", FRIENDS, n_parcels=3)
    with pytest.raises(ValueError, match=r"has changed to shape \(12, 3\)"):
        recording.load()


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


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (
            lambda file: file.create_dataset(NEXT, data=np.zeros(5)),
            r"shape \(5,\), expected \(n_trs,",
        ),
        (
            lambda file: file.create_dataset(NEXT, data=np.zeros((5, 2, 2))),
            r"has shape \(5, 2, 2\)",
        ),
        (lambda file: file.create_dataset(NEXT, data=np.zeros((0, 7))), r"\(0, 7\), not numbers"),
        (lambda file: file.create_dataset(NEXT, data=np.array([[b"a"]])), "not numbers"),
        (lambda file: file.create_group(NEXT), "has shape None"),
        (lambda file: file.__setitem__(NEXT, h5py.SoftLink("/gone")), "is damaged"),
        (
            lambda file: file.__setitem__(NEXT, h5py.ExternalLink("/etc/passwd", "/x")),
            f"{NEXT} is a link to another file",
        ),
        (
            lambda file: file.create_dataset(
                NEXT, (3, 2), "f4", external=[("/etc/hostname", 0, 24)]
            ),
            f"{NEXT} is kept in another file",
        ),
        (
            lambda file: file.create_dataset(NEXT, (10**9, 1000), "f4", chunks=(1000, 1000)),
            f"{NEXT} declares 4000000000000 bytes",
        ),
    ],
)
def test_datasets_that_are_no_time_course_are_refused(
    release: Release, add: Callable[[h5py.File], None], message: str
) -> None:
    path, _ = release.write("sub-01", "friends", FRIENDS)
    with h5py.File(path, "a") as file:
        add(file)
    with pytest.raises(ValueError, match=message):
        release.source().collect()


# Other layouts than those of Algonauts 2025, and other names of films

TABLE = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
ALGONAUTS = "sub-01/func/sub-01_task-friends_space-MNI152NLin2009cAsym_atlas-Schaefer18_bold.h5"
EXTRACTOR = (
    "friends/timeseries/sub-01_friends_MNI152NLin2009cAsym_BOLDtimeseries_atlas-MIST_desc-444_"
    "dseg_simple+gsr.h5"
)


def write_file(root: Path, file: str, *keys: str) -> Path:
    path = root / "fmri" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as h5:
        for key in keys:
            h5[key] = TABLE
    return path


def source(root: Path, *films: str, **settings: Any) -> CneuromodSource:
    for film in films:
        path = root / "stimuli" / film
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    known = {"kind": "cneuromod", "fmri": root / "fmri", "stimuli": root / "stimuli"}
    return CneuromodSource.model_validate(known | settings)


@pytest.mark.parametrize(
    ("file", "key", "run"),
    [
        (ALGONAUTS, "ses-003_task-s01e02a", "ses-003_task-s01e02a"),
        (ALGONAUTS.replace(".h5", ".hdf5"), "ses-003_task-s01e02a", "ses-003_task-s01e02a"),
        (EXTRACTOR, "ses-003/ses-003_task-s01e02a_timeseries", "ses-003_task-s01e02a"),
        (
            "sub-01_MNI152NLin2009cAsym_friends_MIST444_BOLDtimeseries_simple_parcel.h5",
            "ses-003/ses-003_task-s01e02a_timeseries",
            "ses-003_task-s01e02a",
        ),
        (
            "cneuromod2026/sub-01/sub-01_task-friends_atlas-cneuromod26_timeseries.h5",
            "ses-003/ses-003_task-s01e02a_timeseries",
            "ses-003_task-s01e02a",
        ),
        (ALGONAUTS, "ses-003/task-s01e02a", "ses-003_task-s01e02a"),
        (ALGONAUTS, "task-s01e02a/bold", "task-s01e02a"),
        (ALGONAUTS, "s01e02a", "task-s01e02a"),
        (ALGONAUTS, "friends_s01e02a", "task-s01e02a"),
        (ALGONAUTS, "s1/s01e02a", "task-s01e02a"),
        ("all.h5", "sub-01/ses-003/task-s01e02a", "ses-003_task-s01e02a"),
        ("friends.h5", "sub-01_ses-003_task-s01e02a", "ses-003_task-s01e02a"),
        ("friends/sub-01_ses-003_task-s01e02a_bold.h5", "timeseries", "ses-003_task-s01e02a"),
    ],
)
def test_layouts_of_keys(tmp_path: Path, file: str, key: str, run: str) -> None:
    path = write_file(tmp_path, file, key)
    collection = source(tmp_path, FILMS[0]).collect()
    (recording,) = collection.recordings
    assert (recording.subject, recording.run, recording.stimulus) == (
        "sub-01",
        run,
        "friends_s01e02a",
    )
    assert recording.session == ("003" if "ses-003" in run else "")
    assert (recording.episode, recording.season) == ("s01e02", "s01")
    assert recording.files == (path,)
    np.testing.assert_array_equal(recording.load(), TABLE)


@pytest.mark.parametrize(
    ("dataset", "key", "film"),
    [
        ("movie10", "ses-001_task-bourne01", "bourne/bourne01.mkv"),
        ("movie10", "ses-001_task-bourne01", "bourne/bourne_seg01.mkv"),
        ("movie10", "ses-001_task-bourne_run-01", "bourne/bourne_seg01.mkv"),
        ("movie10", "ses-001_task-bourne_run-1", "bourne/bourne01.mkv"),
        ("ood", "ses-001_task-chaplin1", "ood/chaplin/task-chaplin1_video.mkv"),
        ("petitprince", "ses-001_task-lppEN_run-1", "task-lppEN_section-1.wav"),
        ("petitprince", "ses-001_task-lppFR_run-02", "task-lppFR_section_2.wav"),
    ],
)
def test_names_of_films(tmp_path: Path, dataset: str, key: str, film: str) -> None:
    write_file(tmp_path, f"sub-01/sub-01_task-{dataset}_timeseries.h5", key)
    (recording,) = source(tmp_path, film, FILMS[0], tasks=[dataset]).collect().recordings
    assert recording.stimulus == Path(film).stem


def test_films_with_names_of_their_own_are_matched(tmp_path: Path) -> None:
    write_file(tmp_path, ALGONAUTS, *FRIENDS)
    films = "Friends.s01e02a.720p.mkv", "Friends.s01e02b.720p.mkv"
    with pytest.raises(ValueError, match=r"no run has a stimulus: .*give source.match.pattern"):
        source(tmp_path, *films).collect()
    found = source(tmp_path, match={"pattern": "Friends.{task}.720p"}).collect().recordings
    assert [one.stimulus for one in found] == ["Friends.s01e02a.720p", "Friends.s01e02b.720p"]
    table = tmp_path / "played.tsv"
    table.write_text("task\tstimulus\tstart\ns01e02b\tFriends.s01e02a.720p\t3.5\n")
    (one,) = source(tmp_path, match={"table": table}).collect().recordings
    assert (one.run, one.stimulus, one.start) == (
        "ses-003_task-s01e02b",
        "Friends.s01e02a.720p",
        3.5,
    )


def test_entities_choose_between_files_of_two_atlases(tmp_path: Path) -> None:
    for atlas in ("Schaefer18", "MIST"):
        write_file(tmp_path, ALGONAUTS.replace("Schaefer18", atlas), "task-s01e02a")
    with pytest.raises(ValueError, match=r"2 files of sub-01 .*entities: {atlas: MIST}"):
        source(tmp_path, FILMS[0]).collect()
    (one,) = source(tmp_path, entities={"atlas": "Schaefer18"}).collect().recordings
    assert "Schaefer18" in one.files[0].name


def test_files_and_keys_left_out_have_a_reason(tmp_path: Path) -> None:
    write_file(tmp_path, ALGONAUTS, "task-s01e02a", "task-s01e02a_mask")
    write_file(tmp_path, "sub-01/sub-01_task-ood_bold.h5", "task-wot1")
    findings = source(tmp_path, FILMS[0]).collect().findings
    assert any("of ood, not listed in tasks: sub-01_task-ood_bold.h5" in f for f in findings)
    assert any(f.endswith("(task-s01e02a_mask)") for f in findings)

"""Layouts of CNeuroMod's h5 files, and names of its films, other than those of Algonauts 2025."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from training.sources.cneuromod import CneuromodSource

TABLE = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
FILM = "friends/s1/friends_s01e02a.mkv"
ALGONAUTS = "sub-01/func/sub-01_task-friends_space-MNI152NLin2009cAsym_atlas-Schaefer18_bold.h5"
EXTRACTOR = (
    "friends/timeseries/sub-01_friends_MNI152NLin2009cAsym_BOLDtimeseries_atlas-MIST_desc-444_"
    "dseg_simple+gsr.h5"
)


def write(root: Path, file: str, keys: dict[str, np.ndarray]) -> Path:
    path = root / "fmri" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as h5:
        for key, table in keys.items():
            h5[key] = table
    return path


def films(root: Path, *names: str) -> None:
    for name in names:
        path = root / "stimuli" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def source(root: Path, **settings: Any) -> CneuromodSource:
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
    path = write(tmp_path, file, {key: TABLE})
    films(tmp_path, FILM)
    collection = source(tmp_path).collect()
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
    write(tmp_path, f"sub-01/sub-01_task-{dataset}_timeseries.h5", {key: TABLE})
    films(tmp_path, film, FILM)
    (recording,) = source(tmp_path, tasks=[dataset]).collect().recordings
    assert recording.stimulus == Path(film).stem


def test_films_with_names_of_their_own_are_matched(tmp_path: Path) -> None:
    write(tmp_path, ALGONAUTS, {"ses-003_task-s01e02a": TABLE, "ses-003_task-s01e02b": TABLE})
    films(tmp_path, "Friends.s01e02a.720p.mkv", "Friends.s01e02b.720p.mkv")
    with pytest.raises(ValueError, match=r"no run has a stimulus: .*give source.match.pattern"):
        source(tmp_path).collect()
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
        write(tmp_path, ALGONAUTS.replace("Schaefer18", atlas), {"task-s01e02a": TABLE})
    films(tmp_path, FILM)
    with pytest.raises(ValueError, match=r"2 files of sub-01 .*entities: {atlas: MIST}"):
        source(tmp_path).collect()
    (one,) = source(tmp_path, entities={"atlas": "Schaefer18"}).collect().recordings
    assert "Schaefer18" in one.files[0].name


def test_what_no_setting_asks_for_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, ALGONAUTS, {"task-s01e02a": TABLE, "task-s01e02a_mask": TABLE})
    write(tmp_path, "sub-01/sub-01_task-ood_bold.h5", {"task-wot1": TABLE})
    films(tmp_path, FILM)
    findings = source(tmp_path).collect().findings
    assert any("of ood, not listed in tasks: sub-01_task-ood_bold.h5" in f for f in findings)
    assert any(f.endswith("(task-s01e02a_mask)") for f in findings)


def test_files_that_refer_to_others_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ALGONAUTS, {"task-s01e02a": TABLE})
    films(tmp_path, FILM)
    with h5py.File(path, "a") as h5:
        h5["task-s01e02b"] = h5py.ExternalLink("/etc/passwd", "/x")
    with pytest.raises(ValueError, match="task-s01e02b is a link to another file"):
        source(tmp_path).collect()
    path.unlink()
    with h5py.File(path, "w") as h5:
        h5.create_dataset("task-s01e02a", (3, 2), "f4", external=[("/etc/hostname", 0, 24)])
    with pytest.raises(ValueError, match="task-s01e02a is kept in another file"):
        source(tmp_path).collect()


def test_a_small_file_that_announces_a_huge_table_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ALGONAUTS, {"task-s01e02b": TABLE})
    films(tmp_path, FILM)
    with h5py.File(path, "a") as h5:
        h5.create_dataset("task-s01e02a", (10**9, 1000), "f4", chunks=(1000, 1000))
    with pytest.raises(ValueError, match=r"task-s01e02a declares 4000000000000 bytes"):
        source(tmp_path).collect()

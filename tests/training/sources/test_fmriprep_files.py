"""Which runs of fMRIPrep derivatives are found, and what is refused of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fmriprep_study import (
    AFFINE,
    N_TRS,
    NONE,
    SHAPE,
    SPACE,
    TR,
    Study,
    change_voxels,
    mask_of,
    save,
    sidecar_of,
    table_of,
)


def test_runs_are_described_by_their_entities(study: Study) -> None:
    study.write_run(sub="02", ses="001", task="s01e02b")
    study.write_run(sub="01", ses="003", task="s01e02a_run-1")
    collection = study.source(start=-1.0).collect()
    first, second = collection.recordings
    assert (first.subject, first.run, first.session) == (
        "sub-01",
        "ses-003_task-s01e02a_run-1",
        "003",
    )
    assert (first.stimulus, first.episode, first.season) == ("s01e02a", "s01e02", "s01")
    assert (first.start, first.tr) == (-1.0, TR)
    assert (second.subject, second.run) == ("sub-02", "ses-001_task-s01e02b")
    assert collection.kind == "time_series"
    assert collection.stimuli == {
        name: study.stimuli / f"{name}.wav" for name in ("s01e02a", "s01e02b")
    }
    assert {path.name.split("_")[-1] for path in first.files} >= {
        "bold.nii.gz",
        "bold.json",
        "mask.nii.gz",
        "timeseries.tsv",
    }
    assert study.labels in first.files


def test_folder_without_sessions_and_a_table_with_starts(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    folder = study.derivatives / "sub-01" / "func"
    folder.mkdir()
    for path in bold.parent.iterdir():
        path.rename(folder / path.name.replace("_ses-003", ""))
    table = tmp_path / "runs.tsv"
    table.write_text("task\tstimulus\tstart\ns01e02a\ts01e02b\t12.5\n")
    (recording,) = study.source(match={"table": table}).collect().recordings
    assert (recording.run, recording.session) == ("task-s01e02a", "")
    assert (recording.stimulus, recording.start) == ("s01e02b", 12.5)
    assert recording.load().shape == (N_TRS, 3)


def test_task_and_subjects_choose_runs(study: Study) -> None:
    study.write_run(sub="01", task="s01e02a")
    study.write_run(sub="01", task="s01e02b")
    study.write_run(sub="02", task="s01e02a")
    source = study.source(task="s0?e02a", subjects=["sub-02"])
    assert [one.subject for one in source.collect().recordings] == ["sub-02"]
    with pytest.raises(ValueError, match=r"no run of sub-07 in .*it has sub-01, sub-02"):
        study.source(subjects=["07"]).collect()
    with pytest.raises(ValueError, match="task-rest_"):
        study.source(task="rest").collect()
    with pytest.raises(FileNotFoundError, match="derivatives"):
        study.source(derivatives=study.derivatives / "nowhere").collect()


def test_exclusions_are_findings(study: Study) -> None:
    study.write_run(task="s01e02a")
    study.write_run(ses="004", task="s01e02a")
    study.write_run(task="rest")
    study.write_run(task="s01e02b", grid="space-T1w")
    gone = study.write_run(ses="009", task="s01e02a")
    gone.unlink()
    gone.symlink_to("nowhere")
    collection = study.source().collect()
    assert [one.run for one in collection.recordings] == [
        "ses-003_task-s01e02a",
        "ses-004_task-s01e02a",
    ]
    for expected in (
        "no stimulus 'rest'",
        f"left out, no image with space-{SPACE}, desc-preproc: sub-01_ses-003_task-s01e02b",
        "as a link without content; fetch it: sub-01_ses-009_task-s01e02a",
        "kept as repeats: sub-01 s01e02a (in ",
        "that belong to no run: s01e02b",
    ):
        assert sum(expected in text for text in collection.findings) == 1, expected
    with pytest.raises(ValueError, match=r"sub-01 has no run to take; .*space-Other.*entities: {"):
        study.source(space="Other").collect()
    with pytest.raises(ValueError, match=r"no run has a stimulus: .*'other_rest'.*holds s01e02a"):
        study.source(task="rest", match={"pattern": "other_{task}"}).collect()


def test_two_images_of_one_run_need_res(study: Study) -> None:
    for res in ("2", "native"):
        study.write_run(grid=f"space-{SPACE}_res-{res}")
    with pytest.raises(ValueError, match=r"2 images of one run: .*res-2.* and .*res-native.*res:"):
        study.source().collect()
    (recording,) = study.source(res=2).collect().recordings
    assert "res-2" in recording.files[0].name


def test_runs_without_companions_are_refused(study: Study) -> None:
    bold = study.write_run()
    table_of(bold).unlink()
    with pytest.raises(ValueError, match=r"has no table of confounds .*strategy: \[\]"):
        study.source().collect()
    assert study.load(confounds=NONE).shape == (N_TRS, 3)
    mask_of(bold).unlink()
    with pytest.raises(ValueError, match=r"has no brain mask .*desc-brain_mask.nii.gz"):
        study.source().collect()


def test_runs_must_have_one_repetition_time(study: Study) -> None:
    study.write_run()
    bold = study.write_run(task="s01e02b")
    change_voxels(bold, lambda voxels: None, tr=2.0)
    sidecar_of(bold).write_text(json.dumps({"RepetitionTime": 2.0}))
    with pytest.raises(ValueError, match=r"runs differ in repetition time: 1\.5 s in .*, 2 s in"):
        study.source().collect()


def test_damaged_images_are_named(study: Study) -> None:
    bold = study.write_run()
    whole = bold.read_bytes()
    bold.write_bytes(whole[: len(whole) // 2])
    (recording,) = study.source().collect().recordings
    with pytest.raises(ValueError, match=rf"{bold.name} is damaged or cut off"):
        recording.load()
    bold.write_bytes(whole[:20])
    with pytest.raises(ValueError, match=rf"{bold.name}: its header cannot be read"):
        study.source().collect()
    bold.write_bytes(b"no image")
    with pytest.raises(ValueError, match=rf"{bold.name}: its header cannot be read"):
        study.source().collect()
    save(np.ones(SHAPE), bold)
    with pytest.raises(ValueError, match=r"of shape \(10, 10, 10\), expected .* 4 dimensions"):
        study.source().collect()


def test_brain_mask_is_empty_or_nan_outside(study: Study) -> None:
    bold = study.write_run()
    expected = study.load()
    change_voxels(mask_of(bold), lambda brain: brain.__setitem__(brain == 0, np.nan))
    np.testing.assert_array_equal(study.load(), expected)
    save(np.zeros(SHAPE), mask_of(bold))
    with pytest.raises(ValueError, match=r"mask.nii.gz is empty: no voxel is in the brain"):
        study.source().collect()


def test_brain_mask_on_another_grid_is_refused(study: Study) -> None:
    bold = study.write_run()
    save(np.ones((9, 10, 10)), mask_of(bold))
    with pytest.raises(ValueError, match=r"\(9, 10, 10\) is not on the grid of"):
        study.load()


def test_atlas_in_another_space_is_refused(study: Study, tmp_path: Path) -> None:
    study.write_run()
    away = AFFINE.copy()
    away[0, 3] += 20
    save(study.label_values, study.labels, away)
    with pytest.raises(ValueError, match=r"another space: 45% of its voxels .*expected 50%"):
        study.source().collect()
    assert study.source(least_overlap=0.2).collect().recordings
    named = tmp_path / "tpl-MNIColin27_atlas-x_dseg.nii.gz"
    save(study.label_values, named)
    with pytest.raises(ValueError, match=rf"is in space MNIColin27, the images are in {SPACE}"):
        study.source(labels=named).collect()

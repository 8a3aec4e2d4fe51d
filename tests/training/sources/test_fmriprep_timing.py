"""Timing of TRs: header, sidecars and recipe, and their precedence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fmriprep_study import AFFINE, N_TRS, TR, Study, change_voxels, sidecar_of, table_of

from training.prepare.collection_checks import leave_out
from training.sources.source import Collection


def write_header(bold: Path, tr: float, unit: str = "sec") -> None:
    image = nibabel.load(bold)
    header = image.header.copy()
    header["pixdim"][4] = tr
    header.set_xyzt_units("mm", unit)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata(), AFFINE, header), bold)


def write_sidecar(bold: Path, **metadata: Any) -> None:
    sidecar_of(bold).write_text(json.dumps(metadata))


def timing(collection: Collection) -> tuple[float, float]:
    (recording,) = collection.recordings
    return recording.tr, recording.start


@pytest.mark.parametrize("header", [1.0, 1.4, 0.0, np.nan, -1.0])
def test_recipe_overrides_the_header_with_a_finding(study: Study, header: float) -> None:
    bold = study.write_run()
    write_header(bold, header)
    collection = study.source(tr=TR).collect()
    assert timing(collection) == (TR, 0.0)
    found = [text for text in collection.findings if text.startswith("tr: ")]
    known = header > 0  # 0 stands for "not known", other values are no times
    assert found == (
        [
            f"tr: 1.5 s of the recipe is taken, not {header:g} s by the image's header: in 1 runs, "
            "sub-01_ses-003_task-s01e02a"
        ]
        if known
        else []
    )


def test_recipe_overrides_the_sidecar(study: Study) -> None:
    study.write_run()
    collection = study.source(tr=2.0).collect()
    assert timing(collection) == (2.0, 0.0)
    assert any("1.5 s by the sidecar, 1.5 s by the image" in text for text in collection.findings)


def test_header_and_sidecar_must_agree_without_the_recipe(study: Study) -> None:
    bold = study.write_run()
    write_sidecar(bold, RepetitionTime=1.49)
    with pytest.raises(
        ValueError, match=r"1\.49 s by sub-01.*json, 1\.5 s by .*header; say which .* tr: 1\.49"
    ):
        study.source().collect()
    sidecar_of(bold).unlink()
    assert timing(study.source().collect()) == (TR, 0.0)
    change_voxels(bold, lambda voxels: None, tr=0.0)
    with pytest.raises(ValueError, match="neither header nor sidecar"):
        study.source().collect()
    assert timing(study.source(tr=1.49).collect()) == (1.49, 0.0)


@pytest.mark.parametrize(
    ("value", "unit", "finding"),
    [
        (1500, "msec", ""),
        (1500, "sec", "the image's header says 1500 s, taken as milliseconds: 1.5 s"),
        (1500, "unknown", "the image's header says 1500 s, taken as milliseconds: 1.5 s"),
        (1.5, "msec", "the image's header says 0.0015 s, taken as seconds: 1.5 s"),
    ],
)
def test_units_of_the_header_are_those_that_agree_with_the_sidecar(
    study: Study, value: float, unit: str, finding: str
) -> None:
    write_header(study.write_run(), value, unit)
    collection = study.source().collect()
    assert timing(collection) == (TR, 0.0)
    found = [text for text in collection.findings if "image's header" in text]
    assert found == ([f"{finding}: in 1 runs, sub-01_ses-003_task-s01e02a"] if finding else [])


def test_milliseconds_in_the_header_alone_are_refused(study: Study) -> None:
    bold = study.write_run()
    write_header(bold, 1500)
    sidecar_of(bold).unlink()
    with pytest.raises(ValueError, match=r"1500 s by the image's header, which .* other units"):
        study.source().collect()


def test_sidecars_are_inherited_from_folders_above(study: Study) -> None:
    bold = study.write_run()
    write_header(bold, 0)
    write_sidecar(bold, TaskName="s01e02a")
    top = study.derivatives / "task-s01e02a_bold.json"
    top.write_text(json.dumps({"RepetitionTime": 2.0, "StartTime": 1.0}))
    nearer = study.derivatives / "sub-01" / "sub-01_bold.json"
    nearer.write_text(json.dumps({"RepetitionTime": TR}))
    for name in ("task-rest_bold.json", "task-s01e02a_events.json", "sub-02_bold.json"):
        (study.derivatives / name).write_text(json.dumps({"RepetitionTime": 9.0}))
    (recording,) = study.source().collect().recordings
    assert (recording.tr, recording.start) == (TR, 1.0)
    assert {top, nearer} <= set(recording.files)


def test_start_time_shifts_tr_0(study: Study) -> None:
    bold = study.write_run()
    write_sidecar(bold, RepetitionTime=TR, StartTime=0.75, SliceTimingCorrected=True)
    collection = study.source(start=-2.0).collect()
    assert timing(collection) == (TR, -1.25)
    assert (
        "TR 0 stands for 0.75 s of the run, by StartTime in its sidecar: in 1 runs, "
        "sub-01_ses-003_task-s01e02a" in collection.findings
    )
    collection = study.source(start_time=0).collect()
    assert timing(collection) == (TR, 0.0)
    assert any("stands for 0 s of the run, not 0.75 s" in text for text in collection.findings)


def test_slice_time_correction_without_start_time_is_a_finding(study: Study) -> None:
    bold = study.write_run()
    write_sidecar(bold, RepetitionTime=TR, SliceTimingCorrected=True)
    collection = study.source().collect()
    assert timing(collection) == (TR, 0.0)
    assert any("set start_time: 0.75" in text for text in collection.findings)
    assert timing(study.source(start_time=0.75).collect()) == (TR, 0.75)


def test_regular_volume_timing_is_a_repetition_time(study: Study) -> None:
    bold = study.write_run()
    write_header(bold, 0)
    jitter = 0.002 * np.random.default_rng(0).uniform(-1, 1, N_TRS - 2)
    times = 0.5 + 3.4 * np.arange(N_TRS)
    times[1:-1] += jitter
    write_sidecar(bold, VolumeTiming=times.tolist(), AcquisitionDuration=1.0)
    assert timing(study.source().collect()) == (3.4, 0.5)


def test_irregular_volume_timing_is_refused(study: Study) -> None:
    bold = study.write_run()
    times = 3.4 * np.arange(N_TRS)
    times[20:] += 10
    write_sidecar(bold, VolumeTiming=times.tolist())
    for settings in ({}, {"tr": 3.4}):
        with pytest.raises(
            ValueError, match=r"not regular: 3\.4 s .*, 13\.4 s after volume 19; .*cut the image"
        ):
            study.source(**settings).collect()
    write_sidecar(bold, VolumeTiming=times[:-1].tolist())
    with pytest.raises(ValueError, match="29 times for the 30 TRs"):
        study.source().collect()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not readable as JSON"),
        ("[1]", "not readable as JSON with keys and values"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"RepetitionTime": "fast"}', "RepetitionTime is 'fast', expected seconds"),
        ('{"RepetitionTime": [1.5]}', "expected seconds"),
        ('{"RepetitionTime": true}', "expected seconds"),
        ('{"RepetitionTime": -1}', "expected seconds above 0"),
        ('{"RepetitionTime": 1e999}', "expected seconds"),
        ('{"RepetitionTime": 1.5, "StartTime": NaN}', "StartTime is 'nan', expected seconds"),
        ('{"VolumeTiming": 3}', "VolumeTiming is '3', expected a list of seconds"),
        ('{"VolumeTiming": []}', "expected a list of seconds"),
    ],
)
def test_sidecars_without_numbers_are_named(study: Study, text: str, message: str) -> None:
    sidecar_of(study.write_run()).write_text(text)
    with pytest.raises(ValueError, match=message):
        study.source().collect()


def test_faults_of_several_runs_are_reported_together(study: Study) -> None:
    for task in ("s01e02a", "s01e02b"):
        write_header(study.write_run(task=task), 1.0)
    with pytest.raises(
        ValueError, match=r"2 runs cannot be used, exclude .*: .*s01e02a.*; .*s01e02b"
    ):
        study.source().collect()


def test_excluded_run_is_not_checked(study: Study) -> None:
    good = study.write_run()
    bad = study.write_run(task="s01e02b")
    write_header(bad, 1.0)
    table_of(bad).write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"s01e02b"):
        study.source().collect()
    collection = study.source().collect(exclude=["sub-01/*_task-s01e02b"])
    assert [(one.files[0], one.tr) for one in collection.recordings] == [(good, TR), (bad, TR)]
    kept = leave_out(collection, ["sub-01/*_task-s01e02b"])
    assert [one.files[0] for one in kept.recordings] == [good]

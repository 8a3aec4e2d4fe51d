"""Preparation of collections: files, checks, findings, resumption."""

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import scipy.stats
import soundfile
from small_collections import N_TRS, TR, noise_sound, small_collection, sound_collection, with_table
from small_dataset import without_checksums

from training.data.prepared import Prepared
from training.prepare.preparation import PreparationSettings, prepare_collection
from training.prepare.run_checks import (
    Extent,
    RunRules,
    check_table,
    fit_to_stimulus,
    z_score,
)
from training.prepare.synchrony import Synchrony

pytestmark = pytest.mark.usefixtures("no_page")
SETTINGS = PreparationSettings(name="film", drop_start=0)


def run_preparation(collection, out, settings=SETTINGS, **changes):
    settings = settings.model_copy(update=changes)
    return prepare_collection(collection, settings, out, progress=False)


def contents(out):
    """All files by name."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def responses(n_trs=N_TRS, n_targets=6, seed=5):
    return np.random.default_rng(seed).standard_normal((n_trs, n_targets))


def changed(collection, which=0, **changes):
    recordings = list(collection.recordings)
    recordings[which] = replace(recordings[which], **changes)
    return replace(collection, recordings=recordings)


def unread(collection):
    """The same runs, none of which may be loaded."""
    refused = lambda: pytest.fail("a run is loaded")  # noqa: E731
    recordings = [replace(each, load=refused) for each in collection.recordings]
    return replace(collection, recordings=recordings)


@pytest.fixture
def collection(tmp_path):
    return small_collection(tmp_path / "source")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "prepared" / "film"


def test_runs_are_z_scored_and_described(collection, out):
    dataset = run_preparation(collection, out)
    assert [(run.subject, run.name) for run in dataset.runs] == [
        ("sub-01", "run-0"), ("sub-01", "run-1"), ("sub-02", "run-0"), ("sub-02", "run-1"),
    ]  # fmt: skip
    for run, recording in zip(dataset.runs, collection.recordings, strict=True):
        expected = scipy.stats.zscore(recording.load(), axis=0)
        np.testing.assert_allclose(dataset.bold(run), expected, atol=1e-6)
        assert (run.tr, run.start, run.session, run.n_trs) == (TR, 0, "01", N_TRS)
        assert run.episode == run.stimulus == recording.stimulus
        assert len(dataset.audio(run.stimulus)) == N_TRS * TR * 22_050
    info = dataset.info
    assert (info.target_ids, info.atlas, info.findings) == ((10, 20, 30, 40, 50, 60), "made up", ())
    assert info.recipe["missing_trs"] == 3
    assert {"numpy", "soxr", "h5py"} <= info.versions.keys()
    for source in info.sources:
        content = Path(source.path).read_bytes()
        digest = hashlib.blake2b(content, digest_size=32).hexdigest()
        assert source.checksum == f"blake2b-256:{digest}"
        assert source.n_bytes == len(content)
    assert len(info.sources) == 6
    assert sorted(path.name for path in out.iterdir()) == [
        "audio", "bold", "dataset.json", "summary.html",
    ]  # fmt: skip
    assert sorted(path.name for path in (out / "bold").iterdir()) == ["sub-01.h5", "sub-02.h5"]


def test_sounds_are_z_scored_over_a_subject(tmp_path, out):
    collection = sound_collection(tmp_path)
    dataset = run_preparation(collection, out)
    assert dataset.info.tr == 0
    for subject in dataset.subjects:
        rows = [each.load() for each in collection.recordings if each.subject == subject]
        expected = scipy.stats.zscore(np.concatenate(rows), axis=0)
        runs = [run for run in dataset.runs if run.subject == subject]
        got = np.concatenate([dataset.bold(run) for run in runs])
        np.testing.assert_allclose(got, expected, atol=1e-6)
    before = contents(out)
    run_preparation(collection, out)
    assert contents(out) == before


def test_image_of_the_targets_is_kept(collection, out):
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    collection = replace(collection, targets=replace(collection.targets, image=image))
    run_preparation(collection, out)
    written = nibabel.load(out / "targets.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(image.dataobj))


@pytest.mark.parametrize("failing", range(4))
def test_resumed_after_an_error_files_are_identical(tmp_path, collection, out, failing):
    run_preparation(collection, tmp_path / "whole")
    loaded = []

    def load(i, fail):
        if fail and i == failing:
            raise ValueError("the disk of the scanner is gone")
        loaded.append(i)
        return collection.recordings[i].load()

    def watched(fail):
        recordings = [
            replace(each, load=lambda i=i: load(i, fail))
            for i, each in enumerate(collection.recordings)
        ]
        return replace(collection, recordings=recordings)

    with pytest.raises(ValueError, match="scanner is gone"):
        run_preparation(watched(True), out)
    assert not (out / "dataset.json").exists()
    run_preparation(watched(False), out)
    assert loaded == [0, 1, 2, 3]  # each once
    assert contents(out) == contents(tmp_path / "whole")
    loaded.clear()
    run_preparation(watched(False), out)
    assert loaded == []
    assert contents(out) == contents(tmp_path / "whole")


def test_leftovers_of_a_kill_are_swept(collection, out):
    run_preparation(collection, out)
    before = contents(out)
    (out / "dataset.json").rename(out / ".preparing.json")  # as if killed before the last step
    for place in ("audio/.film-0.npy.99.tmp", "bold/.sub-01.h5.99.tmp", ".dataset.json.99.tmp"):
        (out / place).write_bytes(b"half")
    run_preparation(collection, out)
    assert contents(out) == before


def test_damaged_files_are_rewritten(collection, out):
    run_preparation(collection, out)
    before = contents(out)
    (out / "bold" / "sub-01.h5").write_bytes(before["bold/sub-01.h5"][:3000])
    (out / "audio" / "film-0.npy").write_bytes(b"")
    (out / "audio" / "film-1.json").write_bytes(b"{")
    run_preparation(collection, out)
    assert contents(out) == before


@pytest.mark.parametrize("is_finished", [True, False])
def test_changed_bytes_are_rewritten(collection, out, is_finished):
    """Neither HDF5 nor numpy notices one byte in the middle of the numbers."""
    run_preparation(collection, out)
    before = contents(out)
    if not is_finished:
        marker = {"name": "film", "files": json.loads(before["dataset.json"])["files"]}
        (out / ".preparing.json").write_text(json.dumps(marker))
        (out / "dataset.json").unlink()
    for name in ("bold/sub-02.h5", "audio/film-0.npy"):
        changed = bytearray(before[name])
        changed[len(changed) // 2] ^= 64
        (out / name).write_bytes(changed)
    run_preparation(collection, out)
    assert contents(out) == before


def test_damaged_description_is_rewritten(collection, out, caplog):
    run_preparation(collection, out)
    before = contents(out)
    (out / "dataset.json").write_bytes(before["dataset.json"][:700])
    run_preparation(unread(collection), out)
    assert contents(out) == before
    assert "dataset.json is damaged; undamaged files are kept" in caplog.text
    (out / "thesis.txt").touch()
    (out / "dataset.json").write_text("{")
    with pytest.raises(ValueError, match="is not empty and holds no prepared dataset"):
        run_preparation(collection, out)


def test_dataset_without_checksums_gets_them_and_keeps_its_numbers(collection, out, caplog):
    run_preparation(collection, out)
    before = contents(out)
    without_checksums(out)
    run_preparation(unread(collection), out)
    assert contents(out) == before
    assert set(json.loads(before["dataset.json"])["files"]) == {
        "audio/film-0.npy", "audio/film-1.npy", "bold/sub-01.h5", "bold/sub-02.h5",
    }  # fmt: skip


def test_changed_source_file_is_prepared_again_and_nothing_else(collection, out):
    run_preparation(collection, out)
    path = collection.recordings[2].files[0]
    np.save(path, responses(seed=77))
    loaded = []
    recordings = [
        replace(each, load=lambda i=i, each=each: loaded.append(i) or each.load())
        for i, each in enumerate(collection.recordings)
    ]
    dataset = run_preparation(replace(collection, recordings=recordings), out)
    assert loaded == [2]
    expected = scipy.stats.zscore(responses(seed=77), axis=0)
    np.testing.assert_allclose(dataset.bold(dataset.runs[2]), expected, atol=1e-6)


def test_changed_settings_and_stimulus_are_prepared_again(collection, out):
    findings = run_preparation(collection, out, missing_trs=0).info.findings
    assert findings == ()
    noise_sound(collection.stimuli["film-0"], (N_TRS - 5) * TR, seed=0)
    dataset = run_preparation(collection, out)
    assert [run.n_trs for run in dataset.runs] == [N_TRS - 5, N_TRS] * 2
    assert any("cut off (2): sub-01/run-0 (5 of 30" in finding for finding in dataset.info.findings)


def test_files_of_excluded_runs_are_removed(collection, out):
    run_preparation(collection, out)
    dataset = run_preparation(collection, out, exclude=("sub-02", "sub-*/run-1"))
    assert [(run.subject, run.name) for run in dataset.runs] == [("sub-01", "run-0")]
    assert sorted(path.name for path in (out / "audio").iterdir()) == [
        "film-0.json", "film-0.npy",
    ]  # fmt: skip
    assert dataset.info.findings == (
        "excluded as sub-02: sub-02/run-0, sub-02/run-1",
        "excluded as sub-*/run-1: sub-01/run-1, sub-02/run-1",
    )


def test_missing_target_is_nan_with_one_warning_per_subject(collection, out, caplog):
    for i in (0, 1):
        table = responses()
        table[:, [1, 3]] = np.nan
        collection = with_table(collection, table, which=i)
    with caplog.at_level(logging.WARNING):
        dataset = run_preparation(collection, out)
    finding = (
        "targets that a subject lacks and that are NaN: sub-01 (2 of 6, 20 parcel 20, 40 parcel 40)"
    )
    assert dataset.info.findings == (finding,)
    assert [record.getMessage() for record in caplog.records] == [finding]
    assert np.isnan(dataset.bold(dataset.runs[0])).all(axis=0).tolist() == [
        False, True, False, True, False, False,
    ]  # fmt: skip
    assert run_preparation(collection, out).info.findings == (finding,)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((4, 2), np.nan, r"run sub-01/run-0: nan at TR 4 of target 30 \(parcel 30\), 1 targets"),
        ((7, 0), np.inf, r"run sub-01/run-0: inf at TR 7 of target 10 .*repair or exclude it"),
        ((slice(None), 5), -np.inf, r"-inf at TR 0 of target 60"),
        ((slice(None), 1), 3.3, r"targets are constant .* \(1 of 6, ids 20\).*constant_targets: m"),
        ((slice(None), slice(None)), 0.0, r"no target that varies \(0 missing, 6 constant\)"),
        ((slice(None), slice(None)), np.nan, r"no target that varies \(6 missing, 0 constant\)"),
    ],
)
def test_unusable_values_are_refused(collection, place, value, message):
    table = responses()
    table[place] = value
    rows = [f"TR {i}" for i in range(N_TRS)]
    with pytest.raises(ValueError, match=message):
        z_score(table, "run sub-01/run-0", rows, collection.targets, RunRules())


def test_constant_targets_can_count_as_missing(collection, out):
    table = responses().astype(np.float32)
    table[:, 1] = 1e4
    table[3, 1] += 0.001  # less than the rounding of float32
    dataset = run_preparation(with_table(collection, table), out, constant_targets="missing")
    assert np.isnan(dataset.bold(dataset.runs[0])[:, 1]).all()
    assert dataset.info.findings == (
        "targets that are constant within a run and count as missing: sub-01/run-0 (1 of 6, "
        "ids 20)",
        "targets that a subject lacks in some runs and that are NaN there: sub-01 (1 of 6, "
        "20 parcel 20)",
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (responses(n_targets=5), r"sub-01/run-0: expected \(n_trs, 6\) responses, got .* \(30, 5"),
        (np.zeros((0, 6)), r"expected \(n_trs, 6\) responses, got shape \(0, 6\)"),
        (np.zeros(6), r"got shape \(6,\); check that its file belongs to this atlas"),
        (responses().astype(str), r"expected real numbers, got <U\d+; check its file"),
    ],
)
def test_unusable_tables_are_refused(collection, table, message):
    with pytest.raises(ValueError, match=message):
        check_table(table, collection.recordings[0], collection.targets)


@pytest.mark.parametrize("n_missing", [0, 3])
def test_a_few_trs_may_be_missing_at_the_end(collection, out, n_missing):
    dataset = run_preparation(with_table(collection, responses(N_TRS - n_missing)), out)
    assert (dataset.runs[0].n_trs, dataset.info.findings) == (N_TRS - n_missing, ())


def test_short_scan_is_refused_or_truncated(collection, out):
    collection = with_table(collection, responses(N_TRS - 4))
    message = (
        r"1 of 1 runs end more than 3 TRs before their stimulus: sub-01/run-0 \(ends at 39.00 s of "
        r"45.00 s of film-0, 4.0 TRs missing\); .*short_scans: truncate, or exclude sub-01/run-0"
    )
    with pytest.raises(ValueError, match=message):
        run_preparation(collection, out)
    dataset = run_preparation(collection, out, short_scans="truncate")
    assert dataset.runs[0].n_trs == N_TRS - 4
    assert dataset.info.findings == (
        "runs that end before their stimulus, used as far as they go: sub-01/run-0 (ends at 39.00 "
        "s of 45.00 s of film-0, 4.0 TRs missing)",
    )


def test_all_short_scans_are_refused_before_anything_is_read(collection, out, monkeypatch):
    """The lengths of scans and sounds stand in their headers."""
    monkeypatch.setattr(
        "training.prepare.prepared_sounds.prepare_sound",
        lambda *_: pytest.fail("a sound is decoded"),
    )
    collection = unread(collection)
    for which, n_trs in enumerate((N_TRS, 20, N_TRS - 3, 10)):
        collection = changed(collection, which, n_trs=n_trs)
    with pytest.raises(ValueError, match="2 of 4 runs end more than 3 TRs before") as error:
        run_preparation(collection, out)
    assert "sub-01/run-1 (ends at 30.00 s" in str(error.value)
    assert "sub-02/run-1 (ends at 15.00 s" in str(error.value)
    assert not out.exists()


def test_all_short_scans_are_refused_before_a_run_is_loaded(collection, out, monkeypatch):
    """Headers of some sounds have no length: then it is known when they are decoded."""
    monkeypatch.setattr("training.prepare.prepared_sounds.announced_duration", lambda path: None)
    collection = unread(collection)
    for which in range(4):
        collection = changed(collection, which, n_trs=10)
    with pytest.raises(ValueError, match="4 of 4 runs end more than 3 TRs before"):
        run_preparation(collection, out)


def test_runs_out_of_step_are_a_finding_and_a_doubt_of_fits(collection, out, monkeypatch):
    late = Synchrony(np.zeros(N_TRS), np.zeros(N_TRS), lag=7.5, r=0.62)
    fine = Synchrony(np.zeros(N_TRS), np.zeros(N_TRS), lag=1.5, r=0.7)
    weak = Synchrony(np.zeros(N_TRS), np.zeros(N_TRS), lag=9.0, r=0.1)

    def align(dataset, progress):
        return dict(zip(dataset.runs, (late, fine, weak, late), strict=True))

    monkeypatch.setattr("training.prepare.preparation.synchrony_of_dataset", align)
    dataset = run_preparation(collection, out)
    assert dataset.info.findings == (
        "runs whose responses follow their sound best more than 3 s early or late (check their "
        "stimulus and start) (2): sub-01/run-0 (lag +7.5 s, r 0.62); sub-02/run-1 (lag +7.5 s, "
        "r 0.62)",
    )
    assert [(each.subject, each.run) for each in dataset.info.out_of_step] == [
        ("sub-01", "run-0"), ("sub-02", "run-1"),
    ]  # fmt: skip
    (doubt,) = dataset.doubts(dataset.runs[:2])
    assert doubt.startswith(
        "in 1 of 2 runs sound and responses are out of step: sub-01/run-0 (lag +7.5 s, r 0.62); "
    )
    assert dataset.doubts(dataset.runs[1:3]) == []


@pytest.mark.slow
def test_number_of_workers_changes_nothing_in_the_files(tmp_path):
    collection = small_collection(tmp_path / "source", n_runs=4)
    for n_workers in (1, 3):
        prepare_collection(
            collection, SETTINGS, tmp_path / str(n_workers), n_workers=n_workers, progress=False
        )
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_findings_of_one_kind_are_one_line(tmp_path, out, caplog):
    """Forty runs that are all a little too long."""
    collection = small_collection(tmp_path / "source", n_runs=20)
    late = [replace(each, start=3.0) for each in collection.recordings]
    with caplog.at_level(logging.WARNING):
        dataset = run_preparation(replace(collection, recordings=late), out)
    (finding,) = dataset.info.findings
    assert finding.startswith("TRs that begin after the end of the stimulus are cut off (40): sub")
    assert all(f"{each.subject}/{each.run} (2 of 30" in finding for each in late)
    (record,) = caplog.records
    assert record.getMessage().endswith("and 35 more (all in dataset.json)")


def test_parts_of_a_stimulus_need_not_reach_its_end(collection, out):
    first, second = collection.recordings[:2]
    part = replace(first, load=lambda: responses(8), files=())
    rest = replace(second, stimulus="film-0", start=20 * TR, load=lambda: responses(10), files=())
    collection = replace(collection, recordings=[part, rest], stimuli=collection.stimuli)
    dataset = run_preparation(collection, out)
    assert [(run.start, run.n_trs) for run in dataset.runs] == [(0.0, 8), (30.0, 10)]
    with pytest.raises(ValueError, match=r"sub-01/run-0 \(ends at 12.00 s of 45.00 s of film-0"):
        run_preparation(collection, out, exclude=("sub-01/run-1",))


@pytest.mark.parametrize(
    ("start", "n_kept"), [(0.0, 30), (1.5, 29), (1.4, 30), (-3.0, 30), (43.6, 1)]
)
def test_trs_that_begin_after_the_stimulus_are_cut_off(tmp_path, start, n_kept):
    recording = replace(small_collection(tmp_path).recordings[0], start=start)
    table = responses()
    kept, findings = fit_to_stimulus(table, Extent(recording, N_TRS, 45.0), RunRules(drop_start=0))
    onsets = start + TR * np.arange(N_TRS)
    assert len(kept) == n_kept == (onsets < 45.0).sum()
    np.testing.assert_array_equal(kept, table[:n_kept])
    assert len(findings) == (n_kept < N_TRS)


@pytest.mark.parametrize(("start", "n_dropped"), [(0.0, 8), (6.0, 4), (12.0, 0), (20.0, 0)])
def test_response_to_the_onset_of_the_stimulus_is_left_out(collection, out, start, n_dropped):
    """Onsets of kept TRs are 12 s or more after that of the sound; frames stay where they were."""
    collection = changed(collection, start=start)
    run = run_preparation(collection, out, PreparationSettings(name="film")).runs[0]
    assert run.start == max(start, 12.0)
    table = collection.recordings[0].load()[n_dropped : n_dropped + run.n_trs]
    scores = (table - table.mean(axis=0)) / table.std(axis=0)
    np.testing.assert_allclose(Prepared(out).bold(run), scores, atol=1e-5)


def test_run_within_drop_start_is_refused(collection, out):
    settings = PreparationSettings(name="film", drop_start=60)
    with pytest.raises(ValueError, match=r"none of its 30 TRs begins later than 60 s .*drop_start"):
        run_preparation(collection, out, settings)


@pytest.mark.parametrize("start", [45.0, 60.0, -45.0])
def test_run_outside_of_its_stimulus(collection, out, start):
    with pytest.raises(ValueError, match=r"sub-01/run-0 \(from .* to .* film-0\); check the start"):
        run_preparation(changed(collection, start=start), out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tr": 2.0},
            r"same TR in all runs, got 1\.5 s in sub-01/run-1, .*; 2\.0 s in sub-01/run-0",
        ),
        ({"run": "run-1"}, r"occur more than once: sub-01/run-1; give each a unique name"),
        ({"run": "a/b"}, r"the run 'a/b' cannot name a file: it starts with a dot or holds a sla"),
        ({"subject": ".."}, r"the subject '\.\.' cannot name a file"),
        ({"subject": "sub 01"}, r"the subject 'sub 01' cannot name weights of a checkpoint"),
        ({"stimulus": ""}, r"the stimulus '' cannot name a file: it is empty"),
        ({"run": "a\n"}, r"cannot be printed; rename it"),
        ({"run": "r" * 201}, r"longer than 200 bytes"),
        ({"stimulus": "film-7"}, r"stimuli without a file: film-7; add the files"),
    ],
)
def test_inconsistent_collections_are_refused(collection, out, change, message):
    with pytest.raises(ValueError, match=message):
        run_preparation(changed(collection, **change), out)
    assert not out.exists()


def test_trs_that_differ_by_rounding_are_one(collection, out):
    dataset = run_preparation(changed(collection, tr=float(np.float32(1.5000001))), out)
    assert {run.tr for run in dataset.runs} == {1.5}


def test_unusable_responses_to_sounds_are_refused(tmp_path, out):
    collection = sound_collection(tmp_path)
    table = collection.recordings[2].load().copy()
    table[0, 1] = np.nan
    with pytest.raises(ValueError, match=r"subject sub-a: nan at sound s2 of target 2"):
        run_preparation(with_table(collection, table, which=2), out)


def test_more_than_one_response_to_a_sound(tmp_path, out):
    collection = with_table(sound_collection(tmp_path), np.ones((2, 4)), which=1)
    with pytest.raises(ValueError, match=r"sub-a/s1: expected one response per sound, got 2 rows"):
        run_preparation(collection, out)


def test_folders_with_other_files_are_refused(tmp_path, collection):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("text")
    with pytest.raises(
        ValueError, match=r"thesis is not empty and holds no prepared dataset; give"
    ):
        run_preparation(collection, other)
    (other / "dataset.json").write_text('{"name": "film"}')  # a file of that name, but not ours
    with pytest.raises(ValueError, match="not empty and holds no prepared dataset"):
        run_preparation(collection, other)
    assert sorted(path.name for path in other.iterdir()) == ["chapter.txt", "dataset.json"]
    with pytest.raises(ValueError, match=r"chapter\.txt is a file; give a folder"):
        run_preparation(collection, other / "chapter.txt")


def test_folder_of_another_dataset(collection, out):
    run_preparation(collection, out)
    with pytest.raises(ValueError, match=r"holds the dataset 'film', not 'radio'; give another"):
        run_preparation(collection, out, name="radio")
    assert json.loads((out / "dataset.json").read_text())["name"] == "film"


def test_error_of_the_disk_names_the_file_and_keeps_what_is_done(collection, out, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(h5py, "File", full)
        with pytest.raises(OSError, match=r"sub-01\.h5 cannot be written \(No space left.*make ro"):
            run_preparation(collection, out)
    loaded = []
    recordings = [
        replace(each, load=lambda each=each: loaded.append(each.run) or each.load())
        for each in collection.recordings
    ]
    run_preparation(replace(collection, recordings=recordings), out)
    assert loaded == ["run-0", "run-1"]  # those of the second subject


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "a b"])
def test_dataset_names_that_cannot_be_folders(name):
    with pytest.raises(ValueError, match="name"):
        PreparationSettings(name=name)


@pytest.mark.parametrize(
    ("left", "right", "finding"),
    [
        (0.1, 0.0, ""),
        (0.1, -0.1, "the channels cancel each other (opposite phase): film-1 (their mean is silen"),
        (0.0, 0.0, "the sound is silent: film-1 (all samples are 0)"),
        (1.5, 1.5, "sounds with samples beyond full scale, which are clipped: film-1 (992250 of "),
    ],
)
def test_silence_opposite_phase_and_clipping_are_findings(collection, out, left, right, finding):
    signs = np.sign(np.random.default_rng(0).standard_normal((int(N_TRS * TR * 22_050), 1)))
    sound = signs * np.array([left, right])
    soundfile.write(collection.stimuli["film-1"], sound, 22_050, subtype="FLOAT")
    findings = run_preparation(collection, out).info.findings
    assert len(findings) == bool(finding)
    assert "".join(findings).startswith(finding)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exclude": ("sub-3",)}, r"exclude: 'sub-3' matches no run; subjects are sub-01, sub"),
        ({"exclude": ("sub-*",)}, "no run is left: every run is excluded"),
        ({"recordings": []}, "no run is left: the source offers none"),
        ({"tr": 0.0}, r"expected a TR above 0 s, got 0\.0 s in sub-01/run-0"),
        ({"ids": (10, 30, 20, 40, 50, 60)}, "ascending target ids with one name each, got 6"),
    ],
)
def test_collections_without_usable_runs_are_refused(collection, out, changes, message):
    recordings, targets = collection.recordings, collection.targets
    if "tr" in changes:
        recordings = [replace(each, tr=changes["tr"]) for each in recordings]
    recordings = changes.get("recordings", recordings)
    targets = replace(targets, ids=changes.get("ids", targets.ids))
    collection = replace(collection, recordings=recordings, targets=targets)
    with pytest.raises(ValueError, match=message):
        run_preparation(collection, out, exclude=changes.get("exclude", ()))

"""Simulated experiments: the written files agree with the stated truth."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.stats
import soundfile
import torch
from pydantic import ValidationError
from simulated_recordings import write_atlas, write_recordings

from hear_brainsoundnet.checkpoint import write_checkpoint
from hear_brainsoundnet.geometry import frames_at, stage_geometry
from training.simulation import SimulationSettings, read_truth, simulate
from training.simulation.experiment import UNFINISHED
from training.simulation.stimuli import find_recordings, schedule

RATE = 22_050
TR = 1.49
N_TRS = 40  # of the runs of a minute
KINDS = {"envelope": 1, "spectral": 2, "modulation": 1, "soundnet": 2}
SMALL = SimulationSettings(run_minutes=1, n_parcels=24, kinds=KINDS)
SILENT_KINDS = {"envelope": 1, "spectral": 1}  # no network
QUICK = SimulationSettings(n_subjects=1, n_runs=2, run_minutes=1, n_parcels=8, kinds=SILENT_KINDS)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def simulated(recordings, tmp_path_factory):
    """A whole simulation in the layout of the h5 files."""
    out = tmp_path_factory.mktemp("simulated") / "h5"
    simulate(out, recordings, SMALL)
    return out


def measured_runs(out, subject="sub-01"):
    (path,) = (out / "fmri" / subject / "func").glob("*.h5")
    with h5py.File(path) as file:
        return {run: table[()] for run, table in file.items()}


def array_bytes(out):
    arrays = [run.tobytes() for run in measured_runs(out).values()]
    sounds = sorted((out / "stimuli").rglob("*.wav"))
    return [*arrays, *(soundfile.read(path, dtype="int16")[0].tobytes() for path in sounds)]


def test_h5_layout_has_the_names_of_cneuromod(simulated):
    path = (
        "fmri/sub-01/func/sub-01_task-friends_space-MNI152NLin2009cAsym_atlas-Simulated_parcel-24"
        "_desc-s12_bold.h5"
    )
    assert (simulated / path).is_file()
    runs = measured_runs(simulated)
    assert next(iter(runs)) == "ses-001_task-s01e01a"
    assert list(runs)[-1] == "ses-002_task-s02e01b"
    assert all(run.shape == (N_TRS, 24) and run.dtype == np.float32 for run in runs.values())
    sound, rate = soundfile.read(
        simulated / "stimuli/movies/friends/s1/friends_s01e01a.wav", dtype="int16"
    )
    assert (len(sound), rate) == (60 * RATE, RATE)


def test_measured_runs_are_z_scored(simulated):
    for run in measured_runs(simulated).values():
        np.testing.assert_allclose(run.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(run.std(axis=0), 1, atol=1e-5)


def test_stated_best_scores_are_those_of_the_written_prediction(simulated):
    truth = read_truth(simulated)
    for subject in ("sub-01", "sub-02"):
        table = truth.table[truth.table.subject == subject]
        assert tuple(table.target_id) == truth.target_ids
        runs = measured_runs(simulated, subject)
        for column in np.flatnonzero(table.kind != "deaf"):
            r, r2 = [], []
            for name, bold in runs.items():
                best = truth.response(subject, name)[:, column]
                r.append(scipy.stats.pearsonr(best, bold[:, column]).statistic)
                residual = np.square(bold[:, column] - best).sum()
                r2.append(1 - residual / np.square(bold[:, column]).sum())
            assert np.mean(r) == pytest.approx(table.best_r.iloc[column], abs=1e-5)
            assert np.mean(r2) == pytest.approx(table.best_r2.iloc[column], abs=1e-5)


def test_other_parcels_respond_to_nothing(simulated):
    truth = read_truth(simulated)
    silent = truth.table[truth.table.kind == "deaf"]
    assert len(silent) == 2 * (24 - sum(KINDS.values()))
    assert (silent[["explainable_variance", "best_r", "best_r2"]] == 0).all(axis=None)
    column = truth.target_ids.index(silent.target_id.iloc[0])
    assert not truth.response("sub-01", "s01e01a")[:, column].any()


def test_subjects_share_the_mixes_that_are_not_their_own(simulated):
    truth = read_truth(simulated)
    responsive = truth.table[truth.table.kind != "deaf"]
    specific = responsive.groupby("target_id").subject_specific.first()
    assert specific.sum() == 3
    mixes = dict(iter(truth.mixes.groupby(["subject", "target_id"])))
    for target, is_specific in specific.items():
        one, other = (mixes[subject, target] for subject in ("sub-01", "sub-02"))
        same = np.array_equal(one[["channel", "weight"]], other[["channel", "weight"]])
        assert same != is_specific
    peaks = responsive.pivot(index="target_id", columns="subject", values="hrf_peak")
    assert (peaks["sub-01"] != peaks["sub-02"]).all()


def test_soundnet_parcels_are_a_short_filter_of_the_hidden_units(simulated, untrained):
    """Least squares on the lagged units, computed from the written sound, must leave nothing."""
    truth = read_truth(simulated)
    soundnet = untrained.build_soundnet()
    conv7 = stage_geometry()["conv7"]
    rows = truth.table[(truth.table.kind == "soundnet") & (truth.table.subject == "sub-01")]
    target = rows.target_id.iloc[0]
    chosen = truth.mixes[(truth.mixes.subject == "sub-01") & (truth.mixes.target_id == target)]
    path = simulated / "stimuli/movies/friends/s2/friends_s02e01a.wav"
    audio = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None]
    with torch.no_grad():
        frames = soundnet(audio, ["conv7"])["conv7"][0].T
    onsets = torch.arange(N_TRS, dtype=torch.float64) * TR * RATE
    drive = frames_at(frames, conv7, onsets).numpy()[:, chosen.channel] @ chosen.weight.to_numpy()
    lagged = [np.concatenate([np.zeros(k), drive[: N_TRS - k]]) for k in range(6)]
    design = np.stack([*lagged, np.ones(N_TRS)], axis=1)
    best = truth.response("sub-01", "s02e01a")[:, truth.target_ids.index(target)]
    coefficients = np.linalg.lstsq(design, best)[0]
    assert np.abs(design @ coefficients - best).max() < 1e-3


def test_envelope_parcels_follow_the_level_of_the_written_sound(simulated):
    truth = read_truth(simulated)
    row = truth.table[(truth.table.kind == "envelope") & (truth.table.subject == "sub-01")].iloc[0]
    path = simulated / "stimuli/movies/friends/s1/friends_s01e02b.wav"
    audio = soundfile.read(path)[0]
    level = np.array(
        [
            np.sqrt(np.mean(audio[int(t * RATE) : int((t + TR) * RATE)] ** 2))
            for t in np.arange(N_TRS) * TR
        ]
    )
    peak = row.hrf_peak
    density = scipy.stats.gamma(peak + 1).pdf(np.arange(12) * TR + TR / 2)
    predicted = np.convolve(level, density)[: N_TRS - 1]
    best = truth.response("sub-01", "s01e02b")[1:, truth.target_ids.index(row.target_id)]
    assert np.corrcoef(predicted, best)[0, 1] > 0.9


def test_seasons_share_no_recording(simulated):
    clips = read_truth(simulated).clips
    first = set(clips[clips.stimulus.str.startswith("s01")].file)
    last = set(clips[clips.stimulus.str.startswith("s02")].file)
    assert first
    assert last
    assert not first & last


def test_equal_seeds_give_equal_arrays_and_others_do_not(recordings, tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        simulate(tmp_path / name, recordings, QUICK.model_copy(update={"seed": seed}))
    one, same, other = (array_bytes(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("n_runs", "names"),
    [
        (2, ["s01e01a", "s02e01a"]),
        (5, ["s01e01a", "s01e01b", "s01e02a", "s01e02b", "s02e01a"]),
    ],
)
def test_the_last_third_of_the_episodes_is_a_season_of_its_own(n_runs, names):
    assert [half.name for half in schedule(n_runs)] == names
    assert [half.season for half in schedule(24)].count(2) == 8


def test_the_same_recording_under_two_names_is_one(recordings, tmp_path):
    for name in ("a.wav", "copy-of-a.wav"):
        (tmp_path / name).write_bytes((recordings / "recording-00.wav").read_bytes())
    with pytest.raises(ValueError, match="holds 1 different audio files, expected at least 2"):
        find_recordings(tmp_path)


# Beginning, end and errors


def test_an_unfinished_simulation_starts_again(recordings, tmp_path, caplog):
    out = tmp_path / "out"
    (out / "fmri").mkdir(parents=True)
    (out / "fmri" / "half.h5").touch()
    (out / UNFINISHED).touch()
    with pytest.raises(FileNotFoundError, match="holds no complete simulation"):
        read_truth(out)
    simulate(out, recordings, QUICK)
    assert "unfinished simulation; starting from scratch" in caplog.text
    assert not (out / "fmri" / "half.h5").exists()
    assert not (out / UNFINISHED).exists()
    assert read_truth(out).simulation["n_trs"] == 40


def test_full_folder_is_refused(recordings, simulated, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for out in (tmp_path, simulated):
        with pytest.raises(ValueError, match="is not empty; choose another folder"):
            simulate(out, recordings, SMALL)
    with pytest.raises(ValueError, match="is a file, expected a folder"):
        simulate(tmp_path / "thesis.txt", recordings, SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_folder_without_recordings_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds 0 different audio files.*give a folder"):
        simulate(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kinds": {"envelope": 0}}, "names no responsive parcel"),
        ({"kinds": {"smell": 1}}, "kinds"),
        ({"explainable_variance": (0.6, 0.3)}, "two ascending positive numbers"),
        ({"explainable_variance": (0.5, 1.0)}, "expected below 1"),
        ({"snr": 3}, "Extra inputs are not permitted"),
        ({"n_runs": 1}, "greater than or equal to 2"),
        ({"tr": 1490}, "less than or equal to 10"),
        ({"label_table": "labels.csv"}, "label_table names the labels of atlas, which is not"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        SimulationSettings(**settings)


def test_more_sounding_parcels_than_there_are_is_refused(recordings, tmp_path):
    settings = SimulationSettings(run_minutes=1, n_parcels=2, kinds=SILENT_KINDS)
    with pytest.raises(
        ValueError, match="asks for 2 responsive parcels of 2; some must respond to nothing"
    ):
        simulate(tmp_path / "out", recordings, settings)


def test_h5_layout_refuses_an_atlas_with_gaps_in_its_ids(recordings, tmp_path):
    settings = SimulationSettings(atlas=write_atlas(tmp_path), run_minutes=1, kinds={"envelope": 1})
    with pytest.raises(ValueError, match="ids of the atlas are not 1 to 3 but go up to 20"):
        simulate(tmp_path / "out", recordings, settings)


def test_hidden_network_and_its_stage_must_exist(recordings, tmp_path):
    settings = SimulationSettings(kinds={"soundnet": 1}, stage="conv9")
    with pytest.raises(ValueError, match="stage 'conv9' is none of the hidden network's"):
        simulate(tmp_path / "out", recordings, settings)
    settings = SimulationSettings(kinds={"soundnet": 1}, hidden="brain")
    with pytest.raises(FileNotFoundError, match="no checkpoint 'brain'"):
        simulate(tmp_path / "out", recordings, settings)
    assert not (tmp_path / "out").exists()


def test_hidden_network_of_another_rate_is_refused(recordings, tmp_path, untrained):
    card = untrained.card.model_copy(update={"sample_rate": 16_000})
    path = tmp_path / "slow.safetensors"
    write_checkpoint(path, card, untrained.build_soundnet())
    settings = SimulationSettings(kinds={"soundnet": 1}, hidden=str(path))
    with pytest.raises(ValueError, match="is for 16000 Hz, expected 22050 Hz"):
        simulate(tmp_path / "out", recordings, settings)


def test_silent_recordings_are_refused(tmp_path):
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(1000 + i), RATE)
    with pytest.raises(ValueError, match="are silent; give a folder of audible recordings"):
        simulate(tmp_path / "out", tmp_path, QUICK)


def test_unknown_subject_and_run_are_refused(simulated):
    truth = read_truth(simulated)
    with pytest.raises(ValueError, match="has no subject 'sub-09'"):
        truth.response("sub-09", "s01e01a")
    with pytest.raises(
        ValueError, match=r"sub-01 has no run 's09e01a'; it has ses-001_task-s01e01"
    ):
        truth.response("sub-01", "s09e01a")


# With everything


@pytest.mark.slow
def test_other_soundnet_is_another_network(recordings, tmp_path):
    kinds = {"soundnet": 1, "other_soundnet": 1}
    simulate(tmp_path / "out", recordings, QUICK.model_copy(update={"kinds": kinds, "n_mixed": 2}))
    assert set(read_truth(tmp_path / "out").table.kind) == {"soundnet", "other_soundnet", "deaf"}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["h5", "fmriprep"])
def test_the_recipe_beside_the_files_prepares_them(recordings, tmp_path, layout):
    from training.config import read_recipe
    from training.prepare.preparation import PrepareRecipe, prepare

    out = tmp_path / "out"
    changes = {"run_minutes": 5, "n_parcels": 24, "layout": layout}
    simulate(out, recordings, QUICK.model_copy(update=changes))
    recipe = read_recipe(out / "prepare.yaml", PrepareRecipe, ["drop_start=0"])
    prepared = prepare(recipe, progress=False)
    truth = read_truth(out)
    assert prepared.info.target_ids == truth.target_ids
    assert prepared.info.target_names == tuple(truth.table.name)
    assert {run.season for run in prepared.runs} == {"s01", "s02"}
    for run in prepared.runs:
        best, bold = truth.response(run.subject, run.name), prepared.bold(run)
        np.testing.assert_array_equal(best, truth.response(run.subject, run.stimulus))
        for column in np.flatnonzero(truth.table.kind != "deaf"):
            r = np.corrcoef(best[:, column], bold[:, column])[0, 1]
            assert r > truth.table.best_r[column] - 0.25

"""Responses from files that the tests write: archive, prepared datasets, folders of sounds."""

import dataclasses

import numpy as np
import pytest
import soundfile
from small_dataset import RATE, change_dataset, changing_sound, write_prepared

from benchmarks.correspondence.data import (
    SoundResponses,
    natsound165_components,
    natsound165_voxels,
    prepared_sounds,
    sound_files,
)
from benchmarks.correspondence.evaluation import evaluate
from benchmarks.correspondence.soundnet_stages import SoundNetStages
from benchmarks.correspondence.time_series import evaluate_time_series, rows_of_trs
from benchmarks.correspondence.voxel_archive import N_SOUNDS, read_archive
from training.data.prepared import Prepared, Run

SOUNDS = [f"stim{i}_thing" for i in range(N_SOUNDS)]


@pytest.fixture(scope="module")
def folder_of_sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    for name in SOUNDS:
        soundfile.write(folder / f"{name}.wav", np.zeros(10), 20_000)
    return folder


@pytest.fixture
def archive(tmp_path):
    """The layout of the archive, four voxels of which one was scanned twice only."""
    own = tmp_path / "NH2015"
    own.mkdir()
    voxels = np.random.default_rng(0).standard_normal((N_SOUNDS, 4, 3))
    np.save(own / "voxel_features_array.npy", voxels)
    meta = np.array([(3, 1), (2, 1), (3, 1), (3, 2)], dtype=[("n_reps", int), ("subj_idx", int)])
    np.save(own / "voxel_features_meta.npy", meta)
    names = np.array([(f"{name}.wav".encode(), 0) for name in SOUNDS], dtype="S40,i4")
    np.save(own / "neural_stim_meta.npy", names)
    (own / "df_roi_meta.csv").write_text(
        "subj_idx,hemi,roi_label_general\n1,lh,Primary\n1,rh,\n2,lh,Lateral\n"
    )
    return tmp_path


def test_archive_keeps_voxels_with_three_scans_and_their_regions(archive, folder_of_sounds):
    found = read_archive(archive, "NH2015", folder_of_sounds)
    voxels = np.load(archive / "NH2015" / "voxel_features_array.npy")
    np.testing.assert_array_equal(found.responses[1], voxels[:, [0, 2, 3], 1])
    assert found.sounds == tuple(SOUNDS)
    assert found.participants == ("1", "1", "2")
    assert found.regions == ("Primary", "", "Lateral")
    samples, rate = found.read(SOUNDS[3])
    assert samples.shape == (10,)
    assert rate == 20_000


def test_the_second_dataset_uses_the_first_165_sounds(archive, folder_of_sounds):
    own = archive / "B2021"
    own.mkdir()
    voxels = np.random.default_rng(1).standard_normal((192, 2, 3))
    np.save(own / "voxel_features_array.npy", voxels)
    (own / "df_roi_meta.csv").write_text("subj_idx,roi_label_general\n1,nan\n2,Anterior\n")
    found = read_archive(archive, "B2021", folder_of_sounds)
    np.testing.assert_array_equal(found.responses[2], voxels[:165, :, 2])
    assert found.regions == ("", "Anterior")


def test_archive_in_another_layout_is_refused(archive, folder_of_sounds):
    with pytest.raises(ValueError, match="no dataset 'NH2016' in the archive; it has NH2015 and"):
        read_archive(archive, "NH2016", folder_of_sounds)
    (archive / "NH2015" / "df_roi_meta.csv").write_text("subj_idx,roi_label_general\n1,Primary\n")
    with pytest.raises(ValueError, match=r"df_roi_meta\.csv: .* and 3 rows, got 1 rows"):
        read_archive(archive, "NH2015", folder_of_sounds)
    (archive / "NH2015" / "df_roi_meta.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"write it from df_roi_meta\.pkl"):
        read_archive(archive, "NH2015", folder_of_sounds)
    np.save(archive / "NH2015" / "voxel_features_array.npy", np.zeros((165, 4)))
    with pytest.raises(ValueError, match=r"has shape \(165, 4\), expected \(165 or more sounds"):
        read_archive(archive, "NH2015", folder_of_sounds)


def test_sounds_and_responses_that_do_not_match_by_name_are_listed(tmp_path):
    for name in ("dog", "Bell"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(10), 16_000)
    with pytest.raises(
        ValueError, match=r"table has responses to bell, which .* hold.*: Bell\. Names"
    ):
        sound_files(tmp_path, ["dog", "bell"], "table")


def test_responses_that_do_not_fit_or_are_missing_are_refused():
    whole = SoundResponses(
        "x", ("a", "b"), np.ones((1, 2, 3)), ("p",) * 3, ("",) * 3, lambda _: None
    )
    with pytest.raises(
        ValueError, match=r"shape \(1, 2, 3\) do not go with 2 sounds and 2 targets"
    ):
        dataclasses.replace(whole, participants=("p", "q"), regions=("", ""))
    broken = np.ones((1, 2, 3))
    broken[0, 1, 2] = np.nan
    with pytest.raises(ValueError, match="x: responses to b contain NaN or infinity"):
        dataclasses.replace(whole, responses=broken)


def sound_dataset(folder, n_sounds=12, subjects=("anna", "ben")):
    generator = np.random.default_rng(0)
    sounds = {f"s{i:02}": changing_sound(0.6, i) for i in range(n_sounds)}
    tables = {
        Run(subject, name, name, "", name, "", 0.0, 0.0, 1): generator.standard_normal((1, 3))
        for subject in subjects
        for name in sounds
    }
    return write_prepared(folder, sounds, tables, 0.0)


def test_prepared_sounds_stand_subject_beside_subject(tmp_path):
    prepared = Prepared(sound_dataset(tmp_path / "small"))
    found = prepared_sounds(prepared)
    assert found.responses.shape == (1, 12, 6)
    assert found.participants == ("anna",) * 3 + ("ben",) * 3
    assert found.regions[:2] == ("parcel_1", "parcel_2")
    run = next(each for each in prepared.runs if (each.subject, each.name) == ("ben", "s05"))
    np.testing.assert_allclose(found.responses[0, 5, 3:], prepared.bold(run)[0])
    samples, rate = found.read("s05")
    np.testing.assert_allclose(samples * 32_768, prepared.audio("s05"))
    assert rate == RATE


def test_subjects_with_other_sounds_are_refused(tmp_path):
    folder = sound_dataset(tmp_path / "small")
    import h5py

    with h5py.File(folder / "bold" / "ben.h5", "a") as file:
        del file["s03"]
    change_dataset(folder)
    with pytest.raises(ValueError, match="anna has responses to s03, which ben does not hold"):
        prepared_sounds(Prepared(folder))


@pytest.mark.slow
def test_a_stage_that_responses_were_made_from_is_found(tmp_path, untrained):
    """Voxels of "Early" follow pool1 and voxels of "Late" follow conv4, with three noisy scans."""
    from benchmarks.correspondence.stages import activations_on

    sounds = {f"s{i:02}": changing_sound(0.6, i) for i in range(60)}
    names = tuple(sounds)

    def read(name):
        return sounds[name].astype(np.float32) / 32_768, RATE

    model = SoundNetStages(untrained)
    activations = activations_on(model, names, read)
    generator = np.random.default_rng(0)
    clean = []
    for stage in ("pool1", "conv4"):
        table = activations[stage] - activations[stage].mean(axis=0)
        left, sizes, _ = np.linalg.svd(table, full_matrices=False)
        signal = (left[:, :8] * sizes[:8]) @ generator.standard_normal((8, 40))
        clean.append(signal / signal.std(axis=0))
    signal = np.concatenate(clean, axis=1)
    scans = signal + 0.5 * generator.standard_normal((3, *signal.shape))
    regions = ("Early",) * 40 + ("Late",) * 40
    targets = SoundResponses("made up", names, scans, ("a", "b") * 40, regions, read)
    found = evaluate(model, [targets], n_splits=5)
    regression = found["regression"]["made up"]
    assert regression["noise_corrected"]
    assert regression["position_of_regions"]["Late"] > regression["position_of_regions"]["Early"]
    late = dict(zip(found["stages"], regression["profiles"]["Late"], strict=True))
    assert max(late, key=late.get) in ("conv3", "conv4", "conv5")
    assert late["conv4"] > 0.7
    assert found["similarity"]["between_participants"] > 0.3
    with pytest.raises(ValueError, match="1 to 60 splits of 60 sounds"):
        evaluate(model, [targets], n_splits=61)


def test_a_tr_without_frames_is_interpolated_and_others_are_averaged():
    import torch

    from benchmarks.correspondence.stages import Frames

    run = Run("s", "r", "a", "", "a", "", start=1.0, tr=2.0, n_trs=3)
    times = torch.arange(0, 9, 0.5, dtype=torch.float64) + 0.25
    ramp = Frames(times[:, None].float(), times)
    np.testing.assert_allclose(rows_of_trs(ramp, run)[:, 0], [2, 4, 6], atol=1e-6)
    slow = Frames(torch.tensor([[0.0], [8.0]]), torch.tensor([0.0, 8.0], dtype=torch.float64))
    np.testing.assert_allclose(rows_of_trs(slow, run)[:, 0], [2, 4, 6], atol=1e-6)


@pytest.mark.slow
def test_a_brain_that_follows_a_stage_after_seconds_is_predicted_in_held_out_episodes(
    tmp_path, untrained
):
    import torch

    model = SoundNetStages(untrained)
    sounds = {f"film{i}": changing_sound(44.0, i) for i in range(4)}
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((128, 2))
    tables = {}
    for name, sound in sounds.items():
        run = Run("anna", name, name, "", name, "", 0.0, 2.0, 22)
        audio = torch.from_numpy(sound.astype(np.float32) / 32_768)
        rows = rows_of_trs(model.frames(audio, "conv4"), run) @ weights
        signal = np.concatenate([np.zeros((2, 2)), rows[:-2]])
        signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
        noise = generator.standard_normal((22, 1))
        tables[run] = np.concatenate([signal + 0.1 * noise, noise], axis=1)
    prepared = Prepared(write_prepared(tmp_path / "films", sounds, tables, 2.0))
    model.stages = ("conv4",)
    found = evaluate_time_series(model, prepared)
    assert found["stages"] == ["conv4"]
    assert found["r"][0] > 0.5
    alone = Prepared(
        write_prepared(
            tmp_path / "film", {"film0": sounds["film0"]}, dict([*tables.items()][:1]), 2.0
        )
    )
    with pytest.raises(ValueError, match="anna has 1 episodes, expected 3 or more"):
        evaluate_time_series(model, alone)


@pytest.mark.realdata
def test_natsound165_has_six_components_and_their_voxels(data_folder):
    folder = data_folder / "fmri" / "natsound165"
    six, voxels = natsound165_components(folder), natsound165_voxels(folder)
    assert six.responses.shape == (1, 165, 6)
    assert (
        six.participants
        == six.regions
        == ("lowfreq", "highfreq", "envsounds", "pitch", "speech", "music")
    )
    assert voxels.responses.shape == (1, 165, 11_065)
    assert np.linalg.matrix_rank(voxels.responses[0]) == 6
    samples, rate = six.read(six.sounds[0])
    assert samples.shape == (88_200,)
    assert rate == 44_100

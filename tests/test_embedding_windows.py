"""Scenes over windows: each is the embedding of the clip that is cut out by hand."""

import csv

import numpy as np
import pytest
import soundfile
import torch
from result_folders import interrupt_at
from rounding import assert_same

from hear_brainsoundnet.audio import AudioFile, TensorSound
from hear_brainsoundnet.batch import embed_files
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.sound_files import find_audio
from hear_brainsoundnet.windows import Windows, embed_windows

RATE = 22_050


@pytest.fixture(scope="module")
def model(untrained):
    """With a level, which each window is brought to by itself."""
    return EmbeddingModel(untrained, sample_rate=RATE, scene="conv4", timestamps="conv4", level=0.1)


def noise(n_samples, seed=0):
    """Gets louder and louder."""
    audio = np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples)
    return audio * np.linspace(0.01, 1, n_samples)


@pytest.mark.parametrize(
    ("length", "hop", "n", "expected"),
    [
        (10, 5, 25, [(0, 10), (5, 15), (10, 20), (15, 25)]),
        (10, 5, 26, [(0, 10), (5, 15), (10, 20), (15, 25), (20, 26)]),
        (10, 10, 10, [(0, 10)]),
        (10, 10, 1, [(0, 1)]),
        (2, 10, 25, [(0, 2), (10, 12), (20, 22)]),  # what lies between windows is left out
        (2, 10, 20, [(0, 2), (10, 12)]),
    ],
)
def test_windows_cover_the_sound_and_the_last_ends_with_it(length, hop, n, expected):
    assert Windows(length, hop).samples(n, sample_rate=1) == expected
    assert Windows(length, hop).times(len(expected), n) == expected


def test_each_window_is_embedded_as_the_clip_alone(model, tmp_path):
    audio = noise(round(3.3 * RATE))
    soundfile.write(tmp_path / "a.wav", audio, RATE, subtype="DOUBLE")
    windows = Windows(1.0, 0.25)
    with AudioFile(tmp_path / "a.wav") as sound:
        found = embed_windows(model, sound, windows)
    bounds = windows.samples(len(audio), RATE)
    assert len(found) == len(bounds) == 11
    for row, (start, stop) in zip(found, bounds, strict=True):
        clip = torch.from_numpy(audio[start:stop]).float()[None]
        alone = model.embed(TensorSound(clip, RATE), timestamps=False).scene[0]
        assert_same(row, alone)


def test_rows_of_the_folder_are_windows_and_the_table_has_their_times(model, tmp_path):
    sounds, out = tmp_path / "sounds", tmp_path / "out"
    sounds.mkdir()
    for i, seconds in enumerate((1.7, 0.2)):
        soundfile.write(sounds / f"{i}.wav", noise(round(seconds * RATE), i), RATE)
    (sounds / "broken.wav").write_text("words")
    windows = Windows(1.0, 0.5)
    embed_files(find_audio([sounds]), out, model, kind="both", windows=windows)
    with (out / "windows.csv").open(newline="") as file:
        lines = [tuple(line.values()) for line in csv.DictReader(file)]
    assert lines == [
        ("0.wav", "0.000000", "1.000000"),
        ("0.wav", "0.500000", "1.500000"),
        ("0.wav", "1.000000", "1.700000"),
        ("1.wav", "0.000000", "0.200000"),
    ]
    scene = np.load(out / "scene.npy")
    assert scene.shape == (4, 128)
    assert np.isfinite(scene).all()
    with AudioFile(sounds / "1.wav") as sound:
        whole = model.embed(sound)
    assert_same(torch.from_numpy(scene[3]), whole.scene[0])
    with np.load(out / "timestamps" / "1.wav.npz") as frames:  # of the whole file
        assert frames["embeddings"].shape == whole.timestamps[0].shape
    with pytest.raises(ValueError, match=r"window is 1\.0 there, None now"):
        embed_files(find_audio([sounds]), out, model)


def test_resuming_keeps_the_windows_of_each_file(model, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for i, seconds in enumerate((1.2, 0.3, 0.9)):
        soundfile.write(sounds / f"{i}.wav", noise(round(seconds * RATE), i), RATE)
    windows = Windows(0.5, 0.5)
    embed_files(find_audio([sounds]), tmp_path / "whole", model, kind="scene", windows=windows)
    options = {"kind": "scene", "windows": windows, "on_file": interrupt_at("1.wav")}
    with pytest.raises(KeyboardInterrupt):
        embed_files(find_audio([sounds]), tmp_path / "parts", model, **options)
    soundfile.write(sounds / "0a.wav", noise(round(0.7 * RATE), 5), RATE)
    for name in ("parts", "more"):
        embed_files(find_audio([sounds]), tmp_path / name, model, kind="scene", windows=windows)
    for name in ("scene.npy", "windows.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, -1), (float("nan"), 1), (1, 1e-9)])
def test_windows_without_length_are_refused(length, hop):
    with pytest.raises(ValueError, match=r"(window|hop) must be 0\.001 seconds or more, got"):
        Windows(length, hop)

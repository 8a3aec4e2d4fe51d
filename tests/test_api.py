"""The functions of the package: clips of unequal length, sounds of any rate, error messages."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rounding import assert_same
from torch import Tensor

from hear_brainsoundnet import api, embed_array, embed_file, get_scene_embeddings, load_model
from hear_brainsoundnet import get_timestamp_embeddings as frames_of
from hear_brainsoundnet.checkpoint import DEFAULT, NAMED
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.together import CLIPS

RATE = 22_050
LENGTHS = [9_000, 1, 9_100, 70_000, 5_000, 9_050, 12_000, 9_999, 33_000] + [20_000] * (CLIPS + 1)


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return load_model("untrained", sample_rate=RATE)


def clips() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(length, generator=generator) for length in LENGTHS]


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def test_clips_of_unequal_length_have_the_embeddings_that_each_has_alone(model) -> None:
    sounds = clips()
    scenes = get_scene_embeddings(sounds, model)
    assert scenes.shape == (len(sounds), model.scene_embedding_size)
    frames, milliseconds = frames_of(tuple(sounds), model)
    for place, sound in enumerate(sounds):
        assert_same(scenes[place], get_scene_embeddings(sound[None], model)[0])
        alone, times = frames_of(sound[None], model)
        assert_same(frames[place], alone[0])
        assert torch.equal(milliseconds[place], times[0])


def test_gradients_reach_clips_of_unequal_length(model) -> None:
    sounds = [sound.requires_grad_() for sound in clips()[2:5]]
    get_scene_embeddings(sounds, model).sum().backward()
    assert all(sound.grad is not None and sound.grad.any() for sound in sounds)


@pytest.mark.parametrize(
    ("sounds", "error", "message"),
    [
        ([], ValueError, "expected at least one sound, got an empty list"),
        ([torch.zeros(9), torch.zeros(1, 9)], ValueError, r"sound 1 .* \(n_samples,\) .* \(1, 9\)"),
        ([torch.zeros(9), np.zeros(9)], TypeError, r"sound 1 of the list: .* got ndarray"),
        ([torch.zeros(0)], ValueError, "sound 0 of the list: expected at least one"),
        ([torch.zeros(9, dtype=torch.int16)], ValueError, "sound 0 of the list: .* 32768"),
        ([torch.zeros(9), torch.full((9,), torch.inf)], ValueError, "got infinity"),
    ],
)
@pytest.mark.parametrize("function", [get_scene_embeddings, frames_of])
def test_lists_of_anything_but_clips_are_refused(model, sounds, error, message, function) -> None:
    with pytest.raises(error, match=message):
        function(sounds, model)


WRONG_AUDIO = [
    (torch.zeros(100), ValueError, r"got \(100,\); for one sound use audio\[None, :\]"),
    (torch.zeros(1, 2, 100), ValueError, r"got \(1, 2, 100\); average the channels first"),
    (torch.zeros(1, 0), ValueError, r"at least one sound of at least one sample, .* \(1, 0\)"),
    (torch.zeros(0, 9), ValueError, r"at least one sound of at least one sample, .* \(0, 9\)"),
    (torch.zeros(1, 9, dtype=torch.int16), ValueError, "divide 16-bit integers by 32768"),
    (torch.full((1, 9), torch.nan), ValueError, r"within \[-1, 1\], got NaN"),
    (torch.full((1, 9), -torch.inf), ValueError, r"within \[-1, 1\], got infinity"),
    (np.zeros((1, 9), "f4"), TypeError, r"torch\.Tensor, got ndarray; .*torch\.from_numpy"),
    ("dog.wav", TypeError, r"torch\.Tensor, got str"),
    (None, TypeError, r"torch\.Tensor, got NoneType"),
]


@pytest.mark.parametrize(("audio", "error", "message"), WRONG_AUDIO)
def test_anything_but_audio_is_refused_by_functions_and_methods(
    model, audio, error, message
) -> None:
    calls = [
        lambda: get_scene_embeddings(audio, model),
        lambda: frames_of(audio, model),
        lambda: model(audio),
        lambda: model.embed_tensor(audio),
    ]
    for call in calls:
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("sound", [torch.zeros(1, 9), np.zeros(9), "dog.wav", None, 3])
def test_embed_takes_only_what_is_read_piece_by_piece(model, sound) -> None:
    with pytest.raises(TypeError, match=r"read piece by piece, such as AudioFile\(path\), got"):
        model.embed(sound)


def test_a_sound_that_yields_integers_is_refused(model) -> None:
    class Integers:
        sample_rate, n_sounds, n_samples = RATE, 1, 1_000

        def read(self, start: int, stop: int) -> Tensor:
            return torch.ones(1, stop - start, dtype=torch.int16)

        def rewind(self) -> None:
            pass

    with pytest.raises(ValueError, match="divide 16-bit integers by 32768"):
        model.embed(Integers())


@pytest.mark.parametrize("function", [get_scene_embeddings, frames_of])
def test_swapped_arguments_and_other_models_are_refused(model, function) -> None:
    with pytest.raises(TypeError, match=rf"audio comes first: {function.__name__}\(audio, model\)"):
        function(model, torch.zeros(1, 9))
    for other in (None, "default", torch.nn.Linear(2, 2), EmbeddingModel):
        with pytest.raises(TypeError, match=r"model that load_model\(\) returned, got"):
            function(torch.zeros(1, 9), other)


@pytest.mark.parametrize("path", [None, 48_000, b"default", torch.zeros(1), ["default"]])
def test_load_model_takes_only_a_name_or_a_path(path) -> None:
    with pytest.raises(TypeError, match=r"name or the path of a checkpoint, got .*load_model\(\)"):
        load_model(path)


def test_wrapped_models_are_accepted(model) -> None:
    audio = clips()[0][None]
    wrapped = torch.nn.DataParallel(model)
    assert torch.equal(get_scene_embeddings(audio, wrapped), get_scene_embeddings(audio, model))
    assert torch.equal(frames_of(audio, wrapped)[0], frames_of(audio, model)[0])


def test_the_default_checkpoint_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    api._say_default.cache_clear()
    with caplog.at_level(logging.INFO, logger="hear_brainsoundnet"):
        load_model("untrained")
        assert caplog.records == []
        load_model()
        load_model("default")
        load_model()
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert f"soundnet-distilled [{NAMED[DEFAULT].hash[:12]}]" in record.getMessage()


@pytest.mark.parametrize("n_samples", [1, 1_000, 30_000])
def test_an_array_has_the_embeddings_of_the_hear_functions(model, n_samples) -> None:
    x = noise(n_samples)
    found = embed_array(x, RATE, model)
    batch = torch.from_numpy(x)[None]
    frames, milliseconds = frames_of(batch, model)
    assert_same(found.scene, get_scene_embeddings(batch, model)[0])
    assert found.timestamps_ms.tolist() == milliseconds[0].tolist()
    if n_samples > 1:
        assert_same(found.timestamps, frames[0])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_the_rate_is_that_of_the_array(model, rate) -> None:
    x = noise(rate)
    other = load_model("untrained", sample_rate=16_000)  # the rate of its tensors
    found = embed_array(x, np.int64(rate), model)
    assert_same(embed_array(x, float(rate), other).scene, found.scene)
    assert 900 < float(found.timestamps_ms[-1]) < 1000


def test_a_file_is_the_mean_of_its_channels(model, tmp_path: Path) -> None:
    x = noise(20_000, 2)
    soundfile.write(tmp_path / "stereo.wav", x, 32_000, subtype="FLOAT")
    found = embed_file(tmp_path / "stereo.wav", model)
    for channels in (x.T, torch.from_numpy(x.T.copy()), np.ascontiguousarray(x.T)[::-1]):
        array = embed_array(channels, 32_000, model)
        assert_same(array.scene, found.scene)
        assert_same(array.timestamps, found.timestamps)
    mono = embed_array(x.mean(axis=1), 32_000, model)
    assert_same(mono.scene, found.scene)
    only = embed_file(str(tmp_path / "stereo.wav"), model, timestamps=False)
    assert only.timestamps is None
    assert only.timestamps_ms is None


def test_arrays_in_any_type_and_order(model) -> None:
    x = noise(9_000)
    expected = embed_array(x, RATE, model).scene
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    every_other = np.stack([x, x]).T.reshape(-1)[::2]
    for other in (x.astype(np.float64), x.astype(">f4"), backwards, every_other, x[None]):
        assert_same(embed_array(other, RATE, model).scene, expected)


def test_without_a_model_the_default_is_loaded_once() -> None:
    x = noise(5_000)
    assert_same(embed_array(x, RATE).scene, embed_array(x, RATE, load_model()).scene)


@pytest.mark.parametrize(
    ("x", "rate", "error", "message"),
    [
        (np.zeros((48_000, 2), "f4"), RATE, ValueError, r"got 48000 channels .* give x\.T"),
        (np.zeros((2, 2, 9), "f4"), RATE, ValueError, r"got \(2, 2, 9\); embed clips one by one"),
        (np.zeros(99, "i2"), RATE, ValueError, "divide 16-bit integers by 32768"),
        (np.zeros(99, "c8"), RATE, ValueError, "floating-point samples .* got complex64"),
        ("dog.wav", RATE, TypeError, r"got str; for a file use embed_file\(path\)"),
        (None, RATE, TypeError, "as an array or a tensor, got NoneType"),
        (np.zeros(99, "f4"), 44_100.5, TypeError, "whole number of Hz, got 44100.5"),
        (np.zeros(99, "f4"), None, TypeError, "whole number of Hz, got None"),
        (np.zeros(99, "f4"), 10, ValueError, "from 1000 to 1000000, got 10"),
    ],
)
def test_anything_but_one_clip_is_refused(model, x, rate, error, message) -> None:
    with pytest.raises(error, match=message):
        embed_array(x, rate, model)


def test_wrong_paths_and_models_are_refused(model, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"path of an audio file, got ndarray; .* embed_array"):
        embed_file(noise(9), model)
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        embed_file(tmp_path / "none.wav", model)
    with pytest.raises(TypeError, match=r"model that load_model\(\) returned, got str"):
        embed_file(model, "dog.wav")
    with pytest.raises(TypeError, match=r"got int; call embed_array\(x, sample_rate, model\)"):
        embed_array(noise(9), model, 48_000)

"""The HEAR functions: clips of unequal length, words for wrong calls, a line on the default."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from rounding import assert_same
from torch import Tensor

from hear_brainsoundnet import AudioFile, api, get_scene_embeddings, load_model
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
def test_lists_that_are_no_sounds_are_refused_in_words(
    model, sounds, error, message, function
) -> None:
    with pytest.raises(error, match=message):
        function(sounds, model)


WRONG_AUDIO = [
    (torch.zeros(100), ValueError, r"got \(100,\); for one sound use audio\[None, :\]"),
    (torch.zeros(1, 2, 100), ValueError, r"got \(1, 2, 100\); average the channels first"),
    (torch.zeros(1, 0), ValueError, "at least one sound of at least one sample"),
    (torch.zeros(1, 9, dtype=torch.int16), ValueError, "divide 16-bit integers by 32768"),
    (torch.full((1, 9), torch.nan), ValueError, "got NaN"),
    (np.zeros((1, 9), "f4"), TypeError, r"torch\.Tensor, got ndarray; .*torch\.from_numpy"),
    ("dog.wav", TypeError, r"torch\.Tensor, got str"),
    (None, TypeError, r"torch\.Tensor, got NoneType"),
]


@pytest.mark.parametrize(("audio", "error", "message"), WRONG_AUDIO)
def test_methods_have_the_checks_and_words_of_the_functions(model, audio, error, message) -> None:
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
def test_what_is_not_read_piece_by_piece_is_no_sound(model, sound) -> None:
    with pytest.raises(TypeError, match=r"read piece by piece, such as AudioFile\(path\), got"):
        model.embed(sound)


def test_integers_that_a_sound_yields_are_refused(model) -> None:
    class Integers:
        sample_rate, n_sounds, n_samples = RATE, 1, 1_000

        def read(self, start: int, stop: int) -> Tensor:
            return torch.ones(1, stop - start, dtype=torch.int16)

        def rewind(self) -> None:
            pass

    with pytest.raises(ValueError, match="divide 16-bit integers by 32768"):
        model.embed(Integers())


@pytest.mark.parametrize("function", [get_scene_embeddings, frames_of])
def test_swapped_arguments_and_other_models_are_named(model, function) -> None:
    with pytest.raises(TypeError, match=rf"audio comes first: {function.__name__}\(audio, model\)"):
        function(model, torch.zeros(1, 9))
    for other in (None, "default", torch.nn.Linear(2, 2), EmbeddingModel):
        with pytest.raises(TypeError, match=r"model that load_model\(\) returned, got"):
            function(torch.zeros(1, 9), other)


@pytest.mark.parametrize("path", [None, 48_000, b"default", torch.zeros(1), ["default"]])
def test_what_is_no_path_of_a_checkpoint(path) -> None:
    with pytest.raises(TypeError, match=r"name or the path of a checkpoint, got .*load_model\(\)"):
        load_model(path)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder; give the path of a \.safetensors"):
        load_model(tmp_path)


def test_wrapped_models_are_taken(model) -> None:
    audio = clips()[0][None]
    wrapped = torch.nn.DataParallel(model)
    assert torch.equal(get_scene_embeddings(audio, wrapped), get_scene_embeddings(audio, model))
    assert torch.equal(frames_of(audio, wrapped)[0], frames_of(audio, model)[0])


def test_the_default_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
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


def test_an_audio_file_is_still_a_sound(model, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "noise.wav", clips()[0].numpy(), RATE, subtype="FLOAT")
    with AudioFile(tmp_path / "noise.wav") as sound:
        scene = model.embed(sound).scene
    assert_same(scene, get_scene_embeddings(clips()[0][None], model))

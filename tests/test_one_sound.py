"""One sound of any rate: what comes is what the same sound gives elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from rounding import largest_difference, network_rounding

from hear_brainsoundnet import embed_array, embed_file, get_scene_embeddings, load_model
from hear_brainsoundnet import get_timestamp_embeddings as frames_of
from hear_brainsoundnet.embedding import EmbeddingModel

RATE = 16_000


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> EmbeddingModel:
    return load_model("untrained", sample_rate=RATE)


def same(found: torch.Tensor | None, expected: torch.Tensor) -> bool:
    assert found is not None
    return largest_difference(found, expected) <= network_rounding()


@pytest.mark.parametrize("n_samples", [1, 1_000, 30_000])
def test_an_array_has_the_embeddings_of_the_hear_functions(model, n_samples) -> None:
    x = noise(n_samples)
    found = embed_array(x, RATE, model)
    batch = torch.from_numpy(x)[None]
    frames, milliseconds = frames_of(batch, model)
    assert same(found.scene, get_scene_embeddings(batch, model)[0])
    assert found.timestamps_ms.tolist() == milliseconds[0].tolist()
    if n_samples > 1:
        assert same(found.timestamps, frames[0])


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_the_rate_is_that_of_the_array(model, rate) -> None:
    x = noise(rate)
    own = load_model("untrained", sample_rate=22_050)
    if rate == 22_050:
        assert same(embed_array(x, rate, model).scene, embed_array(x, rate, own).scene)
    found = embed_array(x, np.int64(rate), model)
    assert same(embed_array(x, float(rate), own).scene, found.scene)
    assert 900 < float(found.timestamps_ms[-1]) < 1000


def test_a_file_is_the_mean_of_its_channels(model, tmp_path: Path) -> None:
    x = noise(20_000, 2)
    soundfile.write(tmp_path / "stereo.wav", x, 32_000, subtype="FLOAT")
    found = embed_file(tmp_path / "stereo.wav", model)
    for channels in (x.T, torch.from_numpy(x.T.copy()), np.ascontiguousarray(x.T)[::-1]):
        array = embed_array(channels, 32_000, model)
        assert same(array.scene, found.scene)
        assert same(array.timestamps, found.timestamps)
    mono = embed_array(x.mean(axis=1), 32_000, model)
    assert same(mono.scene, found.scene)
    only = embed_file(str(tmp_path / "stereo.wav"), model, timestamps=False)
    assert only.timestamps is None
    assert only.timestamps_ms is None


def test_arrays_in_any_type_and_order(model) -> None:
    x = noise(9_000)
    expected = embed_array(x, RATE, model).scene
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    every_other = np.stack([x, x]).T.reshape(-1)[::2]
    for other in (x.astype(np.float64), x.astype(">f4"), backwards, every_other, x[None]):
        assert same(embed_array(other, RATE, model).scene, expected)


def test_a_long_array_is_embedded_piece_by_piece(model) -> None:
    x = noise(20 * RATE)
    pieces = load_model("untrained", sample_rate=RATE)
    pieces.samples_per_pass = 120_000
    assert same(embed_array(x, RATE, pieces).scene, embed_array(x, RATE, model).scene)


def test_without_a_model_the_default_is_loaded_once() -> None:
    x = noise(5_000)
    assert same(embed_array(x, RATE).scene, embed_array(x, RATE, load_model()).scene)


@pytest.mark.parametrize(
    ("x", "rate", "error", "message"),
    [
        (np.zeros((48_000, 2), "f4"), RATE, ValueError, r"got 48000 channels .* give x\.T"),
        (np.zeros((2, 2, 9), "f4"), RATE, ValueError, r"got \(2, 2, 9\); embed clips one by one"),
        (np.zeros(0, "f4"), RATE, ValueError, "at least one sample"),
        (np.zeros(99, "i2"), RATE, ValueError, "divide 16-bit integers by 32768"),
        (np.zeros(99, "c8"), RATE, ValueError, "floating-point samples .* got complex64"),
        (np.full(99, np.nan, "f4"), RATE, ValueError, "got NaN"),
        ("dog.wav", RATE, TypeError, r"got str; for a file use embed_file\(path\)"),
        (None, RATE, TypeError, "as an array or a tensor, got NoneType"),
        (np.zeros(99, "f4"), 44_100.5, TypeError, "whole number of Hz, got 44100.5"),
        (np.zeros(99, "f4"), None, TypeError, "whole number of Hz, got None"),
        (np.zeros(99, "f4"), 10, ValueError, "from 1000 to 1000000, got 10"),
    ],
)
def test_what_is_no_sound_is_refused_in_words(model, x, rate, error, message) -> None:
    with pytest.raises(error, match=message):
        embed_array(x, rate, model)


def test_wrong_paths_and_models_are_refused_in_words(model, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"path of an audio file, got ndarray; .* embed_array"):
        embed_file(noise(9), model)
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        embed_file(tmp_path / "none.wav", model)
    with pytest.raises(TypeError, match=r"model that load_model\(\) returned, got str"):
        embed_file(model, "dog.wav")
    with pytest.raises(TypeError, match=r"got int; call embed_array\(x, sample_rate, model\)"):
        embed_array(noise(9), model, 48_000)

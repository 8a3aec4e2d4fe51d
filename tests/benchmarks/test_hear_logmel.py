"""The yardstick's frames lie where they say."""

from __future__ import annotations

import pytest
import torch

from benchmarks.hear import logmel


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100, 48_000])
def test_click_is_labelled_at_its_own_time(sample_rate: int) -> None:
    model = logmel.load_model(sample_rate=sample_rate)
    click_ms = torch.tensor([400.0, 1000.0, 2480.0])
    audio = torch.zeros(3, 3 * sample_rate)
    audio[torch.arange(3), (click_ms * sample_rate / 1000).round().long()] = 1.0
    frames, milliseconds = logmel.get_timestamp_embeddings(audio, model)
    loudest = frames.sum(dim=2).argmax(dim=1)
    assert milliseconds[0, loudest].tolist() == pytest.approx(click_ms.tolist(), abs=1.0)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 32_000, 44_100, 48_000])
def test_no_band_is_empty(sample_rate: int) -> None:
    bands = logmel.load_model(sample_rate=sample_rate).spectrogram.mel_scale.fb
    assert bands.shape[1] == logmel.N_BANDS
    assert bool((bands.sum(dim=0) > 0).all())


def test_scene_is_mean_and_std_of_the_frames() -> None:
    model = logmel.load_model()
    audio = torch.rand(2, 48_000, generator=torch.Generator().manual_seed(0)) - 0.5
    frames, milliseconds = logmel.get_timestamp_embeddings(audio, model)
    scene = logmel.get_scene_embeddings(audio, model)
    assert frames.shape == (2, 26, model.timestamp_embedding_size)
    assert (milliseconds[0, 0], milliseconds[0, -1]) == (0.0, 1000.0)
    expected = torch.cat([frames.mean(1), frames.var(1, correction=0).sqrt()], dim=1)
    torch.testing.assert_close(scene, expected)


def test_shorter_than_a_window_is_embedded() -> None:
    scene = logmel.get_scene_embeddings(torch.ones(1, 1), logmel.load_model())
    assert bool(scene.isfinite().all())


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(ValueError, match=r"log-mel has no weights, got 'x\.pt'"):
        logmel.load_model("x.pt")
    with pytest.raises(ValueError, match="multiple of 25 Hz, got 44101"):
        logmel.load_model(sample_rate=44_101)

"""YAMNet's embeddings of real sounds and their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from hear_brainsoundnet.resampling import Resampler
from training.teachers.yamnet import (
    SAMPLE_RATE,
    WINDOWS,
    Yamnet,
    get_scene_embeddings,
    get_timestamp_embeddings,
    load_model,
)

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def model(data_folder: Path) -> Yamnet:
    return load_model(data_folder.parent / "teachers" / "yamnet.tflite")


def test_a_burst_changes_the_embeddings_whose_window_has_it(model: Yamnet) -> None:
    """Seen from outside, those are the ones whose label is within half a window of the burst."""
    burst = 5.0
    quiet = torch.zeros(1, 10 * SAMPLE_RATE)
    audio = quiet.clone()
    generator = torch.Generator().manual_seed(0)
    audio[0, round(burst * SAMPLE_RATE) :][:160] = 0.5 * torch.randn(160, generator=generator)
    without, _ = get_timestamp_embeddings(quiet, model)
    found, milliseconds = get_timestamp_embeddings(audio, model)
    changed = (found != without).any(dim=2)[0].numpy()
    distance = np.abs(milliseconds[0].numpy() / 1000 - burst)
    half = WINDOWS.length / SAMPLE_RATE / 2
    np.testing.assert_array_equal(changed, distance < half)
    assert changed.sum() == 2


def test_a_sound_shorter_than_a_window_has_one_embedding_at_its_middle(model: Yamnet) -> None:
    frames, milliseconds = get_timestamp_embeddings(torch.full((2, 3200), 0.1), model)
    assert frames.shape == (2, 1, 1024)
    assert milliseconds.tolist() == [[100], [100]]
    assert torch.isfinite(frames).all()


def test_categories_of_real_sounds_lie_apart(model: Yamnet, data_folder: Path) -> None:
    """Each of two clips of a category is nearest to the mean of the first two of the same."""
    scenes = []
    for category in sorted((data_folder / "audio" / "esc10").glob("00[1-5]*")):
        for path in sorted(category.glob("*.ogg"))[::10][:4]:  # four of the five folds
            samples, rate = soundfile.read(path, dtype="float32")
            audio = Resampler(rate, SAMPLE_RATE)(torch.from_numpy(samples)[None])
            scenes.append(get_scene_embeddings(audio, model)[0])
    embeddings = torch.stack(scenes).unflatten(0, (5, 4))
    means = embeddings[:, :2].mean(dim=1)
    similarity = torch.cosine_similarity(embeddings[:, 2:, None], means[None, None], dim=-1)
    right = similarity.argmax(dim=2) == torch.arange(5)[:, None]
    assert right.float().mean() >= 0.8

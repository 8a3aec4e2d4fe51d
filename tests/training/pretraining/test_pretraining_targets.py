"""What crops are described by, against sounds whose modulation is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.pretraining.objectives import contrast, misalignment, side_by_side, standardised
from training.pretraining.targets import (
    N_REPORTED_BANDS,
    RATES_HZ,
    SAMPLE_RATE,
    SCALES,
    Targets,
)

N_SAMPLES = 2 * SAMPLE_RATE


@pytest.fixture(scope="module")
def targets() -> Targets:
    return Targets(N_SAMPLES)


def powers(targets: Targets, audio: torch.Tensor) -> torch.Tensor:
    """Modulation power as (scale, direction, rate, band)."""
    table = targets.raw(audio[None])["modulation_power"][0]
    return table.view(len(SCALES), 2 * len(RATES_HZ), N_REPORTED_BANDS).unflatten(1, (2, -1))


@pytest.mark.parametrize("rate", RATES_HZ[1:])
def test_modulated_noise_has_most_power_at_its_rate(targets: Targets, rate: float) -> None:
    time = torch.arange(N_SAMPLES) / SAMPLE_RATE
    noise = torch.randn(N_SAMPLES, generator=torch.Generator().manual_seed(0))
    swelling = noise * torch.exp(2 * torch.sin(2 * math.pi * rate * time)) * 0.02
    found = powers(targets, swelling)[0].mean(dim=(0, 2))  # all bands swell together: no scale
    assert RATES_HZ[int(found.argmax())] == rate


def test_a_rising_ripple_and_a_falling_one_differ_in_direction(targets: Targets) -> None:
    """A ripple is noise whose spectral envelope moves along the mel axis."""
    window = torch.hann_window(1024)
    noise = torch.stft(
        torch.randn(N_SAMPLES, generator=torch.Generator().manual_seed(1)),
        1024,
        220,
        window=window,
        return_complex=True,
    )
    hertz = torch.linspace(0, SAMPLE_RATE / 2, 513)
    mel = 2595 * torch.log10(1 + hertz / 700)
    time = torch.arange(noise.shape[1]) * 220 / SAMPLE_RATE
    sides = {}
    for name, sign in (("rising", -1), ("falling", 1)):
        phase = 2 * math.pi * (6.0 * sign * time + mel[:, None] / mel[-1] * 8)
        ripple = torch.istft(noise * torch.exp(1.5 * torch.sin(phase)), 1024, 220, window=window)
        ripple = torch.nn.functional.pad(ripple, (0, N_SAMPLES - len(ripple))) * 0.1
        sides[name] = powers(targets, ripple)[1:, :, RATES_HZ.index(6.0)].mean(dim=(0, 2))
    rising, falling = sides["rising"], sides["falling"]
    assert (rising - falling).abs().min() > 0.5
    assert bool(rising[0] > rising[1]) != bool(falling[0] > falling[1])


def test_descriptions_are_standardised_over_the_calibration(targets: Targets) -> None:
    generator = torch.Generator().manual_seed(2)
    gains = 10 ** torch.linspace(-2, 0, 12)[:, None]
    audio = gains * torch.randn(12, N_SAMPLES, generator=generator)
    targets.calibrate(audio)
    for name, table in targets(audio).items():
        values = table if table.ndim == 2 else table.transpose(1, 2).flatten(0, 1)
        torch.testing.assert_close(
            values.mean(0), torch.zeros(values.shape[1]), atol=1e-3, rtol=0, msg=name
        )
        assert values.std(0).max() < 1.001


def test_bands_are_those_of_torchaudio(targets: Targets) -> None:
    import torchaudio

    audio = torch.randn(1, N_SAMPLES, generator=torch.Generator().manual_seed(3))
    spectrogram = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=1024, hop_length=220, n_mels=128
    )(audio)
    decibels = (spectrogram + 1e-6).log()[..., :200]
    expected = torch.cat([decibels.mean(2), decibels.std(2)], dim=1)
    torch.testing.assert_close(targets.raw(audio)["bands"], expected)


def test_side_by_side_is_the_kernel_of_tables_side_by_side() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(6, size, generator=generator) for size in (3, 50))
    joined = torch.cat([first / 3**0.5, second * (0.7 / 50) ** 0.5], dim=1)
    torch.testing.assert_close(side_by_side([first, second], [1.0, 0.7]), joined @ joined.T)


def test_misalignment_is_one_minus_the_correlation_of_centred_kernels() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((8, 5)), generator.standard_normal((8, 4))
    x_centred, y_centred = x - x.mean(0), y - y.mean(0)
    cross = np.square(np.linalg.norm(x_centred.T @ y_centred))
    own = np.linalg.norm(x_centred.T @ x_centred) * np.linalg.norm(y_centred.T @ y_centred)
    found = misalignment(torch.from_numpy(x @ x.T), torch.from_numpy(y @ y.T))
    assert abs(float(found) - (1 - cross / own)) < 1e-9


def test_misalignment_is_invariant_to_rotation_scale_and_offset() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10, 6, generator=generator, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    moved = 3 * x @ rotation + 5
    assert float(misalignment(moved @ moved.T, x @ x.T)) < 1e-9


def test_gradient_of_misalignment_aligns_similarities() -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = torch.randn(12, 4, generator=generator)
    embeddings = torch.randn(12, 30, generator=generator, requires_grad=True)
    optimiser = torch.optim.Adam([embeddings], lr=0.05)
    losses = []
    for _ in range(100):
        own = standardised(embeddings)
        loss = misalignment(own @ own.T, wanted @ wanted.T)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[0] > 0.5
    assert losses[-1] < 0.1


def test_scale_of_a_silent_unit_stays_small() -> None:
    embeddings = torch.zeros(8, 2)
    embeddings[:, 0] = torch.tensor([-1.0, 1, -1, 1, -1, 1, -1, 1])
    embeddings[3, 1] = 1e-4  # a weak response to one sound
    found = standardised(embeddings)
    assert float(found[:, 1].abs().max()) < 0.01
    assert torch.allclose(found[:, 0], embeddings[:, 0], atol=1e-4)


@pytest.mark.parametrize("labels", [[0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1]])
def test_contrast_against_brute_force(labels: list[int]) -> None:
    table = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unit = (table / table.norm(dim=1, keepdim=True)).numpy()
    chances = np.exp(unit @ unit.T / 0.3)
    losses = []
    for i in range(6):
        others = [j for j in range(6) if j != i]
        same = [chances[i, j] for j in others if labels[j] == labels[i]]
        losses.append(-np.mean(np.log(np.array(same) / chances[i, others].sum())))
    found = float(contrast(table, torch.tensor(labels), 0.3))
    assert found == pytest.approx(np.mean(losses), rel=1e-5)

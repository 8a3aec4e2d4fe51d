"""Similarities of a network's embeddings against those of teachers."""

from __future__ import annotations

import numpy as np
import torch

from training.pretraining.relations import misalignment, side_by_side, standardised


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


def test_misalignment_does_not_see_rotation_scale_or_offset() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(10, 6, generator=generator, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    moved = 3 * x @ rotation + 5
    assert float(misalignment(moved @ moved.T, x @ x.T)) < 1e-9


def test_following_its_gradient_brings_similarities_together() -> None:
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


def test_a_silent_unit_does_not_rule() -> None:
    embeddings = torch.zeros(8, 2)
    embeddings[:, 0] = torch.tensor([-1.0, 1, -1, 1, -1, 1, -1, 1])
    embeddings[3, 1] = 1e-4  # answers to one sound, hardly
    found = standardised(embeddings)
    assert float(found[:, 1].abs().max()) < 0.01
    assert torch.allclose(found[:, 0], embeddings[:, 0], atol=1e-4)

"""Pictures of what is counted have whole numbers on their axes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.fitting.monitoring import draw_curves
from training.fitting.run_folder import Epoch


@pytest.fixture
def axes_of(monkeypatch):
    """The axes of the pictures that are drawn."""
    axes = []
    save = Figure.savefig

    def watch(figure, *arguments, **options):
        save(figure, *arguments, **options)
        axes.extend(figure.axes)

    monkeypatch.setattr(Figure, "savefig", watch)
    return axes


@pytest.mark.parametrize("n_epochs", [2, 3, 4])
def test_epochs_are_whole_numbers(axes_of, n_epochs):
    history = [Epoch(epoch, 1.0, 1.0, 0.1, 0.0, 1e-4) for epoch in range(n_epochs)]
    draw_curves(history, 1)
    assert len(axes_of) == 2
    for axes in axes_of:
        ticks = axes.get_xticks()
        np.testing.assert_array_equal(ticks, np.rint(ticks))

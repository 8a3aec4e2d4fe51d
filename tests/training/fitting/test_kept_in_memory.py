"""What a fit keeps in memory has a bound, and beyond it the same numbers come from the files."""

from pathlib import Path

import numpy as np
import pytest

from training.fitting.assembly import assemble
from training.fitting.recipe import FitRecipe

SETTINGS = {
    "start": "untrained",
    "subjects": ["sub-01"],
    "windows": {"n_trs": 8},
    "split": {"test": {"seasons": ["s02"]}, "validation": {"count": 1}},
    "train_from": "conv6",
}


def test_responses_beyond_the_bound_are_read_again(
    two_listeners: Path, monkeypatch: pytest.MonkeyPatch
):
    parts = assemble(FitRecipe(data=two_listeners, **SETTINGS))
    runs = parts.split.train
    kept = [parts.loader.bold(run) for run in runs]
    assert parts.loader.bold(runs[0]) is kept[0]
    monkeypatch.setattr("training.fitting.windows.MOST_KEPT", kept[0].nbytes)
    loader = assemble(FitRecipe(data=two_listeners, **SETTINGS)).loader
    responses = loader.responses(runs)
    assert responses[0] is responses[0]
    assert responses[1] is not responses[1]
    assert len(responses) == len(runs)
    for expected, table in zip(kept, responses, strict=True):
        np.testing.assert_array_equal(table, expected)


def test_frames_beyond_the_bound_are_computed_with_each_window(
    two_listeners: Path, monkeypatch: pytest.MonkeyPatch
):
    """The two ways differ by the rounding of float32 sums, relative to the largest prediction."""
    recipe = FitRecipe(data=two_listeners, **SETTINGS)
    kept = assemble(recipe)
    assert kept.loader.frozen is not None
    monkeypatch.setattr("training.fitting.frozen.MOST_KEPT", 0)
    plain = assemble(recipe)
    assert plain.loader.frozen is None
    run = kept.split.validation[0]
    (expected,), (found,) = (each.predictor.predict_runs([run]) for each in (kept, plain))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())

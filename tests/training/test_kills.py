"""Killed ``prepare`` and ``fit`` go on and end as undisturbed ones, wherever they were killed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from kills import killed_everywhere, undisturbed
from result_folders import contents
from small_collections import small_collection

pytestmark = pytest.mark.slow
PREPARING = ("training.prepare.preparation", "small_collections")
FITTING = (
    "training.fitting.fit",
    "training.fitting.recipe",
    "matplotlib.pyplot",
)


def prepare(out: Path, *, source: Path) -> None:
    """Prepare two subjects; the page has tests of its own and takes longest."""
    import training.prepare.preparation
    from training.prepare.preparation import PreparationSettings, prepare_collection

    training.prepare.preparation.write_summary = lambda dataset, path, *_, **__: path.write_text(
        "page"
    )
    collection = small_collection(source)
    prepare_collection(collection, PreparationSettings(name="film"), out, progress=False)


def fit(out: Path, *, data: Path) -> None:
    """Two epochs of the last stage, as ``fit --resume`` does it."""
    from training.fitting.fit import fit
    from training.fitting.recipe import FitRecipe

    recipe = FitRecipe(
        data=data,
        start="untrained",
        subjects=("sub-01",),
        train_from="conv7",
        windows={"n_trs": 8},
        split={"test": {"seasons": ["s02"]}, "validation": {"count": 1}},
        optimiser={"max_epochs": 2, "learning_rate": 1e-3},
    )
    fit(recipe, out, resume=True, progress=False)


def result_of_fit(out: Path) -> dict[str, Any]:
    """What a fit gives: its files by name, tables in full, the state as losses and weights."""
    from training.fitting.fit_folder import FitFolder

    names = [path.name for path in out.iterdir()]
    state = FitFolder(out).read_state()
    assert state is not None
    weights = {name: tensor.tolist() for name, tensor in state.best.items() if tensor.ndim < 2}
    return {
        "names": sorted(names),
        "scores.csv": (out / "scores.csv").read_text(),
        "metrics.csv": (out / "metrics.csv").read_text(),
        "config.yaml": (out / "config.yaml").read_text(),
        "history": repr(state.history),
        "finished": state.finished,
        "weights": repr(weights),
        "sums": [float(torch.sum(tensor.double())) for tensor in state.model.values()],
    }


def test_prepare_at_operations_on_files(tmp_path: Path, request: pytest.FixtureRequest):
    every = request.config.getoption("--kill-every") or 16
    source = tmp_path / "source"
    small_collection(source)
    job = partial(prepare, source=source)
    undisturbed(job, tmp_path / "whole", preload=PREPARING)
    expected = contents(tmp_path / "whole")
    kills = killed_everywhere(job, tmp_path / "out", expected, preload=PREPARING, every=every)
    print(f"\n{len(kills.places)} kills")
    assert kills.wrong == {}
    assert len(kills.places) * every > 40


def test_fit_at_operations_on_files(
    tmp_path: Path, two_subjects: Path, request: pytest.FixtureRequest
):
    every = request.config.getoption("--kill-every") or 18
    job = partial(fit, data=two_subjects)
    undisturbed(job, tmp_path / "whole", preload=FITTING)
    kills = killed_everywhere(
        job,
        tmp_path / "out",
        result_of_fit(tmp_path / "whole"),
        read=result_of_fit,
        preload=FITTING,
        every=every,
    )
    print(f"\n{len(kills.places)} kills")
    assert kills.wrong == {}
    assert len(kills.places) * every > 20

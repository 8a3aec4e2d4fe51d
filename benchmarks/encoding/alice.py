"""Twelve minutes of *Alice in Wonderland*, 27 listeners, six regions (Brennan et al. 2016).

The story's audio is not available. The stimulus is a stand-in: each word synthesised by espeak-ng
at its onset in the published TextGrid, see :mod:`benchmarks.encoding.story`. Scores are limited by
that stand-in.

TR 0 of the files is 20 s into the padded story. The network's read-out is trained on the first six
minutes, its stage is selected on the next one and a half, and the last four are predicted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.alice_baselines import from_others, from_power, from_regressors
from benchmarks.encoding.alice_data import (
    HIGH_PASS_S,
    REGIONS,
    SEGMENTS,
    START_S,
    TR,
    Courses,
    list_files,
    prepare_story,
    recordings,
    speak_story,
    without_drifts,
)
from benchmarks.encoding.fits import Fitted, checkpoint_of, fitted
from benchmarks.encoding.story import espeak_version
from training.data.prepared import Prepared
from training.fitting.recipe import FitRecipe
from training.scores import pearson_r
from training.statistics import null_scores, p_values

logger = logging.getLogger(__name__)

CORRUPT = "s33"
STAGES = ("conv4", "conv5", "pool5", "conv7")
N_DELAYS = 5  # ten seconds: past the peak of the haemodynamic response
START = "untrained"
SAME = 1e-4  # smaller differences of correlations are ties
CHOSEN, FROZEN = "frozen SoundNet, stage by validation", "frozen SoundNet"
FINE_TUNED, POWER = "fine-tuned from conv6", "power of the story as spoken"
REGRESSORS, OTHERS = "published sound power and word rate", "mean of the other listeners"
TUNED = {"train_from": "conv6", "learning_rate": 1e-5, "read_out_learning_rate": 1e-6}
TUNED_STAGE = "conv7"
TUNED_EPOCHS, TUNED_WINDOW_TRS, TUNED_WINDOWS_PER_STEP = 3, 60, 9


def run_alice(
    data: Path,
    out: Path,
    *,
    start: str = START,
    stages: Sequence[str] = STAGES,
    n_listeners: int | None = None,
    tuned_epochs: int = TUNED_EPOCHS,
) -> dict[str, Any]:
    """From text files to the document of :mod:`benchmarks.encoding.results`.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    out : Path
        Folder for the story, the prepared data and the fits; finished fits are reused.
    start : str
        The initial checkpoint of fits.
    stages : sequence of str
        Candidates for selection by validation.
    n_listeners : int, optional
        Use only the first ones.
    tuned_epochs : int
        Epochs of fine-tuning; 0 for none.
    """
    folder = data / "fmri" / "alice"
    story = out / "story" / "alice.flac"
    cut_short = speak_story(folder, story)
    published = list_files(folder, n_listeners)
    steady = [without_drifts(file, out / "courses" / file.name) for file in published]
    rows: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    details: dict[str, Any] = {"findings": {}}
    for bold, files in (("as published", published), ("drifts removed", steady)):
        slug = bold.replace(" ", "-")
        prepared = prepare_story(files, story, out / f"prepared-{slug}")
        details["findings"][bold] = [
            finding.replace(str(data), "DATA").replace(str(out), "WORK")
            for finding in prepared.info.findings
        ]
        sides = {side: recordings(prepared, side) for side in SEGMENTS}
        models, chosen = fit_models(
            prepared,
            start,
            out / start / slug,
            stages,
            tuned_epochs if bold == "as published" else 0,
        )
        validation += [
            {
                "BOLD": bold,
                "model": name,
                "stage": stage,
                "validation r": run.validation_r,
                "epoch kept": run.best_epoch,
            }
            for (name, stage), run in models.items()
        ]
        predicted = {
            (CHOSEN, chosen.recipe.read_out.stage): predictions_of(chosen),
            **{
                model: predictions_of(run)
                for model, run in models.items()
                if tuned_epochs and bold == "as published" and model[1] == TUNED_STAGE
            },
            (POWER, "-"): from_power(prepared, sides, N_DELAYS),
            (REGRESSORS, "-"): from_regressors(folder, sides),
            (OTHERS, "-"): from_others(sides["test"].measured),
        }
        of_listeners: dict[str, NDArray[np.float64]] = {}
        for (model, stage), courses in predicted.items():
            row, numbers = score(sides["test"].measured, courses)
            rows.append({"BOLD": bold, "model": model, "stage": stage, **row})
            details[f"{bold}: {model}"] = numbers
            of_listeners[model] = np.mean(numbers["r"], axis=1)
        differences += [
            {
                "BOLD": bold,
                "comparison": f"{one} - {other}",
                **_difference(of_listeners[one] - of_listeners[other]),
            }
            for one, other in ((FINE_TUNED, FROZEN), (CHOSEN, POWER))
            if one in of_listeners
        ]
        if "checkpoint" not in details:
            path = out / "alice.safetensors"
            details["checkpoint"] = checkpoint_of(chosen, path, "alice")
    n_heard, n_trs, _ = sides["test"].measured.shape
    n_shifts = n_trs - 1
    return {
        "title": f"alice from {start}: six regions of {n_heard} listeners to a story",
        "command": f"python -m benchmarks encoding alice --start {start} --data DATA --out WORK",
        "seeds": {"fits": [0]},
        "settings": {
            "start": start,
            "stages": list(stages),
            "segments_s": {name: list(segment) for name, segment in SEGMENTS.items()},
            "tr": TR,
            "start_s": START_S,
            "n_delays": N_DELAYS,
            "high_pass_s": HIGH_PASS_S,
            "fine_tuning": {
                **TUNED,
                "epochs": tuned_epochs,
                "window_trs": TUNED_WINDOW_TRS,
                "windows_per_step": TUNED_WINDOWS_PER_STEP,
            },
            "listeners": n_heard,
            "words_cut_short": cut_short,
        },
        "versions": {"espeak-ng": espeak_version()},
        "rows": rows,
        "tables": [
            {"title": "Differences, paired over listeners", "rows": differences},
            {"title": "Validation, by which the stage is chosen", "rows": validation},
        ],
        "notes": _notes(start, n_heard, n_trs, n_shifts, cut_short, tuned_epochs),
        "details": details,
    }


def fit_models(
    prepared: Prepared, start: str, out: Path, stages: Sequence[str], tuned_epochs: int
) -> tuple[dict[tuple[str, str], Fitted], Fitted]:
    """All fits by name and stage, and the frozen one selected by validation."""
    frozen = {stage: fit_story(prepared, start, stage, out / stage) for stage in stages}
    models = {(FROZEN, stage): run for stage, run in frozen.items()}
    if tuned_epochs:
        baseline = models.get((FROZEN, TUNED_STAGE))
        models[FROZEN, TUNED_STAGE] = baseline or fit_story(
            prepared, start, TUNED_STAGE, out / TUNED_STAGE
        )
        models[FINE_TUNED, TUNED_STAGE] = fit_story(
            prepared, start, TUNED_STAGE, out / "tuned", epochs=tuned_epochs
        )
    return models, max(frozen.values(), key=lambda run: run.validation_r)


def fit_story(prepared: Prepared, start: str, stage: str, out: Path, *, epochs: int = 0) -> Fitted:
    """One network with a read-out for each listener; `epochs` of training both from conv6 on."""
    optimiser: dict[str, Any] = {"max_epochs": epochs}
    if epochs:
        for name in ("learning_rate", "read_out_learning_rate"):
            optimiser[name] = TUNED[name]
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "model": "multi_subject",
            "start": start,
            "train_from": TUNED["train_from"] if epochs else "none",
            "read_out": {"stage": stage, "n_delays": N_DELAYS, "initial": "ridge"},
            "windows": {"n_trs": TUNED_WINDOW_TRS, "batch_size": TUNED_WINDOWS_PER_STEP},
            "split": {
                "test": {"episodes": ["test"]},
                "validation": {"episodes": ["validation"]},
            },
            "optimiser": optimiser,
            "seed": 0,
        }
    )
    logger.info("%s, %s, %d epochs", prepared.folder.name, stage, epochs)
    return fitted(recipe, out)


def predictions_of(run: Fitted) -> Courses:
    """Predictions for all listeners, in the order of the dataset."""
    parts = run.parts()
    return np.stack(parts.predictor.predict_runs(parts.split.test)).astype(np.float64)


def score(measured: Courses, predicted: Courses) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of the table, and its details.

    Regions are averaged within each listener, then listeners; the null uses the same means for
    predictions shifted equally for all listeners.
    """
    r = np.stack([pearson_r(y, p) for y, p in zip(measured, predicted, strict=True)])
    scores = null_scores(
        list(zip(measured, predicted, strict=True)), null="circular_shift", same_draw=True
    )
    of_listeners, null_mean = r.mean(axis=1), scores.null.mean(axis=1)
    mean = of_listeners.mean(keepdims=True)
    deviation = float(of_listeners.std(ddof=1)) if len(r) > 1 else None
    p_regions = p_values(scores.observed, scores.null).tolist()
    row = {
        "r": float(of_listeners.mean()),
        "± over listeners": deviation,
        "p": float(p_values(mean, null_mean[:, None])[0]),
        "shifted r": float(null_mean.mean()),
        "± over shifts": float(null_mean.std(ddof=1)),
        **{
            name: f"{value:.3f} (p {p:.3f})"
            for name, value, p in zip(REGIONS, scores.observed, p_regions, strict=True)
        },
    }
    numbers = {
        "n_trs": measured.shape[1],
        "r": r.tolist(),
        "p_of_regions": p_regions,
        "null": null_mean.tolist(),
        "null_of_regions": scores.null.tolist(),
    }
    return row, numbers


def _difference(of_listeners: NDArray[np.float64]) -> dict[str, Any]:
    n = len(of_listeners)
    return {
        "r difference": float(of_listeners.mean()),
        "± over listeners": float(of_listeners.std(ddof=1)) if n > 1 else None,
        "listeners above 0": f"{int((of_listeners > SAME).sum())} of {n}",
    }


def _notes(
    start: str, n_listeners: int, n_trs: int, n_shifts: int, cut_short: float, tuned_epochs: int
) -> list[str]:
    return [
        "The story's audio is not at hand. Every word was spoken by espeak-ng at its published "
        f"onset ({cut_short:.0%} of the words are cut short, where the next one begins); this "
        "stands in for the recording that was heard, with another voice and no prosody.",
        f"{n_listeners} listeners; {CORRUPT}, whose file is constant, is left out by the source, "
        "which says so in the dataset's findings.",
        f"Scores are of the last four minutes ({n_trs} TRs of {TR:g} s); the read-outs were solved "
        "for on the first six (20 to 390 s), the stage was chosen by 405 to 500 s. Time courses "
        "are of 6 mm spheres, z-scored within each part.",
        "r is averaged over regions within each listener, then over listeners. p compares it with "
        f"all {n_shifts} circular shifts of the prediction, the same shift for all listeners: "
        "p = (1 + shifts that reach it) / (1 + "
        f"{n_shifts}), so at least {1 / (1 + n_shifts):.4f}. It asks whether this prediction fits "
        "this stretch of the story, not whether it would fit another story. No correction over "
        "rows or regions.",
        "Drifts removed: cosines slower than 128 s regressed out of each part by itself. The "
        "published courses carry 30 to 45 % of their variance there.",
        "The mean of the other listeners is no model: it shows what a perfect model of what "
        "listeners share could reach about.",
        f"Fine-tuned: conv6 and conv7 with all read-outs, {tuned_epochs} epochs; the rate of "
        f"{TUNED['learning_rate']:g} was chosen because at 1e-4 the validation loss rose at once. "
        "Epoch 0, the frozen model, is kept where validation finds none better.",
        f"Fits start from the checkpoint {start!r} of the package.",
    ]

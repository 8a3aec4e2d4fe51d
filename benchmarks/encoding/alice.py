"""Twelve minutes of *Alice in Wonderland*, 27 listeners, six regions (Brennan et al. 2016).

The story's audio is not at hand. What the network hears is a stand-in: each word spoken by
espeak-ng at the onset that the published TextGrid gives it, see :mod:`benchmarks.encoding.story`.
Scores are what that stand-in allows, not what the recording would.

TR 0 of the files is 20 s into the padded story. The network's read-out is trained on the first six
minutes, its stage is chosen by the next one and a half, and the last four are predicted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.fits import Fitted, checkpoint_of, fitted, ridge_predictions
from benchmarks.encoding.shift_null import p_value, shifted_r, shifts_of
from benchmarks.encoding.story import espeak_version, write_story
from benchmarks.encoding.text_grid import read_tier
from training.preparation import PrepareRecipe, prepare
from training.prepared import INT16_SCALE, Prepared, Run
from training.recipe import FitRecipe

logger = logging.getLogger(__name__)

TR, START_S = 2.0, 20.0
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
CORRUPT = "s33"
# Seconds of the padded story; 15 s and more between them for delays and receptive fields.
SEGMENTS = {"train": (20.0, 390.0), "validation": (405.0, 500.0), "test": (515.0, 744.0)}
STAGES = ("conv4", "conv5", "pool5", "conv7")
N_DELAYS = 5  # ten seconds: past the peak of the haemodynamic response
SHORTEST_SHIFT = 10  # TRs, 20 s
HIGH_PASS_S = 128.0
START = "untrained"
CHOSEN, FROZEN = "frozen SoundNet, stage by validation", "frozen SoundNet"
FINE_TUNED, POWER = "fine-tuned from conv6", "power of the story as spoken"
TUNED = {"train_from": "conv6", "learning_rate": 1e-4, "read_out_learning_rate": 1e-6}
TUNED_EPOCHS, TUNED_WINDOW_TRS, TUNED_WINDOWS_PER_STEP = 8, 60, 9

Courses = NDArray[np.float64]  # (n_listeners, n_trs, n_regions)


@dataclass(frozen=True)
class Recordings:
    """Measured responses of one side, and what each listener's run is."""

    runs: tuple[Run, ...]
    measured: Courses


def run_alice(
    data: Path,
    out: Path,
    *,
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
        Folder for the story, the prepared data and the runs; finished runs there are not made
        again.
    stages : sequence of str
        Among which validation chooses.
    n_listeners : int, optional
        Only the first ones.
    tuned_epochs : int
        Of fine-tuning; 0 leaves it out.
    """
    folder = data / "fmri" / "alice"
    story = out / "story" / "alice.flac"
    cut_short = speak_story(folder, story)
    rows: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    validation: list[dict[str, Any]] = []
    details: dict[str, Any] = {}
    findings: dict[str, list[str]] = {}
    chosen: Fitted | None = None
    for bold in ("as published", "drifts removed"):
        slug = bold.replace(" ", "-")
        files = list_files(folder, n_listeners)
        if bold == "drifts removed":
            files = [without_drifts(file, out / "courses" / file.name) for file in files]
        prepared = prepare_story(files, story, out / f"prepared-{slug}")
        findings[bold] = [
            finding.replace(str(data), "DATA").replace(str(out), "WORK")
            for finding in prepared.info.findings
        ]
        sides = {side: recordings(prepared, side) for side in SEGMENTS}
        fits = {stage: fit_story(prepared, stage, out / slug / stage) for stage in stages}
        validation += [
            {"BOLD": bold, "model": "frozen", "stage": stage, "validation r": run.validation_r}
            for stage, run in fits.items()
        ]
        best = max(fits, key=lambda stage: fits[stage].validation_r)
        predicted = {(CHOSEN, best): predictions_of(fits[best])}
        if bold == "as published":
            chosen = fits[best]
            if tuned_epochs:
                tuned = fit_story(prepared, "conv7", out / slug / "tuned", epochs=tuned_epochs)
                frozen = fit_story(prepared, "conv7", out / slug / "conv7")
                predicted[FROZEN, "conv7"] = predictions_of(frozen)
                predicted[FINE_TUNED, "conv7"] = predictions_of(tuned)
                row = {"BOLD": bold, "model": f"fine-tuned, epoch {tuned.best_epoch} kept"}
                validation.append({**row, "stage": "conv7", "validation r": tuned.validation_r})
        predicted[POWER, "-"] = from_power(prepared, sides)
        predicted["published sound power and word rate", "-"] = from_regressors(folder, sides)
        predicted["mean of the other listeners", "-"] = from_others(sides["test"].measured)
        for (model, stage), courses in predicted.items():
            row, null = score(sides["test"].measured, courses)
            rows.append({"BOLD": bold, "model": model, "stage": stage, **row})
            details[f"{bold}: {model}"] = null
        for one, other in ((FINE_TUNED, FROZEN), (CHOSEN, POWER)):
            if f"{bold}: {one}" in details:
                r = [np.mean(details[f"{bold}: {each}"]["r"], axis=1) for each in (one, other)]
                row = _difference(r[0] - r[1])
                differences.append({"BOLD": bold, "comparison": f"{one} - {other}", **row})
    assert chosen is not None
    n_heard, n_trs, _ = sides["test"].measured.shape
    n_shifts = len(shifts_of(n_trs, SHORTEST_SHIFT))
    details["checkpoint"] = checkpoint_of(chosen, out / "alice.safetensors", "alice")
    details["findings"] = findings
    return {
        "title": f"alice: six regions of {n_heard} listeners to a story",
        "command": "python -m benchmarks.encoding alice --data DATA --out WORK",
        "seeds": {"fits": [0]},
        "settings": {
            "start": START,
            "stages": list(stages),
            "segments_s": {name: list(segment) for name, segment in SEGMENTS.items()},
            "tr": TR,
            "start_s": START_S,
            "n_delays": N_DELAYS,
            "shortest_shift_trs": SHORTEST_SHIFT,
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
        "notes": _notes(n_heard, n_trs, n_shifts, cut_short),
        "details": details,
    }


def speak_story(folder: Path, path: Path) -> float:
    """Write the stand-in for the story's audio; returns the share of words cut short."""
    (grid,) = sorted((folder / "alice_stim_shared").glob("*.TextGrid"))
    return write_story(read_tier(grid, "word"), path, progress=False)


def list_files(folder: Path, n_listeners: int | None) -> list[Path]:
    """Time courses, one file per listener.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    files = sorted((folder / "alice_data_shared" / "6mm").glob("s*-timecourses.txt"))
    if not files:
        raise FileNotFoundError(f"no time courses in {folder / 'alice_data_shared' / '6mm'}")
    return files[:n_listeners]


def without_drifts(file: Path, out: Path) -> Path:
    """A copy without what is slower than 128 s, each segment for itself.

    Within each segment the cosines below the cutoff are regressed out, as SPM's high-pass filter
    does, so that nothing of the test segment enters the others.
    """
    values = np.loadtxt(file)
    if not np.ptp(values):
        return file  # corrupt: the source is to say so
    onsets = START_S + np.arange(len(values)) * TR
    for start, stop in SEGMENTS.values():
        inside = (onsets >= start) & (onsets + TR <= stop)
        n = int(inside.sum())
        n_cosines = int(2 * n * TR / HIGH_PASS_S)
        phase = np.pi * (np.arange(n) + 0.5) / n
        cosines = np.cos(phase[:, None] * np.arange(1, n_cosines + 1))
        part = values[inside]
        mean = part.mean(axis=0)
        fit, *_ = np.linalg.lstsq(cosines, part - mean, rcond=None)
        values[inside] = part - cosines @ fit
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(out, values)
    return out


def prepare_story(files: Sequence[Path], story: Path, out: Path) -> Prepared:
    """All listeners, each cut into the three segments."""
    segments = [
        {"name": name, "start": start, "stop": stop} for name, (start, stop) in SEGMENTS.items()
    ]
    runs = [{"file": file, "subject": listener_of(file)} for file in files]
    source = {
        "kind": "time_series",
        "tr": TR,
        "start": START_S,
        "stimuli": story,
        "runs": runs,
        "target_names": REGIONS,
        "segments": segments,
    }
    recipe = {"name": "alice", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def listener_of(file: Path) -> str:
    """``s17-timecourses.txt`` is of listener ``s17``."""
    match = re.match(r"s\d+", file.name)
    if match is None:
        raise ValueError(f"{file} does not begin with a listener's number such as s17")
    return match.group()


def recordings(prepared: Prepared, side: str) -> Recordings:
    """Responses of all listeners in one segment."""
    runs = tuple(run for run in prepared.runs if run.episode == side)
    return Recordings(runs, np.stack([prepared.bold(run) for run in runs]).astype(np.float64))


def fit_story(prepared: Prepared, stage: str, out: Path, *, epochs: int = 0) -> Fitted:
    """One network, a read-out for each listener; `epochs` of training both from conv6 on."""
    optimiser: dict[str, Any] = {"max_epochs": epochs}
    if epochs:
        for name in ("learning_rate", "read_out_learning_rate"):
            optimiser[name] = TUNED[name]
    recipe = FitRecipe.model_validate(
        {
            "data": prepared.folder,
            "model": "multi_subject",
            "start": START,
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
    """Of all listeners, in the order of the dataset."""
    parts = run.parts()
    return np.stack(parts.predictor.predict_runs(parts.split.test)).astype(np.float64)


def from_power(prepared: Prepared, sides: Mapping[str, Recordings]) -> Courses:
    """Ridge from the root mean square of each TR of the story as the network heard it."""
    power = {}
    for side in ("train", "test"):
        run = sides[side].runs[0]
        audio = prepared.audio(run.stimulus) / INT16_SCALE
        edges = (run.start + np.arange(run.n_trs + 1) * run.tr) * prepared.info.sample_rate
        pieces = np.split(audio, edges.astype(int))[1:-1]
        power[side] = np.array([[np.sqrt(np.mean(piece**2))] for piece in pieces], np.float32)
    features = {side: [table] * len(sides[side].runs) for side, table in power.items()}
    return _ridge(sides, features, N_DELAYS)


def from_regressors(folder: Path, sides: Mapping[str, Recordings]) -> Courses:
    """Ridge from the two regressors that come with the data, haemodynamic response included."""
    features = {
        side: [regressors_of(folder, run) for run in sides[side].runs] for side in ("train", "test")
    }
    return _ridge(sides, features, n_delays=1)


def regressors_of(folder: Path, run: Run) -> NDArray[np.float32]:
    """Sound power and word rate of a run, ``(n_trs, 2)``."""
    first = round((run.start - START_S) / TR)
    columns = [
        np.loadtxt(folder / "alice_data_shared" / f"{run.subject}-{name}.txt")
        for name in ("sndpwr", "rate")
    ]
    return np.stack(columns, axis=1)[first : first + run.n_trs].astype(np.float32)


def from_others(measured: Courses) -> Courses:
    """For each listener the mean of all others: what a story has in common."""
    n_listeners = len(measured)
    return (measured.sum(axis=0) - measured) / max(1, n_listeners - 1)


def score(measured: Courses, predicted: Courses) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of the table, and all that it was made from.

    Regions are averaged within each listener, then listeners; the null takes the same two means of
    predictions that are shifted for all listeners alike.
    """
    r, null = shifted_r(measured, predicted, SHORTEST_SHIFT)
    of_listeners, null_mean = r.mean(axis=1), null.mean(axis=(1, 2))
    by_region, null_by_region = r.mean(axis=0), null.mean(axis=1)
    deviation = float(of_listeners.std(ddof=1)) if len(r) > 1 else None
    p_regions = [
        p_value(by_region[i], null_by_region[:, i]) for i in range(null_by_region.shape[1])
    ]
    row = {
        "r": float(of_listeners.mean()),
        "± over listeners": deviation,
        "p": p_value(float(of_listeners.mean()), null_mean),
        "shifted r": float(null_mean.mean()),
        "± over shifts": float(null_mean.std(ddof=1)),
        **{
            name: f"{value:.3f} (p {p:.3f})"
            for name, value, p in zip(REGIONS, by_region, p_regions, strict=True)
        },
    }
    numbers = {
        "n_trs": measured.shape[1],
        "r": r.tolist(),
        "p_of_regions": p_regions,
        "null": null_mean.tolist(),
        "null_of_regions": null_by_region.tolist(),
    }
    return row, numbers


def _difference(of_listeners: NDArray[np.float64]) -> dict[str, Any]:
    n = len(of_listeners)
    return {
        "r difference": float(of_listeners.mean()),
        "± over listeners": float(of_listeners.std(ddof=1)) if n > 1 else None,
        "listeners above 0": f"{int((of_listeners > 0).sum())} of {n}",
    }


def _ridge(
    sides: Mapping[str, Recordings],
    features: Mapping[str, Sequence[NDArray[np.float32]]],
    n_delays: int,
) -> Courses:
    def each() -> Iterator[NDArray[np.float32]]:
        train = sides["train"]
        for i, run in enumerate(train.runs):
            (table,) = ridge_predictions(
                [run],
                [features["train"][i]],
                [train.measured[i].astype(np.float32)],
                [features["test"][i]],
                n_delays,
            )
            yield table

    return np.stack(list(each())).astype(np.float64)


def _notes(n_listeners: int, n_trs: int, n_shifts: int, cut_short: float) -> list[str]:
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
        f"all {n_shifts} circular shifts of the prediction by at least {SHORTEST_SHIFT} TRs either "
        "way, the same shift for all listeners: p = (1 + shifts that reach it) / (1 + "
        f"{n_shifts}), so at least {1 / (1 + n_shifts):.4f}. It asks whether this prediction fits "
        "this stretch of the story, not whether it would fit another story. No correction over "
        "rows or regions.",
        "Drifts removed: cosines slower than 128 s regressed out of each part by itself. The "
        "published courses carry 30 to 45 % of their variance there.",
        "The mean of the other listeners is no model: it shows what a perfect model of what "
        "listeners share could reach about.",
        "The network's weights are random (the untrained checkpoint).",
    ]

"""Comparison of a model with BOLD time series by delayed ridge regression on its frames.

Frames of a stage become one row per TR: their mean within the TR, or, for a stage slower than the
TRs, their value interpolated at the middle of the TR. Rows of the last nine seconds are
concatenated, so that the haemodynamic response is part of the weights. Whole episodes are held out
in turn; the penalty is selected by cross-validation over the other episodes.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.correspondence.evaluation import stage_positions
from benchmarks.correspondence.stages import Frames, StagedModel
from hear_brainsoundnet.resampling import Resampler
from training.data.prepared import INT16_SCALE, Prepared, Run
from training.fitting.ridge import delayed, folds_by_episode
from training.partition.banded_ridge import fit_and_predict
from training.scores import pearson_r

logger = logging.getLogger(__name__)

DELAYS_S = 9.0


def rows_of_trs(frames: Frames, run: Run) -> NDArray[np.float32]:
    """A row for each TR of a run, ``(n_trs, n_units)``.

    Examples
    --------
    >>> run = Run("s", "r", "a", "", "a", "", start=0.0, tr=2.0, n_trs=2)
    >>> times = torch.tensor([0.5, 1.5, 2.5, 3.5])
    >>> rows_of_trs(Frames(torch.tensor([[1.0], [3.0], [5.0], [9.0]]), times), run).tolist()
    [[2.0], [7.0]]
    >>> rows_of_trs(Frames(torch.tensor([[0.0], [4.0]]), torch.tensor([0.0, 4.0])), run).tolist()
    [[1.0], [3.0]]
    """
    values, times = frames.values.numpy(), frames.times_s.numpy()
    number = np.floor((times - run.start) / run.tr).astype(int)
    inside = (number >= 0) & (number < run.n_trs)
    counts = np.bincount(number[inside], minlength=run.n_trs)
    if counts.all():
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        sums = np.add.reduceat(values[inside].astype(np.float64), firsts, axis=0)
        return np.asarray(sums / counts[:, None], dtype=np.float32)
    middles = run.start + (np.arange(run.n_trs) + 0.5) * run.tr
    after = np.clip(np.searchsorted(times, middles), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    step = np.maximum(times[after] - times[before], 1e-12)
    share = np.clip((middles - times[before]) / step, 0, 1)[:, None]
    return np.asarray((1 - share) * values[before] + share * values[after], dtype=np.float32)


def evaluate_time_series(model: StagedModel, prepared: Prepared) -> dict[str, Any]:
    """Correlation of every stage's predictions with held-out episodes.

    Parameters
    ----------
    model : StagedModel
        Its frames are computed stage by stage.
    prepared : Prepared
        Of the kind "time_series".

    Returns
    -------
    dict
        For a JSON file: "stages", "positions", and "r": for each stage the mean over subjects of
        the median over targets of the mean over runs.

    Raises
    ------
    ValueError
        If the dataset has no time axis, a subject has fewer than three episodes, or the times of
        the model's frames are unknown.
    """
    if prepared.info.kind != "time_series":
        raise ValueError(f"{prepared.folder} holds {prepared.info.kind}, expected time_series")
    for subject in prepared.subjects:
        episodes = {run.episode for run in prepared.runs if run.subject == subject}
        if len(episodes) < 3:
            raise ValueError(
                f"{prepared.folder}: {subject} has {len(episodes)} episodes, expected 3 or more: "
                "one to test on, two to choose a penalty by"
            )
    stages = []
    for stage in model.stages:
        logger.info("%s: %s", model.name, stage)
        rows = _rows(model, stage, prepared)
        by_subject = []
        for subject in prepared.subjects:
            runs = [run for run in prepared.runs if run.subject == subject]
            by_subject.append(float(np.nanmedian(_of_subject(prepared, runs, rows))))
        stages.append(float(np.mean(by_subject)))
    positions = stage_positions(len(stages)).tolist()
    return {"stages": list(model.stages), "positions": positions, "r": stages}


def _rows(model: StagedModel, stage: str, prepared: Prepared) -> dict[Run, NDArray[np.float32]]:
    """Delayed rows of every run; every stimulus is processed once."""
    resampler = Resampler(prepared.info.sample_rate, model.sample_rate)
    n_delays = max(1, round(DELAYS_S / prepared.info.tr))
    found: dict[Run, NDArray[np.float32]] = {}
    for stimulus in dict.fromkeys(run.stimulus for run in prepared.runs):
        samples = prepared.audio(stimulus).astype(np.float32) / INT16_SCALE
        frames = model.frames(resampler(torch.from_numpy(samples)[None])[0], stage)
        for run in prepared.runs:
            if run.stimulus == stimulus:
                found[run] = delayed(rows_of_trs(frames, run), n_delays)
    return found


def _of_subject(
    prepared: Prepared, runs: list[Run], rows: dict[Run, NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Mean correlation over runs of each target; NaN for targets missing in the subject."""
    bold = [prepared.bold(run) for run in runs]
    there = np.isfinite(np.concatenate(bold)).all(axis=0)
    scores = np.full((len(runs), prepared.n_targets), np.nan)
    for _, held_out in folds_by_episode([run.episode for run in runs]):
        test = set(held_out.tolist())
        train = [i for i in range(len(runs)) if i not in test]
        x = np.concatenate([rows[runs[i]] for i in train])
        scale = np.sqrt(max(float(x.var(axis=0, dtype=np.float64).sum()), 1e-30))
        y = np.concatenate([bold[i][:, there] for i in train])
        episodes = np.repeat([runs[i].episode for i in train], [len(bold[i]) for i in train])
        others = np.concatenate([rows[runs[i]] for i in held_out])
        predicted = fit_and_predict(
            {"stage": x / scale}, y, {"stage": others / scale}, folds_by_episode(episodes.tolist())
        )
        ends = np.cumsum([len(bold[i]) for i in held_out])[:-1]
        for i, own in zip(held_out, np.split(predicted, ends), strict=True):
            scores[i, there] = pearson_r(bold[i][:, there], own)
    return np.asarray(np.nanmean(scores[:, there], axis=0))

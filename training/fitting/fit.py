"""The training loop.

An epoch: draw windows, step through them, score the validation runs, lower the learning rate on a
plateau, keep the weights if they are the best so far, write the state. Training ends by patience or
at the maximal number of epochs. Every random draw is seeded by the recipe's seed and the epoch
number, so that an interrupted fit resumes with an identical result.

With several processes (:mod:`training.processes`) each takes its share of an epoch's steps and of
the validation runs; gradients are averaged over processes, so that a step then sees `batch_size`
windows per process. The first process alone solves for a ridge read-out.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.lock import one_job_per_folder
from training.data.fitted_to import KEY, overlap, record
from training.data.splits import SPLITS
from training.fitting.assembly import Parts, assemble, set_training
from training.fitting.export import check_exportable, write_model
from training.fitting.fit_folder import (
    MODEL_FILE,
    SCORES_FILE,
    Epoch,
    FitFolder,
    Outcome,
    State,
    outcome_of,
)
from training.fitting.monitoring import Monitor
from training.fitting.predicting import Predictor, compare, compared_together, score_runs
from training.fitting.recipe import FitRecipe
from training.fitting.ridge import solve_read_out
from training.fitting.windows import Window, draw_windows
from training.processes import (
    agree_on_weights,
    average_gradients,
    count_in_words,
    join_processes,
    share_of_steps,
)
from training.provenance import git_revision, versions
from training.scores import LOSSES, pearson_r, r2_score

logger = logging.getLogger(__name__)

Loss = Callable[[Tensor, Tensor], Tensor]


@one_job_per_folder()
def fit(
    recipe: FitRecipe, out: str | Path, *, resume: bool = False, progress: bool = True
) -> Outcome:
    """Fit an encoder to a prepared dataset.

    Parameters
    ----------
    recipe : FitRecipe
        All settings that determine the result.
    out : path-like
        Folder of the fit, see :mod:`training.fitting.fit_folder`.
    resume : bool
        Resume the fit in `out` if there is one.
    progress : bool
        Show progress on standard error.

    Returns
    -------
    Outcome
        The selected epoch, and the stopping criterion.

    Raises
    ------
    FileExistsError
        If `out` is not empty and `resume` is false.
    FileNotFoundError, ValueError
        If data and recipe are inconsistent.
    OSError
        If the state cannot be written; the last one stays.
    """
    accelerator = join_processes(recipe.mixed_precision)
    if progress and accelerator.is_main_process:
        print(f"fit: {count_in_words(accelerator)}", file=sys.stderr)
    torch.use_deterministic_algorithms(True, warn_only=True)
    parts = assemble(recipe)
    check_exportable(parts)
    folder = FitFolder(out)
    if accelerator.is_main_process:
        folder.begin(recipe, resume=resume)
        folder.write_document("origin.json", _origin(parts))
        for doubt in _doubts(parts):
            logger.warning("%s", doubt)
    accelerator.wait_for_everyone()

    encoder = parts.encoder.to(accelerator.device)
    settings = recipe.optimiser
    optimiser = accelerator.prepare(torch.optim.AdamW(_parameter_groups(encoder, recipe)))
    schedule = ReduceLROnPlateau(
        optimiser.optimizer, factor=settings.plateau_factor, patience=settings.plateau_patience
    )
    predictor = parts.predictor
    loss = LOSSES[recipe.loss]

    def remember(state: State) -> None:
        state.model = _weights(encoder)
        state.optimiser = optimiser.state_dict()
        state.schedule = schedule.state_dict()
        state.scaler = accelerator.scaler.state_dict() if accelerator.scaler else {}
        if state.best_epoch == state.history[-1].epoch:
            state.best = state.model
        if accelerator.is_main_process:
            folder.keep(state)

    state = folder.read_state()
    if state is None:
        if recipe.read_out.initial == "ridge" and accelerator.is_main_process:
            _solve_read_outs(parts)
        agree_on_weights(encoder, accelerator)
        state = State()
        row = _validate(parts, accelerator, loss, epoch=0, train_loss=math.nan, learning_rate=0.0)
        state.history.append(row)
        remember(state)
    elif not state.finished:
        encoder.load_state_dict(state.model)
        optimiser.load_state_dict(state.optimiser)
        schedule.load_state_dict(state.schedule)
        if accelerator.scaler:
            accelerator.scaler.load_state_dict(state.scaler)

    is_main = accelerator.is_main_process
    monitor = Monitor(
        folder, recipe, len(state.history), writes=is_main, shown=progress and is_main
    )
    try:
        while not _is_over(state, recipe):
            epoch = len(state.history)
            learning_rate = optimiser.param_groups[0]["lr"]
            windows = draw_windows(
                parts.splits.train, recipe.windows, np.random.default_rng([recipe.seed, epoch])
            )
            set_training(encoder, recipe.batchnorm)
            losses = []
            steps = share_of_steps(windows, recipe.windows.batch_size, accelerator)
            for step in monitor.steps(steps, epoch):
                with accelerator.autocast():
                    step_loss = loss_of_step(predictor, step, loss)
                accelerator.backward(step_loss)
                average_gradients(encoder, accelerator)
                if settings.gradient_clip is not None:
                    accelerator.clip_grad_norm_(encoder.parameters(), settings.gradient_clip)
                optimiser.step()
                optimiser.zero_grad()
                losses.append(float(step_loss.detach()))
                monitor.step(losses[-1])
            train_loss = float(np.mean(gather_object(losses)))
            row = _validate(parts, accelerator, loss, epoch, train_loss, learning_rate)
            schedule.step(row.validation_loss)
            best_loss = state.history[state.best_epoch].validation_loss
            state.history.append(row)
            if settings.keep == "last" or row.validation_loss < best_loss - settings.delta:
                state.best_epoch = epoch
            remember(state)
            monitor.epoch(state)
    finally:
        monitor.draw(state)
        monitor.close()

    encoder.load_state_dict(state.best)
    outcome = outcome_of(state, recipe, parts.start.card.name)
    if is_main and not state.finished:
        scores = [
            row
            for split in ("validation", "test")
            for row in score_runs(predictor, getattr(parts.splits, split), split)
        ]
        folder.write_table(SCORES_FILE, scores)
        folder.finish(state, outcome)
    if is_main and not (folder.path / MODEL_FILE).exists():  # last: a fit without it is unfinished
        write_model(parts, folder, state, outcome)
    accelerator.wait_for_everyone()
    return outcome


def loss_of_step(predictor: Predictor, windows: Sequence[Window], loss: Loss) -> Tensor:
    """Loss of one step: per subject over its windows, weighted by their TRs."""
    pairs: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for prediction in predictor.predict(windows):
        predicted = prediction.predicted.float().flatten(0, 1)
        measured = prediction.measured.flatten(0, 1)
        pairs.setdefault(prediction.subject, []).append((predicted, measured))
    total, n_rows = torch.zeros(()), 0
    for of_subject in pairs.values():
        predicted, measured = (torch.cat(tables) for tables in zip(*of_subject, strict=True))
        total = total + len(measured) * loss(predicted, measured)
        n_rows += len(measured)
    return total / n_rows


def _validate(
    parts: Parts,
    accelerator: Accelerator,
    loss: Loss,
    epoch: int,
    train_loss: float,
    learning_rate: float,
) -> Epoch:
    """Loss and scores over the validation runs, equal in all processes."""
    runs = parts.splits.validation
    share = [together for _, _, together in compared_together(runs)]
    share = share[accelerator.process_index :: accelerator.num_processes]
    rows = []
    for comparison in compare(parts.predictor, [run for together in share for run in together]):
        measured, predicted = comparison.measured, comparison.predicted
        value = float(loss(torch.from_numpy(predicted), torch.from_numpy(measured)))
        if not math.isfinite(value):
            raise ValueError(
                f"the loss is no longer finite in epoch {epoch}; lower optimiser.learning_rate, or "
                "set optimiser.gradient_clip. The state of the epoch before is kept"
            )
        r, r2 = pearson_r(measured, predicted), r2_score(measured, predicted)
        name = f"{comparison.subject}/{comparison.run}"
        rows.append((name, value, float(np.nanmean(r)), float(np.nanmean(r2))))
    table = np.array([numbers for _, *numbers in sorted(gather_object(rows))])
    validation_loss, r_mean, r2_mean = table.mean(axis=0)
    return Epoch(
        epoch, train_loss, float(validation_loss), float(r_mean), float(r2_mean), learning_rate
    )


def _is_over(state: State, recipe: FitRecipe) -> bool:
    epoch = state.history[-1].epoch
    settings = recipe.optimiser
    waited = epoch - state.best_epoch
    return state.finished or epoch >= settings.max_epochs or waited >= settings.patience


def _parameter_groups(encoder: BrainEncoder, recipe: FitRecipe) -> list[dict[str, object]]:
    settings = recipe.optimiser
    groups = [
        (
            [parameter for parameter in encoder.soundnet.parameters() if parameter.requires_grad],
            settings.learning_rate,
        ),
        (
            list(encoder.heads.parameters()),
            recipe.read_out_learning_rate,
        ),
    ]
    return [
        {"params": parameters, "lr": learning_rate, "weight_decay": settings.weight_decay}
        for parameters, learning_rate in groups
        if parameters
    ]


def _solve_read_outs(parts: Parts) -> None:
    """Ridge solutions for the read-outs, from the training runs."""
    train = parts.splits.train
    features = parts.predictor.features_of_runs(train)
    for name, head in parts.encoder.heads.items():
        mine = [
            (run, table)
            for run, table in zip(train, features, strict=True)
            if parts.encoder.read_out.head_for(run.subject) == name
        ]
        if not mine:
            raise ValueError(f"split: this leaves no training runs of {name}")
        runs = [run for run, _ in mine]
        tables, responses = [table for _, table in mine], parts.loader.responses(runs)
        widths = [stage.channels for stage in parts.encoder.stages]
        solve_read_out(head, runs, tables, responses, widths)


def _weights(encoder: BrainEncoder) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in encoder.state_dict().items()}


def _doubts(parts: Parts) -> list[str]:
    """Findings of the preparation that affect this fit's data, and validation stimuli that the
    start was fitted to."""
    doubts = parts.prepared.doubts(run for split in SPLITS for run in getattr(parts.splits, split))
    known = overlap(parts.start.fitted_to(), parts.prepared, parts.splits.validation)
    if known:
        doubts.append(
            f"the start {parts.start.card.name} was itself fitted to stimuli of {len(known)} "
            "validation runs: early stopping may come too late"
        )
    return doubts


def _origin(parts: Parts) -> dict[str, object]:
    own = record(parts.prepared, (*parts.splits.train, *parts.splits.validation))
    return {
        "dataset": parts.prepared.info.name,
        "subjects": list(parts.encoder.read_out.subjects),
        "split": parts.splits.names(),
        "doubts": _doubts(parts),
        "start": {"name": parts.start.card.name, "hash": parts.start.hash},
        KEY: [each.model_dump(mode="json") for each in (own, *parts.start.fitted_to())],
        "git_revision": git_revision(),
        "versions": versions(),
    }

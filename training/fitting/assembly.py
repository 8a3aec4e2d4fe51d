"""Components of a fit, assembled from a recipe: data, split, encoder and loader."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hear_brainsoundnet.encoder import BrainEncoder
from training.data.control import Donor, permuted_brain
from training.data.prepared import Prepared, Run
from training.data.splits import Split, split_runs
from training.fitting.frozen import FrozenStages, frames_fit
from training.fitting.predicting import Predictor
from training.fitting.recipe import FitRecipe
from training.fitting.starting_weights import (
    Start,
    build_encoder,
    deepest_frozen_stage,
    freeze,
    head_name,
    load_start,
    select_columns,
    select_subjects,
)
from training.fitting.windows import WindowLoader, refuse_short_runs

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """Components of a fit before its first step."""

    recipe: FitRecipe
    prepared: Prepared
    split: Split
    start: Start
    encoder: BrainEncoder
    loader: WindowLoader
    predictor: Predictor


def assemble(recipe: FitRecipe) -> Parts:
    """Open the data, split the runs, build the encoder; all input errors are raised here.

    Raises
    ------
    FileNotFoundError, ValueError
        If data and recipe are inconsistent.
    """
    prepared = Prepared(recipe.data)
    subjects = select_subjects(recipe, prepared)
    runs = [run for run in prepared.runs if run.subject in subjects]
    split = split_runs(runs, recipe.split)
    donors: dict[Run, Donor] = {}
    if recipe.control == "permuted_brain":
        split, donors = permuted_brain(split, recipe.seed)
    if recipe.windows.draw == "anew":
        refuse_short_runs(split.train, recipe.windows)
    columns = select_columns(recipe.targets, prepared.info)
    measured = _measured(prepared, split.train)
    columns = _with_responses(columns, prepared, measured)
    start = load_start(recipe)
    encoder = build_encoder(recipe, prepared.info, subjects, columns, start)
    _silence_missing(encoder, measured, columns)
    freeze(encoder, recipe.train_from)
    scale = start.card.input_scale
    lower = None
    if encoder.read_out.alignment != "crop":  # there, frames depend on the start of a window
        stage = deepest_frozen_stage(encoder, recipe.train_from)
        heard = [run.stimulus for run in (*split.train, *split.validation)]
        if stage and frames_fit(encoder, stage, prepared, heard):
            lower = FrozenStages(encoder, stage, prepared, scale)
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, scale, columns, lower, donors)
    predictor = Predictor(encoder, loader, recipe.windows.n_trs)
    return Parts(recipe, prepared, split, start, encoder, loader, predictor)


def _measured(prepared: Prepared, runs: Sequence[Run]) -> dict[str, NDArray[np.bool_]]:
    """For each subject, which columns have values in some training run."""
    measured: dict[str, NDArray[np.bool_]] = {}
    for run in runs:
        there = measured.setdefault(run.subject, np.zeros(prepared.n_targets, dtype=bool))
        if not there.all():
            there |= np.isfinite(prepared.bold(run)[0])
    return measured


def _with_responses(
    columns: Sequence[int], prepared: Prepared, measured: Mapping[str, NDArray[np.bool_]]
) -> list[int]:
    """Drop the targets without training data in any subject: their weights would be arbitrary."""
    anywhere = np.any(list(measured.values()), axis=0)
    missing = [prepared.info.target_ids[column] for column in columns if not anywhere[column]]
    if missing:
        logger.warning("targets without any training data are left out: %s", missing)
    kept = [column for column in columns if anywhere[column]]
    if not kept:
        raise ValueError(f"none of the targets has data in {prepared.folder}")
    return kept


def _silence_missing(
    encoder: BrainEncoder, measured: Mapping[str, NDArray[np.bool_]], columns: Sequence[int]
) -> None:
    """Make heads predict zero, not random values, for targets missing in their subject."""
    for subject, there in measured.items():
        name = head_name(encoder.read_out, subject)
        if name == subject:
            rows = torch.from_numpy(~there[list(columns)])
            head = encoder.heads[name]
            with torch.no_grad():
                for parameter in head.parameters():
                    parameter[rows] = 0

"""Components of a fit, assembled from a recipe: data, split, encoder and loader."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut, output_layer
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import SoundNet
from training.data.control import Donor, permuted_brain
from training.data.fitted_to import FittedTo, overlap, records_of
from training.data.prepared import DatasetInfo, Prepared, Run
from training.data.splits import Splits, split_runs
from training.fitting.fit_folder import MODEL_FILE
from training.fitting.frozen import FrozenStages, deepest_frozen_stage, frames_fit
from training.fitting.predicting import Predictor
from training.fitting.recipe import FitRecipe
from training.fitting.response import constrain, n_delays
from training.fitting.untrained import untrained_soundnet
from training.fitting.windows import WindowLoader, refuse_short_runs

logger = logging.getLogger(__name__)

GROUP = "group"  # name of the weights that subjects share


@dataclass(frozen=True)
class Start:
    """Initial network of a fit: its weights, card and hash."""

    soundnet: SoundNet
    card: Card
    hash: str

    def fitted_to(self) -> list[FittedTo]:
        """What it was fitted to itself, its own parents included."""
        return records_of(self.card.provenance, self.hash)


@dataclass(frozen=True)
class Parts:
    """Components of a fit before its first step."""

    recipe: FitRecipe
    prepared: Prepared
    splits: Splits
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
    splits = split_runs(runs, recipe.split)
    donors: dict[Run, Donor] = {}
    if recipe.control == "permuted_brain":
        splits, donors = permuted_brain(splits, recipe.seed)
    if recipe.windows.draw == "random":
        refuse_short_runs(splits.train, recipe.windows)
    columns = select_columns(recipe.targets, prepared.info)
    measured = _measured(prepared, splits.train)
    columns = _with_responses(columns, prepared, measured)
    start = load_start(recipe)
    if recipe.start_overlap == "refuse":
        _refuse_overlap(start, prepared, splits.test)
    encoder = build_encoder(recipe, prepared.info, subjects, columns, start)
    _silence_missing(encoder, measured, columns)
    constrain(encoder, recipe.read_out.hrf)
    freeze(encoder, recipe.train_from)
    scale = start.card.input_scale
    lower = None
    if encoder.read_out.tr_sampling != "crop":  # there, frames depend on the start of a window
        stage = deepest_frozen_stage(encoder)
        stimuli = [run.stimulus for run in (*splits.train, *splits.validation)]
        if stage and frames_fit(stage, prepared, stimuli):
            lower = FrozenStages(encoder, stage.name, prepared, scale)
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, scale, columns, lower, donors)
    predictor = Predictor(encoder, loader, recipe.windows.n_trs)
    return Parts(recipe, prepared, splits, start, encoder, loader, predictor)


def load_start(recipe: FitRecipe) -> Start:
    """A checkpoint by name or path, that of a fit by its folder, or random weights drawn from the
    recipe's seed."""
    if recipe.start == "random":
        card = Card(name="random", trained=False, input_scale=1.0)
        return Start(untrained_soundnet(recipe.seed), card, f"random, seed {recipe.seed}")
    fitted = Path(recipe.start) / MODEL_FILE
    checkpoint = load_checkpoint(fitted if fitted.exists() else recipe.start)
    return Start(checkpoint.build_soundnet(), checkpoint.card, checkpoint.hash)


def _refuse_overlap(start: Start, prepared: Prepared, test: Sequence[Run]) -> None:
    known = overlap(start.fitted_to(), prepared, test)
    if known:
        names = ", ".join(sorted({run.stimulus for run in known})[:3])
        raise ValueError(
            f"the start {start.card.name} was itself fitted to stimuli of {len(known)} of the "
            f"{len(test)} test runs ({names}, of {', '.join(sorted(set(known.values())))}): scores "
            "on them would not be of held-out stimuli; choose another start or other test runs, or "
            "set start_overlap=allow (evaluate then leaves these runs out)"
        )


def select_subjects(recipe: FitRecipe, prepared: Prepared) -> tuple[str, ...]:
    """Subjects to fit.

    Raises
    ------
    ValueError
        If a subject is not in the dataset, or an individual model is given several.
    """
    unknown = sorted(set(recipe.subjects) - set(prepared.subjects))
    if unknown:
        raise ValueError(
            f"subjects {', '.join(unknown)} are not in {prepared.folder}, which has "
            f"{', '.join(prepared.subjects)}"
        )
    subjects = recipe.subjects or tuple(prepared.subjects)
    if recipe.model == "individual" and len(subjects) > 1:
        raise ValueError(
            f"an individual model has one subject, got {', '.join(subjects)}; set "
            f"subjects=[{subjects[0]}], or model=group or model=multi_subject"
        )
    return subjects


def select_columns(targets: Sequence[int | str], info: DatasetInfo) -> list[int]:
    """Columns of the targets requested by id or by a pattern of names; all if empty.

    Raises
    ------
    ValueError
        If one of them matches nothing.

    Examples
    --------
    >>> info = DatasetInfo(name="a", kind="time_series", tr=2, sample_rate=22050,
    ...                    target_ids=(3, 5, 9), target_names=("L_A1", "R_A1", "V1"))
    >>> select_columns([9, "*_A1"], info), select_columns([], info)
    ([0, 1, 2], [0, 1, 2])
    """
    if not targets:
        return list(range(len(info.target_ids)))
    chosen: set[int] = set()
    for wanted in targets:
        found = [
            column
            for column, (number, name) in enumerate(
                zip(info.target_ids, info.target_names, strict=True)
            )
            if number == wanted or (isinstance(wanted, str) and fnmatchcase(name, wanted))
        ]
        if not found:
            raise ValueError(
                f"no target matches {wanted!r}; ids go from {info.target_ids[0]} to "
                f"{info.target_ids[-1]}, names are like {', '.join(info.target_names[:5])}"
            )
        chosen.update(found)
    return sorted(chosen)


def build_encoder(
    recipe: FitRecipe,
    info: DatasetInfo,
    subjects: Sequence[str],
    columns: Sequence[int],
    start: Start,
) -> BrainEncoder:
    """The network with a new read-out, with random weights drawn from the recipe's seed.

    Raises
    ------
    ValueError
        If the network expects another rate than that of the prepared audio, the data have no time
        axis for a haemodynamic response, or the rank of the read-out is higher than full weights
        can have.
    """
    if start.card.sample_rate != info.sample_rate:
        raise ValueError(
            f"the checkpoint expects {start.card.sample_rate} Hz, the audio was prepared at "
            f"{info.sample_rate} Hz; prepare it with sample_rate: {start.card.sample_rate}"
        )
    is_table, hrf = info.kind == "sound_responses", recipe.read_out.hrf
    if is_table and hrf != "fir":
        raise ValueError(
            f"read_out.hrf={hrf} is for time series; sound responses have no time axis"
        )
    read_out = ReadOut(
        stage=recipe.read_out.stage,
        n_delays=1 if is_table else n_delays(hrf, info.tr, recipe.read_out.n_delays),
        tr=info.tr,
        tr_sampling="mean" if is_table else recipe.read_out.tr_sampling,
        target_ids=tuple(info.target_ids[column] for column in columns),
        names=(GROUP,) if recipe.model == "group" else tuple(subjects),
        power_transform=recipe.read_out.power_transform,
        target_names=tuple(info.target_names[column] for column in columns),
        atlas=info.atlas,
        subjects=tuple(subjects),
        rank=recipe.read_out.rank,
    )
    _refuse_high_rank(read_out, start.soundnet)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder = BrainEncoder(start.soundnet, read_out, start.card.sample_rate)
    if recipe.read_out.initial == "zero":
        for head in encoder.heads.values():
            # Not also the components of a low rank: with both at zero neither has a gradient.
            for parameter in output_layer(head).parameters():
                nn.init.zeros_(parameter)
    return encoder


def _refuse_high_rank(read_out: ReadOut, soundnet: SoundNet) -> None:
    geometry = stage_geometry(soundnet.layers)
    n_channels = sum(geometry[name].channels for name in read_out.stages)
    n_targets, n_features = len(read_out.target_ids), n_channels * read_out.n_delays
    most = min(n_targets, n_features)
    if read_out.rank is not None and read_out.rank > most:
        raise ValueError(
            f"read_out.rank is {read_out.rank}, and weights of {n_features} features (channels of "
            f"{read_out.stage} times delays) and {n_targets} targets have a rank of at most "
            f"{most}; give at most that, or leave it out for full weights"
        )


def freeze(encoder: BrainEncoder, train_from: str) -> None:
    """Train the network from a stage upwards; parameters below it have no gradient."""
    learns = False
    for layer in encoder.soundnet.layers:
        learns = learns or layer.name == train_from
        encoder.soundnet.block(layer.name).requires_grad_(learns)
    encoder.soundnet.heads.requires_grad_(False)


def set_training(encoder: BrainEncoder, batchnorm: str) -> None:
    """Set training mode, with fixed statistics in frozen stages.

    Parameters
    ----------
    encoder : BrainEncoder
        After :func:`freeze`.
    batchnorm : str
        {"frozen", "batch"}: with "batch", trained stages normalise by the batch and update their
        running statistics.
    """
    encoder.eval()
    encoder.heads.train()
    for layer in encoder.soundnet.layers:
        block = encoder.soundnet.block(layer.name)
        learns = block.conv.weight.requires_grad
        block.train(learns and batchnorm == "batch")


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
    for subject in measured.keys() & set(encoder.read_out.names):
        rows = torch.from_numpy(~measured[subject][list(columns)])
        with torch.no_grad():
            for parameter in output_layer(encoder.heads[subject]).parameters():
                parameter[rows] = 0

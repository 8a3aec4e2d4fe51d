"""The command ``run``: a model, the requested responses, and the resulting document."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.correspondence.data import (
    SoundResponses,
    natsound165_components,
    natsound165_voxels,
    prepared_sounds,
)
from benchmarks.correspondence.evaluation import evaluate
from benchmarks.correspondence.models import PERMUTATION_SEED, PERMUTED, AtLevel, build_model
from benchmarks.correspondence.splits import N_SPLITS
from benchmarks.correspondence.stages import StagedModel
from benchmarks.correspondence.time_series import evaluate_time_series
from benchmarks.correspondence.voxel_archive import DATASETS, read_archive
from benchmarks.hear.tasks.natsound165_categories import FOLDER
from training.data.fitted_to import records_of
from training.data.prepared import Prepared

logger = logging.getLogger(__name__)

NATSOUND165 = "natsound165"
ARCHIVE = "archive:"  # prefix for datasets of the voxel archive


def run_model(
    name: str,
    checkpoint: str,
    on: str,
    data: Path | None,
    archive: Path | None,
    cache: Path | None,
    n_splits: int = N_SPLITS,
    level: float = 0,
) -> tuple[str, dict[str, Any]]:
    """Measure one model; returns a name for the result and the document.

    Parameters
    ----------
    name, checkpoint : str
        See :func:`~benchmarks.correspondence.models.build_model`.
    on : str
        "natsound165", "archive:NH2015", "archive:B2021", or the folder of a prepared dataset.
    data : Path, optional
        Folder of the real recordings.
    archive : Path, optional
        Folder ``neural`` of the published voxel archive.
    cache : Path, optional
        Folder for activations.
    n_splits : int
        Number of halvings of the sounds.
    level : float
        Level to which all sounds are normalised first, see :mod:`hear_brainsoundnet.level`; 0
        disables it.

    Raises
    ------
    FileNotFoundError
        If data are missing.
    ValueError
        If a name is unknown, or model and responses are incompatible.
    """
    model = build_model(name, checkpoint)
    if level:
        model = AtLevel(model, level)
    prepared = Prepared(on) if not _is_known(on) else None
    where = on if prepared is None else prepared.info.name
    document: dict[str, Any] = {
        "title": f"{model.name} on {where}",
        "seeds": {"splits": [0], "stage selection": [0]},
    }
    if name == PERMUTED:
        document["seeds"]["permutation"] = [PERMUTATION_SEED]
    if prepared is not None and prepared.info.kind == "time_series":
        measured = evaluate_time_series(model, prepared)
        document |= {"rows": _time_series_rows(measured), "notes": [TIME_SERIES_NOTE]}
    else:
        measured = evaluate(model, _targets(on, prepared, data, archive), cache, n_splits=n_splits)
        document |= {"rows": _rows(measured), "notes": [_position_note(model)]}
    notes = _overlap_notes(model, where, on)
    for note in notes:
        logger.warning(note)
    document["notes"] = [*notes, *document["notes"]]
    details = {"model": model.name, "on": where, "identity": model.identity, **measured}
    return f"{_slug(where)}--{_slug(model.name)}", {**document, "details": details}


TIME_SERIES_NOTE = (
    "Pearson's r of held-out episodes: mean over runs, median over targets, mean over subjects."
)


def _overlap_notes(model: StagedModel, where: str, on: str) -> list[str]:
    """A sentence if the checkpoint was itself fitted to responses to sounds of this dataset."""
    checkpoint = getattr(getattr(model, "model", model), "checkpoint", None)  # its own with AtLevel
    if checkpoint is None:
        return []
    known = {each.dataset for each in records_of(checkpoint.card.provenance, checkpoint.hash)}
    sounds = NATSOUND165 if _is_known(on) else where  # the archive has the same sounds
    if sounds not in known:
        return []
    return [
        f"{checkpoint.card.name} was itself fitted to responses to these sounds ({sounds}): its "
        "scores are not of held-out sounds and cannot be compared with those of other models."
    ]


def _is_known(on: str) -> bool:
    return on == NATSOUND165 or on.startswith(ARCHIVE)


def _targets(
    on: str, prepared: Prepared | None, data: Path | None, archive: Path | None
) -> Sequence[SoundResponses]:
    if prepared is not None:
        return [prepared_sounds(prepared)]
    if data is None:
        raise ValueError(f"{on} needs the sounds; give --data or set BRAINSOUNDNET_DATA")
    folder = data / FOLDER
    if on == NATSOUND165:
        return [natsound165_components(folder), natsound165_voxels(folder)]
    if archive is None:
        raise ValueError(
            f"{on} needs the published voxels, which are not part of the data; give --archive with "
            f"the folder that holds {' and '.join(DATASETS)}"
        )
    return [read_archive(archive, on.removeprefix(ARCHIVE), folder / "sounds")]


def _rows(measured: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each stage: all measures, and the individual components or regions."""
    rows = []
    for i, stage in enumerate(measured["stages"]):
        row: dict[str, Any] = {"stage": stage, "units": measured["units"][i]}
        for name, scores in measured["regression"].items():
            row[f"r² {name}"] = scores["stages"][i]
            row |= {region: profile[i] for region, profile in scores["profiles"].items()}
        row["similarity"] = measured["similarity"]["stages"][i]
        row["dimensionality"] = measured["dimensionality"]["demeaned"][i]
        rows.append(row)
    return rows


def _time_series_rows(measured: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"stage": stage, "r": r} for stage, r in zip(measured["stages"], measured["r"], strict=True)
    ]


def _position_note(model: StagedModel) -> str:
    return (
        f"Stages from sound to output: {len(model.stages)}. Regression: median over splits, then "
        "over the targets of a participant, mean over participants; noise-corrected where there "
        "are three scans."
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")

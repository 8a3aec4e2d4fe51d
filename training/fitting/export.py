"""Export of a fit to a checkpoint: network and read-out with provenance and scores."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import numpy as np
from pydantic import JsonValue, ValidationError

from hear_brainsoundnet.card import Card, joined_licences
from hear_brainsoundnet.checkpoint import check_module, check_target, write_checkpoint
from hear_brainsoundnet.prediction_files import targets_path
from training.config import describe
from training.data.prepared import targets_image
from training.fitting.assembly import Parts, assemble
from training.fitting.run_folder import Outcome, RunFolder, State, outcome_of

USE = (
    "Embeddings of sound and predictions of the responses it was fitted to. It describes the "
    "listeners named in its provenance, and no other; it is no medical product."
)


def export(run: str | Path, out: str | Path, *, name: str = "") -> str:
    """Write the best weights of a fit as a checkpoint.

    Parameters
    ----------
    run : path-like
        Folder of a finished fit.
    out : path-like
        The ``.safetensors`` file. If the dataset has an image of its targets, it is copied to
        ``OUT.targets.nii.gz`` beside it, for maps.
    name : str
        Name of the checkpoint; by default that of the fit's folder.

    Returns
    -------
    str
        The checkpoint's hash.

    Raises
    ------
    FileNotFoundError
        If there is no fit, or its dataset is missing.
    ValueError
        If the fit is not finished.
    """
    folder, out = RunFolder(run), Path(out)
    recipe = folder.recipe()
    state = _finished(folder)
    check_target(out)
    parts = assemble(recipe)
    parts.encoder.load_state_dict(state.best)
    best = state.history[state.best_epoch]
    card = _card(
        parts,
        name or folder.path.resolve().name,
        provenance={
            **folder.read_document("origin.json"),
            "recipe": recipe.model_dump(mode="json"),
            "seed": recipe.seed,
            "epoch": state.best_epoch,
            "outcome": outcome_of(state, recipe, parts.start.card.name).sentence(),
            "command": "python -m training export",
        },
        scores={
            "validation_loss": best.validation_loss,
            **_mean_scores(folder.path / "scores.csv"),
        },
    )
    digest = write_checkpoint(out, card, parts.encoder)
    image = targets_image(parts.prepared.folder)
    if image is not None:
        shutil.copyfile(image, targets_path(out))
    return digest


def rehearse(parts: Parts) -> None:
    """Check before the first step that a fit can be exported.

    Raises
    ------
    ValueError
        If it cannot be stored in a checkpoint, for example if a subject's name is not valid.
    """
    check_module(_card(parts, "fit", provenance={}, scores={}), parts.encoder)


def _card(
    parts: Parts, name: str, provenance: dict[str, JsonValue], scores: dict[str, JsonValue]
) -> Card:
    before = parts.start.card
    try:
        return Card(
            name=name,
            trained=True,
            input_scale=before.input_scale,
            sample_rate=before.sample_rate,
            layers=before.layers,
            heads=before.heads,
            labels=before.labels,
            read_out=parts.encoder.read_out,
            provenance=provenance,
            scores=scores,
            # Licence terms of the initial weights, such as a notice to keep, carry over.
            licence=joined_licences(parts.recipe.licence, before.licence),
            use=parts.recipe.use or USE,
        )
    except ValidationError as error:
        raise ValueError(
            f"the checkpoint of this fit would be invalid: {describe(error)}"
        ) from error


def what_is_exported(run: str | Path) -> Outcome:
    """Selected epoch of a finished fit, exported in its checkpoint."""
    folder = RunFolder(run)
    start = folder.read_document("origin.json")["start"]["name"]
    return outcome_of(_finished(folder), folder.recipe(), start)


def _finished(folder: RunFolder) -> State:
    state = folder.read_state()
    if state is None or not state.finished:
        raise ValueError(
            f"{folder.path} is not finished; run python -m training fit with --resume first"
        )
    return state


def _mean_scores(path: Path) -> dict[str, JsonValue]:
    """Means over runs, then the mean and the best over targets, for each side."""
    by_side: dict[str, dict[int, list[tuple[float, float]]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            r, r2 = float(row["r"]), float(row["r2"])
            if math.isfinite(r) and math.isfinite(r2):
                targets = by_side.setdefault(row["side"], {})
                targets.setdefault(int(row["target_id"]), []).append((r, r2))
    scores: dict[str, JsonValue] = {}
    for side, targets in by_side.items():
        means = {target: np.mean(values, axis=0) for target, values in targets.items()}
        table = np.array(list(means.values()))
        best = max(means, key=lambda target: means[target][1])
        scores[side] = {
            "mean_r": float(table[:, 0].mean()),
            "mean_r2": float(table[:, 1].mean()),
            "best_target": best,
            "best_target_r": float(means[best][0]),
            "best_target_r2": float(means[best][1]),
        }
    return scores

"""Checkpoint of a fit: written into its folder at its end, and exported under a name."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import JsonValue, ValidationError

from hear_brainsoundnet.card import Card, joined_licences
from hear_brainsoundnet.checkpoint import (
    check_module,
    check_target,
    read_checkpoint,
    write_checkpoint,
)
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.prediction_files import find_targets, targets_path
from training.config import describe
from training.data.prepared import targets_image
from training.fitting.assembly import Parts
from training.fitting.fit_folder import MODEL_FILE, FitFolder, Outcome, State
from training.fitting.response import unconstrained

USE = (
    "Embeddings of sound and predictions of the responses it was fitted to. It describes the "
    "subjects named in its provenance, and no other; it is no medical product."
)


def export(fitted: str | Path, out: str | Path, *, name: str = "") -> str:
    """Copy the checkpoint of a fit, under a name of its own.

    Parameters
    ----------
    fitted : path-like
        Folder of a finished fit.
    out : path-like
        The ``.safetensors`` file. If the fit has an image of its targets, it is copied beside it,
        as ``OUT.targets.nii.gz``, or ``OUT.targets.dscalar.nii`` on the surface, for maps.
    name : str
        Name of the checkpoint; by default that of the fit's folder.

    Returns
    -------
    str
        The checkpoint's hash.

    Raises
    ------
    FileNotFoundError
        If there is no fit.
    ValueError
        If the fit is not finished.
    """
    folder, out = FitFolder(fitted), Path(out)
    checkpoint = read_checkpoint(folder.model_path())
    check_target(out)
    card = _valid_card(checkpoint.card, name=name or folder.path.resolve().name)
    digest = write_checkpoint(out, card, checkpoint.build_encoder())
    if image := find_targets(folder.model_path()):
        path, kind = image
        shutil.copyfile(path, targets_path(out, kind))
    return digest


def check_exportable(parts: Parts) -> None:
    """Check before the first step that a checkpoint of the fit can be written.

    Raises
    ------
    ValueError
        If it cannot, for example if a subject's name is not valid.
    """
    check_module(_card(parts, "fit"), unconstrained(parts.encoder))


def write_model(parts: Parts, folder: FitFolder, state: State, outcome: Outcome) -> None:
    """Write ``model.safetensors``, and the image of the targets if the dataset has one.

    Parameters
    ----------
    parts : Parts
        With the best weights in the encoder.
    folder : FitFolder
        Its provenance and ``scores.csv`` enter the card.
    state : State
        The last one.
    outcome : Outcome
        Of the fit.
    """
    best = state.history[state.best_epoch]
    card = _card(
        parts,
        folder.path.resolve().name,
        provenance={
            **folder.read_document("origin.json"),
            "recipe": parts.recipe.model_dump(mode="json"),
            "seed": parts.recipe.seed,
            "epoch": state.best_epoch,
            "outcome": outcome.sentence(),
            "command": "python -m training fit",
        },
        scores={
            "validation_loss": best.validation_loss,
            **_mean_scores(folder),
        },
    )
    path = folder.path / MODEL_FILE
    image = targets_image(parts.prepared.folder)
    if image is not None:
        write_atomically(targets_path(path, image.name), image.read_bytes())
    write_checkpoint(path, card, unconstrained(parts.encoder))


def _card(
    parts: Parts,
    name: str,
    provenance: dict[str, JsonValue] | None = None,
    scores: dict[str, JsonValue] | None = None,
) -> Card:
    return _valid_card(
        parts.start.card,
        name=name,
        trained=True,
        read_out=parts.encoder.read_out,
        provenance=provenance or {},
        scores=scores or {},
        # Licence terms of the initial weights, such as a notice to keep, carry over.
        licence=joined_licences(parts.recipe.licence, parts.start.card.licence),
        use=parts.recipe.use or USE,
    )


def _valid_card(card: Card, **changes: object) -> Card:
    """A card with other values.

    Raises
    ------
    ValueError
        If one of them is not valid.
    """
    try:
        return Card.model_validate({**dict(card), **changes})
    except ValidationError as error:
        raise ValueError(
            f"the checkpoint of this fit would be invalid: {describe(error)}"
        ) from error


def _mean_scores(folder: FitFolder) -> dict[str, JsonValue]:
    """Means over runs, then the mean and the best over targets, for each split."""
    known = folder.scores().dropna(subset=["r", "r2"])
    scores: dict[str, JsonValue] = {}
    for split, rows in known.groupby("split", sort=False):
        means = rows.groupby("target_id")[["r", "r2"]].mean()
        best = means["r2"].idxmax()
        scores[split] = {
            "mean_r": float(means["r"].mean()),
            "mean_r2": float(means["r2"].mean()),
            "best_target": int(best),
            "best_target_r": float(means["r"][best]),
            "best_target_r2": float(means["r2"][best]),
        }
    return scores

"""The checkpoints included in the package: the default, and its comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue

from benchmarks.default_checkpoint.components import natural_sounds
from benchmarks.encoding.fits import fitted
from benchmarks.encoding.natsound165 import N_VALIDATION
from hear_brainsoundnet.card import Card, joined_licences
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from training.fitting.averaging import averaged
from training.fitting.recipe import FitRecipe
from training.provenance import git_revision, versions

SETTINGS: Mapping[str, Any] = {  # of the alignment with the natural sounds
    "train_from": "conv4",
    "batchnorm": "frozen",
    "read_out": {"stage": "pool5", "initial": "zero"},
    "loss": "mse",
    "windows": {"batch_size": 16},
    "optimiser": {
        "learning_rate": 1e-3,
        "read_out_learning_rate": 3e-3,
        "max_epochs": 40,
        "patience": 40,
        "plateau_patience": 5,
    },
}
NAMES = {
    "distilled": "soundnet-distilled",
    "aligned": "soundnet-natural-sounds",
    "pretrained": "soundnet-pretrained",
}
MEASURED_AS = {"distilled": "default", "aligned": "natural-sounds", "pretrained": "pretrained"}
SHARE = "share of the aligned weights"  # key in the card
COMMAND = "make default-checkpoint"
LICENCE = "CC BY 4.0; learned from sounds under the licences that the provenance lists"
STRONGER = (
    "For stronger ones convert the original or the published weights (hear-brainsoundnet convert), "
    "or fit your own fMRI (python -m training fit). No medical product."
)
USES = {
    "distilled": "Audio embeddings, and a starting point for fits to brain responses. Trained "
    "further from the original SoundNet (Aytar, Vondrick & Torralba 2016) on free audio: to "
    "predict the embeddings of YAMNet and of Google's speech embedding, acoustic descriptions "
    f"(log-mel, modulation) and synthesised words. Not fitted to any brain. {STRONGER}",
    "aligned": "Embeddings of sound, and a start for fits to brain responses. Pretrained without "
    "labels on free sound, then aligned with group responses of auditory cortex to 165 natural "
    "sounds, presented in blocks; not with one person's responses to film, as the published "
    "brain-aligned networks. Good at telling kinds of sound, speakers and materials apart; weak at "
    f"words. {STRONGER}",
    "pretrained": "The network that natural-sounds was aligned from: the control for what a brain "
    "brings, and a start for fits that must not have seen another brain. It learned from sound "
    f"alone, without labels. {STRONGER}",
}


def fit_all(
    pretrained: Path, data: Path, work: Path, out: Path, *, share: float, seed: int = 0
) -> str:
    """Align with all sounds and write the network; returns its hash.

    Of the 165 sounds twelve decide when training stops, the others are learned from; none is kept
    for a test. What alignment brings is measured by ``python -m benchmarks alignment``.

    Parameters
    ----------
    pretrained : Path
        Checkpoint to start from.
    data, work : Path
        Folder of the real recordings; folder for prepared data and the fit.
    out : Path
        The ``.safetensors`` file.
    share : float
        Of the aligned network in the average with the pretrained one.
    seed : int
        Of the fit.
    """
    prepared = natural_sounds(data, work).prepared
    recipe = FitRecipe.model_validate(
        {
            **SETTINGS,
            "data": prepared.folder,
            "start": str(pretrained),
            "split": {"validation": {"count": N_VALIDATION}, "seed": seed},
            "seed": seed,
        }
    )
    run = fitted(recipe, work / "shipped" / str(seed))
    before = read_checkpoint(pretrained)
    provenance: dict[str, Any] = {
        "pretraining": {"hash": before.hash, **before.card.provenance},
        "alignment": {
            "data": "165 natural sounds and the six response components of Norman-Haignere, "
            "Kanwisher & McDermott 2015 (Neuron 88, 1281-1296)",
            SHARE: share,
            "epoch": run.best_epoch,
            "recipe": recipe.model_dump(mode="json", exclude={"data", "start"}),
            "git": git_revision(),
            "versions": versions(),
        },
        "command": COMMAND,
    }
    card = before.card.model_copy(
        update={
            "name": NAMES["aligned"],
            "provenance": provenance,
            "scores": {},
            "licence": LICENCE,
        }
    )
    network = averaged(run.parts().encoder.soundnet.eval(), before.build_soundnet(), share)
    return write_checkpoint(out, card, network, dtype=torch.float16)


def ship(checkpoint: Path, kind: str, scores: Mapping[str, JsonValue], folder: Path) -> str:
    """Write a network with its name, licence, use and scores into the package; returns its hash.

    Parameters
    ----------
    checkpoint : Path
        The network.
    kind : {"distilled", "aligned", "pretrained"}
        Which of them it is.
    scores : mapping
        For the card.
    folder : Path
        Where files of the package lie.
    """
    before = read_checkpoint(checkpoint)
    fields = before.card.model_dump() | {
        "name": NAMES[kind],
        "scores": dict(scores),
        "licence": joined_licences(LICENCE, before.card.licence),
        "use": USES[kind],
    }
    out = folder / f"{NAMES[kind]}.safetensors"
    return write_checkpoint(
        out, Card.model_validate(fields), before.build_soundnet(), dtype=torch.float16
    )


def scores_of(kind: str, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, JsonValue]:
    """What the results say of one of the networks, for its card.

    Parameters
    ----------
    kind : {"distilled", "aligned", "pretrained"}
        Which of them it is.
    documents : mapping
        Of ``natural_sounds``, ``tasks`` and ``development``, those that there are.

    Raises
    ------
    KeyError
        If none of them has a row of it.
    """
    model = MEASURED_AS[kind]
    scores: dict[str, JsonValue] = {}
    for row in _rows_of(model, documents, "natural_sounds"):
        scores["natsound165, six components, squared correlation on other halves"] = row
    for row in _rows_of(model, documents, "tasks"):
        scores[f"logistic regression, scene {row.pop('scene embedding')}"] = row
    for row in _rows_of(model, documents, "development"):
        scores[f"development tasks, scene {row.pop('scene')}"] = row
    if not scores:
        raise KeyError(f"no results have a row {model!r}")
    return scores


def _rows_of(
    model: str, documents: Mapping[str, Mapping[str, Any]], name: str
) -> list[dict[str, Any]]:
    document = documents.get(name)
    if document is None:
        return []
    rows = document["tables"][0]["rows"] if name == "natural_sounds" else document["rows"]
    key = "checkpoint" if name == "development" else "model"
    return [
        {title: value for title, value in row.items() if title != key}
        for row in rows
        if row[key] == model
    ]

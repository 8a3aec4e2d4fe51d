"""The file that is shipped: fitted to all sounds with the settings that cross-validation chose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue

from benchmarks.default_checkpoint.alignment import SETTINGS, aligned_soundnet
from benchmarks.default_checkpoint.sounds import natural_sounds
from benchmarks.encoding.fits import fitted
from benchmarks.encoding.natsound165_models import N_VALIDATION
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from training.averaging import averaged
from training.provenance import git_revision, versions
from training.recipe import FitRecipe

NAME = "soundnet-natural-sounds"
LICENCE = "CC BY 4.0; learned from sounds under the licences that the provenance lists"
USE = (
    "Embeddings of sound, and a start for fits to brain responses. Pretrained without labels on "
    "free sound, then aligned with group responses of auditory cortex to 165 natural sounds, "
    "presented in blocks; not with one person's responses to film, as the published brain-aligned "
    "networks. Good at telling kinds of sound, speakers and materials apart; weaker at words. For "
    "stronger ones convert the original or the published weights (hear-brainsoundnet convert), or "
    "fit your own fMRI (python -m training fit). No medical product."
)


def write_default(
    pretrained: Path,
    data: Path,
    work: Path,
    out: Path,
    *,
    share: float,
    scores: Mapping[str, JsonValue],
    seed: int = 0,
) -> str:
    """Align with all sounds and write the file; returns its hash.

    Of the 165 sounds twelve decide when training stops, the others are learned from; none is kept
    for a test, which cross-validation has done.

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
    scores : mapping
        For the card.
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
    told: dict[str, Any] = {
        "pretraining": {"hash": before.hash, **before.card.provenance},
        "alignment": {
            "data": "165 natural sounds and the six response components of Norman-Haignere, "
            "Kanwisher & McDermott 2015 (Neuron 88, 1281-1296)",
            "share of the aligned weights": share,
            "epoch": run.best_epoch,
            "recipe": recipe.model_dump(mode="json", exclude={"data", "start"}),
            "git": git_revision(),
            "versions": versions(),
        },
        "command": "make default-checkpoint",
    }
    card = Card(
        name=NAME,
        trained=True,
        input_scale=before.card.input_scale,
        sample_rate=before.card.sample_rate,
        provenance=told,
        scores=dict(scores),
        licence=LICENCE,
        use=USE,
    )
    network = averaged(aligned_soundnet(run), before.build_soundnet(), share)
    return write_checkpoint(out, card, network, dtype=torch.float16)

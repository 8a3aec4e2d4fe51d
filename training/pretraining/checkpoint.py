"""From a pretraining to a checkpoint of the plugin."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import JsonValue

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import write_checkpoint
from training.pretraining.loop import trained_soundnet
from training.pretraining.run import PretrainFolder

SAME = "the same"
USE = (
    "Embeddings of sound, and a start for fits to brain responses. It learned from sound alone, "
    "without labels and without any brain."
)


def write_pretrained(run: str | Path, out: str | Path, *, name: str = "") -> str:
    """Write the network of a finished pretraining as a checkpoint; returns its hash.

    Convolution weights are kept with half precision on disk.

    Parameters
    ----------
    run : path-like
        Folder of the pretraining.
    out : path-like
        The ``.safetensors`` file.
    name : str
        Of the checkpoint; the run's folder name by default.

    Raises
    ------
    FileNotFoundError
        If there is no pretraining.
    ValueError
        If it has not come to its end.
    """
    folder = PretrainFolder(run)
    recipe = folder.recipe()
    state = folder.read_state()
    if state is None or state.step < recipe.schedule.steps:
        raise ValueError(
            f"{folder.path} has not come to its end; run python -m training pretrain with --resume "
            "first"
        )
    origin = folder.read_document("origin.json")
    corpus, start = _summary(origin["corpus"]), origin["start"]
    if isinstance(start, dict) and start.get("corpus") == corpus:
        start = {**start, "corpus": SAME}
    provenance: dict[str, JsonValue] = {
        "start": start,
        "corpus": corpus,
        "recipe": recipe.model_dump(mode="json"),
        "seed": recipe.seed,
        "git": origin["git"],
        "versions": origin["versions"],
        "command": "python -m training pretrain",
    }
    card = Card(
        name=name or folder.path.resolve().name,
        trained=True,
        input_scale=origin["input_scale"],
        provenance=provenance,
        scores={"losses": dict(state.history[-1].losses)},
        use=USE,
    )
    return write_checkpoint(out, card, trained_soundnet(folder.path), dtype=torch.float16)


def _summary(manifest: dict[str, JsonValue]) -> JsonValue:
    """What a card says of a corpus: sources with version, licences, hours and checksum."""
    told = ("name", "version", "sha256", "licences", "hours", "made_with")
    sources = manifest.get("sources", [])
    assert isinstance(sources, list)
    return {
        "hours": manifest.get("hours"),
        "sources": [
            {key: source[key] for key in told if source.get(key)}
            for source in sources
            if isinstance(source, dict)
        ],
    }

"""First and last network of a pretraining: initial weights, and export to a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue, ValidationError
from torch import nn

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from hear_brainsoundnet.named import load_checkpoint
from hear_brainsoundnet.soundnet import LAYERS, SoundNet
from training.config import describe
from training.pretraining.recipe import PretrainRecipe
from training.pretraining.run import PretrainFolder
from training.pretraining.targets import SAMPLE_RATE

INPUT_SCALE = 256.0  # for random weights, as for the original SoundNet: full scale is +-256
SAME = "the same"
USE = (
    "Embeddings of sound, and a start for fits to brain responses. {begins} {learned}. It has met "
    "no brain."
)


@dataclass(frozen=True)
class Start:
    """A network, its input scale for audio in [-1, 1], its origin and its licence."""

    soundnet: SoundNet
    input_scale: float = INPUT_SCALE
    provenance: JsonValue = None
    licence: str = ""


def find_start(start: Path | None, seed: int) -> Start:
    """Weights of the checkpoint `start`, or weights drawn from `seed`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such checkpoint, or its layers or rate differ from SoundNet's.

    Examples
    --------
    >>> find_start(None, seed=0).input_scale
    256.0
    """
    if start is None:
        return Start(random_network(seed))
    checkpoint = load_checkpoint(start)
    card = checkpoint.card
    if card.layers != LAYERS:
        raise ValueError(f"the layers of {start} are not SoundNet's, which pretraining needs")
    if card.sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"{start} is for {card.sample_rate} Hz, pretraining needs {SAMPLE_RATE} Hz"
        )
    provenance: JsonValue = {"hash": checkpoint.hash, **card.provenance}
    # Heads of the checkpoint are not trained, and do not match the network afterwards.
    return Start(checkpoint.build_soundnet(heads=False), card.input_scale, provenance, card.licence)


def random_network(seed: int) -> SoundNet:
    """SoundNet with He initialisation, drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        soundnet = SoundNet()
        for module in soundnet.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return soundnet


def write_pretrained(run: str | Path, out: str | Path, *, name: str = "") -> str:
    """Write the network of a finished pretraining as a checkpoint; returns its hash.

    Convolution weights are stored in half precision.

    Parameters
    ----------
    run : path-like
        Folder of the pretraining.
    out : path-like
        The ``.safetensors`` file.
    name : str
        Name of the checkpoint; by default that of the folder.

    Raises
    ------
    FileNotFoundError
        If there is no pretraining.
    ValueError
        If it is not finished.
    """
    folder = PretrainFolder(run)
    recipe = folder.recipe()
    state = folder.read_state()
    if state is None or state.step < recipe.schedule.steps:
        raise ValueError(
            f"{folder.path} is not finished; run python -m training pretrain with --resume first"
        )
    card = _card(folder, recipe, name, scores={"losses": dict(state.history[-1].losses)})
    return write_checkpoint(out, card, trained_soundnet(folder.path), dtype=torch.float16)


def rehearse(folder: PretrainFolder, soundnet: SoundNet, *, name: str = "") -> None:
    """Write and read back the checkpoint of a pretraining at its start, and remove it again.

    Errors that would occur after hours occur now: an invalid name, an inconsistent network, a
    folder without space or permissions.

    Parameters
    ----------
    folder : PretrainFolder
        Folder of the pretraining, just started.
    soundnet : SoundNet
        The network before its first step.
    name : str
        Name of the checkpoint.

    Raises
    ------
    ValueError, OSError
        As raised by :func:`write_pretrained`.
    """
    trial = folder.path / ".rehearsal.safetensors"
    network = SoundNet()
    network.load_state_dict(soundnet.state_dict())
    try:
        write_checkpoint(trial, _card(folder, folder.recipe(), name), network, dtype=torch.float16)
        read_checkpoint(trial)
    finally:
        trial.unlink(missing_ok=True)


def trained_soundnet(out: str | Path) -> SoundNet:
    """The current network of a pretraining, in inference mode."""
    folder = PretrainFolder(out)
    state = folder.read_state()
    if state is None:
        raise ValueError(f"{folder.path} has no state yet; run python -m training pretrain first")
    soundnet, prefix = SoundNet(), "soundnet."
    soundnet.load_state_dict(
        {
            name.removeprefix(prefix): tensor
            for name, tensor in state.learner.items()
            if name.startswith(prefix)
        }
    )
    return soundnet.eval()


def _card(
    folder: PretrainFolder,
    recipe: PretrainRecipe,
    name: str,
    scores: dict[str, JsonValue] | None = None,
) -> Card:
    origin = folder.read_document("origin.json")
    corpus, start = _summary(origin["corpus"]), origin["start"]
    if isinstance(start, dict) and start.get("corpus") == corpus:
        start = {**start, "corpus": SAME}
    provenance: dict[str, JsonValue] = {
        "start": start,
        "corpus": corpus,
        "recipe": recipe.model_dump(mode="json"),
        **({"teachers": origin["teachers"]} if origin.get("teachers") else {}),
        "seed": recipe.seed,
        "git": origin["git"],
        "versions": origin["versions"],
        "command": "python -m training pretrain",
    }
    try:
        return Card(
            name=name or folder.path.resolve().name,
            trained=True,
            input_scale=origin["input_scale"],
            provenance=provenance,
            scores=scores or {},
            licence=origin.get("start_licence", ""),  # its notice carries over
            use=_use(recipe),
        )
    except ValidationError as error:
        raise ValueError(
            f"the checkpoint of {folder.path} would be invalid: {describe(error)}"
        ) from error


def _use(recipe: PretrainRecipe) -> str:
    """Description of the training for the card.

    Examples
    --------
    >>> _use(PretrainRecipe(corpus="sounds")).partition("responses. ")[2]
    'It learned from sound alone, without labels. It has met no brain.'
    """
    begins = "It" if recipe.start is None else "The network that its provenance names went on: it"
    learned = ["acoustic descriptions"]
    if recipe.words.crops_per_step:
        learned.append("words by their names")
    if recipe.teachers:
        learned.append(f"what {' and '.join(recipe.teachers)} say of it")
    phrase = "learned from sound alone, without labels"
    if len(learned) > 1:
        phrase = f"learned {', '.join(learned[:-1])} and {learned[-1]}"
    return USE.format(begins=begins, learned=phrase)


def _summary(manifest: dict[str, JsonValue]) -> JsonValue:
    """Summary of a corpus for the card: sources with version, licences, hours and checksum."""
    kept = ("name", "version", "sha256", "licences", "hours", "made_with")
    sources = manifest.get("sources", [])
    assert isinstance(sources, list)
    return {
        "hours": manifest.get("hours"),
        "sources": [
            {key: source[key] for key in kept if source.get(key)}
            for source in sources
            if isinstance(source, dict)
        ],
    }

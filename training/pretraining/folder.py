"""The folder of a pretraining: state, loss curves, and export of the network to a checkpoint.

RUN/
    config.yaml     the validated recipe, defaults included
    origin.json     manifest of the corpus, git revision, versions
    losses.csv      means of each objective between two states
    state.pt        everything needed to resume
    curves.png      the losses over steps
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue, ValidationError
from torch import Tensor

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from hear_brainsoundnet.soundnet import SoundNet
from training.config import describe
from training.pretraining.recipe import PretrainRecipe
from training.recipe_folder import RecipeFolder

STATE_FILE = "state.pt"
SAME = "the same"
USE = (
    "Embeddings of sound, and a start for fits to brain responses. {begins} {learned}. It has met "
    "no brain."
)


@dataclass(frozen=True)
class LossRow:
    """Weighted losses by objective, means over the steps since the previous row."""

    step: int
    losses: dict[str, float]


@dataclass
class PretrainState:
    """State of a pretraining: steps done, losses, weights, optimiser, scale of the targets."""

    step: int = 0
    history: list[LossRow] = field(default_factory=list)
    learner: dict[str, Tensor] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)

    def soundnet(self) -> SoundNet:
        """The network, in inference mode."""
        soundnet, prefix = SoundNet(), "soundnet."
        soundnet.load_state_dict(
            {k.removeprefix(prefix): v for k, v in self.learner.items() if k.startswith(prefix)}
        )
        return soundnet.eval()


class PretrainFolder(RecipeFolder[PretrainRecipe]):
    """The files of one pretraining."""

    what = "pretraining"

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, PretrainRecipe)

    def read_state(self) -> PretrainState | None:
        """The last state, or None before the first; ValueError if the file is damaged."""
        content = self.read_tensors(STATE_FILE)
        if content is None:
            return None
        try:
            history = [LossRow(**row) for row in content.pop("history")]
            return PretrainState(history=history, **content)
        except (KeyError, TypeError) as error:
            raise self.damaged(STATE_FILE) from error

    def write_state(self, state: PretrainState) -> None:
        """Write the state and the table of losses."""
        history = [asdict(row) for row in state.history]
        self.write_tensors(STATE_FILE, dict(vars(state), history=history))
        self.write_table("losses.csv", [{"step": r.step, **r.losses} for r in state.history])


def draw_losses(history: Sequence[LossRow]) -> bytes:
    """PNG of the losses: one panel per objective, one line per stage."""
    from matplotlib.figure import Figure

    objectives: dict[str, list[str]] = {}
    for name in history[-1].losses:
        objectives.setdefault(name.split(" from ")[0], []).append(name)
    figure = Figure(figsize=(2.8 * len(objectives), 2.8), layout="constrained")
    for axes, (objective, names) in zip(
        figure.subplots(1, len(objectives), squeeze=False)[0], objectives.items(), strict=True
    ):
        for name in names:
            stage = name.partition(" from ")[2]
            axes.plot(
                [row.step for row in history],
                [row.losses[name] for row in history],
                label=stage or None,
            )
        axes.set_title(objective.replace("_", " "), fontsize="medium")
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            axes.legend(frameon=False, fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


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
    return write_checkpoint(out, card, state.soundnet(), dtype=torch.float16)


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

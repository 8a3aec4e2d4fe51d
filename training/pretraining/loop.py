"""The pretraining loop.

A step: augmented crops with targets (:mod:`training.pretraining.batches`), forward pass, losses.
All draws are seeded by the recipe's seed and the step number, so that an interrupted pretraining
resumes with an identical result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import send_to_device
from pydantic import JsonValue
from torch import Tensor, nn

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from hear_brainsoundnet.soundnet import LAYERS, SoundNet
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.pretraining.batches import Batches
from training.pretraining.blocked_training import freeze_lower, training_stages
from training.pretraining.crops import Words
from training.pretraining.folder import (
    LossRow,
    PretrainFolder,
    PretrainState,
    draw_losses,
    rehearse,
)
from training.pretraining.objectives import Objectives, WordObjective
from training.pretraining.recipe import PretrainRecipe, ScheduleSettings
from training.pretraining.targets import Role, Teachers
from training.processes import join_processes
from training.progress import bar
from training.provenance import git_revision, versions

INPUT_SCALE = 256.0  # for random weights, as for the original SoundNet: full scale is +-256


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


class Learner(nn.Module):
    """The network with its auxiliary read-outs."""

    def __init__(
        self, start: Start, recipe: PretrainRecipe, teachers: Sequence[Role] = (), n_words: int = 0
    ) -> None:
        super().__init__()
        self.soundnet, self.input_scale = start.soundnet, start.input_scale
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            words = WordObjective(n_words, recipe.words.temperature) if n_words else None
            self.objectives = Objectives(recipe.objectives, teachers, words)

    def forward(
        self, audio: Tensor, targets: Mapping[str, Tensor], words: Words | None = None
    ) -> dict[str, Tensor]:
        """Losses of crops by name; those with words come last."""
        stages = training_stages(
            self.soundnet, audio * self.input_scale, with_conv2=self.objectives.needs_conv2
        )
        losses: dict[str, Tensor] = self.objectives(stages, targets, words)
        return losses


@one_job_per_folder()
def pretrain(
    recipe: PretrainRecipe,
    out: str | Path,
    *,
    resume: bool = False,
    progress: bool = True,
    name: str = "",
) -> None:
    """Train SoundNet on an unlabelled corpus.

    Parameters
    ----------
    recipe : PretrainRecipe
        All settings that determine the result.
    out : path-like
        Output folder, see :mod:`training.pretraining.folder`.
    resume : bool
        Resume the pretraining in `out` if there is one.
    progress : bool
        Show a progress bar on standard error.
    name : str
        Name of the future checkpoint, validated before the first step.

    Raises
    ------
    FileExistsError
        If `out` is not empty and `resume` is false.
    FileNotFoundError, ValueError
        If the corpus or the start is missing, damaged or unsuitable, or the loss is no longer
        finite.
    """
    accelerator = join_processes(recipe.mixed_precision)
    if accelerator.num_processes > 1:
        raise ValueError(
            f"pretrain works in one process, and {accelerator.num_processes} were started; start "
            "it without a launcher"
        )
    corpus = Corpus.open(recipe.corpus)
    start = find_start(recipe.start, recipe.seed)
    batches = Batches(corpus, recipe, Teachers(recipe.teachers, corpus))
    folder = PretrainFolder(out)
    folder.begin(recipe, resume=resume)
    folder.write_document(
        "origin.json",
        {
            "corpus": corpus.manifest.model_dump(mode="json"),
            "start": start.provenance,
            "start_licence": start.licence,
            "teachers": batches.teachers.identities(),
            "input_scale": start.input_scale,
            "git": git_revision(),
            "versions": versions(),
        },
    )
    rehearse(folder, start.soundnet, name=name)
    learner = Learner(start, recipe, batches.teachers.roles(), batches.n_words)
    learner = learner.to(accelerator.device)
    optimiser = torch.optim.AdamW(
        learner.parameters(),
        lr=recipe.schedule.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.schedule.weight_decay,
    )
    state = folder.read_state()
    if state is None:
        batches.calibrate()
        state = PretrainState(targets=batches.scales())
    else:
        learner.load_state_dict(state.learner)
        optimiser.load_state_dict(state.optimiser)
        batches.load_scales(state.targets)

    def remember() -> None:
        state.learner = learner.state_dict()
        state.optimiser = optimiser.state_dict()
        folder.write_state(state)
        if state.history:
            write_atomically(folder.path / "curves.png", draw_losses(state.history))

    learner.train()
    n_steps = recipe.schedule.steps
    shown = bar(
        batches.ahead(range(state.step, n_steps)),
        initial=state.step,
        total=n_steps,
        desc="pretrain",
        shown=progress,
    )
    sums: dict[str, float] = {}
    with shown:
        for batch in shown:
            if state.step >= recipe.schedule.lower_until * n_steps:
                freeze_lower(learner.soundnet)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate_at(state.step, recipe.schedule)
            with accelerator.autocast():
                inputs = send_to_device((batch.audio, batch.targets), accelerator.device)
                losses = learner(*inputs, batch.words)
            loss = torch.stack(list(losses.values())).sum()
            accelerator.backward(loss)
            nn.utils.clip_grad_norm_(learner.parameters(), recipe.schedule.gradient_clip)
            optimiser.step()
            optimiser.zero_grad()
            state.step += 1
            for name, value in (*losses.items(), ("loss", loss)):
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if state.step % recipe.save_every == 0 or state.step == n_steps:
                n = state.step % recipe.save_every or recipe.save_every
                means = {name: value / n for name, value in sums.items()}
                sums = {}
                if not math.isfinite(means["loss"]):
                    raise ValueError(
                        f"the loss is no longer finite before step {state.step}; lower "
                        "schedule.learning_rate. The state before is kept"
                    )
                state.history.append(LossRow(state.step, means))
                shown.set_postfix(loss=f"{means['loss']:.3f}")
                remember()


def learning_rate_at(step: int, schedule: ScheduleSettings) -> float:
    """Linear warm-up, then half a cosine down to zero.

    Examples
    --------
    >>> schedule = ScheduleSettings(steps=100, learning_rate=1.0, warm_up=0.1)
    >>> [round(learning_rate_at(step, schedule), 3) for step in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    n_warm = round(schedule.warm_up * schedule.steps)
    if step < n_warm:
        return schedule.learning_rate * (step + 1) / n_warm
    done = (step - n_warm) / max(1, schedule.steps - n_warm)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

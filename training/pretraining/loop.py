"""The pretraining loop.

A step: draw crops, change them, describe them, compare. Every draw comes from the recipe's seed and
the number of the step, so that a run which was killed and resumed goes on exactly as it would have.
Crops are drawn, changed and described by a thread while the step before is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor, nn

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from training.corpus.corpus import Corpus
from training.pretraining.augmentation import augment
from training.pretraining.blocked_training import freeze_lower, training_stages
from training.pretraining.checkpoint import rehearse
from training.pretraining.crops import PairedCrops
from training.pretraining.curves import draw_losses
from training.pretraining.objectives import Objectives
from training.pretraining.recipe import PretrainRecipe, ScheduleSettings
from training.pretraining.run import LossRow, PretrainFolder, PretrainState
from training.pretraining.start import Start, find_start
from training.pretraining.targets import Targets
from training.processes import join_processes
from training.progress import bar
from training.provenance import git_revision, versions

N_AHEAD = 2  # steps whose crops are prepared ahead


class Learner(nn.Module):
    """The network with the read-outs that it is trained by."""

    def __init__(self, start: Start, recipe: PretrainRecipe) -> None:
        super().__init__()
        self.soundnet, self.input_scale = start.soundnet, start.input_scale
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.objectives = Objectives(recipe.objectives)

    def forward(self, audio: Tensor, targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses of crops by name."""
        stages = training_stages(self.soundnet, audio * self.input_scale)
        losses: dict[str, Tensor] = self.objectives(stages, targets)
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
    """Train SoundNet on a corpus without labels.

    Parameters
    ----------
    recipe : PretrainRecipe
        All that decides the result.
    out : path-like
        Folder of the run, see :mod:`training.pretraining.run`.
    resume : bool
        Go on with the run in `out` if there is one.
    progress : bool
        Show a bar on standard error.
    name : str
        Of the checkpoint that is to come of it, which is tried before the first step.

    Raises
    ------
    FileExistsError
        If `out` holds something and `resume` is false.
    FileNotFoundError, ValueError
        If the corpus or the start is missing, damaged or unfit, or the loss is no longer finite.
    """
    accelerator = join_processes(recipe.mixed_precision)
    if accelerator.num_processes > 1:
        raise ValueError(
            f"pretrain works in one process, and {accelerator.num_processes} were started; start "
            "it without a launcher"
        )
    corpus = Corpus.open(recipe.corpus)
    start = find_start(recipe.start, recipe.seed)
    crops = PairedCrops(corpus, recipe.crops, recipe.augmentation.speed)
    folder = PretrainFolder(out)
    folder.begin(recipe, resume=resume)
    folder.write_document(
        "origin.json",
        {
            "corpus": corpus.manifest.model_dump(mode="json"),
            "start": start.provenance,
            "start_licence": start.licence,
            "input_scale": start.input_scale,
            "git": git_revision(),
            "versions": versions(),
        },
    )
    rehearse(folder, start.soundnet, name=name)
    learner = Learner(start, recipe).to(accelerator.device)
    targets = Targets(crops.n_samples)
    optimiser = torch.optim.AdamW(
        learner.parameters(),
        lr=recipe.schedule.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.schedule.weight_decay,
    )
    state = folder.read_state()
    if state is None:
        first = [_audio(crops, recipe, -1 - i) for i in range(recipe.schedule.calibration_steps)]
        targets.calibrate(torch.cat(first))
        state = PretrainState(targets=targets.state_dict())
    else:
        learner.load_state_dict(state.learner)
        optimiser.load_state_dict(state.optimiser)
        targets.load_state_dict(state.targets)

    def remember() -> None:
        state.learner = learner.state_dict()
        state.optimiser = optimiser.state_dict()
        folder.write_state(state)
        if state.history:
            write_atomically(folder.path / "curves.png", draw_losses(state.history))

    learner.train()
    n_steps = recipe.schedule.steps
    shown = bar(
        _prepared_steps(crops, targets, recipe, range(state.step, n_steps)),
        initial=state.step,
        total=n_steps,
        desc="pretrain",
        shown=progress,
    )
    sums: dict[str, float] = {}
    with shown:
        for audio, described in shown:
            if state.step >= recipe.schedule.lower_until * n_steps:
                freeze_lower(learner.soundnet)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate_at(state.step, recipe.schedule)
            with accelerator.autocast():
                losses = learner(*send_to_device((audio, described), accelerator.device))
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


def _audio(crops: PairedCrops, recipe: PretrainRecipe, step: int) -> Tensor:
    """Crops of one step, changed; negative steps are those of the calibration."""
    generator = np.random.default_rng([recipe.seed, int(step < 0), abs(step)])
    return augment(torch.from_numpy(crops.draw(generator)), recipe.augmentation, generator)


def _prepared_steps(
    crops: PairedCrops, targets: Targets, recipe: PretrainRecipe, steps: range
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Crops of these steps and what is heard in them, prepared ahead by a thread."""

    def prepare(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        audio = _audio(crops, recipe, step)
        return audio, targets(audio)

    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(prepare, step) for step in steps[:N_AHEAD]]
        for step in steps:
            yield ahead.pop(0).result()
            if step + N_AHEAD < steps.stop:
                ahead.append(pool.submit(prepare, step + N_AHEAD))

"""The recipe of a fit: one validated object, written beside its result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hear_brainsoundnet.card import MOST_COMPONENTS
from hear_brainsoundnet.soundnet import LAYERS, stage_names
from training.config import Settings, added_setting
from training.data.control import Control
from training.data.splits import SplitSettings
from training.fitting.windows import WindowSettings

# Learning rate relative to the network's, for a ridge read-out: its weights are small, and AdamW
# moves each of them by about the rate in every step. On three simulated brains (seeds 1 to 3, 600
# TRs, only the read-out trained, 8 epochs) the validation loss in its worst epoch was above the
# start by 2.8, 10.6 and 2.0 % at a rate of 1e-4, by 0.4, 0.9 and 0 % at 1e-5, by 0.1, 0.2 and 0 %
# at 1e-6; in its best epoch it was below it by 0, 0 and 1.8 %, by 0, 0 and 0.6 %, by 0, 0 and 0.1
# %.
RIDGE_SHARE = 0.01

TRAIN_FROM = ("none", *(layer.name for layer in LAYERS))


class ReadOutSettings(Settings):
    """The read-out from the network to the targets.

    Attributes
    ----------
    stage : str
        Stage whose activations are the features; several as "conv5+conv7", side by side.
    n_delays : int
        K: number of TRs that a prediction depends on, its own included. Sound responses have one.
    tr_sampling : str
        {"interpolate", "crop"}: mapping from frames to TRs; sound responses always use "mean".
    power_transform : str
        {"none", "sqrt"}: applied to the activations.
    initial : str
        {"random", "zero", "ridge"}: initial weights. "ridge" is the solution of a ridge regression
        on the frozen network's activations, with its strength selected for each target by
        cross-validation over the training episodes.
    hrf : str
        {"fir", "canonical", "delay"}: the haemodynamic response. "fir" learns a weight for each
        channel and delay. The others learn one weight per channel: "canonical" with SPM's
        response, over 32 s whatever `n_delays`; "delay" with one of the delays for each target,
        selected together with the strength of the ridge start.
    rank : int or None
        Rank of the weights, for tens of thousands of targets: they are the product of this many
        components and their loadings on the targets; None for full weights. The ridge solution is
        then followed by a reduced-rank regression (:mod:`training.fitting.ridge`).
    """

    stage: str = "conv7"
    n_delays: Annotated[int, Field(ge=1, le=100)] = 5
    tr_sampling: Literal["interpolate", "crop"] = "interpolate"
    power_transform: Literal["none", "sqrt"] = "none"
    initial: Literal["random", "zero", "ridge"] = "ridge"
    hrf: Literal["fir", "canonical", "delay"] = added_setting("fir")
    rank: Annotated[int, Field(ge=1, le=MOST_COMPONENTS)] | None = added_setting(None)

    @model_validator(mode="after")
    def _known_stage(self) -> ReadOutSettings:
        stages = self.stage.split("+")
        if not set(stages) <= set(stage_names()):
            raise ValueError(f"stage {self.stage!r} is none of {', '.join(stage_names())}")
        if len(set(stages)) < len(stages):
            raise ValueError(f"stage {self.stage!r} names one twice")
        if len(stages) > 1 and self.tr_sampling == "crop":
            raise ValueError(f"tr_sampling=crop is for one stage, got {self.stage}")
        if self.hrf == "delay" and self.initial != "ridge":
            raise ValueError("hrf=delay selects delays in the ridge start; set initial=ridge")
        if self.hrf != "fir" and self.rank is not None:
            raise ValueError(f"a rank is for hrf=fir, and hrf is {self.hrf}; leave one of them out")
        return self


class OptimiserSettings(Settings):
    """AdamW with a plateau schedule and early stopping, both on the validation loss.

    Attributes
    ----------
    learning_rate : float
        Of the network, and of the read-out if `read_out_learning_rate` is not given.
    read_out_learning_rate : float or None
        Of the read-out; by default `learning_rate`, or a hundredth of it from a ridge start: see
        :attr:`FitRecipe.read_out_learning_rate`.
    weight_decay : float
        Decoupled, as in AdamW.
    max_epochs : int
        Maximal number; 0 keeps the initial weights (for example a ridge read-out).
    patience, delta : int, float
        Training stops when the validation loss has not fallen by more than `delta` for `patience`
        epochs; the best weights are restored.
    keep : str
        {"best", "last"}: weights of the best epoch, or of the last one, in which case training
        takes exactly `max_epochs`. For a control that is trained as long as the model it is
        compared with, see :mod:`training.data.control`.
    plateau_patience, plateau_factor : int, float
        The learning rates are multiplied by the factor after this many epochs without progress.
    gradient_clip : float or None
        Maximal norm of the gradient.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    read_out_learning_rate: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    max_epochs: Annotated[int, Field(ge=0)] = 200
    patience: Annotated[int, Field(ge=1)] = 15
    delta: Annotated[float, Field(ge=0)] = 0.0
    keep: Literal["best", "last"] = "best"
    plateau_patience: Annotated[int, Field(ge=0)] = 5
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    gradient_clip: Annotated[float, Field(gt=0)] | None = None


class FitRecipe(Settings):
    """All settings of a fit.

    Attributes
    ----------
    data : Path
        Folder of the prepared dataset.
    model : str
        {"individual", "group", "multi_subject"}: one subject; several subjects and one read-out;
        several subjects, one network and a separate read-out for each.
    subjects : tuple of str
        Subjects to fit; empty for all in the dataset.
    targets : tuple
        Ids, or patterns of names; empty for all.
    start : str
        Name or path of the checkpoint to start from, or folder of a fit; of these the network
        alone. "random" for weights drawn from the seed.
    start_overlap : str
        {"refuse", "allow"}: whether the start may have been fitted to stimuli of the test runs, so
        that scores on these are not of held-out stimuli; see :mod:`training.data.fitted_to`.
    train_from : str
        {"none", "conv1", ..., "conv7"}: the first trained stage; "none" trains only the read-out,
        on a frozen network.
    batchnorm : str
        {"frozen", "batch"}: whether trained stages normalise by their running statistics or by
        those of the batch. Frozen stages always keep their statistics.
    read_out, windows, split, optimiser
        See the respective classes.
    loss : str
        {"mse", "correlation"}.
    control : str
        {"none", "permuted_brain"}: the latter trains on responses to other stimuli, see
        :mod:`training.data.control`.
    seed : int
        Seed of all random draws.
    mixed_precision : str
        {"no", "bf16", "fp16"}.
    tensorboard : bool
        Write event files for TensorBoard; off by default.
    weights_and_biases : str or None
        Project to log to; off by default.
    licence, use : str
        Stored in the exported checkpoint's card.
    """

    data: Path
    model: Literal["individual", "group", "multi_subject"] = "individual"
    subjects: tuple[str, ...] = ()
    targets: tuple[int | str, ...] = ()
    start: str = "default"
    start_overlap: Literal["refuse", "allow"] = "refuse"
    train_from: str = "conv4"
    batchnorm: Literal["frozen", "batch"] = "frozen"
    read_out: ReadOutSettings = ReadOutSettings()
    loss: Literal["mse", "correlation"] = "mse"
    windows: WindowSettings = WindowSettings()
    split: SplitSettings = SplitSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    control: Control = "none"
    seed: Annotated[int, Field(ge=0)] = 0
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    tensorboard: bool = added_setting(False)
    weights_and_biases: str | None = None
    licence: str = ""
    use: str = ""

    @property
    def read_out_learning_rate(self) -> float:
        """Learning rate of the read-out.

        From a ridge start the network's own rate degrades the read-out in the first epochs, by up
        to 11 % of the validation loss on simulated brains; with a hundredth of it the loss stays
        within 0.2 % of the initial one or falls.

        Examples
        --------
        >>> f'{FitRecipe(data="prepared").read_out_learning_rate:g}'
        '1e-06'
        >>> FitRecipe(data="prepared", read_out={"initial": "zero"}).read_out_learning_rate
        0.0001
        """
        settings = self.optimiser
        if settings.read_out_learning_rate is not None:
            return settings.read_out_learning_rate
        is_solved = self.read_out.initial == "ridge"
        return settings.learning_rate * (RIDGE_SHARE if is_solved else 1)

    @model_validator(mode="after")
    def _consistent(self) -> FitRecipe:
        if self.train_from not in TRAIN_FROM:
            raise ValueError(f"train_from {self.train_from!r} is none of {', '.join(TRAIN_FROM)}")
        stages = stage_names()
        deepest = max(map(stages.index, self.read_out.stage.split("+")))
        if self.train_from != "none" and stages.index(self.train_from) > deepest:
            raise ValueError(
                f"train_from {self.train_from} lies above the read-out's stage, "
                f"{self.read_out.stage}: nothing of the network would be trained"
            )
        return self

"""Settings of a pretraining."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from hear_brainsoundnet.features import PRESETS, parse_scene
from hear_brainsoundnet.geometry import stage_geometry
from training.config import Settings
from training.teachers.table import Statistic

DescribedStage = Literal["conv4", "conv5", "pool5", "conv6", "conv7"]
TeacherName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


class CropSettings(Settings):
    """Sampling of crops.

    Attributes
    ----------
    seconds : float
        Length of a crop; shorter recordings are zero-padded.
    recordings_per_step : int
        Recordings in a step, two crops of each.
    balance_kinds : bool
        Whether all kinds of the corpus (speech, music, ...) are drawn equally often; otherwise
        every recording in proportion to the square root of its length.
    kind_weights : dict
        Relative frequency of a kind; 1 by default.
    """

    seconds: Annotated[float, Field(ge=0.5, le=60)] = 2.0
    recordings_per_step: Annotated[int, Field(ge=2)] = 16
    balance_kinds: bool = True
    kind_weights: dict[str, Weight] = Field(default_factory=dict)


class WordSettings(Settings):
    """Sampling of crops with spoken words, from labelled recordings.

    Attributes
    ----------
    crops_per_step : int
        Crops with words in a step, in addition to those of ``crops``; 0 for none.
    words_per_crop : int
        Words in each, one after the other in slots of equal length.
    temperature : float
        Temperature of the contrast between words.
    """

    crops_per_step: Annotated[int, Field(ge=0)] = 0
    words_per_crop: Annotated[int, Field(ge=1)] = 2
    temperature: Annotated[float, Field(gt=0)] = 0.2


class AugmentationSettings(Settings):
    """Augmentation of crops; 0 disables an augmentation.

    Attributes
    ----------
    speed : float
        Maximal change of speed (and pitch) in octaves, the same for both crops of a recording.
    filter_db : float
        Standard deviation of a random smooth filter.
    telephone : float
        Fraction of crops that are low-passed at a frequency between 3 and 8 kHz.
    room : float
        Fraction of crops with reverberation of 0.1 to 0.8 s.
    mixing : float
        Fraction of crops mixed with another recording, 5 to 30 dB below.
    noise : float
        Fraction of crops with white noise, 15 to 60 dB below.
    quietest_db, loudest_db : float
        Range of the root mean square of a crop, relative to full scale.
    """

    speed: Annotated[float, Field(ge=0, le=1)] = 0.25
    filter_db: Weight = 4.0
    telephone: Share = 0.0
    room: Share = 0.0
    mixing: Share = 0.3
    noise: Share = 0.5
    quietest_db: Annotated[float, Field(le=0)] = -40.0
    loudest_db: Annotated[float, Field(le=0)] = -12.0


class ObjectiveSettings(Settings):
    """Weight of each objective; 0 disables it.

    Attributes
    ----------
    frames : float
        Prediction of the log-mel spectrum at the time of each frame of conv4.
    bands : float
        Mean and standard deviation of the log-mel bands, from each described stage.
    modulation_spectrum : float
        The 2-D modulation spectrum, likewise.
    modulation_power : float
        The power of spectrotemporal modulations in each band, likewise.
    contrast : float
        Matching the two crops of a recording (NT-Xent on conv7; Chen et al. 2020).
    described_stages : tuple of str
        Stages from which the targets are predicted.
    described_by : tuple of {"mean", "std"}
        Poolings over time of a stage's units from which the targets are predicted.
    temperature : float
        Temperature of the contrast.
    relations : float
        Similarity of crops by all targets and teachers together
        (:mod:`training.pretraining.objectives`), for the scene embedding `related_scene`.
    related_scene : str
        Stages from conv2 upwards and poolings, as for ``load_model(scene=...)``.
    words, word_pairs : float
        Classifying words, and finding the other clip of a word (``words``).
    """

    frames: Weight = 0.5
    bands: Weight = 1.0
    modulation_spectrum: Weight = 1.0
    modulation_power: Weight = 1.0
    contrast: Weight = 0.1
    described_stages: tuple[DescribedStage, ...] = (
        "conv4",
        "conv5",
        "pool5",
        "conv6",
        "conv7",
    )
    described_by: Annotated[tuple[Literal["mean", "std"], ...], Field(min_length=1)] = (
        "mean",
        "std",
    )
    temperature: Annotated[float, Field(gt=0)] = 0.2
    relations: Weight = 0.0
    related_scene: str = PRESETS["default"].scene
    words: Weight = 0.3
    word_pairs: Weight = 0.3

    @field_validator("related_scene")
    @classmethod
    def _trained(cls, scene: str) -> str:
        stages = stage_geometry()
        for term in parse_scene(scene, stages):
            if term.stage in ("conv1", "pool1"):
                raise ValueError(
                    f"{term.stage} is not available in training; choose from conv2 and above"
                )
        return scene


class TeacherSettings(Settings):
    """A teacher, given by the table of its embeddings of the corpus (``python -m training teach``).

    Attributes
    ----------
    table : Path
        Folder of the table, see :mod:`training.teachers.table`.
    module, checkpoint : str and Path, optional
        Required teacher of the table; any by default.
    weight : float
        Weight of the objective; 0 disables it.
    stages : tuple of str
        Stages from which its summary is predicted.
    statistics : tuple of {"mean", "std", "max"}
        Statistics of its embeddings within a crop that form the summary.

    Examples
    --------
    >>> TeacherSettings(table=Path("tables/yamnet"), stages=("conv5", "conv7")).statistics
    ('mean',)
    """

    table: Path
    module: str | None = None
    checkpoint: Path | None = None
    weight: Weight = 1.0
    stages: Annotated[tuple[DescribedStage, ...], Field(min_length=1)] = (
        "conv5",
        "pool5",
        "conv6",
        "conv7",
    )
    statistics: Annotated[tuple[Statistic, ...], Field(min_length=1)] = ("mean",)

    @model_validator(mode="after")
    def _consistent(self) -> TeacherSettings:
        if len(set(self.stages)) < len(self.stages):
            raise ValueError("a stage is given twice; give each once")
        if self.checkpoint is not None and self.module is None:
            raise ValueError("a checkpoint belongs to a module; give the module, too")
        return self


class ScheduleSettings(Settings):
    """Optimiser and schedule.

    Attributes
    ----------
    steps : int
        Total number of steps.
    learning_rate : float
        Maximum of AdamW's rate: reached after a fraction `warm_up` of the steps, then cosine decay
        to zero.
    warm_up : float
        Fraction of the steps.
    weight_decay, gradient_clip : float
        Of AdamW; maximal norm of the gradient.
    lower_until : float
        Fraction of the steps in which conv1 and conv2 are trained, which take most of the time.
    calibration_steps : int
        Steps before the first, whose crops determine mean and standard deviation of the targets.
    """

    steps: Annotated[int, Field(ge=1)] = 5000
    learning_rate: Annotated[float, Field(gt=0)] = 1.5e-3
    warm_up: Share = 0.1
    weight_decay: Weight = 1e-4
    gradient_clip: Annotated[float, Field(gt=0)] = 5.0
    lower_until: Share = 0.35
    calibration_steps: Annotated[int, Field(ge=1)] = 20


class PretrainRecipe(Settings):
    """All settings of a pretraining.

    Attributes
    ----------
    corpus : Path
        Folder of a corpus, see :mod:`training.corpus`.
    start : Path or None
        Initial checkpoint, a name in the package or a file; random weights by default.
    level : float
        Target of the moving level normalisation of crops (:mod:`hear_brainsoundnet.level`), as in
        presets; 0 keeps the levels of the augmentation.
    teachers : dict
        By name, teachers whose embeddings the network is trained to predict.
    seed : int
        Seed of weights, crops and augmentation.
    mixed_precision : {"no", "bf16"}
        Precision of the products; needs a CPU or GPU that supports it.
    save_every : int
        Steps between saved states.
    """

    corpus: Path
    start: Path | None = None
    level: Share = 0.0
    crops: CropSettings = CropSettings()
    words: WordSettings = WordSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    objectives: ObjectiveSettings = ObjectiveSettings()
    teachers: dict[TeacherName, TeacherSettings] = Field(default_factory=dict)
    schedule: ScheduleSettings = ScheduleSettings()
    seed: int = 0
    mixed_precision: Literal["no", "bf16"] = "no"
    save_every: Annotated[int, Field(ge=1)] = 100

"""What a pretraining is decided by."""

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
    """How crops are drawn.

    Attributes
    ----------
    seconds : float
        Length of a crop; shorter recordings are surrounded by silence.
    recordings_per_step : int
        Recordings in a step, two crops of each.
    balance_kinds : bool
        Whether all kinds of the corpus (speech, music, ...) are drawn equally often; otherwise
        every recording by the square root of its length.
    kind_weights : dict
        How often a kind is drawn against the others; 1 where it is not named.
    """

    seconds: Annotated[float, Field(ge=0.5, le=60)] = 2.0
    recordings_per_step: Annotated[int, Field(ge=2)] = 16
    balance_kinds: bool = True
    kind_weights: dict[str, Weight] = Field(default_factory=dict)


class WordSettings(Settings):
    """How crops with spoken words are drawn, from recordings that have a label.

    Attributes
    ----------
    crops_per_step : int
        Crops with words in a step, beside those of ``crops``; 0: none.
    words_per_crop : int
        Words in each, one after the other in slots of the same length.
    temperature : float
        Of the contrast between words.
    """

    crops_per_step: Annotated[int, Field(ge=0)] = 0
    words_per_crop: Annotated[int, Field(ge=1)] = 2
    temperature: Annotated[float, Field(gt=0)] = 0.2


class AugmentationSettings(Settings):
    """How crops are changed; 0 leaves something out.

    Attributes
    ----------
    speed : float
        Largest change of speed (and pitch) in octaves, the same for both crops of a recording.
    filter_db : float
        Standard deviation of a random smooth filter.
    telephone : float
        Share of crops without what lies above a frequency between 3 and 8 kHz.
    room : float
        Share of crops that are heard in a room, with a reverberation of 0.1 to 0.8 s.
    mixing : float
        Share of crops that another recording is mixed into, 5 to 30 dB below.
    noise : float
        Share of crops with white noise, 15 to 60 dB below.
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
    """How much each objective counts; 0 leaves it out.

    Attributes
    ----------
    frames : float
        The log-mel spectrum at the time of each frame of conv4.
    bands : float
        Mean and standard deviation of the log-mel bands, from each described stage.
    modulation_spectrum : float
        The 2-D modulation spectrum, likewise.
    modulation_power : float
        The power of spectrotemporal modulations in each band, likewise.
    contrast : float
        Which two crops are of one recording (NT-Xent on conv7; Chen et al. 2020).
    described_stages : tuple of str
        Stages that descriptions are read from.
    described_by : tuple of {"mean", "std"}
        What over time of a stage's units descriptions are read from.
    temperature : float
        Of the contrast.
    relations : float
        Which crops are alike, by all descriptions and teachers side by side
        (:mod:`training.pretraining.relations`), for the scene embedding `related_scene`.
    related_scene : str
        Stages from conv2 upwards and poolings, as for ``load_model(scene=...)``.
    words, word_pairs : float
        Naming words, and finding the other clip of a word (``words``).
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
                    f"{term.stage} is not kept in training; choose from conv2 and the stages above"
                )
        return scene


class TeacherSettings(Settings):
    """A teacher, by the table of what it says of the corpus (``python -m training teach``).

    Attributes
    ----------
    table : Path
        Folder of the table, see :mod:`training.teachers.table`.
    module, checkpoint : str and Path, optional
        The teacher that the table has to be of; without them any.
    weight : float
        How much it counts; 0 leaves it out.
    stages : tuple of str
        Stages that its summary is read from.
    statistics : tuple of {"mean", "std", "max"}
        What its summary of a crop is made of, over the embeddings within the crop.

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
            raise ValueError("a stage is named twice; name each once")
        if self.checkpoint is not None and self.module is None:
            raise ValueError("a checkpoint belongs to a module; name the module, too")
        return self


class ScheduleSettings(Settings):
    """Optimiser and schedule.

    Attributes
    ----------
    steps : int
        Steps in all.
    learning_rate : float
        The highest of AdamW: reached after `warm_up` of the steps, then down to zero by a cosine.
    warm_up : float
        Share of the steps.
    weight_decay, gradient_clip : float
        Of AdamW; largest norm of the gradient.
    lower_until : float
        Share of the steps in which conv1 and conv2 learn, which take most of the time.
    calibration_steps : int
        Steps before the first, whose crops give the descriptions their mean and deviation.
    """

    steps: Annotated[int, Field(ge=1)] = 5000
    learning_rate: Annotated[float, Field(gt=0)] = 1.5e-3
    warm_up: Share = 0.1
    weight_decay: Weight = 1e-4
    gradient_clip: Annotated[float, Field(gt=0)] = 5.0
    lower_until: Share = 0.35
    calibration_steps: Annotated[int, Field(ge=1)] = 20


class PretrainRecipe(Settings):
    """All that decides the result of a pretraining.

    Attributes
    ----------
    corpus : Path
        Folder of a corpus, see :mod:`training.corpus`.
    start : Path or None
        Checkpoint to go on from, a name of the package's or a file; random weights without it.
    level : float
        Local level that crops are brought to before the network hears them
        (:mod:`hear_brainsoundnet.level`), as presets do; 0 leaves them as augmentation made them.
    teachers : dict
        By name, whose embeddings the network learns to predict, too.
    seed : int
        Of weights, crops and augmentation.
    mixed_precision : {"no", "bf16"}
        Precision of the products; needs a processor or GPU that has it.
    save_every : int
        Steps between states that a killed run goes on from.
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

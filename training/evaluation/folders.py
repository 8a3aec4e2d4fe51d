"""What evaluations, comparisons and partitions leave on disk, and how it is read again.

    EVAL/                       python -m training evaluate
        evaluation.json         EvaluationInfo
        scores.parquet, .csv    one row per model, subject, run and target
        targets.parquet, .csv   one row per model, subject and target: pooled over runs, with p;
                                subject "all" is the mean over subjects of a model that is scored on
                                all of them, its n_runs the number of subjects
        runs.parquet, .csv      one row per model, subject and run, or sound: what was scored, in
                                the order of the predictions' rows
        predictions.h5          MODEL/SUBJECT/RUN, float32 (n_trs, n_targets)
        models/MODEL/           config.yaml and metrics.csv of its run
        targets.nii.gz          where the dataset has one: the image of its targets

    COMPARISON/                 python -m training compare
        comparison.json         ComparisonInfo
        targets.parquet, .csv   one row per subject and target: difference with interval and p;
                                subject "all" compares over subjects, its n_runs is their number

    PARTITION/                  python -m training partition
        partition.json          PartitionInfo
        targets.parquet, .csv   one row per model, subject and target: unique and shared R²

The JSON file is written last: a folder without it is not a result. Parquet keeps the digits, csv
is for people and holds the same rows. Columns of the tables are the ``..._COLUMNS`` below.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.tables import text_cell
from training.statistics import Correction, Pooling, ScoreName

FORMAT_VERSION = 1
IMAGE_FILE = "targets.nii.gz"
PREDICTIONS_FILE = "predictions.h5"
MODELS_FOLDER = "models"
UNTRAINED = "untrained"  # the control of models with random weights
EARLIER_METHOD = "other_subjects"  # of a ceiling in earlier evaluations, which was none


SCORE_COLUMNS = (
    "model",
    "subject",
    "run",
    "stimulus",
    "target_id",
    "target_name",
    "n_trs",
    "r",
    "r2",
)
RUN_COLUMNS = ("model", "subject", "run", "name", "stimulus", "start", "n_trs")
TARGET_COLUMNS = (
    "model",
    "subject",
    "target_id",
    "target_name",
    "n_runs",
    "r",
    "r_low",
    "r_high",
    "r2",
    "r2_low",
    "r2_high",
    "p",
    "p_bh",
    "p_by",
    "p_fwe",
    "significant",
    "ceiling_r",
    "r_fraction",
    "inter_subject_r",
)
COMPARISON_COLUMNS = (
    "subject",
    "target_id",
    "target_name",
    "n_runs",
    "a",
    "b",
    "difference",
    "low",
    "high",
    "effect_size",
    "statistic",
    "p",
    "p_bh",
    "p_by",
    "significant",
)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelInfo(_Document):
    """A model that was evaluated.

    Attributes
    ----------
    name : str
        What tables call it; unique within an evaluation.
    run : str
        Folder of the run.
    kind : str
        {"individual", "group", "multi_subject"}.
    subjects : tuple of str
        Whom it was fitted to.
    train_from, stage : str
        First trained stage, or "none"; stage that is read.
    start : str
        Name of the weights that it started from.
    control : str
        {"none", "untrained", ...}: random weights, or what was done to its training data, see
        ``training.recipe``.
    seed, best_epoch, n_epochs : int
        Of its run.
    recipe : dict
        The whole of it.
    """

    name: str
    run: str
    kind: str
    subjects: tuple[str, ...]
    train_from: str
    stage: str
    start: str = ""
    control: str = "none"
    seed: int = 0
    best_epoch: int = 0
    n_epochs: int = 0
    recipe: dict[str, JsonValue] = {}


class CeilingInfo(_Document):
    """How the noise ceiling was estimated.

    Attributes
    ----------
    method : str
        {"repeats"}.
    floor : float
        Ceilings below it give no fraction.
    description : str
        A sentence for the methods paragraph: which runs, how many repeats.
    """

    method: str
    floor: float
    description: str


class EvaluationInfo(_Document):
    """All choices of an evaluation.

    Attributes
    ----------
    command : str
        That makes it again.
    dataset, dataset_folder, kind, atlas, tr
        The prepared data; `kind` as there.
    side : str
        {"test", "validation", "train"}.
    target_ids, target_names : tuple
        What was scored.
    models : tuple of ModelInfo
        In the order of the command.
    subjects : tuple of str
        Whose brains were scored.
    score, pooling : str
        What p values and significance are of, and how runs are pooled.
    null : str
        Name of the null; `null_settings` its parameters in words and numbers.
    n_permutations, smallest_p
        How many, and the smallest p that many allow.
    correction, level : str, float
        What `significant` in the tables means.
    interval : str
        How the intervals were made, in words.
    ceiling : CeilingInfo or None
        None where none was asked for.
    inter_subject : str
        How each subject was correlated with the others, in words; "" where it was not.
    excluded : tuple of str
        What was left out and why, one sentence each.
    notes : tuple of str
        Anything else that a reader must know.
    seed : int
        Of permutations and intervals.
    git_revision, versions
        Of the program.
    """

    format_version: int = FORMAT_VERSION
    command: str
    dataset: str
    dataset_folder: str
    kind: Literal["time_series", "sound_responses"]
    atlas: str = ""
    tr: float
    side: str
    target_ids: tuple[int, ...]
    target_names: tuple[str, ...]
    models: tuple[ModelInfo, ...]
    subjects: tuple[str, ...]
    score: ScoreName
    pooling: Pooling
    null: str
    null_settings: dict[str, JsonValue] = {}
    n_permutations: Annotated[int, Field(ge=0)]
    smallest_p: float
    correction: Correction
    level: Annotated[float, Field(gt=0, lt=1)]
    interval: str = ""
    ceiling: CeilingInfo | None = None
    inter_subject: str = ""
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    git_revision: str = ""
    versions: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _earlier_ceiling_from_others(cls, document: Any) -> Any:
        """The correlation with the other subjects' mean was once written down as a ceiling."""
        if isinstance(document, dict) and isinstance(document.get("ceiling"), dict):
            ceiling = document["ceiling"]
            if ceiling.get("method") == EARLIER_METHOD:
                description = str(ceiling.get("description", "")) or EARLIER_METHOD
                return {**document, "ceiling": None, "inter_subject": description}
        return document


class ComparisonInfo(_Document):
    """All choices of a comparison ``a - b``.

    Attributes
    ----------
    command : str
        That makes it again.
    a, b : str
        Names of the models; `a_evaluation` and `b_evaluation` the folders that they came from.
    score, pooling, test : str
        What was compared, and the paired test over runs in words.
    correction, level, smallest_p, interval
        As for evaluations; the smallest p follows from the number of runs.
    n_better, n_worse : int
        Significant targets, all subjects together.
    excluded, notes, seed, git_revision, versions
        As for evaluations.
    """

    format_version: int = FORMAT_VERSION
    command: str
    a: str
    b: str
    a_evaluation: str
    b_evaluation: str
    score: ScoreName
    pooling: Pooling
    test: str
    correction: Correction
    level: Annotated[float, Field(gt=0, lt=1)]
    smallest_p: float
    interval: str = ""
    n_better: int
    n_worse: int
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    git_revision: str = ""
    versions: dict[str, str] = {}


class PartitionInfo(_Document):
    """All choices of a variance partition.

    Attributes
    ----------
    command : str
        That makes it again.
    evaluation : str
        Folder of the evaluation whose models are partitioned.
    spaces : tuple of str
        Feature spaces; the model's is "model". Tables have columns ``r2_full``, ``alone_SPACE``,
        ``unique_SPACE``, and ``shared``.
    settings : dict
        Delays, regularisation, folds.
    methods : str
        The same as a paragraph.
    """

    format_version: int = FORMAT_VERSION
    command: str
    evaluation: str
    spaces: tuple[str, ...]
    settings: dict[str, JsonValue] = {}
    methods: str = ""
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    git_revision: str = ""
    versions: dict[str, str] = {}


Info = TypeVar("Info", EvaluationInfo, ComparisonInfo, PartitionInfo)
INFO_FILES: dict[type[BaseModel], str] = {
    EvaluationInfo: "evaluation.json",
    ComparisonInfo: "comparison.json",
    PartitionInfo: "partition.json",
}


def write_table(folder: Path, name: str, table: Any) -> None:
    """A pandas table as ``NAME.parquet`` and, for people and spreadsheets, ``NAME.csv``."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(folder / f"{name}.parquet", buffer.getvalue())
    shown = table.map(lambda value: text_cell(value) if isinstance(value, str) else value)
    write_atomically(folder / f"{name}.csv", shown.to_csv(index=False).encode())


def read_table(folder: Path, name: str) -> Any:
    """The table as it was written.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is missing or damaged.
    """
    import pandas

    path = folder / f"{name}.parquet"
    try:
        return pandas.read_parquet(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing; make {folder} anew") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); make {folder} anew") from error


def read_targets(folder: Path) -> Any:
    """The table of targets of an evaluation, in today's columns.

    Earlier evaluations have no column ``inter_subject_r``: what they call a ceiling from other
    subjects is moved there, and the fractions of it are left out.

    Raises
    ------
    FileNotFoundError, ValueError
        If the table or the document beside it is missing or damaged.
    """
    table = read_table(folder, "targets")
    if "inter_subject_r" in table.columns or "ceiling_r" not in table.columns:
        return table
    if read_info(folder, EvaluationInfo).inter_subject:
        nothing = float("nan")
        return table.assign(
            inter_subject_r=table["ceiling_r"], ceiling_r=nothing, r_fraction=nothing
        )
    return table.assign(inter_subject_r=float("nan"))


def write_info(folder: Path, info: EvaluationInfo | ComparisonInfo | PartitionInfo) -> None:
    """The JSON document, the last file of a folder."""
    document = info.model_dump(mode="json")
    write_atomically(folder / INFO_FILES[type(info)], json.dumps(document, indent=2).encode())


def read_info(folder: Path, kind: type[Info]) -> Info:
    """The document of a folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such result, or its making did not come to an end.
    ValueError
        If the document is damaged.
    """
    path = folder / INFO_FILES[kind]
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} holds no {path.stem} (no {path.name}), or its making did not come to an end"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: its {place} is wrong: {first['msg']}") from error


def kind_of(folder: Path) -> type[EvaluationInfo] | type[ComparisonInfo] | type[PartitionInfo]:
    """Which kind of result a folder holds.

    Raises
    ------
    FileNotFoundError
        If it holds none.
    """
    for kind in (EvaluationInfo, ComparisonInfo, PartitionInfo):
        if (folder / INFO_FILES[kind]).exists():
            return kind
    raise FileNotFoundError(
        f"{folder} is no evaluation, comparison or partition (none of "
        f"{', '.join(INFO_FILES.values())}); make one with python -m training evaluate"
    )

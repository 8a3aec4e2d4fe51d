"""Files of evaluations, comparisons and partitions: formats, writing and reading.

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
        targets.nii.gz          where the dataset has one: the image of its targets, or
                                targets.dscalar.nii

    COMPARISON/                 python -m training compare
        comparison.json         ComparisonInfo
        targets.parquet, .csv   one row per subject and target: difference with interval and p;
                                subject "all" compares over subjects, its n_runs is their number

    PARTITION/                  python -m training partition
        partition.json          PartitionInfo
        targets.parquet, .csv   one row per model, subject and target: unique and shared R²

The JSON file is written last: a folder without it is not a result. Parquet is exact; csv holds the
same rows for people. Columns of the tables are the ``..._COLUMNS`` below.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from hear_brainsoundnet.files import sweep, text_cell, write_atomically
from hear_brainsoundnet.lock import contents
from training.data.prepared_files import TARGETS_IMAGES
from training.statistics import Correction, Pooling, ScoreName

FORMAT_VERSION = 2
PREDICTIONS_FILE = "predictions.h5"
MODELS_FOLDER = "models"
UNTRAINED = "untrained"  # the control of models with random weights


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


class _Version(BaseModel):
    format_version: int


class ModelInfo(_Document):
    """A model in an evaluation.

    Attributes
    ----------
    name : str
        Name in the tables; unique within an evaluation.
    fit : str
        Its folder.
    kind : str
        {"individual", "group", "multi_subject"}.
    subjects : tuple of str
        Subjects it was fitted to.
    train_from, stage : str
        First trained stage, or "none"; stage that the read-out uses.
    start : str
        Name of the initial weights.
    control : str
        {"none", "untrained", ...}: random weights, or manipulation of the training data, see
        ``training.fitting.recipe``.
    seed, best_epoch, n_epochs : int
        From its fit.
    n_folds : int
        Number of fits of a cross-validation, 0 for a single one.
    recipe : dict
        The full recipe.
    """

    name: str
    fit: str
    kind: str
    subjects: tuple[str, ...]
    train_from: str
    stage: str
    start: str = ""
    control: str = "none"
    seed: int = 0
    best_epoch: int = 0
    n_epochs: int = 0
    n_folds: int = 0
    recipe: dict[str, JsonValue] = {}


class CeilingInfo(_Document):
    """Estimation of the noise ceiling.

    Attributes
    ----------
    method : str
        {"repeats"}.
    floor : float
        Minimal ceiling for a normalised score.
    description : str
        Sentence for the methods paragraph: runs and number of repeats.
    """

    method: str
    floor: float
    description: str


class EvaluationInfo(_Document):
    """All settings of an evaluation.

    Attributes
    ----------
    command : str
        Command that reproduces it.
    dataset, dataset_folder, kind, atlas, tr
        The prepared data; `kind` as in its metadata.
    split : str
        {"test", "validation", "train"}.
    target_ids, target_names : tuple
        The scored targets.
    models : tuple of ModelInfo
        In the order of the command.
    subjects : tuple of str
        The scored subjects.
    score, pooling : str
        Score that is tested, and pooling over runs.
    null : str
        Name of the null; `null_settings` its parameters as text.
    n_permutations, smallest_p
        Number of permutations, and the smallest p it allows.
    correction, alpha : str, float
        Definition of `significant` in the tables.
    interval : str
        Method of the intervals, as text.
    ceiling : CeilingInfo or None
        None if not requested.
    inter_subject : str
        Method of the inter-subject correlation, as text; "" if not requested.
    excluded : tuple of str
        Exclusions with reasons, one sentence each.
    notes : tuple of str
        Other remarks for the reader.
    seed : int
        Seed of permutations and intervals.
    git_revision, versions
        Versions of the program.
    """

    format_version: int = FORMAT_VERSION
    command: str
    dataset: str
    dataset_folder: str
    kind: Literal["time_series", "sound_responses"]
    atlas: str = ""
    tr: float
    split: str
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
    alpha: Annotated[float, Field(gt=0, lt=1)]
    interval: str = ""
    ceiling: CeilingInfo | None = None
    inter_subject: str = ""
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    git_revision: str = ""
    versions: dict[str, str] = {}


class ComparisonInfo(_Document):
    """All settings of a comparison ``a - b``.

    Attributes
    ----------
    command : str
        Command that reproduces it.
    a, b : str
        Names of the models; `a_evaluation` and `b_evaluation` are the folders of their evaluations.
    score, pooling, test : str
        The compared score, and the paired test over runs as text.
    correction, alpha, smallest_p, interval
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
    alpha: Annotated[float, Field(gt=0, lt=1)]
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
    """All settings of a variance partition.

    Attributes
    ----------
    command : str
        Command that reproduces it.
    evaluation : str
        Folder of the evaluation whose models are partitioned.
    spaces : tuple of str
        Feature spaces; the model's is "model". Tables have columns ``r2_full``, ``alone_SPACE``,
        ``unique_SPACE``, and ``shared``.
    settings : dict
        Delays, regularisation, folds.
    methods : str
        Methods paragraph.
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
TABLES = ("scores", "targets", "runs")
OWN_FILES = {
    *INFO_FILES.values(),
    *(f"{table}.{ending}" for table in TABLES for ending in ("parquet", "csv")),
    *TARGETS_IMAGES,
    PREDICTIONS_FILE,
}


def write_table(folder: Path, name: str, table: Any) -> None:
    """Write a pandas table as ``NAME.parquet`` and ``NAME.csv``."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomically(folder / f"{name}.parquet", buffer.getvalue())
    shown = table.map(lambda value: text_cell(value) if isinstance(value, str) else value)
    write_atomically(folder / f"{name}.csv", shown.to_csv(index=False).encode())


def read_table(folder: Path, name: str) -> Any:
    """Read a table as written.

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
        raise FileNotFoundError(f"{path} is missing; recreate {folder}") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); recreate {folder}") from error


def write_info(folder: Path, info: EvaluationInfo | ComparisonInfo | PartitionInfo) -> None:
    """Write the JSON document, the last file of a folder."""
    document = info.model_dump(mode="json")
    write_atomically(folder / INFO_FILES[type(info)], json.dumps(document, indent=2).encode())


def read_info(folder: Path, kind: type[Info]) -> Info:
    """The document of a folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds no such result, or an unfinished one.
    ValueError
        If the document is damaged, or of another format version.
    """
    path = folder / INFO_FILES[kind]
    try:
        content = path.read_bytes()
        version = _Version.model_validate_json(content).format_version
        if version != FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {version}, expected {FORMAT_VERSION}; make {folder} "
                "again with this program"
            )
        return kind.model_validate_json(content)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{folder} holds no {path.stem} (no {path.name}), or an unfinished one"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "content"
        raise ValueError(f"{path}: its {place} is wrong: {first['msg']}") from error


def kind_of(folder: Path) -> type[EvaluationInfo] | type[ComparisonInfo] | type[PartitionInfo]:
    """Kind of result in a folder.

    Raises
    ------
    FileNotFoundError
        If it holds none.
    """
    for kind in (EvaluationInfo, ComparisonInfo, PartitionInfo):
        if (folder / INFO_FILES[kind]).exists():
            return kind
    raise FileNotFoundError(
        f"{folder} is not an evaluation, comparison or partition (none of "
        f"{', '.join(INFO_FILES.values())}); make one with python -m training evaluate"
    )


def begin_folder(folder: Path, kind: type[BaseModel]) -> None:
    """Prepare a folder; files of an interrupted command are removed.

    Parameters
    ----------
    folder : Path
        Need not exist.
    kind : type
        Kind of result: a key of ``INFO_FILES``.

    Raises
    ------
    FileExistsError
        If it holds a result, or anything not left by an interrupted command.
    """
    there = contents(folder)
    for each in there:
        if each.name in INFO_FILES.values():
            raise FileExistsError(
                f"{folder} already holds a complete {each.stem}; give another --out, or remove it"
            )
    foreign = [each.name for each in there if not _is_own(each)]
    if foreign:
        raise FileExistsError(
            f"{folder} is not empty and holds no unfinished {Path(INFO_FILES[kind]).stem} "
            f"(it has {', '.join(foreign[:3])}); give another --out"
        )
    for each in there:
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()
    sweep(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _is_own(path: Path) -> bool:
    """Whether a file belongs to a result, complete or temporary."""
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file()]
        return path.name == MODELS_FOLDER and all(
            each.name.endswith((".yaml", ".csv", ".tmp")) for each in files
        )
    return path.name in OWN_FILES

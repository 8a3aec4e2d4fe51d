"""Evaluation of finished fits on a prepared dataset, written to a folder for reports.

In two passes: models predict everything into ``predictions.h5``, stimulus by stimulus; then the
predictions are read, scored and tested for a block of targets at a time. At most the predictions of
one run are in memory, or all runs of a block.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from training.data.prepared import Prepared, Run, targets_image
from training.evaluation.ceilings import (
    ceilings_of,
    describe_ceilings,
    describe_inter_subject,
    inter_subject_of,
    refuse_missing_repeats,
    refuse_subjects_alone,
    with_other_subjects,
)
from training.evaluation.cross_validation import NOTE, load
from training.evaluation.folders import (
    MODELS_FOLDER,
    PREDICTIONS_FILE,
    EvaluationInfo,
    begin_folder,
    write_info,
    write_table,
)
from training.evaluation.measured import Measured
from training.evaluation.models import Model, model_names, untrained_like
from training.evaluation.notes import Notes
from training.evaluation.predictions import write_predictions
from training.evaluation.scoring import Scoring
from training.evaluation.selection import Selection, select
from training.evaluation.settings import EvaluationSettings
from training.evaluation.target_scores import INTERVAL
from training.provenance import git_revision, typed_command, versions
from training.statistics import check_permutations, smallest_p
from training.statistics.pooling import check_choice

logger = logging.getLogger(__name__)

USUAL = EvaluationSettings()
PACKAGES = ("scipy", "pandas", "h5py")  # packages that affect scores, besides those of a fit


@one_job_per_folder()
def evaluate(
    fits: Sequence[str | Path],
    out: str | Path,
    *,
    on: str | Path | None = None,
    names: Sequence[str] = (),
    settings: EvaluationSettings = USUAL,
    progress: bool = True,
) -> EvaluationInfo:
    """Score finished fits, with intervals, tests and references.

    Parameters
    ----------
    fits : sequence of path-like
        Folders of finished fits, or of cross-validations: then one model each.
    out : path-like
        The output folder, see :mod:`training.evaluation.folders`.
    on : path-like, optional
        The prepared dataset; by default that of all fits.
    names : sequence of str
        Names of the models; by default those of their folders.
    settings : EvaluationSettings
        All other choices.
    progress : bool
        Show progress bars.

    Raises
    ------
    FileExistsError
        If `out` is not empty.
    FileNotFoundError, ValueError
        If a fit or a dataset is missing or they are incompatible, or a setting is not valid for
        them.
    """
    if not fits:
        raise ValueError("expected at least one fit, got none")
    check_choice(settings.score, settings.pooling)
    models = [
        load(fitted, name) for fitted, name in zip(fits, model_names(fits, names), strict=True)
    ]
    models += _untrained(models, settings)
    prepared = _dataset(models, on)
    settings = _with_null(settings, prepared)
    selection = select(models, prepared, settings)
    n_targets = len(selection.target_ids)
    if settings.n_permutations:  # rejected early, before anything takes time
        check_permutations(settings.n_permutations, settings.alpha, n_targets, settings.correction)
    scored = _scored_runs(selection)
    runs_by_subject = with_other_subjects(scored, prepared)
    refuse_missing_repeats(scored, settings)
    refuse_subjects_alone(runs_by_subject, settings)

    folder = Path(out)
    begin_folder(folder, EvaluationInfo)
    _write_models(folder, models, prepared)
    write_predictions(
        folder / PREDICTIONS_FILE,
        models,
        prepared,
        selection.runs,
        selection.target_ids,
        progress=progress,
    )
    measured = Measured(prepared, selection.target_ids)
    references = {
        "ceiling_r": ceilings_of(measured, scored, settings),
        "inter_subject_r": inter_subject_of(measured, runs_by_subject, settings),
    }
    notes = Notes(settings)
    for model in models:
        if model.folds:
            notes.say(NOTE.format(name=model.name, n_folds=len(model.folds)))
    for doubt in prepared.doubts(_all_runs(selection)):
        notes.say(f"{doubt[0].upper()}{doubt[1:]}.")
    dropped = prepared.info.recipe.get("drop_start")
    if dropped and prepared.info.tr:
        notes.say(
            f"TRs that begin in the first {dropped:g} s of a stimulus are left out of the data, "
            "for fits and scores alike (drop_start)."
        )
    scoring = Scoring(folder, selection, measured, references, settings, notes)
    for name, table in scoring.tables(progress=progress).items():
        write_table(folder, name, table)
    info = EvaluationInfo(
        command=typed_command(),
        dataset=prepared.info.name,
        dataset_folder=str(prepared.folder),
        kind=prepared.info.kind,
        atlas=prepared.info.atlas,
        tr=prepared.info.tr,
        split=settings.split,
        target_ids=selection.target_ids,
        target_names=selection.target_names,
        models=tuple(model.info for model in models),
        subjects=selection.subjects,
        score=settings.score,
        pooling=settings.pooling,
        null=settings.null or "none",
        null_settings=_null_settings(settings),
        n_permutations=notes.fewest_permutations,
        smallest_p=smallest_p(notes.fewest_permutations),
        correction=settings.correction,
        alpha=settings.alpha,
        interval=_interval_in_words(settings, prepared),
        ceiling=describe_ceilings(scored, settings),
        inter_subject=describe_inter_subject(runs_by_subject, settings),
        excluded=(*selection.excluded, *notes.excluded()),
        notes=notes.sentences(),
        seed=settings.seed,
        git_revision=git_revision(),
        versions={**versions(), **{name: version(name) for name in PACKAGES}},
    )
    write_info(folder, info)
    for note in info.notes:
        logger.warning("note: %s", note)
    return info


def _untrained(models: Sequence[Model], settings: EvaluationSettings) -> list[Model]:
    names = [f"untrained-{number}" for number in range(settings.untrained)]
    taken = {model.name for model in models} & set(names)
    if taken:
        raise ValueError(
            f"{', '.join(sorted(taken))} is what untrained models are called; give the run another "
            "--name"
        )
    return [
        untrained_like(models[0], name, settings.seed + number) for number, name in enumerate(names)
    ]


def _all_runs(selection: Selection) -> Iterator[Run]:
    for by_subject in selection.runs.values():
        for runs in by_subject.values():
            yield from runs


def _dataset(models: Sequence[Model], on: str | Path | None) -> Prepared:
    """The given dataset, or that of all models."""
    if on is not None:
        return Prepared(on)
    folders = {str(model.data.folder.resolve()): model.data for model in models}
    if len(folders) > 1:
        raise ValueError(
            f"these fits have different datasets ({', '.join(sorted(folders))}); say with "
            "--on which one they are evaluated on"
        )
    return next(iter(folders.values()))


def _with_null(settings: EvaluationSettings, prepared: Prepared) -> EvaluationSettings:
    """The default null if none was chosen.

    Raises
    ------
    ValueError
        If the chosen one is not valid for the data.
    """
    are_sounds = prepared.info.kind == "sound_responses"
    if settings.null is None:
        usual = "shuffle" if are_sounds else "circular_shift"
        return settings.model_copy(update={"null": usual})
    if are_sounds and settings.null != "shuffle":
        raise ValueError(
            f"the null {settings.null!r} is for time series, and {prepared.folder} holds responses "
            "to sounds without a time axis; leave null out, or give null=shuffle"
        )
    if settings.null == "shuffle" and not are_sounds:
        raise ValueError(
            "the null 'shuffle' takes single TRs for independent, which in BOLD they are not: its "
            "p values are much too small; give null=circular_shift, block_permutation or "
            "phase_randomised"
        )
    return settings


def _scored_runs(selection: Selection) -> dict[str, list[Run]]:
    """Runs of each subject that some model is scored on."""
    scored: dict[str, dict[Run, None]] = {subject: {} for subject in selection.subjects}
    for of_subjects in selection.runs.values():
        for subject, runs in of_subjects.items():
            scored[subject].update(dict.fromkeys(runs))
    return {subject: list(runs) for subject, runs in scored.items()}


def _write_models(folder: Path, models: Sequence[Model], prepared: Prepared) -> None:
    """Write recipes and learning curves, and the image of the targets if there is one."""
    for model in models:
        for name, content in model.files.items():
            write_atomically(folder / MODELS_FOLDER / model.name / name, content)
    image = targets_image(prepared.folder)
    if image is not None:
        write_atomically(folder / image.name, image.read_bytes())


def _null_settings(settings: EvaluationSettings) -> dict[str, object]:
    match settings.null:
        case "circular_shift":
            return {"min_shift_trs": settings.min_shift}
        case "block_permutation":
            return {"block_trs": settings.block_trs}
    return {}


def _interval_in_words(settings: EvaluationSettings, prepared: Prepared) -> str:
    means = "studentised bootstrap, below 8 of them by Student's t"
    start = f"{INTERVAL:.0%} confidence intervals"
    if prepared.info.kind == "sound_responses":
        return (
            f"{start} over sounds: studentised bootstrap of jackknife pseudo-values (of r on the "
            f"scale of Fisher's z); of all subjects together over subjects: {means}"
        )
    how = means
    if settings.pooling == "concatenated":
        how += ", of jackknife pseudo-values (of r on the scale of Fisher's z)"
    return f"{start} over runs: {how}; of all subjects together over subjects: {means}"

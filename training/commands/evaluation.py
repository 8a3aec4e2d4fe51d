"""Commands that evaluate models: ``evaluate`` and ``compare``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Score, Side
from training.statistics import BLOCK_TRS, MIN_SHIFT, Correction, Null, Pooling


class RunChoice(StrEnum):
    """Selection of held-out runs to score."""

    shared = "shared"
    own = "own"


class CeilingChoice(StrEnum):
    """Source of the noise ceiling."""

    none = "none"
    repeats = "repeats"


class PairedCorrection(StrEnum):
    """Corrections available for a paired test."""

    bh = "bh"
    by = "by"
    none = "none"


Level = Annotated[float, typer.Option(help="Significance level.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of permutations and intervals.")]


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished fits.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    on: Annotated[
        Path | None, typer.Option(help="Prepared dataset; by default that of the fits.")
    ] = None,
    split: Annotated[Side, typer.Option(help="Side to score.")] = Side.test,
    which: Annotated[
        RunChoice,
        typer.Option(
            "--runs",
            help="Runs held out for all models, or for each its own (cross-validation).",
        ),
    ] = RunChoice.shared,
    subject: Annotated[
        list[str] | None, typer.Option(help="Subject to score, repeatable; by default all.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of a model, once per fit; by default its folder's."),
    ] = None,
    untrained: Annotated[
        int, typer.Option(min=0, help="Number of models with random weights to add.")
    ] = 0,
    score: Annotated[Score, typer.Option(help="Score that is tested.")] = Score.r,
    pooling: Annotated[Pooling, typer.Option(help="Over runs.")] = "mean",
    null: Annotated[
        Null | None,
        typer.Option(help="By default circular_shift; for sound responses always shuffle."),
    ] = None,
    permutations: Annotated[int, typer.Option(min=0, help="0 for no p values.")] = 1000,
    min_shift: Annotated[
        int, typer.Option(min=1, help="Minimal circular shift in TRs.")
    ] = MIN_SHIFT,
    block_trs: Annotated[int, typer.Option(min=1, help="Block length in TRs.")] = BLOCK_TRS,
    correction: Annotated[Correction, typer.Option(help="Multiple-comparison correction.")] = "by",
    level: Level = 0.05,
    ceiling: Annotated[CeilingChoice, typer.Option(help="Noise ceiling.")] = CeilingChoice.none,
    ceiling_floor: Annotated[
        float, typer.Option(help="Minimal ceiling for a normalised score.")
    ] = 0.1,
    inter_subject: Annotated[
        bool,
        typer.Option(
            "--inter-subject",
            help="Correlate each subject with the mean of the others (no noise ceiling).",
        ),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Score fits on held-out runs, with p values, intervals and noise ceilings."""
    from training.config import validate
    from training.evaluation.evaluate import evaluate
    from training.evaluation.settings import EvaluationSettings

    choices = {
        "side": split.value,
        "runs": which.value,
        "subjects": tuple(subject or ()),
        "untrained": untrained,
        "score": score.value,
        "pooling": pooling,
        "null": null,
        "n_permutations": permutations,
        "min_shift": min_shift,
        "block_trs": block_trs,
        "correction": correction,
        "level": level,
        "ceiling": ceiling.value,
        "ceiling_floor": ceiling_floor,
        "inter_subject": inter_subject,
        "seed": seed,
    }
    settings = validate(choices, EvaluationSettings, (), source="options")
    info = evaluate(runs, out, on=on, names=name or (), settings=settings)
    p = "no p values"
    if info.n_permutations:
        p = f"smallest possible p {info.smallest_p:.2g}"
    typer.echo(
        f"{out}: {len(info.models)} models, {len(info.subjects)} subjects, "
        f"{len(info.target_ids)} targets; {p}; see {out / 'targets.csv'} and {out / 'scores.csv'}"
    )


def compare(
    a: Annotated[str, typer.Argument(help="EVAL or EVAL:MODEL; MODEL may be a pattern.")],
    b: Annotated[str, typer.Argument(help="Baseline, in the same form.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    score: Annotated[Score | None, typer.Option(help="By default that of A's evaluation.")] = None,
    correction: Annotated[
        PairedCorrection, typer.Option(help="Multiple-comparison correction.")
    ] = PairedCorrection.by,
    level: Level = 0.05,
    seed: Seed = 0,
) -> None:
    """Compare two models on the same runs: paired test, effect size and interval of A - B."""
    from training.config import validate
    from training.evaluation.compare import ComparisonSettings, compare_models

    choices = {
        "score": score and score.value,
        "correction": correction.value,
        "level": level,
        "seed": seed,
    }
    settings = validate(choices, ComparisonSettings, (), source="options")
    info = compare_models(a, b, out, settings)
    typer.echo(
        f"{out}: {info.a} better in {info.n_better}, worse in {info.n_worse} targets; smallest "
        f"possible p {info.smallest_p:.2g}; see {out / 'targets.csv'}"
    )

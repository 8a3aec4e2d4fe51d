"""Commands on fits: ``evaluate``, ``compare``, ``partition``, ``report`` and ``submission``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Changes, apart, read_settings

Out = Annotated[Path, typer.Option(help="Folder to write.")]


def evaluate(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FIT|KEY=VALUE",
            help="Folders of fits, or of fit --folds; settings, see below.",
        ),
    ],
    out: Out,
    on: Annotated[
        Path | None, typer.Option(help="Prepared dataset; by default that of the fits.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name of a model, once per fit; by default its folder's."),
    ] = None,
) -> None:
    """Score fits on held-out runs, with p values, intervals and noise ceilings."""
    from training.evaluation.evaluate import evaluate
    from training.evaluation.settings import EvaluationSettings

    fits, changes = apart(arguments)
    settings = read_settings(EvaluationSettings, changes)
    info = evaluate(fits, out, on=on, names=name or (), settings=settings)
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
    out: Out,
    changes: Changes = None,
) -> None:
    """Compare two models on the same runs: paired test, effect size and interval of A - B."""
    from training.evaluation.compare import ComparisonSettings, compare_models

    settings = read_settings(ComparisonSettings, changes)
    info = compare_models(a, b, out, settings)
    typer.echo(
        f"{out}: {info.a} better in {info.n_better}, worse in {info.n_worse} targets; smallest "
        f"possible p {info.smallest_p:.2g}; see {out / 'targets.csv'}"
    )


def partition(
    evaluation: Annotated[Path, typer.Argument(help="Folder of an evaluation.")],
    out: Out,
    changes: Changes = None,
) -> None:
    """Partition explained variance between models and level, spectrogram and modulation of the
    audio."""
    from training.partition import PartitionSettings, partition

    info = partition(evaluation, out, read_settings(PartitionSettings, changes))
    typer.echo(f"{out}: unique and shared R² of {', '.join(info.spaces)}; see {out}/targets.csv")


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of evaluate, compare and partition.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the page.")],
    title: Annotated[str, typer.Option(help="Heading; by default the names of the datasets.")] = "",
    mesh: Annotated[
        list[Path] | None,
        typer.Option(
            help="Surface to draw on, the left hemisphere and then the right one, for targets on "
            "another surface than fsaverage5."
        ),
    ] = None,
) -> None:
    """Write a self-contained HTML report of evaluations, comparisons and partitions."""
    from training.report import write_report

    typer.echo(write_report(folders, out, title=title, mesh=mesh or (), progress=True))


def submission(
    fits: Annotated[list[Path], typer.Argument(metavar="FIT", help="Folders of finished fits.")],
    out: Annotated[Path, typer.Option(help="OUT.zip")],
    data: Annotated[
        Path | None, typer.Option(help="Prepared dataset whose runs are predicted.")
    ] = None,
    stimuli: Annotated[
        Path | None, typer.Option(help="Or a folder of films, with --samples.")
    ] = None,
    samples: Annotated[
        list[Path] | None,
        typer.Option(
            help="Numbers of TRs: target_sample_number/*.npy of the challenge, once per subject, "
            "or a csv table of subject, episode, n_trs."
        ),
    ] = None,
    episodes: Annotated[str, typer.Option(help="Pattern of episodes, such as 's07*'.")] = "*",
) -> None:
    """Write predictions as a submission to Algonauts 2025.

    The file holds pickled numpy objects, because the challenge takes them so.
    """
    from hear_brainsoundnet.command_line import WrongCall
    from training.evaluation.submission import PreparedSounds, StimulusSounds, write_submission

    if data is not None and stimuli is None and not samples:
        sounds: PreparedSounds | StimulusSounds = PreparedSounds(data)
    elif data is None and stimuli is not None and samples:
        sounds = StimulusSounds(stimuli, samples)
    else:
        raise WrongCall("give either --data, or --stimuli with --samples")
    done = write_submission(fits, out, sounds, episodes=episodes, progress=True)
    written = ", ".join(f"{subject} {n}" for subject, n in done.items())
    typer.echo(f"{out} written, episodes: {written}")

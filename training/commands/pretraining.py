"""Commands for pretraining on sound: ``pretrain`` and ``teach``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted
from training.commands.options import Changes

CHECKPOINT = "soundnet.safetensors"


def pretrain(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")],
    out: Annotated[Path, typer.Option(help="Folder of the pretraining.")],
    changes: Changes = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the pretraining in OUT.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")] = "",
) -> None:
    """Train SoundNet on an unlabelled audio corpus; writes OUT/soundnet.safetensors."""
    from training.config import read_recipe
    from training.pretraining.folder import write_pretrained
    from training.pretraining.loop import pretrain
    from training.pretraining.recipe import PretrainRecipe

    settings = read_recipe(recipe, PretrainRecipe, changes or ())
    try:
        pretrain(settings, out, resume=resume, name=name)
    except KeyboardInterrupt:
        raise Interrupted("; the same command with --resume continues") from None
    digest = write_pretrained(out, out / CHECKPOINT, name=name)
    typer.echo(f"{out / CHECKPOINT} written, hash {digest}; see {out / 'curves.png'}")


def teach(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
    module: Annotated[
        str,
        typer.Argument(
            help="A module with the HEAR API: training.teachers.yamnet, .speech_embedding, "
            ".aisfx, or any installed one."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the table.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Weight file for load_model; by default the module's own.")
    ] = None,
    scene: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Use scene embeddings of windows of this many seconds, 50 % overlap, instead of "
            "timestamp embeddings.",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of recordings, by default all; may be repeated."),
    ] = None,
    shortest: Annotated[
        float, typer.Option(min=0, help="Minimal duration of recordings in seconds.")
    ] = 0.0,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A table of the same teacher over the first recordings of this corpus, which are "
            "not embedded again; needs --from-corpus.",
        ),
    ] = None,
    earlier_corpus: Annotated[
        Path | None, typer.Option("--from-corpus", help="Folder of the corpus of that table.")
    ] = None,
) -> None:
    """Embed every recording of a corpus with a teacher network, as targets for pretraining.

    The same command resumes an unfinished table.
    """
    import numpy as np

    from training.corpus.corpus import Corpus
    from training.teachers.building import EarlierTable, build_table
    from training.teachers.teacher import Teacher

    if (earlier is None) != (earlier_corpus is None):
        given = "--from" if earlier else "--from-corpus"
        raise ValueError(f"expected --from TABLE and --from-corpus CORPUS, got {given} alone")
    opened = Corpus.open(corpus)
    known = None
    if earlier and earlier_corpus:
        known = EarlierTable.open(earlier, Corpus.open(earlier_corpus))
    teacher = Teacher(module, checkpoint, scene_seconds=scene)
    try:
        table = build_table(
            opened,
            teacher,
            out,
            kinds=kind or (),
            shortest=shortest,
            earlier=known,
            progress=True,
        )
    except KeyboardInterrupt:
        raise Interrupted("; the same command resumes") from None
    n_taken = np.count_nonzero(table.n_frames)
    typer.echo(
        f"{out}: {table.n_frames.sum()} embeddings of {table.size} values, from {n_taken} of "
        f"{len(opened)} recordings"
    )

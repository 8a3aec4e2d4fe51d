"""The command ``teach``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted


def teach(
    corpus: Annotated[Path, typer.Argument(help="Folder of a corpus.")],
    module: Annotated[
        str,
        typer.Argument(
            help="A module with the HEAR API: training.teachers.yamnet, .speech_embedding, .aisfx, "
            "or any that is installed."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the table.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="The file that the module loads; else its default.")
    ] = None,
    scene: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Take scene embeddings of this many seconds, every half of it, in place of "
            "timestamp embeddings.",
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of recordings to take, else all; may be repeated."),
    ] = None,
    shortest: Annotated[
        float, typer.Option(min=0, help="Seconds; shorter recordings are left out.")
    ] = 0.0,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A table of the same teacher over the first recordings of this corpus, which are "
            "not heard again; needs --from-corpus.",
        ),
    ] = None,
    earlier_corpus: Annotated[
        Path | None, typer.Option("--from-corpus", help="Folder of the corpus of that table.")
    ] = None,
) -> None:
    """Compute what a network says of every recording of a corpus, for SoundNet to learn.

    The same command goes on with a table that is not whole.
    """
    import numpy as np

    from training.corpus.corpus import Corpus
    from training.teachers.building import build_table
    from training.teachers.earlier import EarlierTable
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
        raise Interrupted("; the same command goes on") from None
    n_taken = np.count_nonzero(table.n_frames)
    typer.echo(
        f"{out}: {table.n_frames.sum()} embeddings of {table.size} values, from {n_taken} of "
        f"{len(opened)} recordings"
    )

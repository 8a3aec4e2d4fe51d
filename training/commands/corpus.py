"""Commands for corpora to pretrain on.

``corpus debian``, ``folder``, ``mixtures``, ``show`` and ``check``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import new_app

if TYPE_CHECKING:
    from training.corpus.held_out import HeldOut

app = new_app("corpus", "Audio corpora for pretraining.")

Out = Annotated[Path, typer.Option(help="Folder of the corpus; must not exist.")]
Workers = Annotated[int, typer.Option(min=1, help="Number of decoding processes.")]
Against = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of evaluation recordings to exclude; may be repeated. By default those of "
        "the data in BRAINSOUNDNET_DATA."
    ),
]
CorpusFolder = Annotated[Path, typer.Argument(help="Folder of a corpus.")]


@app.command()
def debian(
    out: Out,
    cache: Annotated[Path, typer.Option(help="Folder for downloads and synthesised files.")] = Path(
        "corpus-cache"
    ),
    only: Annotated[
        list[str] | None,
        typer.Option(help="A package, espeak-ng, fluidsynth or words, else all; may be repeated."),
    ] = None,
    against: Against = None,
    workers: Workers = 2,
) -> None:
    """Build a corpus of Debian packages and of speech and music synthesised by free programs."""
    from training.corpus.build import build
    from training.corpus.debian import debian_sources

    held_out = _held_out(against)
    # Everything is fetched before hours of decoding, so that a wrong name fails at once.
    sources = list(debian_sources(cache, only or (), progress=True))
    manifest = build(sources, out, held_out=held_out, workers=workers, progress=True)
    typer.echo(f"{out}: {manifest.hours:.1f} hours from {len(manifest.sources)} sources")


@app.command()
def folder(
    audio: Annotated[Path, typer.Argument(help="Folder of audio files.")],
    out: Out,
    licence: Annotated[
        str, typer.Option(help="Licence of the files, for the manifest.")
    ] = "unknown",
    kind: Annotated[str, typer.Option(help="Content of the files: speech, music, ...")] = "any",
    against: Against = None,
    workers: Workers = 2,
) -> None:
    """Build a corpus of every audio file in a folder."""
    from training.corpus.build import build
    from training.corpus.source import folder_source

    sources = [folder_source(audio, kind, licence)]
    held_out = _held_out(against)
    manifest = build(sources, out, held_out=held_out, workers=workers, progress=True)
    typer.echo(f"{out}: {manifest.hours:.2f} hours")


@app.command()
def mixtures(
    corpus: CorpusFolder,
    out: Out,
    hours: Annotated[float, typer.Option(min=0, help="Of mixtures.")] = 6.0,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds draw other mixtures.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Number of mixing processes.")] = 2,
) -> None:
    """Build a corpus of all recordings of another one and mixtures of them.

    A mixture is a scene of 5 s: often a background, and one to four events such as effects or
    animals.
    """
    from training.corpus.corpus import Corpus
    from training.corpus.mixtures import add_mixtures

    mixed = add_mixtures(
        Corpus.open(corpus), out, hours=hours, seed=seed, workers=workers, progress=True
    )
    typer.echo(
        f"{out}: {mixed.hours:.2f} hours, of which {mixed.manifest.sources[-1].hours:.2f} are "
        "mixtures"
    )


@app.command()
def show(corpus: CorpusFolder) -> None:
    """Print the composition of a corpus: hours by source, kind and licence."""
    from training.corpus.corpus import Corpus, describe

    typer.echo(describe(Corpus.open(corpus)))


@app.command()
def check(
    corpus: CorpusFolder,
    against: Against = None,
    hashes: Annotated[
        Path | None, typer.Option(help="Write the hashes of the recordings here.")
    ] = None,
) -> None:
    """Search a corpus for evaluation recordings; exit status 1 if there are any."""
    from training.corpus.corpus import Corpus
    from training.corpus.held_out import matches, write_hashes

    opened = Corpus.open(corpus)
    held_out = _held_out(against)
    if held_out is None:
        raise ValueError("no evaluation recordings to search for; give their folder with --against")
    found = matches(opened, held_out, progress=True)
    for i, reason in found.items():
        row = opened.recordings.iloc[i]
        typer.echo(f"recording {i} ({row['source']}, {row['file']}): {reason}")
    if found:
        raise ValueError(
            f"{len(found)} of {len(opened)} recordings of {corpus} are held out; rebuild it"
        )
    if hashes is not None:
        write_hashes(opened, hashes)
    typer.echo(f"none of {len(held_out.names)} evaluation recordings is in {corpus}")


def _held_out(against: list[Path] | None) -> HeldOut | None:
    from training.corpus.held_out import HeldOut, evaluation_folders

    if folders := evaluation_folders(against):
        return HeldOut(folders)
    typer.echo(
        "no evaluation recordings are excluded: set BRAINSOUNDNET_DATA or give --against", err=True
    )
    return None

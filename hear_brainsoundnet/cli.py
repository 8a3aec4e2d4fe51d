"""The command line: ``hear-brainsoundnet embed | info | convert``.

Errors are one line on standard error without a traceback. Exit status: 0 all well, 1 something
failed (a file could not be read, say), 2 a wrong call, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall, run_program, say
from hear_brainsoundnet.foreign import KINDS

PROGRAM = "hear-brainsoundnet"

app = typer.Typer(
    name=PROGRAM,
    help="Brain-aligned SoundNet embeddings of audio files.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Brain-aligned SoundNet embeddings of audio files."""


@app.command()
def embed(
    paths: Annotated[list[Path], typer.Argument(help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    kind: Annotated[str, typer.Option(help="scene, timestamps or both.")] = "both",
    checkpoint: Annotated[str, typer.Option(help="A file or a name.")] = "default",
    preset: Annotated[str, typer.Option(help="default or paper.")] = "default",
    scene: Annotated[str | None, typer.Option(help="Stages, as conv4:mean,std+conv7.")] = None,
    timestamps: Annotated[str | None, typer.Option(help="Stages, as conv4+conv5.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    jobs: Annotated[int, typer.Option(min=0, help="Files at a time; 0: one per core.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite other results.")] = False,
) -> None:
    """Embed audio files (WAV, FLAC, Ogg, MP3; any rate, any number of channels).

    Writes OUT/scene.npy (one row per file), OUT/files.csv, OUT/timestamps/NAME.npz and
    OUT/settings.json. Stopped and started again, it goes on where it was.
    """
    from tqdm import tqdm

    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.folder import KINDS as EMBEDDING_KINDS
    from hear_brainsoundnet.folder import embed_files, find_audio
    from hear_brainsoundnet.named import load_checkpoint
    from hear_brainsoundnet.progress import Record

    _check_choice("--kind", kind, EMBEDDING_KINDS)
    place = _find_device(device)
    try:
        entries = find_audio(paths)
        loaded = load_checkpoint(checkpoint)
        model = EmbeddingModel(
            loaded,
            sample_rate=loaded.card.sample_rate,
            preset=preset,
            scene=scene,
            timestamps=timestamps,
        ).to(place)
    except (ValueError, FileNotFoundError) as error:
        raise WrongCall(str(error)) from error

    with tqdm(total=len(entries), unit="file", disable=None, file=sys.stderr) as bar:

        def on_file(record: Record) -> None:
            bar.update()
            if record.status != "ok":
                bar.write(f"{PROGRAM}: {record.name}: {record.error}", file=sys.stderr)

        n_jobs = jobs or (len(os.sched_getaffinity(0)) if place == "cpu" else 2)
        try:
            records = embed_files(
                entries,
                out,
                model,
                kind=kind,
                device=place,
                jobs=n_jobs,
                force=force,
                on_file=on_file,
            )
        except ValueError as error:
            raise WrongCall(str(error)) from error
        except OSError as error:
            raise OSError(
                f"cannot write results to {out}: {error.strerror or error}; what was finished is "
                "kept, the same command goes on from there"
            ) from error
        except KeyboardInterrupt:
            bar.close()
            say(
                PROGRAM,
                f"interrupted after {bar.n} of {len(entries)} files; the same command goes on",
            )
            raise typer.Exit(130) from None
    failed = sum(record.status != "ok" for record in records)
    seconds = sum(record.duration_s or 0 for record in records)
    typer.echo(
        f"{len(records) - failed} of {len(records)} files ({seconds:.1f} s of audio) embedded with "
        f"{loaded.card.name} [{loaded.hash[:12]}], preset {preset}, on {place}: {out}"
    )
    if failed:
        say(
            PROGRAM,
            f"{failed} of {len(records)} files could not be embedded; see {out / 'files.csv'}",
        )
        raise typer.Exit(1)


@app.command()
def info(
    checkpoint: Annotated[str, typer.Argument(help="A file or a name.")] = "default",
    markdown: Annotated[bool, typer.Option("--markdown", help="Only the table of stages.")] = False,
) -> None:
    """Print the card of a checkpoint: stages, rates, provenance, scores, licence, hash."""
    from hear_brainsoundnet.describe import describe, stage_table
    from hear_brainsoundnet.named import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    typer.echo(
        stage_table(loaded.card.layers, loaded.card.sample_rate) if markdown else describe(loaded)
    )


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A foreign weight file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.safetensors")],
    kind: Annotated[str, typer.Option("--from", help=f"What IN is: {', '.join(KINDS)}.")],
    input_scale: Annotated[
        float | None,
        typer.Option(
            help="Amplitude that the weights expect for full scale; by default 256 for "
            "original SoundNet weights, 1 for brain-aligned ones."
        ),
    ] = None,
    tr: Annotated[float, typer.Option(help="Repetition time of a read-out, in seconds.")] = 1.49,
    atlas: Annotated[str, typer.Option(help="Atlas of a read-out's targets.")] = "",
    allow_initial_batchnorm: Annotated[
        bool,
        typer.Option(
            "--allow-initial-batchnorm",
            help="Accept weights whose BatchNorm was never trained or was lost in a port.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Convert foreign weights to a checkpoint; nothing in IN is ever executed."""
    from hear_brainsoundnet.conversion import convert as convert_weights

    _check_choice("--from", kind, KINDS)
    if target.exists() and not force:
        raise WrongCall(f"{target} exists; use --force to overwrite")
    digest = convert_weights(
        source,
        target,
        kind,
        input_scale=input_scale,
        allow_initial_batchnorm=allow_initial_batchnorm,
        tr=tr,
        atlas=atlas,
    )
    typer.echo(f"{target} written, hash {digest}")


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command and turns errors into one line and an exit status."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    run_program(app, PROGRAM, arguments)


def _check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise WrongCall(f"{option} must be one of {', '.join(choices)}, got {value!r}")


def _find_device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise WrongCall(f"device {name!r} cannot be used here: {reason}") from error
    return str(device)

"""The commands ``embed`` and ``merge``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hear_brainsoundnet.command_line import Interrupted, WrongCall, say, wrong_call
from hear_brainsoundnet.commands.options import (
    PROGRAM,
    CheckpointName,
    Device,
    Jobs,
    Level,
    Preset,
    Quiet,
    SceneStages,
    TimestampStages,
    check_choice,
    device_of,
    load_model,
)

if TYPE_CHECKING:
    from hear_brainsoundnet.batch.shards import Shard
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.results import Record, SceneTable
    from hear_brainsoundnet.sound_files import Entry
    from hear_brainsoundnet.windows import Windows


def embed(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Audio files, or folders to search; -: a list from standard input."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    kind: Annotated[str, typer.Option(help="scene, timestamps or both.")] = "both",
    checkpoint: CheckpointName = "default",
    preset: Preset = "default",
    scene: SceneStages = None,
    timestamps: TimestampStages = None,
    level: Level = None,
    window: Annotated[
        float | None, typer.Option(help="Embed windows of this many seconds as scenes.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(help="Step between windows in seconds; by default their length.")
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Also write scene.parquet.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="NUMBER/COUNT", help="Embed only this share of the files: 3/40."),
    ] = None,
    device: Device = "auto",
    jobs: Jobs = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite other results.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="When resuming, also compare file contents.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Embed audio files (WAV, FLAC, Ogg, MP3, with PyAV films and more; any rate).

    Writes OUT/scene.npy (one row per file or window), OUT/files.csv, OUT/timestamps/NAME.npz and
    OUT/settings.json. An interrupted command resumes when started again.
    """
    from hear_brainsoundnet.batch import KINDS

    check_choice("--kind", kind, KINDS)
    if kind == "timestamps" and (window is not None or parquet):
        raise WrongCall(
            "--window and --parquet apply to scenes, which --kind timestamps leaves out"
        )
    windows = _windows(window, hop)
    part = _shard(shard)
    entries = _entries(paths)
    model = load_model(checkpoint, preset, scene, level, device, timestamps=timestamps)
    options = {"kind": kind, "force": force, "check": check, "windows": windows, "parquet": parquet}
    records = embed_shown(entries, out, model, jobs, quiet=quiet, shard=part, **options)
    failed = sum(not record.is_ok for record in records)
    seconds = sum(record.duration_s or 0 for record in records)
    if not quiet:
        typer.echo(
            f"{len(records) - failed} of {len(records)} files ({seconds:.1f} s of audio) embedded "
            f"with {model.card.name} [{model.checkpoint_hash[:12]}], preset {preset}, on "
            f"{device_of(model)}: {out}"
        )
    if failed:
        say(
            PROGRAM,
            f"{failed} of {len(records)} files could not be embedded; see {out / 'files.csv'}",
        )
        raise typer.Exit(1)


def merge(
    parts: Annotated[list[Path], typer.Argument(help="Results of embed --shard, all of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for all results.")],
) -> None:
    """Merge the results of shards: the same bytes as from one command over all files."""
    from hear_brainsoundnet.batch.shards import merge_shards

    with wrong_call():
        records = merge_shards(parts, out)
    failed = sum(not record.is_ok for record in records)
    more = f", {failed} of them failed" if failed else ""
    typer.echo(f"{out}: {len(records)} files of {len(parts)} shards{more}")


def embed_shown(
    entries: list[Entry],
    out: Path,
    model: EmbeddingModel,
    jobs: int,
    *,
    quiet: bool,
    shard: Shard | None = None,
    **options: Any,
) -> list[Record]:
    """Embed files with a progress bar and a line for each failure; see :func:`embed_files`."""
    from tqdm import tqdm

    from hear_brainsoundnet.batch import embed_files, n_cores
    from hear_brainsoundnet.sound_files import printable

    place = device_of(model)
    n_done = 0
    n_files = len(shard.of(entries)) if shard else len(entries)
    with tqdm(total=n_files, unit="file", disable=True if quiet else None, file=sys.stderr) as bar:

        def on_file(record: Record) -> None:
            nonlocal n_done
            n_done += 1
            bar.update()
            if record.error:
                line = printable(f"{PROGRAM}: {record.name}: {record.error}")
                bar.write(line, file=sys.stderr)

        try:
            return embed_files(
                entries,
                out,
                model,
                device=place,
                jobs=jobs or (n_cores() if place == "cpu" else 2),
                on_file=on_file,
                shard=shard,
                **options,
            )
        except ValueError as error:
            raise WrongCall(str(error)) from error
        except BlockingIOError:
            raise
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            raise OSError(
                f"cannot write results to {out}: {reason}; finished files are kept, the same "
                "command resumes from there"
            ) from error
        except KeyboardInterrupt:
            bar.close()
            raise Interrupted(
                f" after {n_done} of {n_files} files; the same command resumes"
            ) from None


def embed_scenes(
    entries: list[Entry], model: EmbeddingModel, jobs: int, *, quiet: bool
) -> tuple[list[Record], SceneTable]:
    """Scene embeddings of files, and their records; no results are kept on disk."""
    from hear_brainsoundnet.results import read_scene_table

    with tempfile.TemporaryDirectory() as out:
        records = embed_shown(entries, Path(out), model, jobs, quiet=quiet, kind="scene")
        return records, read_scene_table(Path(out))


def _windows(length: float | None, hop: float | None) -> Windows | None:
    from hear_brainsoundnet.windows import Windows

    if length is None:
        if hop is not None:
            raise WrongCall("--hop is the step of --window, which was not given")
        return None
    with wrong_call("--"):
        return Windows(length, length if hop is None else hop)


def _shard(text: str | None) -> Shard | None:
    from hear_brainsoundnet.batch.shards import Shard

    with wrong_call("--shard "):
        return None if text is None else Shard.parse(text)


def _entries(paths: list[Path]) -> list[Entry]:
    from hear_brainsoundnet.sound_files import find_audio, listed_files

    with wrong_call():
        if Path("-") not in paths:
            return find_audio(paths)
        if len(paths) > 1:
            raise ValueError("- is a list of files from standard input and stands alone")
        return listed_files(sys.stdin.buffer.read())

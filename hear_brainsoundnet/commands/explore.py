"""The command ``explore``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted, WrongCall
from hear_brainsoundnet.commands.embed import (
    CheckpointName,
    Device,
    Jobs,
    Level,
    Quiet,
    SceneStages,
    embed_scenes,
    load_model,
)
from hear_brainsoundnet.commands.options import check_choice

if TYPE_CHECKING:
    from hear_brainsoundnet.explore import Excerpt
    from hear_brainsoundnet.records import Record
    from hear_brainsoundnet.results import SceneTable


def explore(
    folder: Annotated[
        Path, typer.Argument(metavar="IN", help="Output of embed, or a folder of audio files.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.")] = Path("explore.html"),
    kind: Annotated[
        str, typer.Option("--map", help="pca, or tsne (neighbours stay together).")
    ] = "pca",
    seconds: Annotated[float, typer.Option(min=0.5, help="Longest excerpt to listen to.")] = 3.0,
    megabytes: Annotated[
        float, typer.Option(min=0.1, help="Limit of the excerpts' size; more are made shorter.")
    ] = 50.0,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Whether the page can be listened to.")
    ] = True,
    checkpoint: CheckpointName = "default",
    preset: Annotated[str | None, typer.Option(help="default or paper.")] = None,
    scene: SceneStages = None,
    level: Level = None,
    device: Device = "auto",
    jobs: Jobs = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier page.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make a page to listen with: a map of recordings on which similar ones lie close together.

    One HTML file that needs no network: point to see a name, click to hear an excerpt and to see
    the nearest neighbours; find by name and by folder. A folder of audio files is embedded first;
    for many files, embed them once and give the results.
    """
    from hear_brainsoundnet.explore import MAPS, page, seconds_within
    from hear_brainsoundnet.files import write_atomically

    check_choice("--map", kind, MAPS)
    if not folder.is_dir():
        raise WrongCall(f"no such folder: {folder}")
    if out.exists() and not force:
        raise WrongCall(f"{out} exists; use --force to overwrite")
    if (folder / "settings.json").exists():
        if preset or scene or level or checkpoint != "default":
            raise WrongCall(
                f"{folder} is embedded already: leave out --checkpoint, --preset, --scene, --level"
            )
        table, records, made = _read(folder)
    else:
        table, records, made = _embed(
            folder, checkpoint, preset or "default", scene, level, device, jobs, quiet=quiet
        )
    if len(table.names) < 2:
        raise WrongCall(f"{folder} holds fewer than two recordings that could be embedded")
    sources = {record.name: record for record in records}
    notes = [f"{len(table.names)} scene embeddings by {made}, z-scored", _MAPS[kind]]
    excerpts = None
    try:
        if audio:
            durations = [
                stop - start if stop else sources[name].duration_s or 0.0
                for name, (start, stop) in zip(table.names, _times(table), strict=True)
            ]
            length = seconds_within(durations, seconds, megabytes)
            notes.append(f"Excerpts: the first {length:g} s, mono at 22,050 Hz, MP3")
            excerpts = _excerpts(table, sources, length, quiet=quiet)
        document = page(folder.resolve().name, table, excerpts, kind=kind, notes=notes)
    except ValueError as error:
        raise WrongCall(str(error)) from error
    write_atomically(out, document.encode())
    if not quiet:
        size = out.stat().st_size / 1e6
        typer.echo(f"{len(table.names)} recordings, {size:.1f} MB: open {out} in a browser")


_MAPS = {
    "pca": "Map: their first two principal components",
    "tsne": "Map: t-SNE, in which neighbours are near and long distances mean little",
}


def _times(table: SceneTable) -> list[tuple[float, float]]:
    return table.times or [(0.0, 0.0)] * len(table.names)


def _excerpts(
    table: SceneTable, sources: dict[str, Record], seconds: float, *, quiet: bool
) -> Iterator[Excerpt]:
    from tqdm import tqdm

    from hear_brainsoundnet.explore import excerpt

    rows = list(zip(table.names, _times(table), strict=True))
    bar = tqdm(rows, unit="excerpt", disable=True if quiet else None, file=sys.stderr)
    try:
        for name, (start, stop) in bar:
            length = min(seconds, stop - start) if stop else seconds
            yield excerpt(Path(sources[name].source), start, length)
    except KeyboardInterrupt:
        bar.close()
        raise Interrupted("; nothing was written") from None


def _read(folder: Path) -> tuple[SceneTable, list[Record], str]:
    """Embeddings of a folder of results, their files, and what made them."""
    from hear_brainsoundnet.results import read_results, read_scene_table, read_settings

    try:
        settings = read_settings(folder) or {}
        table = read_scene_table(folder)
        records, _ = read_results(folder)
        checkpoint = settings["checkpoint"]
        made = f"{checkpoint['name']} [{checkpoint['hash'][:12]}], scene {settings['scene']}"
    except (KeyError, TypeError) as error:
        raise WrongCall(f"{folder / 'settings.json'} is not that of a folder of results") from error
    except ValueError as error:
        raise WrongCall(str(error)) from error
    return table, records, made


def _embed(
    folder: Path,
    checkpoint: str,
    preset: str,
    scene: str | None,
    level: str | None,
    device: str,
    jobs: int,
    *,
    quiet: bool,
) -> tuple[SceneTable, list[Record], str]:
    """Embeddings of a folder of audio files; nothing is stored."""
    from hear_brainsoundnet.folder import find_audio

    try:
        entries = find_audio([folder])
    except ValueError as error:
        raise WrongCall(str(error)) from error
    model = load_model(checkpoint, preset, scene, level, device)
    records, table = embed_scenes(entries, model, jobs, quiet=quiet)
    return table, records, f"{model.card.name} [{model.checkpoint_hash[:12]}], scene {model.scene}"

"""The commands ``nearest`` and ``explore``, on folders of results or of audio files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted, WrongCall, wrong_call
from hear_brainsoundnet.commands.embed import embed_scenes
from hear_brainsoundnet.commands.options import (
    CheckpointName,
    Device,
    Jobs,
    Level,
    Quiet,
    SceneStages,
    check_choice,
    find_device,
    load_model,
)
from hear_brainsoundnet.sound_files import find_audio, printable

if TYPE_CHECKING:
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.explore import Excerpt
    from hear_brainsoundnet.results import Record, SceneTable

_MAPS = {
    "pca": "Map: their first two principal components",
    "tsne": "Map: t-SNE, in which neighbours are near and long distances mean little",
}

Folder = Annotated[
    Path, typer.Argument(metavar="IN", help="Output of embed, or a folder of audio files.")
]
PresetOrNone = Annotated[str | None, typer.Option(help="default or paper.")]


def nearest(
    query: Annotated[Path, typer.Argument(help="An audio file.")],
    folder: Folder,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of neighbours.")] = 10,
    checkpoint: CheckpointName = "default",
    preset: PresetOrNone = None,
    scene: SceneStages = None,
    level: Level = None,
    device: Device = "auto",
    jobs: Jobs = 0,
    quiet: Quiet = False,
) -> None:
    """Print the files of a folder that are most similar to a file, in order of similarity.

    One line each: cosine similarity of the scene embeddings (dimensions z-scored over the folder),
    path, and start and stop of the window in seconds where IN has windows. A folder of audio files
    is embedded first; for many files, embed them once and give the results.
    """
    from hear_brainsoundnet.nearest import nearest as nearest_in
    from hear_brainsoundnet.nearest import without

    if not query.is_file():
        raise WrongCall(f"no such audio file: {query}")
    if _is_embedded(folder, preset=preset, scene=scene, level=level):
        model, table = _model_and_table(folder, checkpoint, device)
        table = without(query, folder, table)
    else:
        model = load_model(checkpoint, preset or "default", scene, level, device)
        with wrong_call():
            found = find_audio([folder])
        entries = [each for each in found if each.path.resolve() != query.resolve()]
        if not entries:
            raise WrongCall(f"{folder} holds no audio other than {query}")
        _, table = embed_scenes(entries, model, jobs, quiet=quiet)
    if not table.names:
        raise WrongCall(f"{folder} holds no audio other than {query}")
    for each in nearest_in(model, query, table, n):
        times = [] if each.start is None else [f"{each.start:.3f}", f"{each.stop:.3f}"]
        typer.echo("\t".join([f"{each.similarity:.3f}", printable(each.name), *times]))


def explore(
    folder: Folder,
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
    preset: PresetOrNone = None,
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
    from hear_brainsoundnet.results import read_results, read_scene_table, read_settings

    check_choice("--map", kind, MAPS)
    if out.exists() and not force:
        raise WrongCall(f"{out} exists; use --force to overwrite")
    other = checkpoint != "default"
    if _is_embedded(folder, checkpoint=other, preset=preset, scene=scene, level=level):
        with _bad_results_are_wrong_calls(folder):
            settings, table = read_settings(folder) or {}, read_scene_table(folder)
            records, _ = read_results(folder)
            of = settings["checkpoint"]
            made = f"{of['name']} [{of['hash'][:12]}], scene {settings['scene']}"
    else:
        model = load_model(checkpoint, preset or "default", scene, level, device)
        with wrong_call():
            entries = find_audio([folder])
        records, table = embed_scenes(entries, model, jobs, quiet=quiet)
        made = f"{model.card.name} [{model.checkpoint_hash[:12]}], scene {model.scene}"
    if len(table.names) < 2:
        raise WrongCall(f"{folder} holds fewer than two recordings that could be embedded")
    sources = {record.name: record for record in records}
    notes = [f"{len(table.names)} scene embeddings by {made}, z-scored", _MAPS[kind]]
    excerpts = None
    with wrong_call():
        if audio:
            durations = [
                stop - start if stop else sources[name].duration_s or 0.0
                for name, (start, stop) in zip(table.names, _times(table), strict=True)
            ]
            length = seconds_within(durations, seconds, megabytes)
            notes.append(f"Excerpts: the first {length:g} s, mono at 22,050 Hz, MP3")
            excerpts = _excerpts(table, sources, length, quiet=quiet)
        document = page(folder.resolve().name, table, excerpts, kind=kind, notes=notes)
    write_atomically(out, document.encode())
    if not quiet:
        size = out.stat().st_size / 1e6
        typer.echo(f"{len(table.names)} recordings, {size:.1f} MB: open {out} in a browser")


def _is_embedded(folder: Path, **given: object) -> bool:
    """Whether a folder holds results of embed, whose model cannot be chosen again."""
    if not folder.is_dir():
        raise WrongCall(f"no such folder: {folder}")
    if not (folder / "settings.json").exists():
        return False
    if any(given.values()):
        options = ", ".join(f"--{name}" for name in given)
        raise WrongCall(f"{folder} is embedded already: leave out {options}")
    return True


@contextmanager
def _bad_results_are_wrong_calls(folder: Path) -> Iterator[None]:
    try:
        with wrong_call():
            yield
    except (KeyError, TypeError) as error:
        raise WrongCall(f"{folder / 'settings.json'} is not that of a folder of results") from error


def _model_and_table(
    folder: Path, checkpoint: str, device: str
) -> tuple[EmbeddingModel, SceneTable]:
    """The scene embeddings of a folder of results, and the model that made them."""
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.level import WINDOW_S
    from hear_brainsoundnet.results import read_scene_table, read_settings

    with _bad_results_are_wrong_calls(folder):
        settings, table = read_settings(folder) or {}, read_scene_table(folder)
        loaded = load_checkpoint(checkpoint)
        wanted = settings["checkpoint"]
        if wanted["hash"] != loaded.hash:
            raise ValueError(
                f"{folder} was embedded with {wanted['name']} [{wanted['hash'][:12]}], not with "
                f"{loaded.card.name} [{loaded.hash[:12]}]; give its file with --checkpoint"
            )
        model = EmbeddingModel(
            loaded,
            sample_rate=loaded.card.sample_rate,
            preset=settings["preset"],
            scene=settings["scene"],
            level=settings["level"],
        )
        if model.level and settings.get("level_window") != WINDOW_S:
            raise ValueError(
                f"{folder} was embedded with levels of whole clips, this version normalises over "
                "a moving window; embed it again with --force"
            )
    return model.to(find_device(device)), table


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

"""The command ``nearest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall
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
from hear_brainsoundnet.commands.options import find_device

if TYPE_CHECKING:
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.results import SceneTable


def nearest(
    query: Annotated[Path, typer.Argument(help="An audio file.")],
    folder: Annotated[
        Path, typer.Argument(metavar="IN", help="Output of embed, or a folder of audio files.")
    ],
    n: Annotated[int, typer.Option("-n", min=1, help="Number of neighbours.")] = 10,
    checkpoint: CheckpointName = "default",
    preset: Annotated[str | None, typer.Option(help="default or paper.")] = None,
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
    from hear_brainsoundnet.sound_files import printable

    if not query.is_file():
        raise WrongCall(f"no such audio file: {query}")
    if not folder.is_dir():
        raise WrongCall(f"no such folder: {folder}")
    if (folder / "settings.json").exists():
        if preset or scene or level:
            raise WrongCall(f"{folder} is embedded already: leave out --preset, --scene, --level")
        model, table = _read(folder, checkpoint, device)
        table = without(query, folder, table)
    else:
        model = load_model(checkpoint, preset or "default", scene, level, device)
        table = _embed(query, folder, model, jobs, quiet=quiet)
    if not table.names:
        raise WrongCall(f"{folder} holds no audio other than {query}")
    for each in nearest_in(model, query, table, n):
        times = [] if each.start is None else [f"{each.start:.3f}", f"{each.stop:.3f}"]
        typer.echo("\t".join([f"{each.similarity:.3f}", printable(each.name), *times]))


def _read(folder: Path, checkpoint: str, device: str) -> tuple[EmbeddingModel, SceneTable]:
    """The scene embeddings of a folder of results, and their model."""
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.level import WINDOW_S
    from hear_brainsoundnet.named import load_checkpoint
    from hear_brainsoundnet.results import read_scene_table, read_settings

    try:
        settings = read_settings(folder) or {}
        table = read_scene_table(folder)
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
    except (KeyError, TypeError) as error:
        raise WrongCall(f"{folder / 'settings.json'} is not that of a folder of results") from error
    except (ValueError, FileNotFoundError) as error:
        raise WrongCall(str(error)) from error
    return model.to(find_device(device)), table


def _embed(
    query: Path, folder: Path, model: EmbeddingModel, jobs: int, *, quiet: bool
) -> SceneTable:
    """Scene embeddings of a folder of audio files except `query`; nothing is stored."""
    from hear_brainsoundnet.folder import find_audio

    try:
        entries = [
            entry for entry in find_audio([folder]) if entry.path.resolve() != query.resolve()
        ]
    except ValueError as error:
        raise WrongCall(str(error)) from error
    if not entries:
        raise WrongCall(f"{folder} holds no audio other than {query}")
    return embed_scenes(entries, model, jobs, quiet=quiet)[1]

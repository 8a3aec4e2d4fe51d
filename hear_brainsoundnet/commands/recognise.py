"""The command ``recognise``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall, printable, say, wrong_call
from hear_brainsoundnet.commands.options import PROGRAM, over_files

if TYPE_CHECKING:
    from hear_brainsoundnet.audio import AudioFile
    from hear_brainsoundnet.recognition import RecognisedFile, Recognition
    from hear_brainsoundnet.sound_files import Entry


def recognise(
    paths: Annotated[list[Path], typer.Argument(help="Audio files, or folders to search.")],
    checkpoint: Annotated[str, typer.Option(help="A checkpoint with the original's heads.")],
    top: Annotated[int, typer.Option(min=1, help="Number of labels per head.")] = 3,
    csv: Annotated[Path | None, typer.Option(help="Write a table, TABLE.csv.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write TABLE.json.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for a plot over time of each file.")
    ] = None,
    places: Annotated[
        Path | None, typer.Option(help="Labels of places, one per line, by default the file's.")
    ] = None,
    objects: Annotated[Path | None, typer.Option(help="Labels of objects, likewise.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite earlier results.")] = False,
) -> None:
    """Recognise the most likely places and objects in recordings, over time.

    The original SoundNet was trained for this. Its heads see 15 s at a time; shorter clips
    are repeated, and the result reports how often.
    """
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.files import write_atomically
    from hear_brainsoundnet.recognition import (
        RecognisedFile,
        Recogniser,
        as_csv,
        as_json,
        find_labels,
        picture,
    )
    from hear_brainsoundnet.sound_files import find_sounds

    for path in (csv, json):
        if path is not None and path.exists() and not force:
            raise WrongCall(f"{path} exists; use --force to overwrite")
    if pictures is not None:
        _check_matplotlib()
    with wrong_call():
        sounds = find_sounds(paths)
        loaded = load_checkpoint(checkpoint)
        recogniser = Recogniser(loaded)
        files = {"scenes": places, "objects": objects}
        labels = find_labels(loaded, {head: path for head, path in files.items() if path})

    recognised: list[RecognisedFile] = []

    def keep(sound: Entry, _: AudioFile, found: Recognition) -> None:
        named = RecognisedFile(str(sound.path), found, labels)
        recognised.append(named)
        typer.echo(printable(named.text(top)))
        if pictures is not None:
            place = pictures / f"{sound.name}.png"
            if place.exists() and not force:
                raise WrongCall(f"{place} exists; use --force to overwrite")
            write_atomically(place, picture(named))

    n_failed = over_files(sounds, recogniser.recognise, keep)
    for path, write in ((csv, as_csv), (json, as_json)):
        if path is not None and recognised:
            write_atomically(path, write(recognised, top))
    if n_failed:
        say(PROGRAM, f"{n_failed} of {len(sounds)} files could not be recognised")
        raise typer.Exit(1)


def _check_matplotlib() -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise WrongCall(
            "--pictures needs matplotlib: pip install 'hear-brainsoundnet[demo]', or leave it out"
        )

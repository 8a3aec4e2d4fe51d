"""Options, checks, and the loop over files that several commands share."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hear_brainsoundnet.command_line import Interrupted, WrongCall, wrong_call
from hear_brainsoundnet.sound_files import Entry, printable

if TYPE_CHECKING:
    from hear_brainsoundnet.audio import AudioFile
    from hear_brainsoundnet.embedding import EmbeddingModel

T = TypeVar("T")

PROGRAM = "hear-brainsoundnet"
_DECIBELS = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+))\s*dB(?:FS)?", re.IGNORECASE)

CheckpointName = Annotated[str, typer.Option(help="A file or a name.")]
Preset = Annotated[str, typer.Option(help="default or paper.")]
TimestampStages = Annotated[str | None, typer.Option(help="Stages, as conv4+conv5.")]
SceneStages = Annotated[str | None, typer.Option(help="Stages, as conv4:mean,std+conv7.")]
Level = Annotated[
    str | None,
    typer.Option(
        metavar="LEVEL",
        help="Target level of the moving normalisation: -23dB, or an amplitude in [0, 1]; 0: "
        "disabled.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Jobs = Annotated[int, typer.Option(min=0, help="Files at a time; 0: one per core.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Reject a value that an option does not accept."""
    if value not in choices:
        raise WrongCall(f"{option} must be one of {', '.join(choices)}, got {value!r}")


def parse_level(text: str) -> float:
    """Level relative to full scale, parsed from decibels or an amplitude.

    Raises
    ------
    WrongCall
        If it is neither.

    Examples
    --------
    >>> parse_level("-20dB"), parse_level("0.1"), parse_level("0")
    (0.1, 0.1, 0.0)
    """
    decibels = _DECIBELS.fullmatch(text.strip())
    try:
        level = 10 ** (float(decibels["number"]) / 20) if decibels else float(text)
    except (ValueError, OverflowError):
        level = math.nan
    if not 0 <= level <= 1:
        raise WrongCall(
            "--level must lie within 0 (unchanged) and 1 (full scale), or be decibels "
            f"below full scale, such as -23dB; got {text}"
        )
    return level


def find_device(name: str) -> str:
    """The device of that name, checked to be usable."""
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


def load_model(
    checkpoint: str,
    preset: str,
    scene: str | None,
    level: str | None,
    device: str,
    *,
    timestamps: str | None = None,
    sample_rate: int | None = None,
) -> EmbeddingModel:
    """The model given by the options, on its device; its rate defaults to the network's own."""
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel

    place = find_device(device)
    amplitude = None if level is None else parse_level(level)
    with wrong_call():
        loaded = load_checkpoint(checkpoint)
        model = EmbeddingModel(
            loaded,
            sample_rate=loaded.card.sample_rate if sample_rate is None else sample_rate,
            preset=preset,
            scene=scene,
            timestamps=timestamps,
            level=amplitude,
        )
    return model.to(place)


def device_of(model: EmbeddingModel) -> str:
    """Device of a model."""
    return str(next(model.parameters()).device)


def over_files(
    sounds: Sequence[Entry],
    compute: Callable[[AudioFile], T],
    keep: Callable[[Entry, AudioFile, T], None],
    *,
    at_interrupt: str = "",
) -> int:
    """Compute something of each file and keep it, with a progress bar and a line for each failure.

    Returns
    -------
    int
        Number of files that could not be read.
    """
    from tqdm import tqdm

    from hear_brainsoundnet.audio import AudioFile

    n_done = n_failed = 0
    bar = tqdm(total=len(sounds), unit="file", disable=None, file=sys.stderr)
    try:
        with bar:
            for sound in sounds:
                try:
                    with AudioFile(sound.path) as audio:
                        found = compute(audio)
                except (ValueError, OSError) as error:
                    n_failed += 1
                    write_line(sound, error)
                else:
                    keep(sound, audio, found)
                n_done += 1
                bar.update()
    except KeyboardInterrupt:
        bar.close()
        raise Interrupted(f" after {n_done} of {len(sounds)} files{at_interrupt}") from None
    return n_failed


def write_line(sound: Entry, text: object) -> None:
    """A line about a file on standard error, above a progress bar."""
    from tqdm import tqdm

    line = f"{PROGRAM}: {printable(sound.path.name)}: {printable(' '.join(str(text).split()))}"
    tqdm.write(line, file=sys.stderr)

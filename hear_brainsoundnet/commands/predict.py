"""The command ``predict``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall, say, wrong_call
from hear_brainsoundnet.commands.options import (
    PROGRAM,
    CheckpointName,
    Device,
    check_choice,
    find_device,
    over_files,
    write_line,
)

if TYPE_CHECKING:
    from torch import Tensor

    from hear_brainsoundnet.audio import AudioFile
    from hear_brainsoundnet.nifti import TargetImage
    from hear_brainsoundnet.sound_files import Entry


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Audio files, or folders to search.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="PRED.h5")],
    checkpoint: CheckpointName = "default",
    map_: Annotated[
        bool, typer.Option("--map", help="Write PRED.NAME.nii.gz for each file, too.")
    ] = False,
    atlas: Annotated[
        Path | None,
        typer.Option(
            help="Image of target ids for --map; by default CHECKPOINT.targets.nii.gz beside the "
            "checkpoint."
        ),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Read-out to use; by default all.")] = None,
    start: Annotated[float, typer.Option(help="Onset of TR 0 in seconds of the audio.")] = 0.0,
    n_trs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of TRs; by default those that begin within the audio."),
    ] = None,
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite earlier predictions.")] = False,
) -> None:
    """Predict the fMRI responses to audio files with the read-out of a checkpoint.

    PRED.h5 has one group per file and in it one dataset NAME/READ-OUT/prediction (n_trs, n_targets)
    per read-out; target_ids and target_names label the columns. Maps are 0 where nothing is
    predicted. The output is written completely or not at all.
    """
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.prediction import build_encoder, check_timing, predict_responses
    from hear_brainsoundnet.prediction_files import PredictionFiles, map_path
    from hear_brainsoundnet.sound_files import find_sounds

    place = find_device(device)
    with wrong_call():
        sounds = find_sounds(paths)
        loaded = load_checkpoint(checkpoint)
    encoder = build_encoder(loaded).to(place)
    read_out = encoder.read_out
    with wrong_call():
        check_timing(read_out, n_trs, start)
    if subject is not None:
        check_choice("--subject", subject, read_out.names)
    names = read_out.names if subject is None else (subject,)
    if out.suffix != ".h5" or out.is_dir():
        raise WrongCall(f"--out must be the name of a file that ends in .h5, got {out}")
    for path in (out, *(map_path(out, sound.name) for sound in sounds if map_)):
        if path.exists() and not force:
            raise WrongCall(f"{path} exists; use --force to overwrite")
    image = _find_target_image(checkpoint, atlas, read_out.target_ids, names) if map_ else None
    if atlas is not None and not map_:
        raise WrongCall("--atlas is the image of --map, which was not asked for")

    def compute(audio: AudioFile) -> dict[str, Tensor]:
        return predict_responses(
            encoder,
            audio,
            input_scale=loaded.card.input_scale,
            names=names,
            n_trs=n_trs,
            start=start,
        )

    try:
        with PredictionFiles(out, loaded.card, loaded.hash, image) as files:

            def keep(sound: Entry, audio: AudioFile, predictions: dict[str, Tensor]) -> None:
                for finding in audio.findings():
                    write_line(sound, finding)
                rows = {name: each.numpy() for name, each in predictions.items()}
                files.add(sound.name, rows, audio, start)

            n_failed = over_files(sounds, compute, keep, at_interrupt="; nothing was kept")
    except OSError as error:
        raise OSError(
            f"cannot write predictions to {out}: {error.strerror or error}; nothing was kept"
        ) from error
    if n_failed < len(sounds):
        typer.echo(
            f"{len(sounds) - n_failed} of {len(sounds)} files predicted with {loaded.card.name} "
            f"[{loaded.hash[:12]}], read-out {', '.join(names)}, on {place}: {out}"
        )
    if n_failed:
        written = "" if n_failed < len(sounds) else f"; {out} was not written"
        say(PROGRAM, f"{n_failed} of {len(sounds)} files could not be predicted{written}")
        raise typer.Exit(1)


def _find_target_image(
    checkpoint: str, atlas: Path | None, target_ids: Sequence[int], names: Sequence[str]
) -> TargetImage:
    from hear_brainsoundnet.nifti import TargetImage
    from hear_brainsoundnet.prediction_files import find_targets, targets_path

    if len(names) > 1:
        raise WrongCall(
            f"--map shows one read-out and the checkpoint has {', '.join(names)}; choose one with "
            "--subject"
        )
    path = targets_path(Path(checkpoint)) if atlas is None else atlas
    if atlas is None and not path.exists():
        if found := find_targets(Path(checkpoint)):
            raise WrongCall(
                f"--map writes volumes, and the targets of this checkpoint lie on a surface "
                f"({found[0]}); predict without it"
            )
        raise WrongCall(
            f"--map needs an image whose voxel values are target ids: put it beside the checkpoint "
            f"as {path} (python -m training export writes it there), or give it with --atlas FILE"
        )
    try:
        return TargetImage(path, target_ids)
    except FileNotFoundError as error:
        raise WrongCall(str(error)) from error

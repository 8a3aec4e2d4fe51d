"""``python -m training``: the commands of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.untrained import SEED, write_untrained

app = typer.Typer(
    help="From fMRI and sound to checkpoints.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """From fMRI and sound to checkpoints."""


@app.command()
def untrained(
    out: Annotated[Path, typer.Argument(help="OUT.safetensors")],
    seed: Annotated[int, typer.Option(help="Of the random weights.")] = SEED,
) -> None:
    """Write the untrained checkpoint: random weights, BatchNorm calibrated on sound."""
    typer.echo(f"{out} written, hash {write_untrained(out, seed)}")


if __name__ == "__main__":
    app()

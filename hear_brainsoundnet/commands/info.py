"""The command ``info``."""

from __future__ import annotations

from typing import Annotated

import typer


def info(
    checkpoint: Annotated[str, typer.Argument(help="A file or a name.")] = "default",
    markdown: Annotated[bool, typer.Option("--markdown", help="Only the table of stages.")] = False,
    full: Annotated[bool, typer.Option("--full", help="All of the card, not shortened.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of the card, as JSON.")] = False,
) -> None:
    """Print the card of a checkpoint: stages, rates, scores, licence, hash, provenance."""
    from hear_brainsoundnet.describe import card_as_json, describe, stage_table
    from hear_brainsoundnet.named import load_checkpoint

    loaded = load_checkpoint(checkpoint)
    if markdown:
        typer.echo(stage_table(loaded.card.layers, loaded.card.sample_rate))
    else:
        typer.echo(card_as_json(loaded) if as_json else describe(loaded, full=full))

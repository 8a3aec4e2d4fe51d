"""The command ``pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import Interrupted
from training.commands.options import Changes

CHECKPOINT = "soundnet.safetensors"


def pretrain(
    recipe: Annotated[Path, typer.Argument(help="RECIPE.yaml")],
    out: Annotated[Path, typer.Option(help="Folder of the pretraining.")],
    changes: Changes = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the pretraining in OUT.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the checkpoint.")] = "",
) -> None:
    """Train SoundNet on an unlabelled audio corpus; writes OUT/soundnet.safetensors."""
    from training.config import read_recipe
    from training.pretraining.checkpoint import write_pretrained
    from training.pretraining.loop import pretrain
    from training.pretraining.recipe import PretrainRecipe

    settings = read_recipe(recipe, PretrainRecipe, changes or ())
    try:
        pretrain(settings, out, resume=resume, name=name)
    except KeyboardInterrupt:
        raise Interrupted("; the same command with --resume continues") from None
    digest = write_pretrained(out, out / CHECKPOINT, name=name)
    typer.echo(f"{out / CHECKPOINT} written, hash {digest}; see {out / 'curves.png'}")

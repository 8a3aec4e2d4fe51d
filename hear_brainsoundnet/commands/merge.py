"""The command ``merge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall


def merge(
    parts: Annotated[list[Path], typer.Argument(help="Results of embed --shard, all of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for all results.")],
) -> None:
    """Merge the results of shards: the same bytes as from one command over all files."""
    from hear_brainsoundnet.shards import merge_shards

    try:
        records = merge_shards(parts, out)
    except ValueError as error:
        raise WrongCall(str(error)) from error
    failed = sum(not record.is_ok for record in records)
    more = f", {failed} of them failed" if failed else ""
    typer.echo(f"{out}: {len(records)} files of {len(parts)} shards{more}")

"""Weight averaging of two networks.

A fine-tuned network and the one it was fine-tuned from can be averaged weight by weight; the mean
often keeps what fine-tuning gained without losing the strengths of the original (Wortsman et al.
2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

from pathlib import Path

import torch

from hear_brainsoundnet.card import Card, joined_licences
from hear_brainsoundnet.checkpoint import (
    Checkpoint,
    check_target,
    load_checkpoint,
    write_checkpoint,
)
from hear_brainsoundnet.soundnet import SoundNet


def averaged(one: SoundNet, other: SoundNet, share: float) -> SoundNet:
    """Weighted mean of two networks, `share` of `one` and the rest of `other`, in inference mode.

    BatchNorm is averaged as a factor and an offset per channel, so that statistics of different
    scale do not mix: both networks' statistics are folded into weight and bias first.

    Parameters
    ----------
    one, other : SoundNet
        With the same layer table.
    share : float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the tables differ or `share` is out of range.

    Examples
    --------
    >>> network = averaged(SoundNet(), SoundNet(), 0.5)
    >>> network.training
    False
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    if one.layers != other.layers:
        raise ValueError("networks of different layer tables cannot be averaged")
    mean = SoundNet(one.layers).eval()
    with torch.no_grad():
        for layer in one.layers:
            blocks = [network.block(layer.name) for network in (one, other, mean)]
            for tensor, first, second in zip(
                [*blocks[2].conv.parameters(), *blocks[2].norm.parameters()],
                _plain_affine(blocks[0]),
                _plain_affine(blocks[1]),
                strict=True,
            ):
                tensor.copy_(share * first + (1 - share) * second)
            blocks[2].norm.reset_running_stats()
            blocks[2].norm.get_buffer("running_var").fill_(1 - blocks[2].norm.eps)
    return mean


def _plain_affine(block: torch.nn.Module) -> list[torch.Tensor]:
    """Kernel, bias, factor and offset of a block with BatchNorm statistics reset to 0 and 1."""
    conv, norm = block.get_submodule("conv"), block.get_submodule("norm")
    deviation = (norm.get_buffer("running_var") + norm.eps).sqrt()  # type: ignore[operator]
    kernel, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
    return [
        kernel / deviation[:, None, None],
        (bias - norm.get_buffer("running_mean")) / deviation,
        norm.get_parameter("weight"),
        norm.get_parameter("bias"),
    ]


def write_average(
    one: str | Path, other: str | Path, out: str | Path, *, share: float, name: str = ""
) -> str:
    """Write the average of two checkpoints' networks; returns its hash.

    Read-outs are specific to one network and are left out: fit one to the average with
    ``train_from: none``.

    Parameters
    ----------
    one, other : str or path-like
        Names of checkpoints ("default") or their files.
    out : path-like
        The ``.safetensors`` file.
    share : float
        Weight of `one`.
    name : str
        Name of the checkpoint; by default that of the file.

    Raises
    ------
    FileNotFoundError, ValueError
        If one is not a checkpoint, or they differ in layers, rate or input scale.
    """
    check_target(out)
    first, second = load_checkpoint(one), load_checkpoint(other)
    _refuse_unlike(first, second)
    card = Card(
        name=name or Path(out).stem,
        trained=first.card.trained or second.card.trained,
        input_scale=first.card.input_scale,
        sample_rate=first.card.sample_rate,
        layers=first.card.layers,
        provenance={
            "average": {
                "share of the first": share,
                "first": {"name": first.card.name, "hash": first.hash, **first.card.provenance},
                "second": {"name": second.card.name, "hash": second.hash, **second.card.provenance},
            },
            "command": f"python -m training average ONE OTHER OUT --share {share:g}",
        },
        licence=joined_licences(first.card.licence, second.card.licence),
        use=first.card.use,
    )
    network = averaged(first.build_soundnet(), second.build_soundnet(), share)
    return write_checkpoint(out, card, network, dtype=torch.float16)


def _refuse_unlike(first: Checkpoint, second: Checkpoint) -> None:
    for what in ("layers", "sample_rate", "input_scale"):
        mine, theirs = getattr(first.card, what), getattr(second.card, what)
        if mine != theirs:
            raise ValueError(
                f"{first.card.name} and {second.card.name} differ in {what} and cannot be averaged"
            )

"""Initial network of a pretraining: random weights, or those of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import nn

from hear_brainsoundnet.named import load_checkpoint
from hear_brainsoundnet.soundnet import LAYERS, SoundNet
from training.pretraining.targets import SAMPLE_RATE

INPUT_SCALE = 256.0  # for random weights, as for the original SoundNet: full scale is +-256


@dataclass(frozen=True)
class Start:
    """A network, its input scale for audio in [-1, 1], its origin and its licence."""

    soundnet: SoundNet
    input_scale: float = INPUT_SCALE
    provenance: JsonValue = None
    licence: str = ""


def find_start(start: Path | None, seed: int) -> Start:
    """Weights of the checkpoint `start`, or weights drawn from `seed`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such checkpoint, or its layers or rate differ from SoundNet's.

    Examples
    --------
    >>> find_start(None, seed=0).input_scale
    256.0
    """
    if start is None:
        return Start(random_network(seed))
    checkpoint = load_checkpoint(start)
    card = checkpoint.card
    if card.layers != LAYERS:
        raise ValueError(f"the layers of {start} are not SoundNet's, which pretraining needs")
    if card.sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"{start} is for {card.sample_rate} Hz, pretraining needs {SAMPLE_RATE} Hz"
        )
    told: JsonValue = {"hash": checkpoint.hash, **card.provenance}
    # Heads of the checkpoint are not trained, and do not match the network afterwards.
    return Start(checkpoint.build_soundnet(heads=False), card.input_scale, told, card.licence)


def random_network(seed: int) -> SoundNet:
    """SoundNet with He initialisation, drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        soundnet = SoundNet()
        for module in soundnet.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return soundnet

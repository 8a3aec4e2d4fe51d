"""Checkpoints that tests make without a file."""

from __future__ import annotations

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import Checkpoint
from hear_brainsoundnet.soundnet import SoundNet


def checkpoint_of(soundnet: SoundNet, **card: object) -> Checkpoint:
    """A checkpoint in memory, as reading a file would give it."""
    fields = {"name": "test", "trained": False, "input_scale": 1.0, **card}
    tensors = {f"soundnet.{name}": tensor for name, tensor in soundnet.state_dict().items()}
    return Checkpoint(Card.model_validate(fields), tensors, hash="0" * 64)

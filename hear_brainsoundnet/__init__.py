"""Brain-aligned SoundNet as an audio embedding with the HEAR API.

>>> import torch
>>> import hear_brainsoundnet
>>> model = hear_brainsoundnet.load_model()
>>> audio = torch.zeros(2, 3 * model.sample_rate)  # (n_sounds, n_samples) within [-1, 1]
>>> scene = hear_brainsoundnet.get_scene_embeddings(audio, model)
>>> tuple(scene.shape) == (2, model.scene_embedding_size)
True
>>> frames, milliseconds = hear_brainsoundnet.get_timestamp_embeddings(audio, model)
>>> frames.shape[:2] == milliseconds.shape
True

A file, or samples at any rate:

>>> import numpy
>>> embeddings = hear_brainsoundnet.embed_array(numpy.zeros(44_100), 44_100, model)
>>> embeddings.scene.shape, embeddings.timestamps.shape
(torch.Size([1600]), torch.Size([43, 192]))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hear_brainsoundnet.api import (
        embed_array,
        embed_file,
        get_scene_embeddings,
        get_timestamp_embeddings,
        load_model,
    )
    from hear_brainsoundnet.audio import AudioFile
    from hear_brainsoundnet.card import Card
    from hear_brainsoundnet.checkpoint import Checkpoint, load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
    from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
    from hear_brainsoundnet.geometry import StageGeometry, stage_geometry
    from hear_brainsoundnet.soundnet import HEADS, LAYERS, SoundNet

# torch takes seconds to import, so the import waits for first use: the command line responds
# at once, even to Ctrl-C.
_MODULES = {
    "HEADS": "soundnet",
    "LAYERS": "soundnet",
    "AudioFile": "audio",
    "BrainEncoder": "encoder",
    "Card": "card",
    "Checkpoint": "checkpoint",
    "EmbeddingModel": "embedding",
    "Embeddings": "embedding",
    "ReadOut": "encoder",
    "SoundNet": "soundnet",
    "StageGeometry": "geometry",
    "embed_array": "api",
    "embed_file": "api",
    "get_scene_embeddings": "api",
    "get_timestamp_embeddings": "api",
    "load_checkpoint": "checkpoint",
    "load_model": "api",
    "stage_geometry": "geometry",
}

__all__ = [
    "HEADS",
    "LAYERS",
    "AudioFile",
    "BrainEncoder",
    "Card",
    "Checkpoint",
    "EmbeddingModel",
    "Embeddings",
    "ReadOut",
    "SoundNet",
    "StageGeometry",
    "embed_array",
    "embed_file",
    "get_scene_embeddings",
    "get_timestamp_embeddings",
    "load_checkpoint",
    "load_model",
    "stage_geometry",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    if name in _MODULES.values():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})

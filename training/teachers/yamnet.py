"""YAMNet as a teacher, with the HEAR API: 1024 values per 0.975 s window, every 0.4875 s.

YAMNet is a MobileNet v1 by Google (M. Plakal, D. Ellis), trained on the 521 classes of AudioSet:
labelled ten-second clips of YouTube videos. Weights and code are under the Apache License 2.0. No
overlap of AudioSet with ESC-10, FSDD, Speech Commands or the 165 natural sounds is known.

The file is ``yamnet.tflite``, quantised to 8 bits. Its embedding, the mean over time and frequency
of the last convolution, is not an output of the file but one of its inner tensors. Needs the extra
``teachers``.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hear_brainsoundnet.audio import check_audio
from training.teachers.sliding_windows import SlidingWindows
from training.teachers.weight_file import PublishedFile, needed

__version__ = "1"  # of the embeddings: tables of another version are rejected

FILE = PublishedFile(
    "yamnet.tflite",
    n_bytes=4_126_810,
    sha256="10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de",
    origin="fetch YAMNet's TensorFlow Lite file (classification, 521 classes) again",
)
SAMPLE_RATE = 16_000
WINDOWS = SlidingWindows(length=15_600, hop=7_800)
SIZE = 1024
EMBEDDING = "tower0/network/layer28/reduce_mean"


class Yamnet(nn.Module):
    """The network, on one CPU thread.

    Parameters
    ----------
    content : bytes
        Of ``yamnet.tflite``.
    """

    sample_rate = SAMPLE_RATE
    scene_embedding_size = timestamp_embedding_size = SIZE

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.interpreter = _interpreter(content)
        self.interpreter.allocate_tensors()
        (given,) = self.interpreter.get_input_details()
        self.input = given["index"]
        (embedding,) = (
            each for each in self.interpreter.get_tensor_details() if each["name"] == EMBEDDING
        )
        self.embedding = embedding["index"]
        self.scale, self.zero_point = embedding["quantization"]

    def forward(self, audio: Tensor) -> Tensor:
        """Embeddings ``(n_sounds, n_windows, 1024)``; `audio` is ``(n_sounds, n_samples)``."""
        windows = WINDOWS.cut(check_audio(audio).detach().cpu().float())
        integers = torch.empty((*windows.shape[:2], SIZE), dtype=torch.int8)
        for sound, each in zip(integers, windows, strict=True):
            for place, window in zip(sound, each, strict=True):
                self.interpreter.set_tensor(self.input, window.numpy())
                self.interpreter.invoke()
                place[:] = torch.from_numpy(self.interpreter.get_tensor(self.embedding)).flatten()
        return (integers.float() - self.zero_point) * self.scale


def load_model(model_file_path: str | Path = "") -> Yamnet:
    """Load the network from ``yamnet.tflite``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not the published one, or the extra ``teachers`` is not installed.
    """
    return Yamnet(FILE.read(model_file_path))


def get_scene_embeddings(audio: Tensor, model: Yamnet) -> Tensor:
    """Mean of the embeddings over time, ``(n_sounds, 1024)``."""
    scenes: Tensor = model(audio).mean(dim=1)
    return scenes


def get_timestamp_embeddings(audio: Tensor, model: Yamnet) -> tuple[Tensor, Tensor]:
    """Embeddings ``(n_sounds, n_windows, 1024)``, centres in ms ``(n_sounds, n_windows)``."""
    milliseconds = WINDOWS.centres(audio.shape[1]) * 1000 / SAMPLE_RATE
    return model(audio), milliseconds.float().repeat(len(audio), 1)


def _interpreter(content: bytes) -> Any:
    interpreter = needed("ai_edge_litert.interpreter", to="YAMNet")
    with warnings.catch_warnings():
        # TensorFlow Lite exposes inner tensors for debugging only; the embedding has no other
        # access.
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        return interpreter.Interpreter(
            model_content=content, num_threads=1, experimental_preserve_all_tensors=True
        )

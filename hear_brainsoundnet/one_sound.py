"""Embedding of one clip of any rate and length: a file, or samples in memory."""

from __future__ import annotations

import operator
import os
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hear_brainsoundnet.api import load_model
from hear_brainsoundnet.audio import AudioFile, TensorSound, check_audio
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings


def embed_file(
    path: str | os.PathLike[str],
    model: EmbeddingModel | None = None,
    *,
    scene: bool = True,
    timestamps: bool = True,
) -> Embeddings:
    """Embed an audio file of any rate, any number of channels (averaged) and any length.

    Parameters
    ----------
    path : path-like
        The file. It is read in chunks: memory does not grow with its length.
    model : EmbeddingModel, optional
        From :func:`hear_brainsoundnet.load_model`; by default the default model, loaded once.
    scene, timestamps : bool
        Kinds to compute.

    Returns
    -------
    Embeddings
        ``scene`` ``(scene_embedding_size,)``, ``timestamps``
        ``(n_timestamps, timestamp_embedding_size)`` and ``timestamps_ms`` ``(n_timestamps,)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If `path` is not a path, `model` not a model, or the file not audio.

    Examples
    --------
    >>> embed_file("dog.mp3").scene.shape  # doctest: +SKIP
    torch.Size([1600])
    """
    model = _checked_model(model, "embed_file(path, model)")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"expected the path of an audio file, got {type(path).__name__}; for samples in memory "
            "use embed_array(x, sample_rate)"
        )
    with AudioFile(path) as sound:
        return model.embed(sound, scene=scene, timestamps=timestamps).of_first()


def embed_array(
    x: NDArray[np.floating] | Tensor,
    sample_rate: int,
    model: EmbeddingModel | None = None,
    *,
    scene: bool = True,
    timestamps: bool = True,
) -> Embeddings:
    """Embed one clip in memory, of any rate, number of channels and length.

    Parameters
    ----------
    x : array or Tensor
        Floating point in [-1, 1]: ``(n_samples,)``, or ``(n_channels, n_samples)`` as in librosa
        and torchaudio, with channels averaged. For soundfile's ``(n_samples, n_channels)`` give
        ``x.T``.
    sample_rate : int
        In Hz, from 1,000 to 1,000,000.
    model, scene, timestamps
        As for :func:`embed_file`.

    Returns
    -------
    Embeddings
        As from :func:`embed_file`, on the device of `x`.

    Raises
    ------
    TypeError, ValueError
        For anything but floating-point samples of that shape, for NaN or infinity, an unsupported
        rate, or another model.

    Examples
    --------
    >>> embeddings = embed_array(np.zeros(16_000), 8_000)
    >>> embeddings.scene.shape, embeddings.timestamps.shape
    (torch.Size([1600]), torch.Size([86, 192]))
    """
    model = _checked_model(model, "embed_array(x, sample_rate, model)")
    mono = _mono(x)
    sound = TensorSound(check_audio(mono[None]), _whole_rate(sample_rate))
    return model.embed(sound, scene=scene, timestamps=timestamps).of_first()


@cache
def _default_model() -> EmbeddingModel:
    return load_model()


def _checked_model(model: EmbeddingModel | None, call: str) -> EmbeddingModel:
    if model is None:
        return _default_model()
    if not isinstance(model, EmbeddingModel):
        raise TypeError(
            f"expected a model that load_model() returned, got {type(model).__name__}; call {call}"
        )
    return model


def _mono(x: object) -> Tensor:
    """Samples ``(n_samples,)``."""
    if isinstance(x, np.ndarray):
        # In native byte order and with positive strides, as required by tensors.
        x = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))
        if x.dtype.kind not in "fiu":
            raise ValueError(f"expected floating-point samples within [-1, 1], got {x.dtype}")
        samples = torch.from_numpy(x.astype(np.float64) if x.dtype.itemsize > 8 else x)
    elif isinstance(x, Tensor):
        samples = x
    else:
        raise TypeError(
            f"expected samples as an array or a tensor, got {type(x).__name__}; for a file use "
            "embed_file(path)"
        )
    if not samples.is_floating_point():
        check_audio(samples[None] if samples.ndim == 1 else samples)
    if samples.ndim not in (1, 2):
        raise ValueError(
            "expected samples of shape (n_samples,) or (n_channels, n_samples), got "
            f"{tuple(samples.shape)}; embed clips one by one"
        )
    if samples.ndim == 2:
        n_channels, n_samples = samples.shape
        if n_channels > n_samples > 0:
            raise ValueError(
                f"expected samples of shape (n_channels, n_samples), got {n_channels} channels of "
                f"{n_samples} samples; for (n_samples, n_channels) give x.T"
            )
        return samples.mean(dim=0) if n_channels > 1 else samples.flatten()
    return samples


def _whole_rate(sample_rate: object) -> int:
    """The rate as an int; integral floats are accepted."""
    if isinstance(sample_rate, float | np.floating) and float(sample_rate).is_integer():
        return int(sample_rate)
    try:
        return operator.index(sample_rate)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"expected the sample rate as a whole number of Hz, got {sample_rate!r}"
        ) from None

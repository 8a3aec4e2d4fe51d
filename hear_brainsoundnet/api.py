"""The functions of the package: the HEAR API, and the embedding of one sound of any rate.

See https://hearbenchmark.com/hear-api.html for the contract of the HEAR API. Beyond it, a list of
clips of unequal length is accepted.
"""

from __future__ import annotations

import logging
import operator
import os
from collections.abc import Sequence
from functools import cache
from typing import cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hear_brainsoundnet.audio import AudioFile, TensorSound, check_audio
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.modes import ordinary_tensors
from hear_brainsoundnet.together import embed_clips

HEAR_SAMPLE_RATES = (16_000, 22_050, 32_000, 44_100, 48_000)

logger = logging.getLogger(__name__)


def load_model(
    model_file_path: str | os.PathLike[str] = "",
    *,
    sample_rate: int = 48_000,
    preset: str = "default",
    scene: str | None = None,
    timestamps: str | None = None,
    level: float | None = None,
    reference: bool = False,
) -> EmbeddingModel:
    """Load a checkpoint as an embedding model.

    Parameters
    ----------
    model_file_path : str or path-like
        "" for the embedded default, the name of another embedded checkpoint, or the path of a
        ``.safetensors`` file.
    sample_rate : int
        Rate in Hz of the input audio: {16000, 22050, 32000, 44100, 48000}. The HEAR tasks come at
        48 kHz.
    preset : str
        {"default", "paper"}. "paper" is the published choice: conv7 averaged over time for
        scenes, conv4 frames for timestamps, no level normalisation; "default" normalises the level
        over a moving window.
    scene, timestamps : str, optional
        Stages and poolings that override the preset's, for example
        ``scene="conv4:mean,std+conv7"`` and ``timestamps="conv4+conv5"``.
    level : float, optional
        Target level in [0, 1] (:mod:`hear_brainsoundnet.level`) of the moving normalisation,
        overriding the preset's; 0 disables it.
    reference : bool
        Use the plain network only: equal up to rounding, and slower.

    Returns
    -------
    EmbeddingModel
        A :class:`torch.nn.Module` with `sample_rate`, `scene_embedding_size` and
        `timestamp_embedding_size`; move it with ``.to(device)``.

    Raises
    ------
    FileNotFoundError
        If there is no such checkpoint.
    TypeError
        If `model_file_path` is neither a string nor a path.
    ValueError
        For a rate that HEAR does not allow, an unknown preset, stage or pooling, a level
        outside [0, 1], or a file that is not a valid checkpoint.

    Examples
    --------
    >>> model = load_model(preset="paper")
    >>> model.sample_rate, model.scene_embedding_size, model.timestamp_embedding_size
    (48000, 1024, 128)
    """
    if not isinstance(model_file_path, str | os.PathLike):
        raise TypeError(
            "expected the name or the path of a checkpoint, got "
            f"{type(model_file_path).__name__}; load_model() without one loads the default, the "
            "rate is load_model(sample_rate=...)"
        )
    if sample_rate not in HEAR_SAMPLE_RATES:
        raise ValueError(
            f"sample_rate must be one of {', '.join(map(str, HEAR_SAMPLE_RATES))} Hz "
            f"(the rates that HEAR allows), got {sample_rate!r}; resample the audio first"
        )
    with ordinary_tensors():
        checkpoint = load_checkpoint(model_file_path)
    if os.fspath(model_file_path) in ("", "default"):
        _say_default(checkpoint.card.name, checkpoint.hash[:12], checkpoint.card.licence)
    return EmbeddingModel(
        checkpoint,
        sample_rate=int(sample_rate),
        preset=preset,
        scene=scene,
        timestamps=timestamps,
        level=level,
        reference=reference,
    )


@cache  # once in a process
def _say_default(name: str, digest: str, licence: str) -> None:
    logger.info(
        "no checkpoint given: loaded the embedded default, %s [%s], %s; "
        "hear-brainsoundnet info describes its training data",
        name,
        digest,
        licence,
    )


def get_scene_embeddings(
    audio: Tensor | Sequence[Tensor], model: EmbeddingModel | nn.Module
) -> Tensor:
    """Scene embeddings, one per clip.

    Parameters
    ----------
    audio : Tensor or list of Tensor
        Floating point, shape ``(n_sounds, n_samples)``, mono, within [-1, 1], at
        ``model.sample_rate``. Any length from one sample up: short audio is zero-padded.
        Clips of unequal length are given as a list of tensors ``(n_samples,)``; each gets the
        embedding it would get alone.
    model : EmbeddingModel
        From :func:`load_model`, optionally compiled or wrapped for several devices.

    Returns
    -------
    Tensor
        Shape ``(n_sounds, model.scene_embedding_size)``, float32, on the device of `audio`.

    Raises
    ------
    TypeError, ValueError
        For anything but floating-point audio of that shape, for NaN or infinity, and for another
        model.

    Examples
    --------
    >>> import torch
    >>> model = load_model(preset="paper")
    >>> get_scene_embeddings(torch.zeros(2, 48000), model).shape
    torch.Size([2, 1024])
    >>> get_scene_embeddings([torch.zeros(48000), torch.zeros(30000)], model).shape
    torch.Size([2, 1024])
    """
    own = _model_within(model, audio, "get_scene_embeddings")
    if isinstance(audio, list | tuple):
        parts = [found.scene for found in embed_clips(own, audio, timestamps=False)]
        return torch.cat([part for part in parts if part is not None])
    if model is not own:
        scene: Tensor = model(audio)
        return scene
    return own(audio)


@overload
def get_timestamp_embeddings(
    audio: Tensor, model: EmbeddingModel | nn.Module
) -> tuple[Tensor, Tensor]: ...


@overload
def get_timestamp_embeddings(
    audio: Sequence[Tensor], model: EmbeddingModel | nn.Module
) -> tuple[list[Tensor], list[Tensor]]: ...


def get_timestamp_embeddings(
    audio: Tensor | Sequence[Tensor], model: EmbeddingModel | nn.Module
) -> tuple[Tensor, Tensor] | tuple[list[Tensor], list[Tensor]]:
    """Timestamp embeddings: frames at regular times of each clip.

    Parameters
    ----------
    audio, model
        As for :func:`get_scene_embeddings`.

    Returns
    -------
    embeddings : Tensor
        Shape ``(n_sounds, n_timestamps, model.timestamp_embedding_size)``, float32.
    timestamps : Tensor
        Frame centres in milliseconds, shape ``(n_sounds, n_timestamps)``, float32:
        exactly the frames whose centre lies within the clip. A clip shorter than the
        first centre (34 ms for conv4) has none.

    For a list of clips both are lists, with one tensor per clip and no first axis.

    A frame depends only on the samples within its receptive field and, if ``model.level`` is
    not 0, on the samples that set the level there
    (:func:`hear_brainsoundnet.level.samples_around`): two seconds more on either side.

    Raises
    ------
    TypeError, ValueError
        As :func:`get_scene_embeddings`.

    Examples
    --------
    >>> import torch
    >>> model = load_model(preset="paper")
    >>> embeddings, timestamps = get_timestamp_embeddings(torch.zeros(2, 48000), model)
    >>> embeddings.shape, timestamps[0, :3]
    (torch.Size([2, 21, 128]), tensor([ 34.0363,  80.4762, 126.9161]))
    """
    own = _model_within(model, audio, "get_timestamp_embeddings")
    if isinstance(audio, list | tuple):
        found = embed_clips(own, audio, scene=False)
        frames = [each.timestamps[0] for each in found if each.timestamps is not None]
        return frames, [each.timestamps_ms[0] for each in found if each.timestamps_ms is not None]
    embeddings = own.embed_tensor(cast(Tensor, audio), scene=False)
    assert embeddings.timestamps is not None
    assert embeddings.timestamps_ms is not None
    return embeddings.timestamps, embeddings.timestamps_ms


def _model_within(model: object, audio: object, function: str) -> EmbeddingModel:
    """The model itself, unwrapped from torch.compile or nn.DataParallel."""
    within = model
    for wrapper in ("_orig_mod", "module"):
        if isinstance(within, nn.Module) and not isinstance(within, EmbeddingModel):
            within = getattr(within, wrapper, within)
    if isinstance(within, EmbeddingModel):
        return within
    if isinstance(audio, EmbeddingModel):
        raise TypeError(f"the audio comes first: {function}(audio, model)")
    raise _no_model(model, f"{function}(audio, load_model())")


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
        raise _no_model(model, call)
    return model


def _no_model(model: object, call: str) -> TypeError:
    return TypeError(
        f"expected a model that load_model() returned, got {type(model).__name__}; call {call}"
    )


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

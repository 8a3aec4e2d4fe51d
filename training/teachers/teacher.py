"""A teacher: a module with the HEAR API and a checkpoint, with validated output."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from hear_brainsoundnet.api import HEAR_SAMPLE_RATES
from hear_brainsoundnet.resampling import Resampler
from training.checksums import sha256_of
from training.corpus.corpus import SAMPLE_RATE
from training.teachers.sliding_windows import SlidingWindows

TRIAL_SECONDS = 6.0
TRIAL_LEVEL = 0.05  # root mean square of the noise, relative to full scale
LARGEST = float(np.finfo(np.float16).max)  # limit of a table
MOST_SCENES = 16  # per batch

Frames = tuple[NDArray[np.float32], NDArray[np.float64]]


class Teacher:
    """A model with the HEAR API, tested once.

    Parameters
    ----------
    module : str
        Import name of a module with ``load_model`` and ``get_timestamp_embeddings``.
    checkpoint : Path, optional
        Argument of ``load_model``; the module's default without it.
    scene_seconds : float, optional
        Use scene embeddings of windows of this many seconds with 50 % overlap, instead of timestamp
        embeddings.

    Attributes
    ----------
    identity : TeacherIdentity
    size : int
        Size of an embedding.
    hop : float
        Seconds from one embedding to the next.

    Raises
    ------
    ValueError
        If there is no such module, it lacks the HEAR API, cannot load its model, or its output for
        noise is inconsistent with its declared sizes.

    Examples
    --------
    >>> teacher = Teacher("hear_brainsoundnet")
    >>> frames, times = teacher.embed(np.zeros(22_050, dtype=np.float32))
    >>> frames.shape[1] == teacher.size, bool(0 <= times[0] < times[-1] < 1)
    (True, True)
    """

    def __init__(
        self, module: str, checkpoint: Path | None = None, *, scene_seconds: float | None = None
    ) -> None:
        self.identity = TeacherIdentity.of(module, checkpoint)
        self.scene_seconds = scene_seconds
        own = imported(module)
        load = _function(own, "load_model")
        kind = "timestamp" if scene_seconds is None else "scene"
        self._name = f"get_{kind}_embeddings"
        self._embed = _function(own, self._name)
        self._model = self._asked("load_model", load, *([str(checkpoint)] if checkpoint else []))
        rate = getattr(self._model, "sample_rate", None)
        if rate not in HEAR_SAMPLE_RATES:
            raise ValueError(
                f"{module}: expected a sample rate of {', '.join(map(str, HEAR_SAMPLE_RATES))} Hz, "
                f"got {rate!r}; a HEAR model has one of them as its sample_rate"
            )
        self._rate = int(rate)
        size = getattr(self._model, f"{kind}_embedding_size", None)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                f"{module}: expected the model's {kind}_embedding_size to be a number of values, "
                f"got {size!r}"
            )
        self.size: int = size
        self._resampler = Resampler(SAMPLE_RATE, self._rate)
        self.hop = self._try()

    def embed(self, samples: NDArray[np.float32]) -> Frames:
        """Embeddings of a clip.

        Parameters
        ----------
        samples : ndarray
            float32 ``(n,)`` at the corpus rate.

        Returns
        -------
        frames : ndarray
            float32 ``(n_frames, size)``.
        times : ndarray
            Their centres, in seconds from the first sample.

        Raises
        ------
        ValueError
            If the teacher fails, or returns NaN, wrong sizes or times that do not ascend.
        """
        audio = self._resampler(torch.from_numpy(samples)[None])
        with torch.inference_mode():
            frames, times = self._scenes(audio) if self.scene_seconds else self._timestamps(audio)
        if not (np.abs(frames) <= LARGEST).all():  # false for NaN, too
            what = "NaN" if np.isnan(frames).any() else f"values beyond {LARGEST:g}"
            raise self._wrong(f"returned {what}; fix the module, or leave such recordings out")
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
            raise self._wrong("returned timestamps that do not ascend; fix the module")
        return frames, times

    def _timestamps(self, audio: Tensor) -> Frames:
        given = self._asked(self._name, self._embed, audio, self._model)
        if not isinstance(given, tuple | list) or len(given) != 2:
            raise self._wrong(
                f"returned {type(given).__name__}, expected embeddings and timestamps"
            )
        frames, times = map(self._array, given)
        if frames.ndim != 3 or frames.shape[::2] != (1, self.size):
            raise self._wrong(
                f"returned shape {frames.shape} for one clip, expected (1, n_frames, {self.size}) "
                "as its model declares"
            )
        if times.shape != frames.shape[:2]:
            raise self._wrong(
                f"returned timestamps of shape {times.shape}, expected one for each frame: "
                f"{frames.shape[:2]}"
            )
        return frames[0].astype(np.float32), times[0].astype(np.float64) / 1000

    def _scenes(self, audio: Tensor) -> Frames:
        assert self.scene_seconds is not None
        length = round(self.scene_seconds * self._rate)
        windows = SlidingWindows(length, hop=max(1, length // 2))
        parts = []
        for batch in windows.cut(audio)[0].split(MOST_SCENES):
            part = self._array(self._asked(self._name, self._embed, batch, self._model))
            if part.shape != (len(batch), self.size):
                raise self._wrong(
                    f"returned shape {part.shape} for {len(batch)} clips, expected ({len(batch)}, "
                    f"{self.size}) as its model declares"
                )
            parts.append(part.astype(np.float32))
        return np.concatenate(parts), windows.centres(audio.shape[1]).numpy() / self._rate

    def _try(self) -> float:
        """Embed noise and validate the times; returns the hop in seconds."""
        generator = np.random.default_rng(0)
        noise = TRIAL_LEVEL * generator.standard_normal(round(TRIAL_SECONDS * SAMPLE_RATE))
        _, times = self.embed(noise.astype(np.float32))
        if len(times) == 0:
            raise self._wrong(f"returned no embedding of {TRIAL_SECONDS:g} s of noise")
        if len(times) == 1:
            return TRIAL_SECONDS
        if not TRIAL_SECONDS / 4 < times[-1] < TRIAL_SECONDS * 2:
            raise self._wrong(
                f"returned timestamps up to {1000 * times[-1]:g} for {TRIAL_SECONDS:g} s of audio; "
                "expected milliseconds"
            )
        return float(np.median(np.diff(times)))

    def _array(self, given: Any) -> NDArray[Any]:
        try:
            return np.asarray(torch.as_tensor(given).detach().cpu())
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._wrong(f"returned {type(given).__name__}, expected a tensor") from error

    def _asked(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the module; any error is converted to one line."""
        try:
            return function(*arguments)
        except Exception as error:  # third-party code can raise anything
            raise ValueError(
                f"{self.identity.module}: {name} failed: {in_one_line(error)}"
            ) from error

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"{self.identity.module}: {self._name} {what}")


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        raise ValueError(f"module {module.__name__!r} has no {name}; it is not a HEAR module")
    return function


class TeacherIdentity(BaseModel):
    """Identity of a teacher; equal identities mean equal embeddings.

    Attributes
    ----------
    module : str
        Import name.
    version : str
        Version of the module, or of its distribution; else the first digits of the SHA-256 of its
        source.
    checkpoint_sha256 : str
        Hash of the weight file; empty without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    version: str
    checkpoint_sha256: str = ""

    @classmethod
    def of(cls, module: str, checkpoint: Path | None = None) -> TeacherIdentity:
        """Identity of a module and a weight file.

        Raises
        ------
        ValueError
            If the module cannot be imported.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> TeacherIdentity.of("training.teachers.yamnet").version
        '1'
        """
        return cls(
            module=module,
            version=_version(imported(module)),
            checkpoint_sha256=sha256_of(checkpoint) if checkpoint else "",
        )


def imported(module: str) -> ModuleType:
    """The module of a teacher.

    Raises
    ------
    ValueError
        If it cannot be imported, for any reason.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # third-party code can raise anything
        raise ValueError(
            f"cannot import the teacher {module!r}: {in_one_line(error)}; name an installed module "
            "with the HEAR API"
        ) from error


def in_one_line(error: Exception) -> str:
    """One-line message of an error of third-party code.

    Examples
    --------
    >>> in_one_line(KeyError("layer")), in_one_line(ValueError("too short"))
    ("KeyError: 'layer'", 'too short')
    """
    text = " ".join(str(error).split())
    if text and isinstance(error, ValueError | OSError):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def _version(module: ModuleType) -> str:
    own = getattr(module, "__version__", None)
    if isinstance(own, str):
        return own
    top = module.__name__.partition(".")[0]
    names = set(importlib.metadata.packages_distributions().get(top, ()))
    if len(names) == 1:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(names.pop())
    return sha256_of(Path(module.__file__))[:12] if module.__file__ else ""

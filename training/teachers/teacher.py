"""A teacher: a module with the HEAR API and a checkpoint, and what it says of a sound."""

from __future__ import annotations

import hashlib
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

from hear_brainsoundnet.api import HEAR_SAMPLE_RATES
from hear_brainsoundnet.resampling import Resampler
from training.corpus.corpus import SAMPLE_RATE

TRIAL_SECONDS = 6.0
TRIAL_LEVEL = 0.05  # root mean square of the noise, relative to full scale
LARGEST = float(np.finfo(np.float16).max)  # that a table can hold

Frames = tuple[NDArray[np.float32], NDArray[np.float64]]


class TeacherIdentity(BaseModel):
    """Which teacher it is; two that are equal give the same embeddings.

    Attributes
    ----------
    module : str
        Import name.
    version : str
        Of the module, or of the distribution it is from; else the beginning of the SHA-256 of its
        source.
    checkpoint_sha256 : str
        Of the file of weights; empty without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    version: str
    checkpoint_sha256: str = ""

    @classmethod
    def of(cls, module: str, checkpoint: Path | None = None) -> TeacherIdentity:
        """That of a module and a file of weights.

        Raises
        ------
        ValueError
            If the module cannot be imported.
        OSError
            If the file cannot be read.
        """
        return cls(
            module=module,
            version=_version(_imported(module)),
            checkpoint_sha256=_sha256(checkpoint) if checkpoint else "",
        )


class Teacher:
    """A model that answers to the HEAR API, tried once.

    Parameters
    ----------
    module : str
        Import name of a module with ``load_model`` and ``get_timestamp_embeddings``.
    checkpoint : Path, optional
        What ``load_model`` is given; without it the module's default.

    Attributes
    ----------
    identity : TeacherIdentity
    size : int
        Of an embedding.
    hop : float
        Seconds from one embedding to the next.

    Raises
    ------
    ValueError
        If there is no such module, it lacks the HEAR API, cannot load its model, or what it gives
        for noise is not what it announces.

    Examples
    --------
    >>> teacher = Teacher("hear_brainsoundnet")
    >>> frames, times = teacher.embed(np.zeros(22_050, dtype=np.float32))
    >>> frames.shape[1] == teacher.size, bool(0 <= times[0] < times[-1] < 1)
    (True, True)
    """

    def __init__(self, module: str, checkpoint: Path | None = None) -> None:
        self.identity = TeacherIdentity.of(module, checkpoint)
        self._module = _imported(module)
        load = _function(self._module, "load_model")
        self._embed = _function(self._module, "get_timestamp_embeddings")
        self._model = self._asked("load_model", load, *([str(checkpoint)] if checkpoint else []))
        rate = getattr(self._model, "sample_rate", None)
        if rate not in HEAR_SAMPLE_RATES:
            raise ValueError(
                f"{module}: expected a sample rate of {', '.join(map(str, HEAR_SAMPLE_RATES))} Hz, "
                f"got {rate!r}; a HEAR model has one of them as its sample_rate"
            )
        size = getattr(self._model, "timestamp_embedding_size", None)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                f"{module}: expected the model's timestamp_embedding_size to be a number of "
                f"values, got {size!r}"
            )
        self.size: int = size
        self._resampler = Resampler(SAMPLE_RATE, int(rate))
        self.hop = self._try()

    def embed(self, samples: NDArray[np.float32]) -> Frames:
        """Embeddings of a sound.

        Parameters
        ----------
        samples : ndarray
            float32 ``(n,)`` at the rate of corpora.

        Returns
        -------
        frames : ndarray
            float32 ``(n_frames, size)``.
        times : ndarray
            Their centres, in seconds from the first sample.

        Raises
        ------
        ValueError
            If the teacher fails, or gives NaN, other sizes or times that do not ascend.
        """
        audio = self._resampler(torch.from_numpy(samples)[None])
        with torch.inference_mode():
            given = self._asked("get_timestamp_embeddings", self._embed, audio, self._model)
        name = f"{self.identity.module}: get_timestamp_embeddings"
        try:
            frames, times = (np.asarray(torch.as_tensor(each).cpu()) for each in given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{name} did not give embeddings and timestamps ({error})") from error
        if frames.ndim != 3 or frames.shape[::2] != (1, self.size):
            raise ValueError(
                f"{name} gave shape {frames.shape} for one sound, expected (1, n_frames, "
                f"{self.size}) as its model announces"
            )
        if times.shape != frames.shape[:2]:
            raise ValueError(
                f"{name} gave timestamps of shape {times.shape}, expected one for each frame: "
                f"{frames.shape[:2]}"
            )
        if not (np.abs(frames) <= LARGEST).all():  # false for NaN, too
            what = "NaN" if np.isnan(frames).any() else f"values beyond {LARGEST:g}"
            raise ValueError(f"{name} gave {what}; mend the module, or leave the recording out")
        seconds = times[0].astype(np.float64) / 1000
        if not (np.isfinite(seconds).all() and (np.diff(seconds) > 0).all()):
            raise ValueError(f"{name} gave timestamps that do not ascend; mend the module")
        return frames[0].astype(np.float32), seconds

    def _try(self) -> float:
        """Embed noise and see that times are such; returns the seconds between them."""
        generator = np.random.default_rng(0)
        noise = TRIAL_LEVEL * generator.standard_normal(round(TRIAL_SECONDS * SAMPLE_RATE))
        _, times = self.embed(noise.astype(np.float32))
        if len(times) == 0:
            raise ValueError(
                f"{self.identity.module} gave no embedding of {TRIAL_SECONDS:g} s of noise"
            )
        if len(times) > 1 and not TRIAL_SECONDS / 4 < times[-1] < TRIAL_SECONDS * 2:
            raise ValueError(
                f"{self.identity.module} gave timestamps up to {1000 * times[-1]:g} for "
                f"{TRIAL_SECONDS:g} s of sound; expected milliseconds"
            )
        return float(np.median(np.diff(times))) if len(times) > 1 else TRIAL_SECONDS

    def _asked(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of the module returns; whatever it raises becomes one line."""
        try:
            return function(*arguments)
        except Exception as error:  # of code that anybody may have written
            raise ValueError(f"{self.identity.module}: {name} failed: {_line(error)}") from error


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:  # of code that anybody may have written
        raise ValueError(
            f"cannot import the teacher {module!r}: {_line(error)}; name an installed module with "
            "the HEAR API"
        ) from error


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(module, name, None)
    if function is None or not callable(function):
        raise ValueError(f"module {module.__name__!r} has no {name}; it is no HEAR module")
    return function


def _version(module: ModuleType) -> str:
    own = getattr(module, "__version__", None)
    if isinstance(own, str):
        return own
    top = module.__name__.partition(".")[0]
    names = set(importlib.metadata.packages_distributions().get(top, ()))
    if len(names) == 1:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(names.pop())
    return _sha256(Path(module.__file__))[:12] if module.__file__ else ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ValueError | OSError) and text
        else (f"{type(error).__name__}: {text}" if text else type(error).__name__)
    )

"""Activations of a model on a set of sounds, cached on disk."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.correspondence.stages import StagedModel, check_activations
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.resampling import Resampler

logger = logging.getLogger(__name__)

SOUNDS_AT_ONCE = 16

Audio = tuple[NDArray[np.float32], int]  # samples (n_samples,) within [-1, 1], rate in Hz
Activations = dict[str, NDArray[np.float32]]  # by stage, (n_sounds, n_units)


def activations_on(
    model: StagedModel,
    sounds: Sequence[str],
    read: Callable[[str], Audio],
    cache: Path | None = None,
) -> Activations:
    """Time-averaged activations, computed or read from the cache.

    Parameters
    ----------
    model : StagedModel
        The model; sounds are resampled to its rate.
    sounds : sequence of str
        Names of the sounds.
    read : callable
        From a name to its samples and rate. Sounds of equal length are batched.
    cache : Path, optional
        Folder of files named by hashes of the model's identity and the content of all sounds.

    Returns
    -------
    dict
        By stage in the model's order, float32 ``(n_sounds, n_units)``.

    Raises
    ------
    ValueError
        If activations are missing, of the wrong shape or not finite; the message names stage and
        sound.
    """
    audio = [read(name) for name in sounds]
    file = None
    if cache is not None:
        slug = re.sub(r"[^A-Za-z0-9.=-]+", "-", model.name)[:60]
        identity = hashlib.sha256(f"{model.identity} {model.stages}".encode()).hexdigest()
        file = cache / f"{slug}-{identity[:16]}-{_hash_of(sounds, audio)[:16]}.npz"
        kept = _read(file, model.stages)
        if kept is not None:
            return kept
    activations = _compute(model, sounds, audio)
    if file is not None:
        buffer = io.BytesIO()
        tables = {f"stage-{i}": table for i, table in enumerate(activations.values())}
        np.savez(buffer, allow_pickle=False, **tables)
        write_atomically(file, buffer.getvalue())
    return activations


def _compute(model: StagedModel, sounds: Sequence[str], audio: Sequence[Audio]) -> Activations:
    rates = {rate for _, rate in audio}
    resamplers = {rate: Resampler(rate, model.sample_rate) for rate in rates}
    groups: dict[tuple[int, int], list[int]] = {}
    for number, (samples, rate) in enumerate(audio):
        groups.setdefault((len(samples), rate), []).append(number)
    rows: dict[str, dict[int, NDArray[np.float32]]] = {stage: {} for stage in model.stages}
    for (_, rate), members in groups.items():
        for first in range(0, len(members), SOUNDS_AT_ONCE):
            some = members[first : first + SOUNDS_AT_ONCE]
            batch = torch.from_numpy(np.stack([audio[number][0] for number in some]))
            found = model.activations(resamplers[rate](batch))
            check_activations(model, found, [sounds[number] for number in some])
            for stage in model.stages:
                rows[stage].update(zip(some, found[stage].numpy(), strict=True))
            logger.info("%s: %d sounds", model.name, len(rows[model.stages[0]]))
    return {
        stage: np.stack([own[number] for number in range(len(sounds))])
        for stage, own in rows.items()
    }


def _read(file: Path, stages: Sequence[str]) -> Activations | None:
    """Cached activations of an earlier call; a damaged file is ignored and rewritten."""
    try:
        with np.load(file, allow_pickle=False) as tables:
            return {stage: tables[f"stage-{i}"] for i, stage in enumerate(stages)}
    except FileNotFoundError:
        return None
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("%s cannot be read (%s); computing it again", file, error)
        return None


def _hash_of(sounds: Sequence[str], audio: Sequence[Audio]) -> str:
    digest = hashlib.sha256()
    for name, (samples, rate) in zip(sounds, audio, strict=True):
        digest.update(f"{name} {rate} {len(samples)}".encode())
        digest.update(np.ascontiguousarray(samples).tobytes())
    return digest.hexdigest()

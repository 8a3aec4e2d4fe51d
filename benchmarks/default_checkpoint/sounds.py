"""The 165 natural sounds at the network's rate, with the response components, in one order.

They are normalised to the default preset's level, as at inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from benchmarks.encoding.natsound165 import FOLDER, prepare_sounds
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.level import brought_to
from training.data.prepared import INT16_SCALE, Prepared


@dataclass(frozen=True)
class NaturalSounds:
    """Sounds and responses.

    Attributes
    ----------
    prepared : Prepared
        The dataset used by fits.
    audio : list of ndarray
        ``(n_samples,)`` within [-1, 1], one for each run of `prepared`.
    responses : ndarray
        ``(n_sounds, n_components)``.
    components : tuple of str
        Their names.
    levelled : Path
        Folder of the sounds at their own sample rate.
    """

    prepared: Prepared
    audio: list[NDArray[np.float32]]
    responses: NDArray[np.float64]
    components: tuple[str, ...]
    levelled: Path


def natural_sounds(data: Path, work: Path) -> NaturalSounds:
    """Prepare them in ``work/prepared``, or read the existing dataset."""
    levelled = work / "levelled"
    levelled.mkdir(parents=True, exist_ok=True)
    for path in sorted((data / FOLDER / "sounds").glob("*.wav")):
        audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(audio.mean(axis=1))[None]
        same = brought_to(PRESETS["default"].level, mono, sample_rate)[0].numpy()
        soundfile.write(levelled / path.name, same, sample_rate, "FLOAT")
    prepared = prepare_sounds(data / FOLDER, work / "prepared", levelled)
    scale = np.float32(INT16_SCALE)
    return NaturalSounds(
        prepared,
        [prepared.audio(run.stimulus).astype(np.float32) / scale for run in prepared.runs],
        np.concatenate([prepared.bold(run) for run in prepared.runs]).astype(np.float64),
        tuple(prepared.info.target_names),
        levelled,
    )

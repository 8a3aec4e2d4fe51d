"""The 165 natural sounds at the network's rate, with the brain's responses, in one order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.encoding.natsound165_models import prepare_sounds
from training.prepared import INT16_SCALE, Prepared

FOLDER = Path("fmri", "natsound165")  # in the folder of the real recordings


@dataclass(frozen=True)
class NaturalSounds:
    """Sounds and responses.

    Attributes
    ----------
    prepared : Prepared
        The dataset that fits read.
    audio : list of ndarray
        ``(n_samples,)`` within [-1, 1], one for each run of `prepared`.
    responses : ndarray
        ``(n_sounds, n_components)``.
    components : tuple of str
        Their names.
    """

    prepared: Prepared
    audio: list[NDArray[np.float32]]
    responses: NDArray[np.float64]
    components: tuple[str, ...]


def natural_sounds(data: Path, work: Path) -> NaturalSounds:
    """Prepare them in ``work/prepared``, or read what was prepared there."""
    prepared = prepare_sounds(data / FOLDER, work / "prepared")
    scale = np.float32(INT16_SCALE)
    return NaturalSounds(
        prepared,
        [prepared.audio(run.stimulus).astype(np.float32) / scale for run in prepared.runs],
        np.concatenate([prepared.bold(run) for run in prepared.runs]).astype(np.float64),
        tuple(prepared.info.target_names),
    )

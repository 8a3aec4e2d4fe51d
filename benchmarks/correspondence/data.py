"""Responses to sounds, in a common format for all sources.

:mod:`benchmarks.correspondence.natsound165` reads the published components,
:mod:`benchmarks.correspondence.voxel_archive` the published voxels,
:mod:`benchmarks.correspondence.prepared_sounds` any prepared dataset with one response per sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.activations import Audio
from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.sound_files import is_sound, shown


@dataclass(frozen=True)
class SoundResponses:
    """Responses of many targets to the same sounds.

    Attributes
    ----------
    name : str
        Name in the tables.
    sounds : tuple of str
        Names of the sounds, in the order of the responses.
    responses : ndarray
        ``(n_scans, n_sounds, n_targets)``; three scans if noise can be estimated, else one.
    participants, regions : tuple of str
        Of each target; the region may be "".
    read : callable
        From the name of a sound to its samples and rate.

    Raises
    ------
    ValueError
        If the shapes are inconsistent or a response is not finite.
    """

    name: str
    sounds: tuple[str, ...]
    responses: NDArray[np.floating]
    participants: tuple[str, ...]
    regions: tuple[str, ...]
    read: Callable[[str], Audio]

    def __post_init__(self) -> None:
        expected = (len(self.sounds), len(self.participants))
        if self.responses.ndim != 3 or self.responses.shape[1:] != expected:
            raise ValueError(
                f"{self.name}: responses of shape {self.responses.shape} do not go with "
                f"{expected[0]} sounds and {expected[1]} targets"
            )
        if len(self.regions) != expected[1]:
            raise ValueError(f"{self.name}: {len(self.regions)} regions for {expected[1]} targets")
        broken = np.flatnonzero(~np.isfinite(self.responses).all(axis=(0, 2)))
        if len(broken):
            raise ValueError(
                f"{self.name}: responses to {shown([self.sounds[i] for i in broken])} contain NaN "
                "or infinity; take these sounds or the targets concerned out"
            )


def sound_files(folder: Path, sounds: Sequence[str], responses: str) -> Callable[[str], Audio]:
    """A reader of the audio files of a folder, matched with responses by name.

    Parameters
    ----------
    folder : Path
        Audio files, ``NAME.wav`` or another suffix that soundfile reads; others may be there too.
    sounds : sequence of str
        Names of the sounds with responses.
    responses : str
        Origin of the responses, for the message.

    Raises
    ------
    ValueError
        If sounds have no file; the message lists them, and the files in the folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder of sounds: {folder}")
    files = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if is_sound(path) and not path.name.startswith(".")
    }
    refuse_unmatched(sounds, files, responses, str(folder))
    return lambda name: read_file(files[name])


def refuse_unmatched(
    responses: Sequence[str], sounds: Mapping[str, object], of_responses: str, of_sounds: str
) -> None:
    """Reject responses without a sound of the same name.

    Examples
    --------
    >>> refuse_unmatched(["dog", "bell"], {"dog": 0, "Bell": 0}, "table.npz", "sounds")
    Traceback (most recent call last):
        ...
    ValueError: table.npz has responses to bell, which sounds does not hold; without a response...
    """
    missing = [name for name in responses if name not in sounds]
    if missing:
        spare = [name for name in sounds if name not in set(responses)]
        raise ValueError(
            f"{of_responses} has responses to {shown(missing)}, which {of_sounds} does not hold; "
            f"without a response there: {shown(spare) if spare else 'none'}. Names must be equal"
        )


def read_file(path: Path) -> Audio:
    """Samples and rate of an audio file, averaged over channels."""
    with AudioFile(path) as file:
        return file.read(0, file.n_samples)[0].numpy(), file.sample_rate

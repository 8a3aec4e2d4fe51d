"""Responses to sounds in one format, of the published components and of prepared datasets.

Those of the published voxels are in :mod:`benchmarks.correspondence.voxel_archive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.correspondence.stages import Audio
from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.sound_files import is_sound, shown
from training.data.prepared import INT16_SCALE, Prepared
from training.sources.sound_responses import ResponseKeys, read_responses

TABLE = "components.mat"  # of natsound165
MOST_REGIONS = 20  # targets of a prepared dataset that are regions of their own


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


def natsound165_components(folder: Path) -> SoundResponses:
    """Six response components to 165 natural sounds (Norman-Haignere et al. 2015).

    Each is a region and, for equal weighting, a participant. They are a single noiseless table, so
    that no noise correction is possible.

    Parameters
    ----------
    folder : Path
        ``components.mat``, with the components ``R`` (one value per sound) and the weights ``W`` of
        each in every voxel; and a folder ``sounds``.
    """
    return _natsound165(folder, "natsound165 components", None)


def natsound165_voxels(folder: Path) -> SoundResponses:
    """The reconstruction ``R @ W`` of 11,065 voxels of ten subjects, of rank 6.

    The file does not assign voxels to subjects: all are one participant.
    """
    return _natsound165(folder, "natsound165 voxels, rank 6", "W")


def _natsound165(folder: Path, name: str, weights: str | None) -> SoundResponses:
    keys = ResponseKeys("R", "stim_names", "component_names", weights)
    table = read_responses(folder / TABLE, keys)
    n_targets = len(table.targets)
    return SoundResponses(
        name=name,
        sounds=table.names,
        responses=table.responses[None],
        participants=("group",) * n_targets if weights else table.targets,
        regions=("",) * n_targets if weights else table.targets,
        read=sound_files(folder / "sounds", table.names, TABLE),
    )


def prepared_sounds(prepared: Prepared) -> SoundResponses:
    """All subjects combined, each a participant with the targets it has.

    Parameters
    ----------
    prepared : Prepared
        Of the kind "sound_responses". Few targets are separate regions.

    Raises
    ------
    ValueError
        If it is of another kind, subjects were presented with different sounds, or a target is
        missing for some of a subject's sounds only.
    """
    info = prepared.info
    if info.kind != "sound_responses":
        raise ValueError(f"{prepared.folder} holds {info.kind}, expected sound_responses")
    names = (
        info.target_names
        if len(info.target_names) <= MOST_REGIONS
        else ("",) * len(info.target_names)
    )
    sounds: tuple[str, ...] = ()
    tables, participants, regions = [], [], []
    for subject in prepared.subjects:
        runs = {run.stimulus: run for run in prepared.runs if run.subject == subject}
        sounds = sounds or tuple(runs)
        refuse_unmatched(sounds, runs, prepared.subjects[0], subject)
        refuse_unmatched(tuple(runs), dict.fromkeys(sounds), subject, prepared.subjects[0])
        table = np.concatenate([prepared.bold(runs[sound]) for sound in sounds]).astype(np.float64)
        there = np.asarray(np.isfinite(table).any(axis=0))
        broken = np.flatnonzero(~np.isfinite(table[:, there]).all(axis=1))
        if len(broken):
            raise ValueError(
                f"{prepared.folder}: {subject} lacks some responses to "
                f"{shown([sounds[i] for i in broken])}; leave these sounds out"
            )
        tables.append(table[:, there])
        participants += [subject] * int(there.sum())
        regions += [name for name, present in zip(names, there, strict=True) if present]

    def read(name: str) -> Audio:
        samples = prepared.audio(name).astype(np.float32)
        return samples / np.float32(INT16_SCALE), info.sample_rate

    return SoundResponses(
        name=info.name,
        sounds=sounds,
        responses=np.concatenate(tables, axis=1)[None],
        participants=tuple(participants),
        regions=tuple(regions),
        read=read,
    )

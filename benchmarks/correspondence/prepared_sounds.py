"""Sound responses of a prepared dataset of this project."""

from __future__ import annotations

import numpy as np

from benchmarks.correspondence.activations import Audio
from benchmarks.correspondence.data import SoundResponses, refuse_unmatched
from hear_brainsoundnet.sound_files import shown
from training.data.prepared import INT16_SCALE, Prepared

MOST_REGIONS = 20  # maximal number of targets shown individually


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

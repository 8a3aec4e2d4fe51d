"""Predictions in the form that the Algonauts 2025 challenge takes.

A submission is a zip file with one ``.npy`` file: a dictionary from subjects to dictionaries from
episodes to float32 arrays ``(n_trs, 1000)``, as numpy pickles it. The challenge takes it so; this
package writes it and never reads it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hear_brainsoundnet.audio import AudioFile, Sound, TensorSound
from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder
from hear_brainsoundnet.files import writing
from hear_brainsoundnet.prediction import build_encoder, predict_responses
from hear_brainsoundnet.sound_files import shown
from training.data.prepared import INT16_SCALE, Prepared
from training.evaluation.sample_numbers import read_sample_numbers
from training.fitting.fit_folder import FitFolder
from training.progress import bar
from training.sources.cneuromod_layout import RunKey
from training.sources.entities import parse_entities
from training.sources.stimulus_folder import StimulusFolder

N_PARCELS = 1000  # of the challenge: Schaefer's, in ascending order of their ids
Numbers = Mapping[str, Mapping[str, int]]  # of TRs, by subject and episode
Submission = dict[str, dict[str, NDArray[np.float32]]]


class StimulusSounds:
    """Sounds of episodes from files, and the numbers of TRs from tables.

    Parameters
    ----------
    stimuli : Path
        Folder of the films.
    samples : sequence of Path
        As for :func:`training.evaluation.sample_numbers.read_sample_numbers`.
    """

    def __init__(self, stimuli: Path, samples: Sequence[Path]) -> None:
        self.numbers: Numbers = read_sample_numbers(samples)
        folder = StimulusFolder(stimuli)
        self._files: dict[str, Path] = {}
        missing = []
        for episode in sorted({each for own in self.numbers.values() for each in own}):
            names = RunKey({"task": episode}, "friends").films()
            found = next(filter(None, map(folder.get, names)), None)
            if found is None:
                missing.append(episode)
            else:
                self._files[episode] = found
        if missing:
            raise ValueError(f"{stimuli} has no film of {shown(missing)}")

    @contextmanager
    def sound(self, episode: str) -> Iterator[Sound]:
        """The audio of an episode."""
        with AudioFile(self._files[episode]) as audio:
            yield audio


class PreparedSounds:
    """Sounds of the runs of a prepared dataset, and their numbers of TRs from the stimulus's onset.

    An episode is the task of a run's name, such as ``s06e01a``; of repeats the longest counts.

    Parameters
    ----------
    data : Path
        Folder of the dataset.
    """

    def __init__(self, data: Path) -> None:
        self._prepared = Prepared(data)
        self._stimuli: dict[str, str] = {}
        numbers: dict[str, dict[str, int]] = {}
        for run in self._prepared.runs:
            episode = parse_entities(run.name).get("task", run.name)
            own = numbers.setdefault(run.subject, {})
            n_trs = run.n_trs + (round(run.start / run.tr) if run.tr else 0)
            own[episode] = max(n_trs, own.get(episode, 0))
            if self._stimuli.setdefault(episode, run.stimulus) != run.stimulus:
                raise ValueError(f"{data}: {episode} is the name of runs with different stimuli")
        self.numbers: Numbers = numbers

    @contextmanager
    def sound(self, episode: str) -> Iterator[Sound]:
        """The audio of an episode."""
        audio = np.asarray(self._prepared.audio(self._stimuli[episode]), dtype=np.float32)
        rate = self._prepared.info.sample_rate
        yield TensorSound(torch.from_numpy(audio / np.float32(INT16_SCALE))[None], rate)


@dataclass(frozen=True)
class _Fit:
    path: Path
    encoder: BrainEncoder
    input_scale: float


def write_submission(
    fits: Sequence[Path],
    out: Path,
    sounds: StimulusSounds | PreparedSounds,
    *,
    episodes: str = "*",
    progress: bool = False,
) -> dict[str, int]:
    """Predict episodes with fits and write a submission.

    Parameters
    ----------
    fits : sequence of Path
        Folders of finished fits; each subject is predicted by one of them.
    out : Path
        The zip file; the file in it has its name with ``.npy``.
    sounds : StimulusSounds or PreparedSounds
        What is predicted.
    episodes : str
        Pattern of the episodes, such as ``s07*``.
    progress : bool
        Show a progress bar on standard error.

    Returns
    -------
    dict
        Number of episodes by subject.

    Raises
    ------
    FileNotFoundError
        If a fit is missing.
    ValueError
        If a fit is not finished or has other targets than the 1000 parcels, a subject is predicted
        by no fit or by two, or nothing is asked for.
    """
    if out.suffix != ".zip":
        raise ValueError(f"a submission is a .zip file, got {out}")
    numbers = {
        subject: wanted
        for subject, own in sorted(sounds.numbers.items())
        if (wanted := {each: n for each, n in own.items() if fnmatchcase(each, episodes)})
    }
    if not numbers:
        every = sorted({each for own in sounds.numbers.values() for each in own})
        raise ValueError(f"no episode matches {episodes!r}; there are {shown(every)}")
    owners = _owners([_read_fit(path) for path in fits], list(numbers))
    predictions: Submission = {subject: {} for subject in numbers}
    every = sorted({episode for own in numbers.values() for episode in own})
    for episode in bar(every, desc="episodes", shown=progress):
        n_trs = {subject: own[episode] for subject, own in numbers.items() if episode in own}
        for fit in {owners[subject].path: owners[subject] for subject in n_trs}.values():
            heads = {s: str(fit.encoder.read_out.head_for(s)) for s in n_trs if owners[s] is fit}
            with sounds.sound(episode) as sound:
                rows = predict_responses(
                    fit.encoder,
                    sound,
                    input_scale=fit.input_scale,
                    names=sorted(set(heads.values())),
                    n_trs=max(n_trs[subject] for subject in heads),
                )
            for subject, head in heads.items():
                predictions[subject][episode] = rows[head][: n_trs[subject]].numpy()
    _write(out, predictions)
    return {subject: len(own) for subject, own in predictions.items()}


def _read_fit(path: Path) -> _Fit:
    checkpoint = read_checkpoint(FitFolder(path).model_path())
    encoder = build_encoder(checkpoint)
    ids = encoder.read_out.target_ids
    if ids != tuple(range(1, N_PARCELS + 1)):
        raise ValueError(
            f"{path} predicts {len(ids)} targets, the challenge takes the {N_PARCELS} parcels with "
            f"ids 1 to {N_PARCELS}; fit to data like that of prepare_algonauts.yaml"
        )
    return _Fit(path, encoder, checkpoint.card.input_scale)


def _owners(fits: Sequence[_Fit], subjects: Sequence[str]) -> dict[str, _Fit]:
    """The fit of each subject; every fit has at least one."""
    owners: dict[str, _Fit] = {}
    for fit in fits:
        own = [subject for subject in fit.encoder.read_out.subjects if subject in subjects]
        if not own:
            raise ValueError(
                f"{fit.path} was fitted to {shown(fit.encoder.read_out.subjects)}, asked for are "
                f"{shown(subjects)}"
            )
        for subject in own:
            if subject in owners:
                raise ValueError(f"{subject} is predicted by {owners[subject].path} and {fit.path}")
            owners[subject] = fit
    if missing := [subject for subject in subjects if subject not in owners]:
        raise ValueError(f"no fit predicts {shown(missing)}; give one, or leave out its table")
    return owners


def _write(out: Path, predictions: Submission) -> None:
    document: Any = predictions
    with (
        writing(out) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
        # ZipInfo instead of a name: no time stamp, the same predictions give the same bytes
        archive.open(zipfile.ZipInfo(f"{out.stem}.npy"), "w", force_zip64=True) as file,
    ):
        np.save(file, document, allow_pickle=True)

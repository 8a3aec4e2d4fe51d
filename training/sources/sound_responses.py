"""Source of sounds with one response per sound and target: experiments without a time axis.

A table of responses, one row per sound, is a MATLAB file, text or an npz file. Rows are matched
with audio files by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from hear_brainsoundnet.sound_files import shown
from training.config import Settings
from training.sources.response_table import ResponseKeys, read_responses
from training.sources.source import Collection, Recording, Targets
from training.sources.stimulus_folder import StimulusFolder


class SoundResponsesSource(Settings):
    """Responses to sounds, one number per sound and target.

    Every sound is a separate run, with one row, and a separate episode.

    Attributes
    ----------
    sounds : Path
        Folder of audio files; a sound's name is that of its file, without the suffix.
    table : Path
        ``.mat`` (up to version 7.2) or ``.npz``: arrays under the three keys below; ``.csv`` or
        ``.tsv``: a header, the names of the sounds in the first column, the targets in the others.
    subject : str
        Subject name; "group" for averages.
    responses : str
        Key of the responses, ``(n_sounds, n_targets)``.
    names : str
        Key of the names of the sounds.
    target_names : str
        Key of the names of the targets; numbered if it is missing.
    weights : str, optional
        Key of an array ``(n_targets, n_voxels)``: the targets are then the voxels, whose responses
        are ``responses @ weights``.
    """

    kind: Literal["sound_responses"] = "sound_responses"
    sounds: Path
    table: Path
    subject: str = "group"
    responses: str = "R"
    names: str = "stim_names"
    target_names: str = "component_names"
    weights: str | None = None

    def collect(self, exclude: Sequence[str] = ()) -> Collection:
        """One recording per sound, in the order of the table.

        Raises
        ------
        FileNotFoundError
            If the folder or the table is not there.
        ValueError
            If the table cannot be read or its parts are inconsistent, a name or a file is repeated,
            a name has no file, or a response is not finite.
        """
        table = read_responses(self.table, self._keys())
        folder = StimulusFolder(self.sounds)
        files = {name: path for name in table.names if (path := folder.get(name)) is not None}
        without_file = [name for name in table.names if name not in files]
        if without_file:
            raise ValueError(
                f"{self.sounds} has no audio file for {shown(without_file)} of {self.table}; add "
                "the files, or take the rows out of the table"
            )
        findings = folder.findings(path.stem for path in files.values())
        recordings = [
            Recording(
                subject=self.subject,
                run=name,
                stimulus=name,
                episode=name,
                load=partial(np.copy, row[None, :]),
                tr=0.0,
                files=(self.table,),
            )
            for name, row in zip(table.names, table.responses, strict=True)
        ]
        ids = tuple(range(1, len(table.targets) + 1))
        targets = Targets(ids, table.targets)
        return Collection("sound_responses", targets, recordings, files, findings)

    def _keys(self) -> ResponseKeys:
        return ResponseKeys(self.responses, self.names, self.target_names, self.weights)

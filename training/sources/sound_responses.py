"""Source of sounds with one response per sound and target: experiments without a time axis.

A table of responses, one row per sound, is a MATLAB file, text or an npz file. Rows are matched
with audio files by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.sound_files import SOUND_SUFFIXES, shown
from training.config import Settings
from training.sources.array_files import NpzFile, read_mat
from training.sources.source import Collection, Recording, Targets
from training.sources.stimulus_folder import StimulusFolder
from training.sources.tables import read_table

ARRAY_SUFFIXES = (".mat", ".npz")
TEXT_SUFFIXES = (".csv", ".tsv")


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


@dataclass(frozen=True)
class ResponseKeys:
    """Names of the arrays in a file; see :class:`SoundResponsesSource`."""

    responses: str
    names: str
    target_names: str
    weights: str | None = None


@dataclass(frozen=True)
class ResponseTable:
    """Names of sounds and targets, and responses ``(n_sounds, n_targets)``."""

    names: tuple[str, ...]
    targets: tuple[str, ...]
    responses: NDArray[np.float64]


def read_responses(path: Path, keys: ResponseKeys) -> ResponseTable:
    """Read and check a table.

    Parameters
    ----------
    path : Path
        ``.mat``, ``.npz``, ``.csv`` or ``.tsv``.
    keys : ResponseKeys
        Keys of the arrays; ignored for text.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read or its parts are inconsistent, a sound is repeated, or a response is
        not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such table: {path}")
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        if keys.weights is not None:
            raise ValueError(
                f"weights is {keys.weights!r}, but {path} is text and has no second array; leave "
                "it out, or give a .mat or .npz file"
            )
        table = _read_text(path)
    elif suffix in ARRAY_SUFFIXES:
        table = _from_arrays(path, _read_arrays(path), keys)
    else:
        raise ValueError(
            f"{path} ends in {path.suffix!r}, expected one of "
            f"{', '.join((*ARRAY_SUFFIXES, *TEXT_SUFFIXES))}"
        )
    _check(table, path)
    return table


def _from_arrays(path: Path, arrays: Mapping[str, Any], keys: ResponseKeys) -> ResponseTable:
    for key in (keys.responses, keys.names, keys.weights):
        if key is not None and key not in arrays:
            raise ValueError(
                f"{path} has no array {key!r}; it has {', '.join(sorted(arrays))}: set responses, "
                "names, target_names and weights to the keys of yours"
            )
    responses = _numbers(_array(arrays, keys.responses, path), keys.responses, path)
    targets = _texts(_array(arrays, keys.target_names, path)) if keys.target_names in arrays else ()
    if keys.weights is not None:
        weights = _numbers(_array(arrays, keys.weights, path), keys.weights, path)
        if responses.shape[1] != len(weights):
            raise ValueError(
                f"{path}: {keys.responses} {responses.shape} and {keys.weights} {weights.shape} "
                "cannot be multiplied; expected (n_sounds, n) and (n, n_voxels)"
            )
        responses = responses @ weights
        targets = tuple(f"voxel-{i + 1}" for i in range(responses.shape[1]))
    if not targets:
        targets = tuple(f"target-{i + 1}" for i in range(responses.shape[1]))
    return ResponseTable(_texts(_array(arrays, keys.names, path)), targets, responses)


def _check(table: ResponseTable, path: Path) -> None:
    expected = (len(table.names), len(table.targets))
    if table.responses.shape != expected or 0 in expected:
        raise ValueError(
            f"{path}: responses of shape {table.responses.shape} do not go with {expected[0]} "
            f"names of sounds and {expected[1]} names of targets; expected (n_sounds, n_targets)"
        )
    twice = [name for name, n in Counter(table.names).items() if n > 1]
    if twice:
        raise ValueError(f"{path} names {shown(twice)} more than once; keep one row per sound")
    broken = np.flatnonzero(~np.isfinite(table.responses).all(axis=1))
    if len(broken):
        wrong = [table.names[i] for i in broken]
        raise ValueError(
            f"{path}: the responses to {shown(wrong)} contain NaN or infinity; take these rows out "
            "of the table"
        )


def _read_text(path: Path) -> ResponseTable:
    (first, *targets), rows = read_table(path)
    responses = np.empty((len(rows), len(targets)))
    for i, (line, row) in enumerate(rows.items()):
        for j, target in enumerate(targets):
            try:
                responses[i, j] = float(row[target])
            except ValueError as error:
                raise ValueError(
                    f"{path} line {line}: {row[target]!r} in column {target} is not a number; the "
                    "first column names the sounds, the others hold responses"
                ) from error
    names = tuple(_without_suffix(row[first]) for row in rows.values())
    return ResponseTable(names, tuple(targets), responses)


def _read_arrays(path: Path) -> Mapping[str, Any]:
    if path.suffix.lower() == ".mat":
        return read_mat(path)
    try:
        return NpzFile(path)
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as an npz file of plain arrays ({error})"
        ) from error


def _array(arrays: Mapping[str, Any], key: str, path: Path) -> Any:
    try:
        return arrays[key]
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as an npz file of plain arrays ({error}); write names as an "
            "array of strings, not of objects"
        ) from error


def _numbers(array: Any, key: str, path: Path) -> NDArray[np.float64]:
    array = np.asarray(array)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: {key} is {array.dtype} of shape {array.shape}, expected numbers in rows and "
            "columns"
        )
    return array.astype(np.float64)


def _texts(array: Any) -> tuple[str, ...]:
    return tuple(_without_suffix(str(text)) for text in np.asarray(array).ravel())


def _without_suffix(name: str) -> str:
    name = name.strip()
    suffix = Path(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in SOUND_SUFFIXES else name

"""Predicted responses on disk: one HDF5 file for all recordings, and a map for each.

``PRED.h5`` holds ``<sound>/<read-out>/prediction``, float32 ``(n_trs, n_targets)``, with the
attributes ``tr``, ``start``, ``audio_file``, ``sample_rate`` and ``n_samples``. Its root has the
datasets ``target_ids`` and ``target_names`` (empty if the read-out has none) and the attributes
``checkpoint``, ``checkpoint_hash``, ``atlas`` and ``package_version``. Maps are named
``PRED.<sound>.nii.gz``.

Everything is written into a folder beside ``PRED.h5`` first, and moved when complete.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.encoder import ReadOut
from hear_brainsoundnet.folder import find_audio
from hear_brainsoundnet.nifti import read_label_image
from hear_brainsoundnet.progress import Entry

if TYPE_CHECKING:
    import h5py
    from nibabel.nifti1 import Nifti1Header

# Images of target ids: in the volume, and on the cortical surface (CIFTI).
TARGETS_IMAGES = ("targets.nii.gz", "targets.dscalar.nii")
MOST_VOLUMES = 32_767  # the NIfTI-1 header counts with 16 bits
ALIGNED = 2  # NIfTI code of an unnamed space
N_LISTED = 10  # ids in a message
# Reserved names at the root of PRED.h5 or in any folder.
RESERVED = ("target_ids", "target_names", ".", "..")


def find_sounds(paths: Sequence[str | os.PathLike[str]]) -> list[Entry]:
    """Audio files under `paths`, each with the name of its predictions.

    That is its path relative to the common parent folder of `paths`, with dots for slashes and
    without a suffix, unless the suffix distinguishes two files.

    Raises
    ------
    FileNotFoundError
        If a path does not exist.
    ValueError
        If a folder contains no audio, or two files would have the same name.
    """
    places = [Path(os.path.abspath(path)) for path in paths]
    files = {
        os.path.abspath(entry.path): entry.path for path in paths for entry in find_audio([path])
    }
    base = os.path.commonpath([place if place.is_dir() else place.parent for place in places])
    relative = [Path(os.path.relpath(file, base)) for file in files]
    short = [".".join(path.with_suffix("").parts) for path in relative]
    count = Counter([*short, *RESERVED])
    names = [
        _text(name if count[name] == 1 else ".".join(path.parts))
        for name, path in zip(short, relative, strict=True)
    ]
    entries = [Entry(path, name) for path, name in zip(files.values(), names, strict=True)]
    first: dict[str, Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            raise ValueError(
                f"the predictions of {other.path} and {entry.path} would both be named "
                f"{entry.name!r}; rename one of them, or predict them into two files"
            )
    return entries


def map_path(out: Path, name: str) -> Path:
    """Path of the map of the recording `name`."""
    return out.with_name(f"{out.stem}.{name}.nii.gz")


def targets_path(checkpoint: Path, name: str = TARGETS_IMAGES[0]) -> Path:
    """Default path of the image of a checkpoint's target ids; `name` is one of TARGETS_IMAGES."""
    return checkpoint.with_name(f"{checkpoint.stem}.{name}")


def find_targets(checkpoint: Path) -> tuple[Path, str] | None:
    """The image of target ids beside a checkpoint and its name of TARGETS_IMAGES, if it has one."""
    paths = {name: targets_path(checkpoint, name) for name in TARGETS_IMAGES}
    return next(((path, name) for name, path in paths.items() if path.exists()), None)


class TargetImage:
    """Image whose voxel values are target ids, and the mapping of prediction columns to voxels.

    Parameters
    ----------
    path : path-like
        A three-dimensional image; 0, -1 and NaN are background.
    target_ids : sequence of int
        Ids of the columns, ascending.

    Raises
    ------
    FileNotFoundError
        If there is no such image.
    ValueError
        If nibabel is missing, the image cannot be read, is not three-dimensional, has values that
        are not whole numbers, or lacks target ids.
    """

    def __init__(self, path: str | os.PathLike[str], target_ids: Sequence[int]) -> None:
        path = Path(path)
        image = read_label_image(path)
        values = image.ids.ravel(order="F")
        ids = np.asarray(target_ids)
        self.shape = image.ids.shape
        self.affine = image.affine
        codes = [name for name in ("sform_code", "qform_code") if name in image.header]
        self.space = next((int(image.header[c]) for c in codes if image.header[c]), ALIGNED)
        self.voxels = np.flatnonzero(np.isin(values, ids[ids != 0]))
        found = values[self.voxels]
        missing = np.setdiff1d(ids, found)
        if len(missing):
            listed = ", ".join(map(str, missing[:N_LISTED]))
            more = f" and {len(missing) - N_LISTED} more" if len(missing) > N_LISTED else ""
            raise ValueError(
                f"{path} lacks {len(missing)} of the read-out's {len(ids)} target ids: {listed}"
                f"{more} (0 is background); give the image of the atlas that the read-out was "
                "fitted with (--atlas)"
            )
        self.columns = np.searchsorted(ids, found)

    def header(self, n_trs: int, tr: float) -> Nifti1Header:
        """The header of a map: float32 ``(x, y, z, n_trs)``, a TR of `tr` seconds.

        Raises
        ------
        ValueError
            If there are more TRs than the header can count.
        """
        if n_trs > MOST_VOLUMES:
            raise ValueError(
                f"a map holds at most {MOST_VOLUMES} TRs, got {n_trs}; leave out --map, or predict "
                "shorter sounds"
            )
        header = _import("nibabel").Nifti1Header()
        header.set_data_dtype(np.dtype("<f4"))
        header.set_data_shape((*self.shape, n_trs))
        header.set_qform(self.affine, self.space)
        header.set_sform(self.affine, self.space)
        header.set_zooms((*header.get_zooms()[:3], tr))
        header.set_xyzt_units("mm", "sec")
        header.set_slope_inter(1, 0)
        return header

    def write_map(self, path: Path, prediction: np.ndarray, tr: float) -> None:
        """Write `prediction`, ``(n_trs, n_targets)``, as an image ``(x, y, z, n_trs)``.

        Voxels without a predicted target are 0. One volume at a time is in memory.
        """
        header = self.header(len(prediction), tr)
        volume = np.zeros(int(np.prod(self.shape)), dtype="<f4")
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as file:
            header.write_to(file)
            for row in prediction:
                volume[self.voxels] = row[self.columns]
                file.write(volume.tobytes())


@dataclass(frozen=True)
class SoundInfo:
    """Metadata of the predictions of one recording: file, rate, length and timing."""

    name: str
    audio_file: str
    sample_rate: int
    n_samples: int
    start: float


class PredictionFiles:
    """Writer of predictions; the files appear when the context exits without an error.

    Parameters
    ----------
    out : Path
        ``PRED.h5``; maps go beside it.
    card : Card
        Card of the checkpoint; it has a read-out.
    checkpoint_hash : str
        Hash of the checkpoint.
    target_image : TargetImage, optional
        Also write maps, with this image.

    Raises
    ------
    ValueError
        If h5py is missing.
    OSError
        If a file cannot be written; old files stay, no temporary ones are left.
    """

    def __init__(
        self,
        out: Path,
        card: Card,
        checkpoint_hash: str,
        target_image: TargetImage | None = None,
    ) -> None:
        assert card.read_out is not None
        self.out = out
        self.card = card
        self.read_out: ReadOut = card.read_out
        self.checkpoint_hash = checkpoint_hash
        self.target_image = target_image
        self.h5py = _import("h5py")
        self.folder = out.with_name(f".{out.name}.{os.getpid()}.tmp")
        self.n_sounds = 0

    def __enter__(self) -> PredictionFiles:
        shutil.rmtree(self.folder, ignore_errors=True)  # left by a killed process
        self.folder.mkdir(parents=True)
        try:
            self._file: h5py.File = self.h5py.File(self.folder / self.out.name, "w")
            text = self.h5py.string_dtype()
            self._file["target_ids"] = np.asarray(self.read_out.target_ids, dtype=np.int64)
            self._file["target_names"] = np.asarray(self.read_out.target_names, dtype=text)
            self._file.attrs["checkpoint"] = self.card.name
            self._file.attrs["checkpoint_hash"] = self.checkpoint_hash
            self._file.attrs["atlas"] = self.read_out.atlas
            self._file.attrs["package_version"] = version("hear-brainsoundnet")
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def add(self, sound: SoundInfo, predictions: Mapping[str, np.ndarray]) -> None:
        """Write the predictions of one recording, ``(n_trs, n_targets)`` for each read-out.

        Raises
        ------
        ValueError
            If maps are requested and there is more than one read-out.
        """
        if self.target_image is not None:
            if len(predictions) != 1:
                raise ValueError(f"a map shows one read-out, got {', '.join(predictions)}")
            (prediction,) = predictions.values()
            path = map_path(self.folder / self.out.name, sound.name)
            self.target_image.write_map(path, prediction, self.read_out.tr)
        for name, prediction in predictions.items():
            place = f"{sound.name}/{name}/prediction"
            dataset = self._file.create_dataset(place, data=prediction.astype(np.float32))
            dataset.attrs["tr"] = self.read_out.tr
            dataset.attrs["start"] = sound.start
            dataset.attrs["audio_file"] = _text(sound.audio_file)
            dataset.attrs["sample_rate"] = sound.sample_rate
            dataset.attrs["n_samples"] = sound.n_samples
        self.n_sounds += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if kind is None and self.n_sounds:
                for path in sorted(
                    self.folder.iterdir(), key=lambda path: path.name == self.out.name
                ):
                    os.replace(path, self.out.with_name(path.name))
        finally:
            shutil.rmtree(self.folder)


def _text(path: str) -> str:
    """A path as text, with undecodable bytes replaced; HDF5 requires text."""
    return path.encode("utf-8", "backslashreplace").decode()


def _import(package: str) -> Any:
    """h5py or nibabel, required only for writing predictions."""
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ValueError(
            f"writing predictions needs {package}, which is not installed: "
            'pip install "hear-brainsoundnet[training]"'
        ) from error

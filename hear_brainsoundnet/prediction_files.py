"""Predicted responses on disk: one HDF5 file for all recordings, and a map for each.

``PRED.h5`` holds ``<sound>/<read-out>/prediction``, float32 ``(n_trs, n_targets)``, with the
attributes ``tr``, ``start``, ``audio_file``, ``sample_rate`` and ``n_samples``. Its root has the
datasets ``target_ids`` and ``target_names`` (empty if the read-out has none) and the attributes
``checkpoint``, ``checkpoint_hash``, ``atlas`` and ``package_version``. Maps are named
``PRED.<sound>.nii.gz``.

Everything is written into a folder beside ``PRED.h5`` first, and moved when complete.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.encoder import ReadOut
from hear_brainsoundnet.nifti import TargetImage
from hear_brainsoundnet.sound_files import as_text

if TYPE_CHECKING:
    import h5py

# Images of target ids: in the volume, and on the cortical surface (CIFTI).
TARGETS_IMAGES = ("targets.nii.gz", "targets.dscalar.nii")


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


class PredictionFiles:
    """Writer of predictions; the files appear when the context exits without an error.

    `out` is ``PRED.h5``; with a `target_image` maps are written beside it. The card has a read-out.

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
        self.h5py = _import_h5py()
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

    def add(
        self, name: str, predictions: Mapping[str, np.ndarray], audio: AudioFile, start: float
    ) -> None:
        """Write the predictions of one recording, ``(n_trs, n_targets)`` for each read-out.

        A map shows one read-out, hence there is one if maps are written.
        """
        if self.target_image is not None:
            (prediction,) = predictions.values()
            path = map_path(self.folder / self.out.name, name)
            self.target_image.write_map(path, prediction, self.read_out.tr)
        for read_out, prediction in predictions.items():
            place = f"{name}/{read_out}/prediction"
            dataset = self._file.create_dataset(place, data=prediction.astype(np.float32))
            dataset.attrs["tr"] = self.read_out.tr
            dataset.attrs["start"] = start
            dataset.attrs["audio_file"] = as_text(str(audio.path))
            dataset.attrs["sample_rate"] = audio.sample_rate
            dataset.attrs["n_samples"] = audio.n_samples
        self.n_sounds += 1

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            self._file.close()
            if kind is None and self.n_sounds:
                for path in sorted(
                    self.folder.iterdir(), key=lambda path: path.name == self.out.name
                ):
                    os.replace(path, self.out.with_name(path.name))
        finally:
            shutil.rmtree(self.folder)


def _import_h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ValueError(
            "writing predictions needs h5py, which is not installed: "
            'pip install "hear-brainsoundnet[training]"'
        ) from error
    return h5py

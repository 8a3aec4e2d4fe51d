"""Damaged files of every kind that a preparation reads are read or refused, without a traceback."""

from __future__ import annotations

import gzip
import json
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import nibabel
import nibabel.gifti
import numpy as np
import pytest
import scipy.io
from mutations import mutations
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, SeriesAxis
from pydantic import Field

from training.config import Settings, read_recipe
from training.sources.array_files import NpzFile, list_h5, read_h5, read_mat, read_npy
from training.sources.confounds import check_columns, column_names, framewise_displacement
from training.sources.label_table import LabelTable
from training.sources.labels import read_labels, read_surface_atlas
from training.sources.sound_responses import ResponseKeys, read_responses
from training.sources.stimuli import StimulusTable
from training.sources.surface_files import open_series
from training.sources.time_series_file import read_time_series
from training.sources.timing import header_tr, read_sidecars, read_timing
from training.sources.volumes import Box, open_volumes, read_voxels

Reader = Callable[[Path], object]
N_TRS = 12
COLUMNS = ("trans_x", "csf", "cosine00", "framewise_displacement")

SURFACE = BrainModelAxis.from_surface(np.arange(9), 9, "CortexLeft")
RECIPE = """\
name: study  # of a made-up reader
seed: 3
items: &items [1, two, 3.0e+1, null]
nested: {a: {x: 1.5, y: -2}, b: {z: .5}}
more: *items
"""
SIDECAR = json.dumps(
    {"RepetitionTime": 1.5, "StartTime": 0.75, "VolumeTiming": [1.5 * i for i in range(N_TRS)]}
)
SERIES = "left,right\n" + "".join(f"{i}.5,{i * i}e-3\n" for i in range(N_TRS))
PLAYED = (
    "subject\ttask\trun\tstimulus\tstart\nsub-01\tstory\t01\tstory1\t-1.5\n\tstory\t2\tstory2\t\n"
)
LUT = "#No. Label Name: R G B A\n0 Unknown 0 0 0 0\n3 Left-A 1 2 3 0\n7 Right-B 1 2 3 0\n"
DSEG = "index\tname\n3\tA\n7\tB\n300.0\tC\n"
ISOLATED = ("table.mat", "runs.h5")
LIMIT = 30  # seconds for one file of a few hundred bytes
LONGEST_MESSAGE = 2_000


class Recipe(Settings):
    name: str = ""
    seed: int = 0
    items: tuple[float | str | None, ...] = ()
    nested: Mapping[str, Mapping[str, float]] = Field(default_factory=dict)
    more: tuple[float | str | None, ...] = ()


def read_image(path: Path) -> None:
    """As the preparation reads a run: header, times, volumes."""
    volumes = open_volumes(path)
    sidecars = read_sidecars(path, path.parent)
    read_timing(path, volumes.n_trs, header_tr(volumes._image), sidecars, tr=None)
    for _ in volumes.within(Box((0, 0, 0), volumes.shape)):
        pass
    read_voxels(path, n_dimensions=4, finite=False)


def read_surface(path: Path) -> None:
    """Responses, and the same file as labels."""
    open_series(path, path if path.name.endswith(".gii") else None).read()


def read_parcels(path: Path) -> None:
    read_surface_atlas(path, path if path.name.endswith(".gii") else None)


def read_confounds(path: Path) -> None:
    columns = column_names(path)
    check_columns(path, [each for each in COLUMNS if each in columns], N_TRS)
    framewise_displacement(path)


def read_times(path: Path) -> None:
    """The sidecar of an image that lies beside it."""
    bold = path.with_name("a_bold.nii.gz")
    read_timing(bold, N_TRS, 1.5, read_sidecars(path, path.parent), tr=None)


def read_npz(path: Path) -> None:
    arrays = NpzFile(path)
    for key in arrays:
        arrays[key]
    read_responses(path, ResponseKeys("R", "stim_names", "component_names"))


def read_h5_tables(path: Path) -> None:
    for table in list_h5(path):
        if table.shape and table.dtype != "other":
            read_h5(path, table.key)


def make_nifti(path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 99, (4, 5, 6, N_TRS)).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.diag([3.0, 3, 3, 1]))
    image.header.set_zooms((3, 3, 3, 1.5))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(0.5, 1)
    nibabel.save(image, path)


def make_labels(path: Path) -> None:
    nibabel.save(
        nibabel.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.eye(4)), path
    )


def make_series(path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((N_TRS, 9)).astype(np.float32)
    nibabel.save(Cifti2Image(values, (SeriesAxis(0, 1.5, N_TRS, "SECOND"), SURFACE)), path)


def make_dlabel(path: Path) -> None:
    table = {0: ("???", (0, 0, 0, 0)), 4: ("A1", (1, 0, 0, 1))}
    values = np.array([[0, 4, 4, 4, 0, 0, 4, 4, 4]], dtype=np.float32)
    nibabel.save(Cifti2Image(values, (LabelAxis(["parcels"], [table]), SURFACE)), path)


def make_gifti(path: Path) -> None:
    rows = np.arange(9 * N_TRS, dtype=np.int32).reshape(N_TRS, 9)
    rows = rows[:1] if ".label" in path.name else rows
    arrays = [nibabel.gifti.GiftiDataArray(row, intent="NIFTI_INTENT_LABEL") for row in rows]
    nibabel.save(nibabel.GiftiImage(darrays=arrays), path)


def make_arrays() -> dict[str, np.ndarray]:
    return {
        "R": np.random.default_rng(0).standard_normal((3, 2)),
        "stim_names": np.array(["dog", "cat", "bell"]),
        "component_names": np.array(["pitch", "speech"]),
    }


def make_mat(path: Path) -> None:
    """Not compressed, so that changes reach what is inside; names in cells, as MATLAB has them."""
    names = {k: np.array(v, dtype=object) for k, v in make_arrays().items() if v.dtype.kind == "U"}
    scipy.io.savemat(path, make_arrays() | names)


def make_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for i in range(3):
            table = np.random.default_rng(i).standard_normal((N_TRS, 5)).astype(np.float32)
            file.create_dataset(f"ses-001/task-s01e0{i}a", data=table, compression="gzip")
            file[f"task-s02e0{i}a"] = table


def confounds_text() -> str:
    table = np.random.default_rng(0).standard_normal((N_TRS, len(COLUMNS)))
    lines = [
        "\t".join("n/a" if i == 0 else repr(float(x)) for x in row) for i, row in enumerate(table)
    ]
    return "\t".join(COLUMNS) + "\n" + "\n".join(lines) + "\n"


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def _read_mat(path: Path) -> object:
    return read_mat(path)


# name of the file: (make it, read it); those of ISOLATED start a process each time
KINDS: dict[str, tuple[Reader, Reader]] = {
    "run.nii.gz": (make_nifti, read_image),
    "run.nii": (make_nifti, read_image),
    "atlas.nii.gz": (make_labels, read_labels),
    "atlas.nii": (make_labels, read_labels),
    "run.dtseries.nii": (make_series, read_surface),
    "parcels.dlabel.nii": (make_dlabel, read_parcels),
    "run.func.gii": (make_gifti, read_surface),
    "parcels.label.gii": (make_gifti, read_parcels),
    "table.npy": (lambda path: np.save(path, make_arrays()["R"]), read_npy),
    "table.npz": (lambda path: np.savez_compressed(path, **make_arrays()), read_npz),
    "confounds.tsv": (_text(confounds_text()), read_confounds),
    "a_bold.json": (_text(SIDECAR), read_times),
    "played.tsv": (_text(PLAYED), StimulusTable),
    "LUT.txt": (_text(LUT), lambda path: LabelTable(path).names()),
    "dseg.tsv": (_text(DSEG), lambda path: LabelTable(path).names()),
    "series.csv": (_text(SERIES), read_time_series),
    "recipe.yaml": (_text(RECIPE), lambda path: read_recipe(path, Recipe)),
    "table.mat": (make_mat, _read_mat),
    "runs.h5": (make_h5, read_h5_tables),
}


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def damaged(folder: Path, name: str, n: int) -> Iterator[Path]:
    """Copies of a whole file, one after the other; of compressed images half are damaged inside."""
    path = folder / name
    KINDS[name][0](path)
    whole = path.read_bytes()
    KINDS[name][1](path)  # a whole one is read
    inside = gzip.decompress(whole) if name.endswith(".gz") else None
    for i, content in enumerate(mutations(inside or whole, n, seed=0)):
        if inside and i % 2:
            content = next(mutations(whole, 1, seed=i))
        elif inside:
            content = gzip.compress(content, 1)
        path.write_bytes(content)
        yield path


def outcomes(folder: Path, name: str, n: int) -> Counter[str]:
    """How many were read, and how many refused; every other end is an error of this function."""
    counts: Counter[str] = Counter()
    for path in damaged(folder, name, n):
        try:
            with warnings.catch_warnings(), within(LIMIT):
                warnings.simplefilter("error")  # none may stand before the words
                KINDS[name][1](path)
            counts["read"] += 1
        except TimeoutError:
            path.rename(path.with_name(f"hangs-{name}"))
            raise
        except (ValueError, OSError) as error:
            if not 0 < len(str(error).strip()) < LONGEST_MESSAGE:
                raise AssertionError(f"no words or too many: {error!r:.200}") from error
            counts["refused"] += 1
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    n = 12 if name in ISOLATED else 60
    counts = outcomes(tmp_path, name, n)
    assert counts.total() == n
    assert counts["refused"]

"""Runs and parcellations on the cortical surface, against plain numpy."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fmriprep_study import MINIMAL, NONE, centred, residuals
from surface_study import (
    MEDIAL_WALL,
    N_VERTICES,
    TR,
    grayordinates,
    whole_cortex,
    write_companions,
    write_dlabel,
    write_dscalar,
    write_func,
    write_label,
    write_series,
)

from training.sources.fmriprep import FmriprepSource
from training.sources.source import Collection
from training.sources.surfaces import SurfacesSource

N_TRS = 30
CORTEX = N_VERTICES - MEDIAL_WALL


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def listed(tmp_path: Path) -> Any:
    """Collections of files listed one by one."""
    (tmp_path / "stimuli").mkdir()
    (tmp_path / "stimuli" / "story.wav").write_bytes(b"")

    def collect(*files: Path, run: Any = None, **settings: Any) -> Collection:
        runs = [
            {"file": file, "subject": "sub-01", "run": f"run-{i}", "stimulus": "story"}
            | (run or {})
            for i, file in enumerate(files)
        ]
        document = {"kind": "surfaces", "stimuli": tmp_path / "stimuli", "runs": runs}
        return SurfacesSource.model_validate(document | {"confounds": NONE} | settings).collect()

    return collect


def parcels(axis: Any) -> np.ndarray:
    """Id 7 in the left cortex, 3 in both, 12 in the thalamus; the rest without one."""
    ids = np.zeros(len(axis), int)
    ids[:10] = 7
    ids[10:20] = 3
    right = axis.name == "CIFTI_STRUCTURE_CORTEX_RIGHT"
    ids[right] = np.arange(right.sum()) % 2 * 3
    ids[axis.name == "CIFTI_STRUCTURE_THALAMUS_LEFT"] = 12
    return ids


@pytest.mark.parametrize("ending", ["dlabel", "dscalar"])
def test_columns_are_means_of_the_labels_of_a_cifti_file(
    tmp_path: Path, generator: np.random.Generator, listed: Any, ending: str
) -> None:
    axis = grayordinates()
    values = generator.standard_normal((N_TRS, len(axis))) + 50
    file = write_series(tmp_path / "run.dtseries.nii", values, axis)
    ids = parcels(axis)
    labels = tmp_path / f"atlas.{ending}.nii"
    if ending == "dlabel":
        write_dlabel(labels, ids, axis, n3="both", n7="auditory", n12="thalamus")
    else:
        write_dscalar(labels, ids[None], axis)
    collection = listed(file, labels=labels)
    (recording,) = collection.recordings
    expected = np.stack([values[:, ids == i].mean(axis=1) for i in (3, 7, 12)], axis=1)
    np.testing.assert_allclose(recording.load(), expected, atol=1e-5)
    sent = pickle.loads(pickle.dumps(recording))  # noqa: S301, as to a worker
    np.testing.assert_array_equal(sent.load(), recording.load())
    assert (recording.tr, recording.n_trs) == (TR, N_TRS)
    assert collection.targets.ids == (3, 7, 12)
    if ending == "dlabel":
        assert collection.targets.names == ("both", "auditory", "thalamus")


def test_labels_of_the_whole_cortex_are_found_by_vertex(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    """A parcellation with the medial wall, responses without it, the right one in reverse order."""
    axis = grayordinates()
    values = generator.standard_normal((N_TRS, len(axis)))
    file = write_series(tmp_path / "run.dtseries.nii", values, axis)
    left, right = generator.integers(0, 4, (2, N_VERTICES))
    labels = write_dlabel(tmp_path / "a.dlabel.nii", np.r_[left, right + 4], whole_cortex())
    cortex = np.arange(MEDIAL_WALL, N_VERTICES)
    here = np.r_[left[cortex], right[cortex[::-1]] + 4, np.zeros(8)]
    (recording,) = listed(file, labels=labels).recordings
    expected = np.stack([values[:, here == i].mean(axis=1) for i in range(1, 8)], axis=1)
    np.testing.assert_allclose(recording.load(), expected, atol=1e-6)


def test_without_labels_every_grayordinate_is_a_target(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    axis = grayordinates()
    values = generator.standard_normal((N_TRS, len(axis)))
    collection = listed(write_series(tmp_path / "run.dtseries.nii", values, axis))
    np.testing.assert_allclose(collection.recordings[0].load(), values, atol=1e-6)
    assert collection.targets.ids == tuple(range(1, len(axis) + 1))
    assert collection.targets.names[0] == f"left cortex vertex {MEDIAL_WALL}"
    assert collection.targets.names[CORTEX] == f"right cortex vertex {N_VERTICES - 1}"
    assert collection.targets.names[-1] == "left thalamus voxel 1 1 1"


def test_hemispheres_of_gifti_files_keep_their_parcels_apart(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    values = generator.standard_normal((N_TRS, 2 * N_VERTICES))
    left = write_func(tmp_path / "run_hemi-L_bold.func.gii", values[:, :N_VERTICES], "CortexLeft")
    write_func(tmp_path / "run_hemi-R_bold.func.gii", values[:, N_VERTICES:], "CortexRight")
    ids = generator.integers(0, 3, (2, N_VERTICES))
    names = {1: "bankssts", 2: "cuneus"}
    labels = write_label(tmp_path / "lh.label.gii", ids[0], names)
    right = write_label(tmp_path / "rh.label.gii", ids[1], names)
    settings = {"labels": labels, "right_labels": right, "tr": TR}
    collection = listed(left, **settings)
    assert collection.targets.ids == (1, 2, 3, 4)
    assert collection.targets.names == (
        "left bankssts", "left cuneus", "right bankssts", "right cuneus",
    )  # fmt: skip
    assert any("2 ids are used by both hemispheres: 2 is added" in f for f in collection.findings)
    both = np.r_[ids[0], np.where(ids[1], ids[1] + 2, 0)]
    expected = np.stack([values[:, both == i].mean(axis=1) for i in (1, 2, 3, 4)], axis=1)
    np.testing.assert_allclose(collection.recordings[0].load(), expected, atol=1e-6)
    values[:, 3] = np.nan  # never measured: as in a medial wall
    write_func(left, values[:, :N_VERTICES])
    expected = np.stack([np.nanmean(values[:, both == i], axis=1) for i in (1, 2, 3, 4)], axis=1)
    np.testing.assert_allclose(listed(left, **settings).recordings[0].load(), expected, atol=1e-6)
    values[4, np.flatnonzero(both)[5]] = np.nan
    write_func(left, values[:, :N_VERTICES])
    with pytest.raises(ValueError, match=r"NaN or infinite at TR 4, but not throughout the run"):
        listed(left, **settings).recordings[0].load()


@pytest.mark.parametrize("kind", ["cifti", "gifti"])
def test_surfaces_of_fmriprep_with_confounds(
    tmp_path: Path, generator: np.random.Generator, kind: str
) -> None:
    func = tmp_path / "derivatives" / "sub-01" / "func"
    run = "sub-01_task-story_run-2"
    (tmp_path / "stimuli").mkdir()
    (tmp_path / "stimuli" / "story.wav").write_bytes(b"")
    axis = grayordinates() if kind == "cifti" else whole_cortex()
    values = generator.standard_normal((N_TRS, len(axis)))
    if kind == "cifti":
        file = func / f"{run}_space-fsLR_den-91k_bold.dtseries.nii"
        write_series(file, values, axis)
        side = "space-fsLR_den-91k"
    else:
        file = func / f"{run}_hemi-L_space-fsaverage5_bold.func.gii"
        write_func(file, values[:, :N_VERTICES])
        write_func(Path(str(file).replace("hemi-L", "hemi-R")), values[:, N_VERTICES:])
        side = "hemi-L_space-fsaverage5"
    table = write_companions(func, run, N_TRS, side)
    (func / f"{run}_{side}_bold.json").write_text(f'{{"RepetitionTime": {TR}, "StartTime": 0.75}}')
    ids = np.arange(len(axis)) % 5
    labels = write_dlabel(tmp_path / "atlas.dlabel.nii", ids, axis)
    document = {
        "kind": "fmriprep",
        "derivatives": tmp_path / "derivatives",
        "stimuli": tmp_path / "stimuli",
        "task": "*",
        "format": kind,
        "labels": labels,
    }
    collection = FmriprepSource.model_validate(document).collect()
    (recording,) = collection.recordings
    assert (recording.run, recording.tr, recording.start) == ("task-story_run-2", TR, 0.75)
    assert {path.name for path in recording.files} >= {file.name, labels.name}
    assert len([path for path in recording.files if path.name.endswith(".func.gii")]) == (
        2 if kind == "gifti" else 0
    )
    means = np.stack([values[:, ids == i].mean(axis=1) for i in (1, 2, 3, 4)], axis=1)
    expected = residuals(means, table[MINIMAL].to_numpy())
    np.testing.assert_allclose(centred(recording.load()), expected, atol=1e-5)
    if kind == "gifti":
        Path(str(file).replace("hemi-L", "hemi-R")).unlink()
        with pytest.raises(ValueError, match=r"has no other hemisphere sub-01.*hemi-R_space-fsav"):
            FmriprepSource.model_validate(document).collect()
    with pytest.raises(ValueError, match=f"only others as .*; for these set format: {kind}"):
        FmriprepSource.model_validate(document | {"format": "nifti"}).collect()
    with pytest.raises(ValueError, match=r"mask and smoothing_fwhm are for volumes"):
        FmriprepSource.model_validate(document | {"smoothing_fwhm": 5})


def test_unsuitable_files_are_refused_in_one_line(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    axis, fine = grayordinates(), grayordinates(N_VERTICES + 1)
    values = generator.standard_normal((N_TRS, len(axis)))
    file = write_series(tmp_path / "run.dtseries.nii", values, axis)
    other = write_dlabel(tmp_path / "fine.dlabel.nii", np.ones(len(fine)), fine)
    with pytest.raises(ValueError, match=r"fine.dlabel.nii has 41 vertices in left cortex, .* 40;"):
        listed(file, labels=other)
    nothing = write_dlabel(tmp_path / "none.dlabel.nii", np.zeros(len(axis)), axis, n1="x")
    with pytest.raises(ValueError, match=r"none.dlabel.nii holds no label, only background"):
        listed(file, labels=nothing)
    two = write_dscalar(tmp_path / "two.dscalar.nii", np.ones((2, len(axis))), axis)
    with pytest.raises(ValueError, match=r"two.dscalar.nii holds 2 maps, expected one"):
        listed(file, labels=two)
    scores = write_dscalar(tmp_path / "half.dscalar.nii", np.full((1, len(axis)), 0.5), axis)
    with pytest.raises(ValueError, match=r"half.dscalar.nii is not a parcellation: it holds 0.5"):
        listed(file, labels=scores)
    tpl = write_dlabel(tmp_path / "tpl-fsaverage_a.dlabel.nii", np.ones(len(axis)), axis)
    named = write_series(tmp_path / "x_space-fsLR_bold.dtseries.nii", values, axis)
    with pytest.raises(ValueError, match=r"is in space fsaverage, .* in fsLR; take a parcellation"):
        listed(named, labels=tpl)
    with pytest.raises(ValueError, match=r"fine.dlabel.nii is not on a surface, expected .dts"):
        listed(other)
    with pytest.raises(ValueError, match=r"run.dtseries.nii and .* are both run 'same'"):
        listed(file, named, run={"run": "same"})
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) - 400])
    with pytest.raises(ValueError, match=r"run.dtseries.nii .*(damaged|cannot be read)"):
        listed(file).recordings[0].load()
    points = b'NumberOfSeriesPoints="%d"'
    file.write_bytes(whole.replace(points % N_TRS, points % (N_TRS - 1)))
    with pytest.raises(ValueError, match=r"values of shape \(30, 76\), its header .*\(29, 76\)"):
        listed(file)


def test_unsuitable_hemispheres_are_refused_in_one_line(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    values = generator.standard_normal((N_TRS, N_VERTICES))
    alone = write_func(tmp_path / "left.func.gii", values)
    with pytest.raises(ValueError, match=r"left.func.gii is one hemisphere, and the right one is"):
        listed(alone, tr=TR)
    short = write_func(tmp_path / "right.func.gii", values[1:])
    with pytest.raises(ValueError, match=r"left.func.gii has 30 TRs and .*right.func.gii 29"):
        listed(alone, run={"right_file": short}, tr=TR)
    wrong = write_func(tmp_path / "wrong.func.gii", values, "CortexLeft")
    with pytest.raises(ValueError, match=r"is given for the right hemisphere, but says CortexLeft"):
        listed(alone, run={"right_file": wrong}, tr=TR)
    good = write_func(tmp_path / "good.func.gii", values)
    with pytest.raises(ValueError, match=r"neither header nor sidecar give the repetition time"):
        listed(alone, run={"right_file": good})
    (tmp_path / "bad.func.gii").write_bytes(b"<GIFTI>")
    with pytest.raises(ValueError, match=r"bad.func.gii cannot be read as GIFTI"):
        listed(tmp_path / "bad.func.gii", run={"right_file": good}, tr=TR)
    half = write_label(tmp_path / "lh.label.gii", np.ones(N_VERTICES), {1: "a"})
    with pytest.raises(ValueError, match=r"lh.label.gii is one hemisphere, and the right one is"):
        listed(alone, run={"right_file": good}, tr=TR, labels=half)


def test_files_of_nilearn_are_read(
    tmp_path: Path, generator: np.random.Generator, listed: Any
) -> None:
    from nilearn.datasets import load_fsaverage
    from nilearn.surface import SurfaceImage

    mesh = load_fsaverage("fsaverage5")["pial"]
    data = {side: generator.standard_normal((10_242, 4)).astype("f4") for side in ("left", "right")}
    for side in "LR":
        SurfaceImage(mesh, data).data.to_filename(tmp_path / f"run_hemi-{side}.func.gii")
    collection = listed(tmp_path / "run_hemi-L.func.gii", tr=TR)
    expected = np.hstack([data["left"].T, data["right"].T])
    np.testing.assert_allclose(collection.recordings[0].load(), expected, atol=1e-5)

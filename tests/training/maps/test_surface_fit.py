"""From runs on a surface to maps on it: a brain whose truth is known, on fsaverage5."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import soundfile
from fmriprep_study import NONE
from nilearn.datasets import load_fsaverage
from nilearn.surface import SurfaceImage
from PIL import Image
from small_dataset import RATE, known_brain
from small_fits import N_PERMUTATIONS, fitted
from surface_study import grayordinates, write_dlabel, write_label

from training.cli import main
from training.data.prepared import Prepared
from training.evaluation.evaluate import evaluate
from training.evaluation.settings import EvaluationSettings
from training.fitting.export import export
from training.maps.fit_maps import draw_fit, surface_map
from training.maps.surfaces import UnknownMesh, load_cortex
from training.prepare.preparation import PrepareRecipe, prepare
from training.report.report import write_report

N_VERTICES = 10_242
MIDDLE, FRONT, BACK, OTHER = (
    1,
    2,
    3,
    4,
)  # ids; OTHER responds to nothing


@pytest.fixture(scope="module")
def ids() -> dict[str, np.ndarray]:
    """Lateral temporal, frontal and occipital parcels of the left, one of the right hemisphere."""
    mesh = load_fsaverage("fsaverage5")["pial"]
    x, y, _ = mesh.parts["left"].coordinates.T
    left = np.zeros(N_VERTICES, int)
    left[(x < -40) & (y > -45) & (y < 10)] = MIDDLE
    left[y > 25] = FRONT
    left[y < -70] = BACK
    right = np.where(mesh.parts["right"].coordinates[:, 1] < -70, OTHER, 0)
    return {"left": left, "right": right}


@pytest.fixture(scope="module")
def prepared(ids: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a known brain, painted on vertices by nilearn, and prepared from there."""
    root = tmp_path_factory.mktemp("surface")
    known = Prepared(known_brain(root / "known", n_runs=5, n_trs=24, noise=0.3))
    everywhere = np.concatenate([ids["left"], ids["right"]])
    (root / "stimuli").mkdir()
    mesh = load_fsaverage("fsaverage5")["pial"]
    generator = np.random.default_rng(3)
    runs = []
    for run in known.runs:
        soundfile.write(root / f"stimuli/{run.stimulus}.wav", known.audio(run.stimulus), RATE)
        table = known.bold(run)
        values = generator.standard_normal((N_VERTICES * 2, run.n_trs))
        for i in (MIDDLE, FRONT, BACK, OTHER):
            own = everywhere == i
            values[own] -= values[own].mean(axis=0) - table[:, i - 1]  # its mean is the target
        data = dict(zip(("left", "right"), np.split(values.astype("f4"), 2), strict=True))
        for side in "LR":
            path = root / f"{run.name}_hemi-{side}.func.gii"
            SurfaceImage(mesh, data).data.to_filename(path)
        named = {"season": run.season, "episode": run.episode, "stimulus": run.stimulus}
        file = root / f"{run.name}_hemi-L.func.gii"
        runs.append({"file": file, "subject": "sub-01", "run": run.name} | named)
    labels = {side: root / f"{side}.label.gii" for side in ids}
    names = {MIDDLE: "middle", FRONT: "front", BACK: "back", OTHER: "other"}
    for side, path in labels.items():
        write_label(path, ids[side], names)
    source = {
        "kind": "surfaces",
        "stimuli": root / "stimuli",
        "tr": known.info.tr,
        "confounds": NONE,
        "labels": labels["left"],
        "right_labels": labels["right"],
        "runs": runs,
    }
    document = {"name": "painted", "out": root / "prepared", "drop_start": 0, "source": source}
    recipe = PrepareRecipe.model_validate(document)
    prepare(recipe, progress=False)
    return root / "prepared"


@pytest.fixture(scope="module")
def fit(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(prepared, tmp_path_factory.mktemp("fit") / "painted")


def test_prepared_responses_are_the_written_ones(prepared: Path) -> None:
    dataset, known = Prepared(prepared), Prepared(prepared.parent / "known")
    assert dataset.info.target_names == ("middle", "front", "back", "other")
    for run, other in zip(dataset.runs, known.runs, strict=True):
        np.testing.assert_allclose(dataset.bold(run), known.bold(other), atol=1e-4)
    before = (prepared / "targets.dscalar.nii").read_bytes()
    prepare(PrepareRecipe.model_validate(dataset.info.recipe), progress=False)
    assert (prepared / "targets.dscalar.nii").read_bytes() == before


def test_targets_are_exported_as_a_file_for_workbench(
    fit: Path, ids: dict[str, np.ndarray], tmp_path: Path
) -> None:
    export(fit, tmp_path / "out.safetensors")
    image = nibabel.load(tmp_path / "out.targets.dscalar.nii")
    assert image.nifti_header.get_intent()[0] == "ConnDenseScalar"
    axis = image.header.get_axis(1)
    assert dict(axis.nvertices) == {
        "CIFTI_STRUCTURE_CORTEX_LEFT": N_VERTICES,
        "CIFTI_STRUCTURE_CORTEX_RIGHT": N_VERTICES,
    }
    expected = np.concatenate([ids["left"], ids["right"]])
    np.testing.assert_array_equal(image.get_fdata()[0], expected)


def test_scores_are_drawn_where_their_vertices_are(
    fit: Path, ids: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["map", str(fit), str(tmp_path / "map.png")])
    pixels = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    width = pixels.shape[1]
    red = pixels[..., 0] - pixels[..., 2] > 60
    # seen from the left, the front is on the left: red in front, and behind the occipital parcel
    lateral = red[:, : int(0.23 * width)].any(axis=0)
    assert lateral[: lateral.size // 4].any()
    assert lateral[-lateral.size // 4 :].any()


def test_scores_are_written_for_workbench_and_freesurfer(
    fit: Path, ids: dict[str, np.ndarray], tmp_path: Path
) -> None:
    import pandas

    scores = pandas.read_csv(fit / "scores.csv")
    means = scores[scores["split"] == "test"].groupby("target_id")["r"].mean()
    expected = {side: np.array([means.get(i, 0) for i in labels]) for side, labels in ids.items()}
    draw_fit(fit, tmp_path / "r.dscalar.nii")
    image = nibabel.load(tmp_path / "r.dscalar.nii")
    assert image.header.get_axis(0).name.tolist() == ["Pearson r"]
    both = np.concatenate(list(expected.values()))
    np.testing.assert_allclose(image.get_fdata()[0], both, atol=1e-6)
    draw_fit(fit, tmp_path / "r.func.gii")
    written = [path for path in sorted(tmp_path.iterdir()) if path.name.endswith(".gii")]
    assert [path.name for path in written] == ["r_hemi-L.func.gii", "r_hemi-R.func.gii"]
    for path, side in zip(written, ("left", "right"), strict=True):
        gifti = nibabel.load(path)
        assert gifti.meta["AnatomicalStructurePrimary"] == f"Cortex{side.title()}"
        np.testing.assert_allclose(gifti.darrays[0].data, expected[side], atol=1e-6)
    with pytest.raises(ValueError, match=r"r.nii.gz: the image .* ends in .dscalar.nii or .func"):
        draw_fit(fit, tmp_path / "r.nii.gz")


@pytest.mark.slow
def test_report_draws_on_the_same_surface(fit: Path, tmp_path: Path) -> None:
    settings = EvaluationSettings(n_permutations=N_PERMUTATIONS, alpha=0.99)
    evaluate([fit], tmp_path / "eval", settings=settings, progress=False)
    assert (tmp_path / "eval" / "targets.dscalar.nii").is_file()
    page = write_report([tmp_path / "eval"], tmp_path / "report").read_text()
    assert "4 of 4 targets lie on this surface." in page
    assert "that can be turned" in page
    assert "heights in mm" not in page  # no slices


def test_meshes_of_other_surfaces_must_be_given(tmp_path: Path) -> None:
    axis = grayordinates(42)
    image = write_dlabel(tmp_path / "a.dlabel.nii", np.arange(len(axis)) % 3, axis)
    with pytest.raises(UnknownMesh, match=r"left hemisphere of .* has 42 vertices, a mesh that is"):
        load_cortex(image)
    sphere = np.random.default_rng(0).standard_normal((42, 3)).astype("f4")
    faces = np.array([[0, 1, 2], [2, 3, 4]], "i4")
    left, right = tmp_path / "l_hemi-L.surf.gii", tmp_path / "l_hemi-R.surf.gii"
    arrays = [
        nibabel.gifti.GiftiDataArray(sphere, intent="NIFTI_INTENT_POINTSET"),
        nibabel.gifti.GiftiDataArray(faces, intent="NIFTI_INTENT_TRIANGLE"),
    ]
    nibabel.save(nibabel.GiftiImage(darrays=arrays), left)
    shutil.copy(left, right)
    cortex = load_cortex(image, (left, right))
    values = np.arange(len(axis)) % 3
    ours = axis.name == "CIFTI_STRUCTURE_CORTEX_RIGHT"
    np.testing.assert_array_equal(cortex.labels["right"][axis.vertex[ours]], values[ours])
    assert not cortex.labels["right"][:6].any()
    with pytest.raises(ValueError, match="mesh needs a file of each hemisphere"):
        load_cortex(image, (left,))
    larger = grayordinates(43)
    other = write_dlabel(tmp_path / "b.dlabel.nii", np.ones(len(larger)), larger)
    with pytest.raises(ValueError, match=r"has 43 vertices, .*l_hemi-L.surf.gii has 42"):
        load_cortex(other, (left, right))


def test_values_are_in_their_grayordinates(tmp_path: Path) -> None:
    axis = grayordinates()
    values = np.arange(len(axis)) % 4
    path = write_dlabel(tmp_path / "a.dlabel.nii", values, axis)
    image = surface_map(path, {1: 0.5, 3: -2.0, 2: np.nan})
    expected = np.select([values == 1, values == 3], [0.5, -2.0], 0)
    np.testing.assert_array_equal(np.asarray(image.dataobj)[0], expected)
    assert image.header.get_axis(1) == axis
    with pytest.raises(ValueError, match=r"lacks 1 of 1 target ids, the first is 9; give"):
        surface_map(path, {9: 1.0})

"""Targets and their scores on the cortical surface."""

import io
import json
import re
from collections import Counter

import matplotlib
import nibabel
import numpy as np
import pytest
from PIL import Image

from training.maps.surface_pictures import GYRUS, SULCUS, draw_surfaces, turning_view
from training.maps.surfaces import (
    DEPTHS,
    Cortex,
    face_labels,
    load_hemispheres,
    sharp_mesh,
    surface_labels,
    surface_values,
)
from training.maps.target_maps import colour_limit

SHAPE, STEP = (48, 58, 48), 4.0
AFFINE = np.array([[-STEP, 0, 0, 94], [0, STEP, 0, -130], [0, 0, STEP, -80], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    """An atlas on a 4 mm MNI grid: random ids 1 to 30 in blocks of 24 mm, with gaps."""
    small = np.random.default_rng(0).integers(-5, 31, (8, 10, 8)).clip(0)
    ids = np.kron(small, np.ones((6, 6, 6), dtype=int))[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    path = tmp_path_factory.mktemp("atlas") / "targets.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ids.astype(np.int16), AFFINE), path)
    return path


@pytest.fixture(scope="module")
def labels(blocks):
    return surface_labels(blocks)


def test_vertex_belongs_to_the_target_of_most_voxels_below_it(blocks, labels):
    ids = np.asarray(nibabel.load(blocks).dataobj)
    to_voxels = np.linalg.inv(AFFINE)
    for side, half in load_hemispheres().items():
        for vertex in np.random.default_rng(1).integers(0, 10_242, 200):
            votes = Counter()
            for depth in DEPTHS:
                point = (1 - depth) * half.white[vertex] + depth * half.pial[vertex]
                voxel = np.rint(to_voxels @ [*point, 1])[:3].astype(int)
                votes[int(ids[tuple(voxel)])] += 1
            votes.pop(0, None)
            found = int(labels[side][vertex])
            assert votes[found] == max(votes.values()) if votes else found == 0


def test_hemispheres_are_on_their_sides(tmp_path):
    x = np.broadcast_to((AFFINE[0, 0] * np.arange(SHAPE[0]) + AFFINE[0, 3])[:, None, None], SHAPE)
    path = tmp_path / "sides.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.where(x < 0, 1, 2).astype(np.int16), AFFINE), path)
    found = surface_labels(path)
    assert (found["left"] == 1).mean() > 0.98
    assert (found["right"] == 2).mean() > 0.98


def test_every_vertex_has_the_value_of_a_target_or_none(labels):
    values = {target: 0.01 * target for target in range(1, 25)}
    found = surface_values(np.concatenate(list(labels.values())), values)
    has_value = np.isfinite(found)
    assert set(found[has_value]) <= set(values.values())
    assert len(set(found[has_value])) > 15
    assert (~has_value).any()


def test_targets_far_from_the_cortex_leave_it_empty(tmp_path):
    ids = np.zeros(SHAPE, dtype=np.int16)
    ids[:2] = 7  # at the edge of the grid, outside of the head
    path = tmp_path / "outside.nii.gz"
    nibabel.save(nibabel.Nifti1Image(ids, AFFINE), path)
    assert not any(found.any() for found in surface_labels(path).values())


def test_faces_have_one_target_each(labels):
    half = load_hemispheres()["left"]
    vertices, new_labels, faces = sharp_mesh(labels["left"], half.faces)
    np.testing.assert_array_equal(vertices[faces], half.faces)
    corners = new_labels[faces]
    assert (corners == corners[:, :1]).all()
    np.testing.assert_array_equal(corners[:, 0], face_labels(labels["left"], half.faces))
    old_corners = labels["left"][half.faces]
    is_inside = (old_corners == old_corners[:, :1]).all(axis=1)
    np.testing.assert_array_equal(corners[is_inside], old_corners[is_inside])


@pytest.mark.slow
def test_compared_maps_have_the_same_colours(labels):
    """A value alone fills the scale; beside a larger one it is pale."""

    def reddest(limit):
        cortex = Cortex(load_hemispheres(), labels)
        picture = draw_surfaces(cortex, {4: 0.2, 9: 0.2}, "Pearson r", limit)
        pixels = np.asarray(Image.open(io.BytesIO(picture))) / 255
        brain = pixels[:, :980]  # without the colour bar
        return (brain[..., 0] - brain[..., 2]).max()

    assert colour_limit({4: 0.2, 9: 0.2}) == 0.2
    assert colour_limit({4: 0.2}, {9: -0.8, 3: np.nan}) == 0.8
    alone = reddest(None)
    assert alone == pytest.approx(reddest(0.2))
    dark, pale = (matplotlib.colormaps["RdBu_r"](x) for x in (1.0, 0.625))
    assert alone > dark[0] - dark[2] - 0.1
    assert reddest(0.8) == pytest.approx(pale[0] - pale[2], abs=0.1)


@pytest.mark.slow
def test_interactive_view_has_the_colours_of_targets_and_loads_nothing(labels):
    values = {target: 0.02 * target - 0.31 for target in range(2, 20)}
    page = turning_view(Cortex(load_hemispheres(), labels), values, limit=0.6)
    elements = re.sub(r"(<script>).*?(</script>)", r"\1\2", page, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href)\s*=|@import|url\(", elements)
    start = page.index("{", page.index("surfaceMapInfo ="))
    info, _ = json.JSONDecoder().raw_decode(page[start:])
    assert (info["cmin"], info["cmax"]) == (-0.6, 0.6)
    drawn = np.array([matplotlib.colors.to_rgb(c[:7]) for c in set(info["vertexcolor_both"])])
    scale = matplotlib.colormaps["RdBu_r"]
    greys = matplotlib.colormaps["Greys"]([1 - GYRUS, 1 - SULCUS])
    expected = np.vstack([scale([(v + 0.6) / 1.2 for v in values.values()]), greys])[:, :3]
    distances = np.abs(drawn[:, None] - expected[None]).max(axis=2)
    assert distances.min(axis=1).max() < 0.02
    assert distances.min(axis=0).max() < 0.02


@pytest.mark.realdata
def test_mist_covers_the_cortex(data_folder):
    found = surface_labels(data_folder / "parcellation" / "MIST_ROI.nii.gz")
    everywhere = np.concatenate(list(found.values()))
    assert len(set(everywhere.tolist()) - {0}) > 170
    assert (everywhere > 0).mean() > 0.85

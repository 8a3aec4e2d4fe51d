"""Atlases and masks for fMRIPrep derivatives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fmriprep_study import SHAPE, Study, save
from pydantic import ValidationError

from training.sources.label_table import LabelTable
from training.sources.labels import read_labels


def test_names_come_from_a_table_by_id_and_are_made_distinct(study: Study, tmp_path: Path) -> None:
    study.write_run()
    table = tmp_path / "atlas.csv"
    table.write_text("roi;label;name\n9;STG;left\n1;none;none\n2;STG;right\n5;HG;both\n")
    collection = study.source(label_table=table, atlas="mine").collect()
    assert collection.targets.ids == (2, 5, 9)
    assert collection.targets.names == ("STG 2", "HG", "STG 9")
    assert collection.targets.atlas == "mine"
    np.testing.assert_array_equal(collection.targets.image.get_fdata(), study.label_values)
    assert any("names labels without a voxel" in text for text in collection.findings)
    assert (
        read_labels(study.labels, LabelTable(table, name_column="name")).targets.names[2] == "left"
    )
    table.write_text("roi,label\n2,a\n9,b\n")
    with pytest.raises(ValueError, match="has no row for the labels 5"):
        read_labels(study.labels, LabelTable(table))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (1.5, "must be whole numbers, not 1.5"),
        (-2.0, "not a label image: it holds -2"),
        (2.0**31, "not a label image: it holds 2147483648"),
        (-1.0, "no label, only background"),
        (0.0, "no label, only background"),
    ],
)
def test_image_without_labels_is_refused(study: Study, value: float, message: str) -> None:
    save(np.full(SHAPE, value), study.labels)
    with pytest.raises(ValueError, match=message):
        read_labels(study.labels)


def test_label_image_is_no_mask(study: Study) -> None:
    study.write_run()
    with pytest.raises(ValueError, match=r"3 values besides 0, a mask has one; .* labels:"):
        study.source(labels=None, mask=study.labels).collect()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": None}, "either labels .* or mask"),
        ({"mask": "a.nii.gz"}, "either labels .* or mask"),
        ({"labels": None, "mask": "a.nii.gz", "label_table": "a.csv"}, "a mask has none"),
    ],
)
def test_wrong_settings_are_refused(study: Study, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study.source(**settings)


@pytest.mark.realdata
def test_the_parcels_of_mist_have_210_names(data_folder: Path) -> None:
    folder = data_folder / "parcellation"
    targets = read_labels(folder / "MIST_ROI.nii.gz", LabelTable(folder / "MIST_ROI.csv")).targets
    assert targets.ids == tuple(range(1, 211))
    assert len(set(targets.names)) == 210
    assert targets.names[152:154] == ("L_STgyr_m", "R_STgyr_m")

"""Confounds of fMRIPrep derivatives: required columns, and damaged tables."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas
import pytest
from fmriprep_study import (
    MINIMAL,
    N_TRS,
    Study,
    brute_means,
    centred,
    change_table,
    residuals,
    table_of,
)
from pydantic import ValidationError


def test_missing_columns_are_named_with_their_file(study: Study) -> None:
    bold = study.write_run()
    change_table(bold, rot_y=None, csf=None)
    message = rf"{table_of(bold).name} lacks the columns rot_y, csf;"
    with pytest.raises(ValueError, match=message):
        study.source().collect()
    with pytest.raises(ValueError, match="lacks the columns rot_y;"):
        study.source(confounds={"strategy": ["motion"]}).collect()


def test_cosines_are_required_of_long_runs(study: Study) -> None:
    bold = study.write_run()
    change_table(bold, cosine00=None, cosine01=None)
    assert study.load().shape == (N_TRS, 3)
    assert study.load(confounds={"strategy": ["high_pass"]}).shape == (N_TRS, 3)
    bold = study.write_run(n_trs=86)  # 129 s
    change_table(bold, cosine00=None, cosine01=None)
    with pytest.raises(ValueError, match="lacks the columns cosine00"):
        study.source().collect()


def test_damaged_tables_are_refused(study: Study) -> None:
    bold = study.write_run()
    for csf in (np.r_[np.ones(9), np.nan, np.ones(N_TRS - 10)], np.full(N_TRS, np.nan)):
        change_table(bold, csf=csf)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ValueError, match="values are missing in csf"):
                study.load()
    change_table(bold, csf=["high"] * N_TRS)
    with pytest.raises(ValueError, match=r"confounds_timeseries\.tsv"):
        study.load()
    study.write_run()
    lines = table_of(bold).read_text().splitlines()
    table_of(bold).write_text("\n".join(lines[:-4]))
    with pytest.raises(ValueError, match=r"26 rows for the 30 TRs"):
        study.load()


def test_more_regressors_than_trs_are_refused(study: Study) -> None:
    study.write_run(n_trs=11)
    with pytest.raises(ValueError, match="10 regressors leave nothing of 11 TRs"):
        study.load()


def test_compcor_components_are_those_of_the_combined_mask(study: Study) -> None:
    bold = study.write_run()
    generator = np.random.default_rng(1)
    components = {f"a_comp_cor_{k:02d}": generator.standard_normal(N_TRS) for k in range(4)}
    table = change_table(bold, **components)
    facts = {
        name: {"Method": "aCompCor", "Mask": mask, "Retained": True}
        for name, mask in zip(components, ("combined", "combined", "combined", "CSF"), strict=True)
    }
    table_of(bold).with_suffix(".json").write_text(json.dumps(facts))
    names = ["cosine00", "cosine01", "a_comp_cor_00", "a_comp_cor_01"]
    means = brute_means(bold, study.label_values, (2, 5, 9))
    expected = residuals(means, table[names].to_numpy())
    loaded = study.load(confounds={"strategy": ["high_pass", "compcor"], "n_compcor": 2})
    np.testing.assert_allclose(centred(loaded), expected, atol=1e-3 * expected.std())
    table_of(bold).with_suffix(".json").unlink()
    with pytest.raises(ValueError, match=rf"has no {table_of(bold).stem}.json beside it"):
        study.load(confounds={"strategy": ["high_pass", "compcor"]})


def test_each_run_of_a_task_has_its_own_table(study: Study) -> None:
    bolds = [study.write_run(seed=0), study.write_run(task="s01e02a_run-2", seed=1)]
    for bold, recording in zip(bolds, study.source().collect().recordings, strict=True):
        table = pandas.read_csv(table_of(bold), sep="\t")[MINIMAL]
        expected = residuals(brute_means(bold, study.label_values, (2, 5, 9)), table.to_numpy())
        loaded = centred(recording.load())
        np.testing.assert_allclose(loaded, expected, atol=1e-3 * expected.std())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": ["scrub"]}, "motion"),
        ({"strategy": ["compcor"]}, "add high_pass"),
    ],
)
def test_unknown_confounds_are_refused(
    study: Study, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        study.source(confounds=settings)


@pytest.mark.parametrize("metadata", ["[]", "{", '{"a_comp_cor_00": 3}', "{}"])
def test_messages_name_the_files_of_the_user(study: Study, metadata: str) -> None:
    bold = study.write_run()
    change_table(bold, a_comp_cor_00=np.random.default_rng(0).standard_normal(N_TRS))
    table_of(bold).with_suffix(".json").write_text(metadata)
    with pytest.raises(ValueError, match=table_of(bold).name) as caught:
        study.load(confounds={"strategy": ["high_pass", "compcor"]})
    assert "confounds-" not in str(caught.value).replace(table_of(bold).stem, "")


def test_unneeded_metadata_is_not_read(study: Study) -> None:
    bold = study.write_run()
    expected = study.load()
    table_of(bold).with_suffix(".json").write_text("{")
    np.testing.assert_array_equal(study.load(), expected)


def test_tables_of_the_first_fmriprep(study: Study) -> None:
    bold = study.write_run()
    table = table_of(bold)
    lines = table.read_text().splitlines()
    old = table.with_name(table.name.replace("_desc-confounds_timeseries", "_bold_confounds"))
    old.write_text("\n".join(lines))
    expected = study.load()
    table.unlink()
    np.testing.assert_array_equal(study.load(), expected)
    old.write_text("\n".join(["CSF\tWhiteMatter\tX\tRotX", *["1\t2\t3\t4"] * N_TRS]))
    with pytest.raises(ValueError, match=r"it is of fMRIPrep 1\.0 or 1\.1: run a newer one"):
        study.source().collect()

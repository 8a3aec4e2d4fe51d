"""fMRIPrep derivatives: small images that are written here, checked by brute force."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from training.sources.fmriprep import FmriprepSource
from training.sources.labels import read_label_names, read_labels

SHAPE = (10, 10, 10)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = (-20, -18, -15)
N_TRS = 30
TR = 1.5
SPACE = "MNI152NLin2009cAsym"
MOTION = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
MINIMAL = [*MOTION, "csf", "white_matter", "cosine00", "cosine01"]
NONE = {"strategy": []}


class Study:
    """A folder of derivatives, stimuli and an atlas with the labels 2, 5 and 9."""

    def __init__(self, root: Path) -> None:
        self.derivatives = root / "derivatives"
        self.stimuli = root / "stimuli"
        self.stimuli.mkdir()
        for name in ("s01e02a", "s01e02b"):
            (self.stimuli / f"{name}.wav").write_bytes(b"")
        self.labels = root / "atlas.nii.gz"
        self.label_values = np.zeros(SHAPE)
        self.label_values[2:5, 2:5, 2:5] = 9
        self.label_values[6:8, 2:5, 2:5] = 2
        self.label_values[3, 7, 3:7] = 5
        save(self.label_values, self.labels)

    def write_run(
        self,
        sub: str = "01",
        ses: str = "003",
        task: str = "s01e02a",
        grid: str = f"space-{SPACE}",
        n_trs: int = N_TRS,
        shape: tuple[int, ...] = SHAPE,
        seed: int = 0,
    ) -> Path:
        """All files of a run; the path of its image."""
        generator = np.random.default_rng(seed)
        folder = self.derivatives / f"sub-{sub}" / f"ses-{ses}" / "func"
        folder.mkdir(parents=True, exist_ok=True)
        run = f"sub-{sub}_ses-{ses}_task-{task}"
        table = confounds(n_trs, generator)
        table.to_csv(
            folder / f"{run}_desc-confounds_timeseries.tsv", sep="\t", index=False, na_rep="n/a"
        )
        (folder / f"{run}_desc-confounds_timeseries.json").write_text("{}")
        weights = generator.standard_normal((*shape, len(MINIMAL)))
        noise = generator.standard_normal((*shape, n_trs))
        voxels = 1000 + 5 * weights @ table[MINIMAL].to_numpy().T + noise
        bold = folder / f"{run}_{grid}_desc-preproc_bold.nii.gz"
        save(voxels.astype(np.float32), bold, tr=TR)
        brain = np.zeros(shape)
        brain[1:9, 1:9, 1:9] = 1
        save(brain, mask_of(bold))
        sidecar_of(bold).write_text(json.dumps({"RepetitionTime": TR, "TaskName": task}))
        return bold

    def source(self, **settings: Any) -> FmriprepSource:
        known = {
            "kind": "fmriprep",
            "derivatives": self.derivatives,
            "stimuli": self.stimuli,
            "task": "*",
            "labels": self.labels,
        }
        document = {key: value for key, value in (known | settings).items() if value is not None}
        return FmriprepSource.model_validate(document)

    def load(self, **settings: Any) -> np.ndarray:
        return self.source(**settings).collect().recordings[0].load()


def confounds(n_trs: int, generator: np.random.Generator) -> pandas.DataFrame:
    """A table as fMRIPrep writes it, with columns that nobody asks for."""
    columns = {name: generator.standard_normal(n_trs).cumsum() for name in MINIMAL[:-2]}
    columns |= {"global_signal": generator.standard_normal(n_trs) + 500}
    columns |= {
        f"{name}_derivative1": np.r_[np.nan, np.diff(values)] for name, values in columns.items()
    }
    columns |= {f"{name}_power2": values**2 for name, values in columns.items()}
    columns["framewise_displacement"] = np.r_[np.nan, generator.random(n_trs - 1)]
    columns["motion_outlier00"] = np.eye(n_trs)[3]
    time = (np.arange(n_trs) + 0.5) / n_trs
    columns |= {f"cosine{k:02d}": np.cos(np.pi * (k + 1) * time) for k in range(2)}
    return pandas.DataFrame(columns)


def save(voxels: np.ndarray, path: Path, affine: np.ndarray = AFFINE, tr: float = 0.0) -> None:
    image = nibabel.Nifti1Image(voxels, affine)
    if voxels.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], tr))
        image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def mask_of(bold: Path) -> Path:
    return bold.with_name(bold.name.replace("preproc_bold", "brain_mask"))


def sidecar_of(bold: Path) -> Path:
    return bold.with_name(bold.name.replace(".nii.gz", ".json"))


def table_of(bold: Path) -> Path:
    return bold.with_name(bold.name.split("_space")[0] + "_desc-confounds_timeseries.tsv")


def change_table(bold: Path, **columns: Any) -> pandas.DataFrame:
    """Replace columns of a run's table of confounds; None drops one."""
    table = pandas.read_csv(table_of(bold), sep="\t")
    gone = [name for name, values in columns.items() if values is None]
    table = table.drop(columns=gone).assign(**{k: v for k, v in columns.items() if k not in gone})
    table.to_csv(table_of(bold), sep="\t", index=False, na_rep="n/a")
    return table


def change_voxels(path: Path, change: Any, tr: float = TR) -> None:
    image = nibabel.load(path)
    voxels = image.get_fdata().copy()
    change(voxels)
    save(voxels.astype(np.float32), path, image.affine, tr)


def brute_means(bold: Path, labels: np.ndarray, ids: tuple[int, ...]) -> np.ndarray:
    """Voxel by voxel, within the brain mask."""
    voxels = nibabel.load(bold).get_fdata()
    brain = nibabel.load(mask_of(bold)).get_fdata()
    columns = []
    for wanted in ids:
        courses = [
            voxels[index]
            for index in product(*map(range, brain.shape))
            if labels[index] == wanted and brain[index]
        ]
        columns.append(np.mean(courses, axis=0) if courses else np.full(voxels.shape[3], np.nan))
    return np.stack(columns, axis=1)


def residuals(signals: np.ndarray, regressors: np.ndarray) -> np.ndarray:
    """Ordinary least squares with an intercept."""
    design = np.column_stack([np.ones(len(regressors)), regressors])
    return signals - design @ np.linalg.lstsq(design, signals, rcond=None)[0]


def centred(table: np.ndarray) -> np.ndarray:
    return table - table.mean(axis=0)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


# What a run becomes


def test_column_is_the_mean_of_its_parcel_within_the_brain(study: Study) -> None:
    bold = study.write_run()
    change_voxels(mask_of(bold), lambda brain: brain.__setitem__((slice(2, 3),), 0))
    expected = brute_means(bold, study.label_values, (2, 5, 9))
    np.testing.assert_allclose(study.load(confounds=NONE), expected, rtol=1e-6)


def test_minimal_confounds_are_regressed_out_as_by_least_squares(study: Study) -> None:
    bold = study.write_run()
    table = pandas.read_csv(table_of(bold), sep="\t")
    expected = residuals(
        brute_means(bold, study.label_values, (2, 5, 9)), table[MINIMAL].to_numpy()
    )
    loaded = centred(study.load())
    np.testing.assert_allclose(loaded, expected, atol=1e-3 * expected.std())
    np.testing.assert_allclose(centred(table[MINIMAL].to_numpy()).T @ loaded, 0, atol=1e-2)


def test_derivatives_of_the_first_tr_are_those_of_the_second(study: Study) -> None:
    bold = study.write_run()
    names = [*MOTION, *(f"{name}_derivative1" for name in MOTION), "global_signal"]
    table = pandas.read_csv(table_of(bold), sep="\t")[names].bfill()
    expected = residuals(brute_means(bold, study.label_values, (2, 5, 9)), table.to_numpy())
    loaded = study.load(
        confounds={"strategy": ["motion", "global_signal"], "motion": "derivatives"}
    )
    np.testing.assert_allclose(centred(loaded), expected, atol=1e-3 * expected.std())


def test_unsteady_trs_keep_their_place_at_the_mean(study: Study) -> None:
    bold = study.write_run()
    table = change_table(bold, non_steady_state_outlier00=np.eye(N_TRS)[0])
    change_voxels(bold, lambda voxels: voxels.__setitem__((..., 0), 3000))
    loaded = study.load()
    assert loaded.shape == (N_TRS, 3)
    means = brute_means(bold, study.label_values, (2, 5, 9))[1:]
    expected = residuals(means, table[MINIMAL].to_numpy()[1:])
    np.testing.assert_allclose(centred(loaded)[0], 0, atol=1e-2)
    np.testing.assert_allclose(centred(loaded[1:]), expected, atol=1e-3 * expected.std())


def test_detrend_takes_out_a_line(study: Study) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__iadd__(7 * np.arange(N_TRS)))
    means = brute_means(bold, study.label_values, (2, 5, 9))
    expected = residuals(means, np.arange(N_TRS)[:, np.newaxis])
    loaded = study.load(confounds=NONE, detrend=True)
    np.testing.assert_allclose(centred(loaded), expected, atol=1e-3 * expected.std())


def test_smoothing_is_gaussian_in_millimetres(study: Study) -> None:
    bold = study.write_run()
    fwhm = 6.0
    sigma = fwhm / np.sqrt(8 * np.log(2)) / 4  # voxels of 4 mm
    voxels = nibabel.load(bold).get_fdata()
    smooth = gaussian_filter(voxels, (sigma, sigma, sigma, 0), mode="constant")
    expected = smooth[study.label_values == 9].mean(axis=0)
    loaded = study.load(confounds=NONE, smoothing_fwhm=fwhm)
    np.testing.assert_allclose(loaded[:, 2], expected, rtol=1e-4)


def test_constant_parcel_stays_constant_beside_confounds(study: Study) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__setitem__(study.label_values == 5, 812.3))
    loaded = study.load()
    assert np.ptp(loaded[:, 1]) == 0
    assert np.ptp(loaded[:, 0]) > 0


def test_label_outside_the_brain_is_a_column_of_nan_with_one_warning(study: Study) -> None:
    bolds = [study.write_run(task=task) for task in ("s01e02a", "s01e02b")]
    for bold in bolds:
        change_voxels(mask_of(bold), lambda brain: brain.__setitem__(study.label_values == 5, 0))
    first, second = study.source(confounds=NONE).collect().recordings
    with pytest.warns(UserWarning, match=r"sub-01: 1 of 3 targets .* NaN: 5 \(label 5\)"):
        loaded = first.load()
    assert np.isnan(loaded[:, 1]).all()
    expected = brute_means(bolds[0], study.label_values, (2, 9))
    np.testing.assert_allclose(loaded[:, [0, 2]], expected, rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(second.load()[:, 1]).all()


def test_atlas_on_another_grid_comes_to_the_images_by_nearest_voxel(study: Study) -> None:
    bold = study.write_run()
    other = np.diag([-2.7, 3.1, 2.9, 1.0])  # flipped, finer, shifted
    other[:3, 3] = (22, -19, -16)
    values = np.zeros((16, 13, 14))
    values[2:9, 3:9, 3:9] = 4
    values[9:13, 3:9, 3:9] = 7
    save(values, study.labels, other)
    moved = np.zeros(SHAPE)
    for index in product(*map(range, SHAPE)):
        world = AFFINE @ [*index, 1]
        source = np.rint(np.linalg.solve(other, world))[:3].astype(int)
        if np.all(source >= 0) and np.all(source < values.shape):
            moved[index] = values[tuple(source)]
    loaded = study.load(confounds=NONE)
    np.testing.assert_allclose(loaded, brute_means(bold, moved, (4, 7)), rtol=1e-6)

    from nilearn.maskers import NiftiLabelsMasker

    masker = NiftiLabelsMasker(study.labels, mask_img=mask_of(bold), standardize=None)
    np.testing.assert_allclose(loaded, masker.fit_transform(bold), rtol=1e-5)


def test_voxels_of_a_mask_are_columns_in_c_order(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    mask = np.zeros(SHAPE)
    inside = [(2, 3, 4), (2, 7, 1), (5, 2, 8)]
    for index in reversed(inside):
        mask[index] = 1
    save(mask, tmp_path / "STG_middle.nii.gz")
    source = study.source(labels=None, mask=tmp_path / "STG_middle.nii.gz", confounds=NONE)
    collection = source.collect()
    voxels = nibabel.load(bold).get_fdata()
    expected = np.stack([voxels[index] for index in inside], axis=1)
    np.testing.assert_allclose(collection.recordings[0].load(), expected, rtol=1e-6)
    targets = collection.targets
    assert (targets.ids, targets.names[0], targets.atlas) == ((1, 2, 3), "voxel 1", "STG_middle")
    image = targets.image.get_fdata()
    assert [image[index] for index in inside] == [1, 2, 3]


def test_images_come_to_the_grid_of_a_mask(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    x, y, z = np.indices(SHAPE)
    ramp = (x + 2.0 * y - z)[..., np.newaxis] * np.linspace(1, 2, N_TRS)
    save(ramp.astype(np.float32), bold, tr=TR)
    coarse = AFFINE.copy()
    coarse[:3, :3] *= 1.5
    mask = np.zeros((8, 8, 8))
    mask[2, 3, 3] = mask[4, 2, 3] = mask[7, 3, 3] = 1  # the last lies outside: voxel 10.5 of 10
    save(mask, tmp_path / "mask.nii.gz", coarse)
    source = study.source(labels=None, mask=tmp_path / "mask.nii.gz", confounds=NONE)
    with pytest.warns(UserWarning, match="1 of 3 targets"):
        loaded = source.collect().recordings[0].load()
    expected = np.array([3 + 9 - 4.5, 6 + 6 - 4.5])  # splines of a ramp are the ramp
    np.testing.assert_allclose(loaded[0, :2], expected, atol=0.1)
    assert np.isnan(loaded[:, 2]).all()


def test_framewise_displacement_is_in_millimetres_and_0_at_first(study: Study) -> None:
    bold = study.write_run()
    change_table(bold, framewise_displacement=np.r_[np.nan, np.full(N_TRS - 1, 0.25)])
    motion = study.source().collect().recordings[0].motion
    assert motion is not None
    np.testing.assert_array_equal(motion(), np.r_[0, np.full(N_TRS - 1, 0.25)])
    change_table(bold, framewise_displacement=None)
    assert study.source().collect().recordings[0].motion is None


# What is found


def test_runs_are_described_by_their_entities(study: Study) -> None:
    study.write_run(sub="02", ses="001", task="s01e02b")
    study.write_run(sub="01", ses="003", task="s01e02a_run-1")
    collection = study.source(start=-1.0).collect()
    first, second = collection.recordings
    assert (first.subject, first.run, first.session) == (
        "sub-01",
        "ses-003_task-s01e02a_run-1",
        "003",
    )
    assert (first.stimulus, first.episode, first.season) == ("s01e02a", "s01e02", "s01")
    assert (first.start, first.tr) == (-1.0, TR)
    assert (second.subject, second.run) == ("sub-02", "ses-001_task-s01e02b")
    assert collection.kind == "time_series"
    assert collection.stimuli == {
        name: study.stimuli / f"{name}.wav" for name in ("s01e02a", "s01e02b")
    }
    assert {path.name.split("_")[-1] for path in first.files} >= {
        "bold.nii.gz",
        "bold.json",
        "mask.nii.gz",
        "timeseries.tsv",
    }
    assert study.labels in first.files


def test_folder_without_sessions_and_a_table_with_starts(study: Study, tmp_path: Path) -> None:
    bold = study.write_run()
    folder = study.derivatives / "sub-01" / "func"
    folder.mkdir()
    for path in bold.parent.iterdir():
        path.rename(folder / path.name.replace("_ses-003", ""))
    table = tmp_path / "runs.tsv"
    table.write_text("task\tstimulus\tstart\ns01e02a\ts01e02b\t12.5\n")
    (recording,) = study.source(match={"table": table}).collect().recordings
    assert (recording.run, recording.session) == ("task-s01e02a", "")
    assert (recording.stimulus, recording.start) == ("s01e02b", 12.5)
    assert recording.load().shape == (N_TRS, 3)


def test_task_and_subjects_choose_runs(study: Study) -> None:
    study.write_run(sub="01", task="s01e02a")
    study.write_run(sub="01", task="s01e02b")
    study.write_run(sub="02", task="s01e02a")
    source = study.source(task="s0?e02a", subjects=["sub-02"])
    assert [one.subject for one in source.collect().recordings] == ["sub-02"]
    with pytest.raises(ValueError, match=r"no run of sub-07 in .*it has sub-01, sub-02"):
        study.source(subjects=["07"]).collect()
    with pytest.raises(ValueError, match="task-rest_"):
        study.source(task="rest").collect()
    with pytest.raises(FileNotFoundError, match="derivatives"):
        study.source(derivatives=study.derivatives / "nowhere").collect()


def test_what_is_left_out_is_said(study: Study) -> None:
    study.write_run(task="s01e02a")
    study.write_run(ses="004", task="s01e02a")
    study.write_run(task="rest")
    study.write_run(task="s01e02b", grid="space-T1w")
    gone = study.write_run(ses="009", task="s01e02a")
    gone.unlink()
    gone.symlink_to("nowhere")
    collection = study.source().collect()
    assert [one.run for one in collection.recordings] == [
        "ses-003_task-s01e02a",
        "ses-004_task-s01e02a",
    ]
    for expected in (
        "no stimulus 'rest'",
        f"left out, not in space-{SPACE} (there is sub-01_ses-003_task-s01e02b_space-T1w",
        "is a link without content",
        "sub-01: s01e02a played in 2 runs, kept as repeats",
        "that belong to no run: s01e02b",
    ):
        assert sum(expected in text for text in collection.findings) == 1, expected
    with pytest.raises(ValueError, match=r"sub-01 has no run to take; .*not in space-Other"):
        study.source(space="Other").collect()
    with pytest.raises(ValueError, match=r"no run has a stimulus: .*'other_rest'.*holds s01e02a"):
        study.source(task="rest", match={"pattern": "other_{task}"}).collect()


def test_two_images_of_one_run_are_refused_until_res_says_which(study: Study) -> None:
    for res in ("2", "native"):
        study.write_run(grid=f"space-{SPACE}_res-{res}")
    with pytest.raises(ValueError, match=r"2 images of one run: .*res-2.* and .*res-native.*res:"):
        study.source().collect()
    (recording,) = study.source(res=2).collect().recordings
    assert "res-2" in recording.files[0].name


def test_runs_without_companions_are_refused(study: Study) -> None:
    bold = study.write_run()
    table_of(bold).unlink()
    with pytest.raises(ValueError, match=r"has no table of confounds .*strategy: \[\]"):
        study.source().collect()
    assert study.load(confounds=NONE).shape == (N_TRS, 3)
    mask_of(bold).unlink()
    with pytest.raises(ValueError, match=r"has no brain mask .*desc-brain_mask.nii.gz"):
        study.source().collect()


# Repetition time


def test_repetition_time_must_be_agreed_on(study: Study) -> None:
    bold = study.write_run()
    assert study.source(tr=1.5).collect().recordings[0].tr == 1.5
    with pytest.raises(ValueError, match=r"2 s by the recipe, 1\.5 s by sub-01.*json, 1\.5 s by"):
        study.source(tr=2.0).collect()
    sidecar_of(bold).write_text(json.dumps({"RepetitionTime": 1.49}))
    with pytest.raises(ValueError, match=r"1\.49 s by sub-01.*1\.5 s by the image's header"):
        study.source().collect()
    sidecar_of(bold).write_text("{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        study.source().collect()
    sidecar_of(bold).unlink()
    assert study.source().collect().recordings[0].tr == 1.5
    change_voxels(bold, lambda voxels: None, tr=0.0)
    with pytest.raises(ValueError, match="neither header nor sidecar"):
        study.source().collect()
    assert study.source(tr=1.49).collect().recordings[0].tr == 1.49


def test_header_in_milliseconds_is_understood(study: Study) -> None:
    bold = study.write_run()
    image = nibabel.load(bold)
    image.header["pixdim"][4] = 1500
    image.header.set_xyzt_units("mm", "msec")
    nibabel.save(nibabel.Nifti1Image(image.get_fdata(), AFFINE, image.header), bold)
    assert study.source().collect().recordings[0].tr == 1.5


def test_runs_must_have_one_repetition_time(study: Study) -> None:
    study.write_run()
    bold = study.write_run(task="s01e02b")
    change_voxels(bold, lambda voxels: None, tr=2.0)
    sidecar_of(bold).write_text(json.dumps({"RepetitionTime": 2.0}))
    with pytest.raises(ValueError, match=r"runs differ in repetition time: 1\.5 s in .*, 2 s in"):
        study.source().collect()


# Confounds


def test_missing_columns_are_named_with_their_file(study: Study) -> None:
    bold = study.write_run()
    change_table(bold, rot_y=None, csf=None)
    message = rf"{table_of(bold).name} lacks the columns rot_y, csf;"
    with pytest.raises(ValueError, match=message):
        study.source().collect()
    with pytest.raises(ValueError, match="lacks the columns rot_y;"):
        study.source(confounds={"strategy": ["motion"]}).collect()


def test_cosines_are_asked_for_where_a_run_is_long_enough_for_one(study: Study) -> None:
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
    change_table(bold, csf=np.r_[np.ones(9), np.nan, np.ones(N_TRS - 10)])
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
    with pytest.raises(ValueError, match=r"timeseries\.tsv: Could not find associated json"):
        study.load(confounds={"strategy": ["high_pass", "compcor"]})


def test_runs_of_one_task_have_tables_of_their_own(study: Study) -> None:
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
        ({"motion": "all"}, "basic"),
        ({"scrub": 5}, "Extra inputs"),
    ],
)
def test_unknown_confounds_are_refused(
    study: Study, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        study.source(confounds=settings)


# Damaged and contradicting images


def test_damaged_images_are_named(study: Study) -> None:
    bold = study.write_run()
    whole = bold.read_bytes()
    bold.write_bytes(whole[: len(whole) // 2])
    (recording,) = study.source().collect().recordings
    with pytest.raises(ValueError, match=rf"{bold.name} is damaged or cut off"):
        recording.load()
    bold.write_bytes(whole[:20])
    with pytest.raises(ValueError, match=rf"{bold.name}: its header cannot be read"):
        study.source().collect()
    bold.write_bytes(b"no image")
    with pytest.raises(ValueError, match=rf"{bold.name}: its header cannot be read"):
        study.source().collect()
    save(np.ones(SHAPE), bold)
    with pytest.raises(ValueError, match=r"of shape \(10, 10, 10\), expected .* 4 dimensions"):
        study.source().collect()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_not_finite_are_refused(study: Study, value: float) -> None:
    bold = study.write_run()
    change_voxels(bold, lambda voxels: voxels.__setitem__((0, 0, 0, 7), value))
    with pytest.raises(ValueError, match=rf"{bold.name}: 1 of 30000 voxel values are NaN"):
        study.load()


def test_brain_mask_on_another_grid_is_refused(study: Study) -> None:
    bold = study.write_run()
    save(np.ones((9, 10, 10)), mask_of(bold))
    with pytest.raises(ValueError, match=r"\(9, 10, 10\) is not on the grid of"):
        study.load()


def test_atlas_in_another_space_is_refused(study: Study, tmp_path: Path) -> None:
    study.write_run()
    away = AFFINE.copy()
    away[0, 3] += 20
    save(study.label_values, study.labels, away)
    with pytest.raises(ValueError, match=r"another space: 45% of its voxels .*expected 50%"):
        study.source().collect()
    assert study.source(least_overlap=0.2).collect().recordings
    named = tmp_path / "tpl-MNIColin27_atlas-x_dseg.nii.gz"
    save(study.label_values, named)
    with pytest.raises(ValueError, match=rf"is in space MNIColin27, the images are in {SPACE}"):
        study.source(labels=named).collect()


# Atlas


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
    assert read_labels(study.labels, table, name_column="name").targets.names[2] == "left"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roi,label\n2,a\n9,b\n", "has no row for the labels 5"),
        ("number,label\n2,a\n", "known to hold ids; say which with id_column:"),
        ("roi,colour\n2,a\n", "known to hold names; say which with name_column:"),
        ("roi,label\na,2\n", "line 2: 'a' in column roi is no whole number"),
        ("roi,label\n2,a\n2,b\n", "the id 2 stands in two rows"),
    ],
)
def test_wrong_label_tables_are_refused(
    study: Study, tmp_path: Path, text: str, message: str
) -> None:
    table = tmp_path / "atlas.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_labels(study.labels, table)


def test_named_columns_must_be_there(tmp_path: Path) -> None:
    table = tmp_path / "atlas.tsv"
    table.write_text("number\twhat\n2\ta\n")
    assert read_label_names(table, "number", "what") == {2: "a"}
    with pytest.raises(ValueError, match="no column 'which', only number, what"):
        read_label_names(table, "number", "which")


@pytest.mark.parametrize(
    ("value", "message"),
    [(1.5, "not a label image"), (-1.0, "not a label image"), (0.0, "no label, only background")],
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
        ({"smoothing": 5}, "Extra inputs"),
        ({"tr": 0}, "greater than 0"),
    ],
)
def test_wrong_settings_are_refused(study: Study, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study.source(**settings)


@pytest.mark.realdata
def test_the_parcels_of_mist_have_210_names(data_folder: Path) -> None:
    folder = data_folder / "parcellation"
    targets = read_labels(folder / "MIST_ROI.nii.gz", folder / "MIST_ROI.csv").targets
    assert targets.ids == tuple(range(1, 211))
    assert len(set(targets.names)) == 210
    assert targets.names[152:154] == ("L_STgyr_m", "R_STgyr_m")

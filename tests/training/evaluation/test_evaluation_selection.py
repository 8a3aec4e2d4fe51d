import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_dataset import change_dataset, changing_sound, write_prepared

from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import SoundNet
from training.data.prepared import Prepared, Run
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import ModelInfo
from training.evaluation.held_out import FitSplits
from training.evaluation.models import Model, model_names
from training.evaluation.selection import select
from training.evaluation.settings import EvaluationSettings

SOUNDNET = SoundNet()


def model_of(
    data: Prepared,
    name: str = "model",
    heads: tuple[str, ...] = ("sub-01",),
    train: tuple[str, ...] = (),
    validation: tuple[str, ...] = (),
    **read_out: object,
) -> Model:
    """A model fitted to some episodes."""
    usual = ReadOut("conv7", 2, 1.49, "interpolate", data.info.target_ids, heads, atlas="made up")
    changed = replace(usual, **read_out)  # type: ignore[arg-type]
    splits = {
        split: [run for run in data.runs if run.episode in episodes]
        for split, episodes in (("train", train), ("validation", validation))
    }
    info = ModelInfo(
        name=name, fit=name, kind="individual", subjects=heads, train_from="none", stage="conv7"
    )
    return Model(info, BrainEncoder(SOUNDNET, changed), 1.0, 24, data, FitSplits(splits, data), {})


@pytest.fixture(scope="module")
def data(two_subjects: Path) -> Prepared:
    return Prepared(two_subjects)


def episodes_of(runs: list[Run]) -> set[str]:
    return {run.episode for run in runs}


def test_what_a_model_has_heard_is_never_tested_whoever_heard_it(data: Prepared):
    """One subject's training sounds are no test for another subject's responses either."""
    model = model_of(data, train=("s01e01", "s01e02"), validation=("s01e03",))
    chosen = select([model], data, EvaluationSettings())
    for subject in ("sub-01", "sub-02"):
        assert episodes_of(chosen.runs["model"][subject]) == {"s02e01", "s02e02"}
    said = " ".join(chosen.excluded)
    assert "4 runs (sub-01/ses-001_task-s01e01a, sub-01/ses-001_task-s01e02a, " in said
    assert "whose sound the model was trained on (model: model)" in said
    assert "whose sound decided when its training stopped" in said
    chosen = select([model], data, EvaluationSettings(split="validation"))
    assert episodes_of(chosen.runs["model"]["sub-02"]) == {"s01e03"}


def test_models_are_compared_on_runs_that_no_one_has_heard(data: Prepared):
    models = [model_of(data, "a", train=("s01e01",)), model_of(data, "b", train=("s02e01",))]
    shared = select(models, data, EvaluationSettings())
    for model in ("a", "b"):
        assert episodes_of(shared.runs[model]["sub-01"]) == {"s01e02", "s01e03", "s02e02"}
    assert "held out for some models but not for all (model: a)" in " ".join(shared.excluded)
    own = select(models, data, EvaluationSettings(runs="own"))
    assert episodes_of(own.runs["a"]["sub-01"]) == {"s01e02", "s01e03", "s02e01", "s02e02"}
    every = tuple(run.episode for run in data.runs)
    half = [model_of(data, "a", train=every[:3]), model_of(data, "b", train=every[3:])]
    with pytest.raises(ValueError, match=r"no run .* is held out .* are scored with runs=own"):
        select(half, data, EvaluationSettings())


def test_parts_of_a_stimulus_meet_only_where_they_overlap():
    first = Run("sub-01", "a", "story", "", "one", "", 0.0, 2.0, 100)
    fit_splits = FitSplits({"train": [first]})
    later = replace(first, name="b", episode="two", start=150.0)
    assert fit_splits.split_of(later) == "train"
    assert fit_splits.split_of(replace(later, start=200.0)) == "fresh"
    assert fit_splits.split_of(replace(later, start=200.0, episode="one")) == "train"
    sound = Run("sub-01", "bell", "bell", "", "bell", "", 0.0, 0.0, 1)
    assert FitSplits({"train": [sound]}).split_of(replace(sound, subject="sub-02")) == "train"


def test_sounds_are_known_by_their_samples_in_another_dataset(data: Prepared, tmp_path: Path):
    """The same sound under another name is still not held out."""
    sounds = {"known": np.array(data.audio("s01e01a")), "new": changing_sound(24 * 1.49, seed=77)}
    tables = {
        Run("sub-01", name, name, "", name, "", 0.0, 1.49, 24): np.random.default_rng(0)
        .standard_normal((24, 4))
        for name in sounds
    }  # fmt: skip
    other = Prepared(write_prepared(tmp_path / "other", sounds, tables, 1.49))
    chosen = select([model_of(data, train=("s01e01",))], other, EvaluationSettings())
    assert [run.name for run in chosen.runs["model"]["sub-01"]] == ["new"]


def test_subjects_without_a_read_out_are_left_out_with_a_sentence(data: Prepared):
    models = [model_of(data, "both", heads=("sub-01", "sub-03")), model_of(data, "one")]
    chosen = select(models, data, EvaluationSettings())
    assert set(chosen.runs["both"]) == {"sub-01"}
    assert set(chosen.runs["one"]) == {"sub-01", "sub-02"}
    assert "both is not scored on sub-02, for whom it has no read-out." in chosen.excluded
    with pytest.raises(ValueError, match="no model predicts sub-02"):
        select(models[:1], data, EvaluationSettings(subjects=("sub-02",)))


def test_a_subject_cannot_be_called_all(data: Prepared, tmp_path: Path):
    shutil.copytree(data.folder, tmp_path / "copy")
    (tmp_path / "copy" / "bold" / "sub-02.h5").rename(tmp_path / "copy" / "bold" / "all.h5")
    change_dataset(tmp_path / "copy")
    with pytest.raises(ValueError, match=r"a subject of .* is named 'all'"):
        select([model_of(data)], Prepared(tmp_path / "copy"), EvaluationSettings())


def test_targets_are_aligned_by_id(data: Prepared):
    models = [model_of(data, "a", target_ids=(2, 4, 7)), model_of(data, "b", target_ids=(1, 2, 4))]
    chosen = select(models, data, EvaluationSettings())
    assert chosen.target_ids == (2, 4)
    assert chosen.target_names == ("parcel_2", "parcel_4")
    said = " ".join(chosen.excluded)
    assert "Targets 7 of a are left out" in said
    assert "Targets 1, 3 of the dataset known are left out" in said
    with pytest.raises(ValueError, match="share no target id: a has 8, 9; the dataset known has 1"):
        select([model_of(data, "a", target_ids=(8, 9))], data, EvaluationSettings())


@pytest.mark.parametrize(
    ("read_out", "message"),
    [
        ({"atlas": "other"}, "equal ids are not the same targets"),
        ({"tr": 2.0}, r"predicts at a TR of 2 s, the runs in .* have one of 1\.49 s"),
        ({"tr_sampling": "mean", "tr": 0.0, "n_delays": 1}, "responses to sounds without a time"),
    ],
)
def test_models_of_other_data_are_refused(
    data: Prepared, read_out: dict[str, object], message: str
):
    with pytest.raises(ValueError, match=message):
        select([model_of(data, **read_out)], data, EvaluationSettings())  # type: ignore[arg-type]


def test_columns_go_by_id_not_by_place(
    fits: dict[str, Path], two_subjects: Path, evaluation: Path, tmp_path: Path
):
    """A dataset that lacks the first target gives the others the same scores."""
    import h5py

    from training.evaluation.folders import read_table

    data = tmp_path / "fewer"
    shutil.copytree(two_subjects, data)
    info = Prepared(two_subjects).info
    for path in (data / "bold").iterdir():
        with h5py.File(path, "r+") as file:
            for name in list(file):
                table, attributes = file[name][:, 1:], dict(file[name].attrs)
                del file[name]
                file[name] = table
                file[name].attrs.update(attributes)
    change_dataset(data, target_ids=info.target_ids[1:], target_names=info.target_names[1:])
    settings = EvaluationSettings(n_permutations=0, subjects=("sub-01",))
    evaluate([fits["one"]], tmp_path / "eval", on=data, settings=settings)
    found = read_table(tmp_path / "eval", "scores").set_index(["run", "target_id"])["r"]
    before = read_table(evaluation, "scores").query("model == 'one' and subject == 'sub-01'")
    before = before.set_index(["run", "target_id"])["r"]
    assert set(found.index.get_level_values("target_id")) == {2, 3, 4}
    for key, value in found.items():
        assert value == pytest.approx(before[key], abs=1e-6)


def test_models_need_names_of_their_own():
    assert model_names(["a/frozen", "b/frozen"], ["x", "y"]) == ["x", "y"]
    with pytest.raises(ValueError, match="frozen occurs more than once; give each fit another"):
        model_names(["a/b", "c/d"], ["frozen", "frozen"])
    for name in ("a/b", "a:b", "a*", "", ".hidden", "[a]"):
        with pytest.raises(ValueError, match="cannot be the name of a model"):
            model_names(["a/b"], [name])

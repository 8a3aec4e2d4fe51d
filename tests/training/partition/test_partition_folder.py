import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_dataset import changing_sound, known_brain, write_prepared

from training.data.prepared import Run
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import (
    EvaluationInfo,
    PartitionInfo,
    read_info,
    read_table,
    write_info,
)
from training.evaluation.settings import EvaluationSettings
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.partition import Decomposition, PartitionSettings, partition
from training.partition.one_subject import SubjectPartition


def frozen(data: Path, out: Path, **changes: Any) -> Path:
    recipe = FitRecipe(
        data=data, start="untrained", train_from="none", optimiser={"max_epochs": 0},
        **{"windows": {"n_trs": 50}, "read_out": {"n_delays": 3, "initial": "zero"}, **changes},
    )  # fmt: skip
    fit(recipe, out, progress=False)
    return out


def evaluated(run: Path, out: Path, **settings: Any) -> Path:
    chosen = EvaluationSettings(n_permutations=0, **settings)
    evaluate([run], out, settings=chosen, progress=False)
    return out


@pytest.mark.slow
def test_a_brain_that_listens_as_the_model_does_is_explained_by_the_model(tmp_path: Path):
    data = known_brain(
        tmp_path / "known", subjects=("sub-01", "sub-02"), n_runs=5, n_trs=50, noise=0.3
    )
    split = {"test": {"episodes": ["s02e02"]}, "validation": {"episodes": ["s02e01"]}}
    model = frozen(data, tmp_path / "run", subjects=["sub-01"], split=split)
    folder = evaluated(model, tmp_path / "eval", untrained=1)
    spaces = ("envelope", "spectrogram")
    settings = PartitionSettings(spaces=spaces, n_mixtures=2)
    info = partition(folder, tmp_path / "out", settings, progress=False)
    assert info == read_info(tmp_path / "out", PartitionInfo)
    assert info.spaces == (*spaces, "model")
    assert info.excluded == ("Model untrained-0: it is not from a fit and cannot be reopened.",)
    assert any("200 principal components" in note for note in info.notes)
    table = read_table(tmp_path / "out", "targets")
    assert list(table["subject"]) == ["sub-01"] * 4 + ["sub-02"] * 4  # another subject, refitted
    unique = table[[f"unique_{space}" for space in info.spaces]]
    np.testing.assert_allclose(unique.sum(axis=1) + table["shared"], table["r2_full"], atol=1e-9)
    means = table[table["target_id"] != 4].mean(numeric_only=True)
    assert means["r2_full"] > 0.2
    assert means["unique_model"] > 0.1
    assert means["unique_model"] > means["unique_envelope"] + 0.05
    silent = table[table["target_id"] == 4]
    assert (silent["r2_full"] < 0.1).all()
    with pytest.raises(FileExistsError, match="already holds a complete partition"):
        partition(folder, tmp_path / "out", progress=False)
    changed = tmp_path / "run" / "config.yaml"
    changed.write_text(changed.read_text().replace("licence: ''", "licence: mine"))
    with pytest.raises(ValueError, match="refitted after it was evaluated"):
        partition(folder, tmp_path / "other", progress=False)


@pytest.mark.slow
def test_sounds_are_rows_without_delays(tmp_path: Path):
    generator = np.random.default_rng(0)
    names = [f"sound{i:02}" for i in range(40)]
    sounds = {name: changing_sound(1.0, seed=i) for i, name in enumerate(names)}
    loudness = {name: np.sqrt(np.mean((sounds[name] / 32767) ** 2)) for name in names}
    spread, mean = np.std(list(loudness.values())), np.mean(list(loudness.values()))
    tables = {
        Run("sub-01", name, name, "", name, "", 0.0, 0.0, 1): np.array(
            [[(loudness[name] - mean) / spread + 0.1 * generator.standard_normal()]]
        )
        for name in names
    }
    data = write_prepared(tmp_path / "sounds", sounds, tables, tr=0.0)
    split = {"test": {"episodes": names[:15]}, "validation": {"episodes": names[15:18]}}
    model = frozen(
        data, tmp_path / "run", split=split, targets=[1], read_out={"initial": "zero"}
    )  # fmt: skip
    folder = evaluated(model, tmp_path / "eval")
    settings = PartitionSettings(spaces=["envelope"], n_mixtures=2)
    info = partition(folder, tmp_path / "out", settings, progress=False)
    assert "averaged over each sound" in info.methods
    (loud,) = read_table(tmp_path / "out", "targets").to_dict("records")
    assert loud["alone_envelope"] > 0.9
    assert loud["unique_envelope"] > 0.1 > 0.05 > loud["unique_model"]


def test_a_target_that_the_subject_lacks_has_no_numbers():
    there = np.array([True, False])
    half = np.array([0.5])
    parts = Decomposition(half, half, {"model": half}, {"model": half / 2})
    columns = SubjectPartition(there, parts, ()).columns()
    assert list(columns) == ["r2_full", "r_full", "alone_model", "unique_model", "shared"]
    for own in columns.values():
        np.testing.assert_array_equal(np.isnan(own), ~there)
    assert columns["shared"][0] == 0.25


def test_wrong_calls_are_refused_in_words(evaluation: Path, tmp_path: Path):
    folder, out = shutil.copytree(evaluation, tmp_path / "eval"), tmp_path / "out"
    with pytest.raises(ValueError, match="a space is given twice: envelope, envelope"):
        PartitionSettings(spaces=["envelope", "envelope"])
    with pytest.raises(ValueError, match="has no model 'b'; there are one, two"):
        partition(folder, out, PartitionSettings(models=["b"]))
    with pytest.raises(FileNotFoundError, match="holds no evaluation"):
        partition(tmp_path, out)
    (out / "notes.txt").parent.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds no unfinished partition"):
        partition(folder, out)
    of_training = read_info(folder, EvaluationInfo).model_copy(update={"split": "train"})
    write_info(folder, of_training)
    with pytest.raises(ValueError, match="scored training runs"):
        partition(folder, tmp_path / "other")

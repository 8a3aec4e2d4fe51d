from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr
from small_dataset import changing_sound, write_prepared
from small_fits import fitted

from training.data.prepared import Prepared, Run
from training.evaluation.compare import compare_models
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import read_table
from training.evaluation.predictions import read_prediction
from training.evaluation.settings import EvaluationSettings

N_SOUNDS = 30
SPLIT = {"test": {"count": 12}, "validation": {"count": 4}}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Responses of two subjects to the level of sounds; the second lacks one sound."""
    generator = np.random.default_rng(0)
    names = [f"sound-{number:02}" for number in range(N_SOUNDS)]
    audio = {name: changing_sound(1.0, seed=number) for number, name in enumerate(names)}
    level = np.array([np.log(np.abs(audio[name].astype(float)).mean()) for name in names])
    level = (level - level.mean()) / level.std()
    tables = {}
    for subject in ("sub-01", "sub-02"):
        for name, own in zip(names, level, strict=True):
            if (subject, name) != ("sub-02", "sound-00"):
                run = Run(subject, name, name, "", name, "", 0.0, 0.0, 1)
                tables[run] = own * np.array([[1.0, -1.0]]) + generator.normal(0, 0.3, (1, 2))
    folder = tmp_path_factory.mktemp("sounds") / "sounds"
    return write_prepared(folder, audio, tables, 0)


@pytest.fixture(scope="module")
def folds(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two splits, so other test sounds."""
    folder = tmp_path_factory.mktemp("folds")
    read_out = {"stage": "conv4"}
    return [
        fitted(
            sounds,
            folder / f"fold-{seed}",
            model="group",
            read_out=read_out,
            split={**SPLIT, "seed": seed},
        )
        for seed in range(2)
    ]


def test_sounds_are_scored_together_and_shuffled(sounds: Path, folds: list[Path], tmp_path: Path):
    settings = EvaluationSettings(n_permutations=200, inter_subject=True)
    info = evaluate(folds[:1], tmp_path / "eval", settings=settings)
    assert (info.null, info.kind) == ("shuffle", "sound_responses")
    assert "over sounds" in info.interval
    scores, runs = (read_table(tmp_path / "eval", name) for name in ("scores", "runs"))
    assert scores["n_trs"].tolist() == [12, 12, 11, 11] or set(scores["n_trs"]) == {12}
    prepared = Prepared(sounds)
    for subject, rows in runs.groupby("subject"):
        by_name = {run.name: run for run in prepared.runs if run.subject == subject}
        measured = np.concatenate([prepared.bold(by_name[name]) for name in rows["name"]])
        path = tmp_path / "eval" / "predictions.h5"
        predicted = read_prediction(path, "fold-0", subject, "sounds")
        expected = [pearsonr(measured[:, i], predicted[:, i]).statistic for i in range(2)]
        found = scores[scores["subject"] == subject]["r"]
        assert found.to_numpy() == pytest.approx(expected, abs=1e-6)
    targets = read_table(tmp_path / "eval", "targets").set_index("subject")
    assert (targets.loc["all", "p"] < 0.05).all()
    assert (targets.loc["sub-01", "r_low"] < targets.loc["sub-01", "r"]).all()
    assert (targets["inter_subject_r"] > 0.7).all()
    assert targets[["ceiling_r", "r_fraction"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="'circular_shift' is for time series"):
        evaluate(folds[:1], tmp_path / "no", settings=EvaluationSettings(null="circular_shift"))
    with pytest.raises(ValueError, match="a ceiling from repeats is for time series"):
        evaluate(folds[:1], tmp_path / "no", settings=EvaluationSettings(ceiling="repeats"))


def test_models_of_a_cross_validation_have_test_sounds_of_their_own(
    folds: list[Path], tmp_path: Path
):
    settings = EvaluationSettings(n_permutations=0, runs="own", subjects=("sub-01",))
    evaluate(folds, tmp_path / "eval", settings=settings)
    runs = read_table(tmp_path / "eval", "runs")
    one, two = (set(rows["name"]) for _, rows in runs.groupby("model"))
    assert len(one) == len(two) == 12
    assert one != two
    with pytest.raises(ValueError, match="have no runs in common"):
        compare_models(
            f"{tmp_path / 'eval'}:fold-0", f"{tmp_path / 'eval'}:fold-1", tmp_path / "no"
        )
    shared = EvaluationSettings(n_permutations=0, subjects=("sub-01",))
    evaluate(folds, tmp_path / "shared", settings=shared)
    runs = read_table(tmp_path / "shared", "runs")
    assert [set(rows["name"]) for _, rows in runs.groupby("model")] == [one & two, one & two]

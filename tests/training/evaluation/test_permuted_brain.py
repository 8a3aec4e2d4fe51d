import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_dataset import RATE, write_prepared

from training.data.control import permuted_brain
from training.data.prepared import Prepared, Run
from training.data.splits import Splits
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import read_table
from training.evaluation.settings import EvaluationSettings
from training.fitting.assembly import assemble
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe
from training.report.models import mean_scores


def run(name: str, stimulus: str = "", subject: str = "sub-01", n_trs: int = 20) -> Run:
    return Run(subject, name, stimulus or name, "", stimulus or name, "", 0.0, 1.49, n_trs)


def split_of(names: str, **changes: object) -> Splits:
    runs = tuple(run(name, **changes) for name in names)  # type: ignore[arg-type]
    return Splits(runs[2:], runs[:2], (run("test", **changes),))  # type: ignore[arg-type]


def test_every_run_gets_the_responses_to_another_sound_of_its_side():
    splits = split_of("abcdefgh")
    permuted, donors = permuted_brain(splits, seed=0)
    assert permuted == splits  # all are equally long, so nothing is cut
    for split in (splits.train, splits.validation):
        given = [donors[each].run for each in split]
        assert set(given) == set(split)
        assert all(donor != each for donor, each in zip(given, split, strict=True))
        assert all(donors[each].shift == 0 for each in split)
    assert splits.test[0] not in donors


def test_repeats_never_exchange_their_responses():
    runs = tuple(run(name, stimulus) for name, stimulus in ("1a", "2a", "3b", "4a", "5b"))
    for seed in range(5):
        _, donors = permuted_brain(Splits(runs, (run("v"), run("w")), ()), seed)
        for each in runs:
            assert donors[each].run.stimulus != each.stimulus


def test_listeners_of_the_same_sounds_get_the_same_permutation_and_seeds_differ():
    runs = [run(name, subject=subject) for subject in ("sub-01", "sub-02") for name in "abcdefgh"]
    splits = Splits(tuple(runs), (run("v"), run("w")), ())
    _, donors = permuted_brain(splits, seed=1)
    for name in "abcdefgh":
        one, two = (donors[run(name, subject=s)].run for s in ("sub-01", "sub-02"))
        assert (one.name, one.subject, two.subject) == (two.name, "sub-01", "sub-02")
    again, other = (permuted_brain(splits, seed)[1] for seed in (1, 2))
    assert again == donors
    assert other != donors


def test_a_sound_without_another_keeps_its_responses_turned_round(
    caplog: pytest.LogCaptureFixture,
):
    splits = Splits((run("a"), run("b")), (run("v", n_trs=21),), ())
    with caplog.at_level(logging.WARNING):
        _, donors = permuted_brain(splits, seed=0)
    assert (donors[splits.validation[0]].run, donors[splits.validation[0]].shift) == (
        splits.validation[0],
        10,
    )
    assert "sub-01 has a single stimulus in a split" in caplog.text
    sound = replace(run("bell"), tr=0.0, n_trs=1)
    with pytest.raises(ValueError, match="hold out more sounds for validation"):
        permuted_brain(Splits((run("a"), run("b")), (sound,), ()), seed=0)


def test_training_reads_the_donor_and_scoring_what_was_measured(two_subjects: Path):
    settings = {"test": {"seasons": ["s02"]}, "validation": {"count": 1}}
    recipe = FitRecipe.model_validate(
        {
            "data": two_subjects,
            "subjects": ["sub-01"],
            "start": "untrained",
            "control": "permuted_brain",
            "split": settings,
            "windows": {"n_trs": 8},
        }
    )
    parts = assemble(recipe)
    prepared = Prepared(two_subjects)
    one, two = parts.splits.train
    np.testing.assert_array_equal(parts.loader.bold(one), prepared.bold(two))
    np.testing.assert_array_equal(parts.loader.bold(two), prepared.bold(one))
    (only,) = parts.splits.validation
    np.testing.assert_array_equal(parts.loader.bold(only), np.roll(prepared.bold(only), 12, axis=0))
    for test_run in parts.splits.test:
        np.testing.assert_array_equal(parts.loader.bold(test_run), prepared.bold(test_run))


@pytest.mark.slow
def test_what_learns_well_learns_nothing_from_the_wrong_brain(tmp_path: Path):
    """Each target answers to tones of its own height, so that chance has no common sign."""
    generator = np.random.default_rng(0)
    time = np.arange(RATE // 2) / RATE
    audio, tables = {}, {}
    for number in range(80):
        name, height = f"tone-{number:02}", number % 8
        pitch = 150 * 2 ** (0.7 * height + generator.uniform(-0.1, 0.1))
        tone = np.sin(2 * np.pi * pitch * time) + 0.1 * generator.standard_normal(len(time))
        audio[name] = np.rint(8000 * tone).astype(np.int16)
        response = (np.arange(8) == height) + generator.normal(0, 0.1, 8)
        tables[Run("sub-01", name, name, "", name, "", 0.0, 0.0, 1)] = response[None]
    data = write_prepared(tmp_path / "tones", audio, tables, 0)
    runs = []
    for seed in range(3):
        recipe = {
            "data": data,
            "start": "untrained",
            "train_from": "none",
            "control": "permuted_brain" if seed else "none",
            "read_out": {"stage": "conv4"},
            "split": {"test": {"count": 30}, "validation": {"count": 8}},
            "optimiser": {"max_epochs": 0},
            "seed": seed,
        }
        runs.append(tmp_path / f"fit-{seed}")
        fit(FitRecipe.model_validate(recipe), runs[-1], progress=False)
    info = evaluate(runs, tmp_path / "eval", settings=EvaluationSettings(n_permutations=0))
    assert [model.control for model in info.models] == ["none", *2 * ["permuted_brain"]]
    r = mean_scores(read_table(tmp_path / "eval", "targets"))["sub-01"]
    assert r["fit-0"] > 0.6
    assert (r.iloc[1:].abs() < 0.35).all()

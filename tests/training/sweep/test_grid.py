"""Grids: which values and combinations they have, and which of them are refused."""

import itertools
from pathlib import Path

import pytest
import yaml

from training.sweep.grid import SweepSettings, read_sweep, split_values


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text("data: prepared\nwindows: {n_trs: 24, batch_size: 3}\n")
    return path


def test_fits_are_the_product_of_all_values(recipe: Path):
    rates, lengths, subjects = ["1e-6", "1e-5"], ["60", "70", "80"], ["[sub-01]", "[sub-01,sub-02]"]
    sweep = read_sweep(
        recipe,
        [
            f"optimiser.learning_rate={','.join(rates)}",
            f"windows.n_trs={', '.join(lengths)}",
            f"subjects={','.join(subjects)}",
        ],
    )
    expected = [
        (float(rate), int(length), tuple(yaml.safe_load(names)))
        for rate, length, names in itertools.product(rates, lengths, subjects)
    ]
    fits = sweep.fits()
    found = [(fit.optimiser.learning_rate, fit.windows.n_trs, fit.subjects) for fit in fits]
    assert found == expected
    assert {fit.windows.batch_size for fit in fits} == {3}


@pytest.mark.parametrize(
    "text", ["1", "a, b", "[a, [b, c]],d", "{a: 1, b: 2},{}", "'a,b',\"c,d\"", "null,true,~"]
)
def test_values_are_those_of_a_yaml_list(text: str):
    assert [yaml.safe_load(each) for each in split_values(text)] == yaml.safe_load(f"[{text}]")


@pytest.mark.parametrize(
    "text", ["", ",", "1,", ",1", "1,,2", "[a", "a]", "a],[b", "''x", "a: b: c"]
)
def test_values_that_are_empty_or_no_yaml(text: str):
    with pytest.raises(ValueError, match=r"expected (YAML )?values separated by commas"):
        split_values(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optimiser.rate=1,2"], "optimiser.rate=1: unknown key 'optimiser.rate'"),
        (["seed=1", "seed=2"], "seed is given twice; give all its values at once, as seed=A,B"),
        (["seed=1,2,1"], "seed=1 and seed=1 are the same fit; leave one out"),
        (["optimiser.delta=0,0.0"], r"optimiser.delta=0 and optimiser.delta=0\.0 are the same fit"),
        (["train_from=conv9"], "train_from=conv9: recipe: train_from 'conv9' is none of"),
        (["seed"], "'seed' is not of the form key=value,value"),
    ],
)
def test_grids_that_are_refused(recipe: Path, arguments: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        read_sweep(recipe, arguments).fits()


def test_a_recipe_and_its_bases_become_one(tmp_path: Path, recipe: Path):
    (tmp_path / "other.yaml").write_text("extends: recipe.yaml\nwindows: {n_trs: 8}\n")
    sweep = read_sweep(tmp_path / "other.yaml", [])
    assert sweep == SweepSettings(
        recipe={"data": "prepared", "windows": {"n_trs": 8, "batch_size": 3}}, grid={}
    )
    (fit,) = sweep.fits()
    assert (fit.windows.n_trs, fit.windows.batch_size) == (8, 3)

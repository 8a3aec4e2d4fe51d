"""The recipes that come with the project, and how recipes are read."""

import re
from pathlib import Path

import pytest

from training.config import read_recipe
from training.fitting.recipe import FitRecipe
from training.prepare.preparation import PrepareRecipe
from training.pretraining.recipe import PretrainRecipe

FOLDER = Path(__file__).parents[3] / "training" / "recipes"
PREPARE = sorted(FOLDER.rglob("prepare_*.yaml"))
PRETRAIN = sorted(FOLDER.rglob("pretrain*.yaml"))
FIT = sorted(set(FOLDER.rglob("*.yaml")) - set(PREPARE) - set(PRETRAIN))

# Freteault et al. (2025), as in the names of their checkpoints: window in TRs, delays, rate.
PUBLISHED = {
    "whole_brain_sub-01": (80, 7, 1e-5),
    "whole_brain_sub-02": (80, 7, 1e-5),
    "whole_brain_sub-03": (70, 5, 1e-4),
    "whole_brain_sub-04": (80, 6, 1e-5),
    "whole_brain_sub-05": (60, 7, 1e-6),
    "whole_brain_sub-06": (70, 6, 1e-5),
    "whole_brain_group": (75, 7, 1e-5),
    "stg_sub-01": (80, 6, 1e-5),
    "stg_sub-02": (80, 7, 1e-5),
    "stg_sub-03": (70, 5, 1e-4),
    "stg_sub-04": (80, 6, 1e-5),
    "stg_sub-05": (70, 6, 1e-5),
    "stg_sub-06": (70, 6, 1e-5),
    "stg_group": (75, 7, 1e-5),
}


def name_of(path):
    return str(path.relative_to(FOLDER))


@pytest.mark.parametrize("path", PREPARE, ids=name_of)
def test_prepare_recipes_are_valid(path):
    recipe = read_recipe(path, PrepareRecipe)
    assert not recipe.out.is_absolute()


@pytest.mark.parametrize("path", PRETRAIN, ids=name_of)
def test_pretrain_recipes_are_valid(path):
    assert not read_recipe(path, PretrainRecipe).corpus.is_absolute()


@pytest.mark.parametrize("path", FIT, ids=name_of)
def test_fit_recipes_are_valid(path):
    recipe = read_recipe(path, FitRecipe)
    assert not recipe.data.is_absolute()
    assert recipe.split.test.model_dump() != type(recipe.split.test)().model_dump()


def test_every_fit_has_a_recipe_that_prepares_its_data():
    prepared = {read_recipe(path, PrepareRecipe).out for path in PREPARE}
    fitted = {read_recipe(path, FitRecipe).data for path in FIT if path.stem != "demo"}
    assert fitted == prepared


def test_every_recipe_says_why():
    bare = [path for path in (*PREPARE, *PRETRAIN, *FIT) if not path.read_text().startswith("# ")]
    assert bare == []


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items(), ids=PUBLISHED)
def test_recipes_of_the_paper_have_its_numbers(name, published):
    recipe = read_recipe(FOLDER / "paper" / f"{name}.yaml", FitRecipe)
    optimiser, read_out, windows = recipe.optimiser, recipe.read_out, recipe.windows
    assert (windows.n_trs, read_out.n_delays, optimiser.learning_rate) == published
    assert (optimiser.weight_decay, optimiser.max_epochs) == (1e-3, 1000)
    assert (optimiser.patience, optimiser.delta) == (15, 0)
    assert (optimiser.plateau_factor, optimiser.plateau_patience) == (0.1, 5)
    assert (read_out.stage, read_out.tr_sampling, read_out.initial) == ("conv7", "crop", "random")
    assert (windows.draw, windows.batch_size) == ("fixed", 1)
    assert (recipe.train_from, recipe.batchnorm) == ("conv4", "batch")
    assert recipe.split.test.seasons == ("s04",)
    assert (recipe.split.validation.fraction, recipe.split.seed) == (0.25, 42)
    scale, _, subject = name.rpartition("_")
    assert recipe.data.name == {"whole_brain": "friends-whole-brain", "stg": "friends-stg"}[scale]
    if subject == "group":
        assert (recipe.model, len(recipe.subjects)) == ("group", 5)
    else:
        assert (recipe.model, recipe.subjects) == ("individual", (subject,))


def test_every_recipe_of_the_paper_is_in_the_table():
    assert {path.stem for path in FIT if path.parent.name == "paper"} - {"friends"} == {*PUBLISHED}


def test_recipes_of_the_documents_are_valid(tmp_path):
    page = (FOLDER.parents[1] / "docs" / "align.md").read_text()
    recipes = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    kinds = (PrepareRecipe, FitRecipe, PrepareRecipe, PrepareRecipe)
    for text, kind in zip(recipes, kinds, strict=True):
        (tmp_path / "it.yaml").write_text(text)
        read_recipe(tmp_path / "it.yaml", kind)


def test_a_recipe_lies_over_the_one_it_extends(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "data: prepared\nsubjects: [sub-01]\nwindows: {n_trs: 60, batch_size: 4}\nseed: 1\n"
    )
    (tmp_path / "over").mkdir()
    top = tmp_path / "over" / "top.yaml"
    top.write_text("extends: ../base.yaml\nsubjects: [sub-02]\nwindows: {n_trs: 70}\n")
    recipe = read_recipe(top, FitRecipe, ["windows.draw=fixed", "seed=3"])
    assert recipe.windows.model_dump() == {"n_trs": 70, "draw": "fixed", "batch_size": 4}
    assert recipe.subjects == ("sub-02",)  # lists are replaced, not joined
    assert (recipe.data, recipe.seed) == (Path("prepared"), 3)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("extends: it.yaml", ValueError, "more than 8 recipes extend each other"),
        ("extends: [one, two]", ValueError, r"must name one recipe, got \['one', 'two'\]"),
        ("extends: other.yaml", FileNotFoundError, r"no such recipe: .*other\.yaml"),
        ("- data", ValueError, "holds a list, expected keys with values"),
        ("data: [", ValueError, r"it\.yaml is not a YAML recipe"),
        ("", ValueError, "key 'data' is missing"),
        ("{data: a, sed: 1}", ValueError, "unknown key 'sed'"),
        ("{data: a, windows: {n_tr: 60}}", ValueError, r"unknown key 'windows\.n_tr'"),
        ("{data: a, windows: {n_trs: 0}}", ValueError, r"windows\.n_trs: .* \(got 0\)"),
        ("{data: a, train_from: conv9}", ValueError, "train_from 'conv9' is none of none, conv1"),
    ],
)
def test_a_wrong_recipe_is_told(tmp_path, text, error, message):
    path = tmp_path / "it.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_recipe(path, FitRecipe)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("seed", "'seed' is not of the form key=value"),
        ("=3", "'=3' is not of the form key=value"),
        ("sed=3", "unknown key 'sed'"),
        ("seed=three", r"seed: .* \(got 'three'\)"),
        ("data.folder=a", "data has no keys of its own"),
        ("seed=[", "the value is not YAML"),
    ],
)
def test_a_wrong_change_is_told(tmp_path, change, message):
    path = tmp_path / "it.yaml"
    path.write_text("data: a")
    with pytest.raises(ValueError, match=message):
        read_recipe(path, FitRecipe, [change])

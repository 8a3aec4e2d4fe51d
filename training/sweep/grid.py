"""Grid of a sweep: values of settings, separated by commas, and their combinations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import yaml
from pydantic import JsonValue

from training.config import Settings, read_document, validate
from training.fitting.recipe import FitRecipe

Combination = dict[str, str]  # key to value, as typed


class SweepSettings(Settings):
    """Recipe and grid of a sweep.

    Attributes
    ----------
    recipe : dict
        Content of the recipe, those that it extends included.
    grid : dict of str to tuple of str
        Values of each key, as typed.
    """

    recipe: dict[str, JsonValue]
    grid: dict[str, tuple[str, ...]]

    def combinations(self) -> list[Combination]:
        """All combinations; the last key varies fastest."""
        products = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, values, strict=True)) for values in products]

    def fits(self) -> list[FitRecipe]:
        """The recipe of each combination; a ValueError if one is invalid, or two are the same."""
        known: dict[str, str] = {}
        fits: list[FitRecipe] = []
        for combination in self.combinations():
            name = in_words(combination)
            changes = [f"{key}={value}" for key, value in combination.items()]
            fits.append(validate(deepcopy(self.recipe), FitRecipe, changes, source=name))
            other = known.setdefault(fits[-1].model_dump_json(), name)
            if len(known) < len(fits):
                raise ValueError(f"{other} and {name} are the same fit; leave one out")
        return fits


def in_words(combination: Combination) -> str:
    """A combination on one line."""
    return " ".join(f"{key}={value}" for key, value in combination.items()) or "the recipe"


def read_sweep(recipe: str | Path, arguments: Sequence[str]) -> SweepSettings:
    """A recipe, and a grid of arguments ``key=value,value,...``; see :func:`split_values`.

    Raises
    ------
    FileNotFoundError
        If there is no such recipe.
    ValueError
        If it is no YAML, or an argument is malformed or repeats a key.
    """
    grid: dict[str, tuple[str, ...]] = {}
    for argument in arguments:
        key, separator, text = argument.partition("=")
        if not separator or not key:
            raise ValueError(f"{argument!r} is not of the form key=value,value,...")
        if key in grid:
            raise ValueError(f"{key} is given twice; give all its values at once, as {key}=A,B")
        try:
            grid[key] = split_values(text)
        except ValueError as error:
            raise ValueError(f"{argument}: {error}") from error
    return SweepSettings(recipe=read_document(Path(recipe)), grid=grid)


def split_values(text: str) -> tuple[str, ...]:
    """Values separated by commas; those within brackets, braces or quotes stay together.

    Examples
    --------
    >>> split_values("1e-6, 1e-5,null")
    ('1e-6', '1e-5', 'null')
    >>> split_values("[sub-01, sub-02],[sub-03],{seasons: [s04]}")
    ('[sub-01, sub-02]', '[sub-03]', '{seasons: [s04]}')
    """
    try:
        node = yaml.compose(f"[{text}]", Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("expected YAML values separated by commas, none of them empty") from error
    values = tuple(text[n.start_mark.index - 1 : n.end_mark.index - 1] for n in node.value)
    if not values or not all(values) or text.rstrip().endswith(","):
        raise ValueError("a value is empty; expected values separated by commas")
    return values

"""Recipes: YAML files that state only differences from the defaults, validated into one object.

A recipe is read with the safe YAML loader. It may extend another one in the same folder, ``extends:
other.yaml``, and then states only the differences. Keys can be set on the command line as
``key=value`` (``split.seed=3``), and unknown keys are errors. The validated object is written
beside every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.yaml_document import DEEPEST, parse_yaml


class Settings(BaseModel):
    """Base of all recipe settings: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def added_setting(default: Any) -> Any:
    """A field that was added later: its default value is not written.

    Results of the same recipe from before the field existed keep their fingerprint.

    Examples
    --------
    >>> class Recipe(Settings):
    ...     n_trs: int
    ...     background: int | None = added_setting(None)
    >>> Recipe(n_trs=60).model_dump()
    {'n_trs': 60}
    """
    return Field(default, exclude_if=lambda value: bool(value == default))


SettingsT = TypeVar("SettingsT", bound=BaseModel)

EXTENDS = "extends"
MOST_BASES = 8
N_PROBLEMS = 10  # in one message


def read_recipe(path: str | Path, kind: type[SettingsT], changes: Sequence[str] = ()) -> SettingsT:
    """Read and validate a recipe.

    Parameters
    ----------
    path : path-like
        A YAML file with one mapping. Relative paths in it are relative to the current folder.
    kind : type
        The pydantic model to validate against.
    changes : sequence of str
        ``key=value`` each, where the key may be dotted and the value is YAML.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a YAML mapping, or a key is unknown or a value wrong; the message names each.

    Examples
    --------
    >>> import tempfile
    >>> class Recipe(Settings):
    ...     n_trs: int
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "recipe.yaml")
    ...     _ = path.write_text("n_trs: 60")
    ...     read_recipe(path, Recipe, ["n_trs=70"])
    Recipe(n_trs=70)
    """
    return validate(read_document(Path(path)), kind, changes, source=str(path))


def read_document(path: Path, n_bases: int = 0) -> dict[str, Any]:
    """A recipe merged over those it extends."""
    document = _read_mapping(path)
    base = document.pop(EXTENDS, None)
    if base is None:
        return document
    if not isinstance(base, str):
        raise ValueError(f"{path}: {EXTENDS} must name one recipe, got {base!r}")
    if n_bases == MOST_BASES:
        raise ValueError(f"{path}: more than {MOST_BASES} recipes extend each other")
    return _merged(read_document(path.parent / base, n_bases + 1), document)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        merged[key] = value
    return merged


def _read_mapping(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no such recipe: {path}")
    try:
        document = parse_yaml(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a YAML recipe: {error}") from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds a {type(document).__name__}, expected keys with values")
    return document


def validate(
    document: dict[str, Any], kind: type[SettingsT], changes: Sequence[str], *, source: str
) -> SettingsT:
    """Apply changes to a document and validate it; see :func:`read_recipe`."""
    for change in changes:
        _set(document, change)
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ValueError(f"{source}: {describe(error)}") from error


def write_recipe(settings: BaseModel) -> str:
    """The validated object as YAML, defaults included."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def describe(error: ValidationError) -> str:
    """All problems in one line."""
    problems = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"]) or "recipe"
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown key {_short(place)}")
        elif problem["type"] == "missing":
            problems.append(f"key {place!r} is missing")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{place}: {message} (got {_short(problem['input'])})")
    more = len(problems) - N_PROBLEMS
    return "; ".join(problems[:N_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _set(document: dict[str, Any], change: str) -> None:
    key, separator, value = change.partition("=")
    if not separator or not key:
        raise ValueError(f"{change!r} is not of the form key=value")
    *parents, last = key.split(".")
    if len(parents) >= DEEPEST:
        raise ValueError(f"{_short(change)}: no setting lies {len(parents)} keys deep")
    for parent in parents:
        document = document.setdefault(parent, {})
        if not isinstance(document, dict):
            raise ValueError(f"{change!r}: {parent} has no keys of its own")
    try:
        document[last] = parse_yaml(value)
    except ValueError as error:
        raise ValueError(f"{_short(change)}: the value is not YAML ({error})") from error

"""Settings as arguments of the commands: ``key=value``, described by the fields of their model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from typer.core import TyperCommand

from training.config import SettingsT, validate

PROGRAM = "python -m training"
SETTING = re.compile(r"[A-Za-z_]\w*(\.\w+)*=")
ATTRIBUTE = re.compile(r"^(\w[\w, ]*)(?: : .*)?\n((?:    .*\n?|\n)+)", re.MULTILINE)

Changes = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings, see below.")
]


class SettingsCommand(TyperCommand):
    """A command whose help lists its settings; `place` is ``module:Class`` of their model."""

    place = ""

    def settings(self) -> type[BaseModel]:
        """The model, imported when it is needed."""
        module, _, name = self.place.partition(":")
        model: type[BaseModel] = getattr(import_module(module), name)
        return model

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Settings, given as KEY=VALUE"):
            formatter.write_dl(list(described(self.settings())))


def read_settings(model: type[SettingsT], changes: Sequence[str] | None) -> SettingsT:
    """Settings from ``key=value`` arguments and defaults; ValueError if one is not valid."""
    try:
        return validate({}, model, changes or (), source="settings")
    except ValueError as error:
        raise ValueError(f"{error}; --help lists the settings") from error


def with_settings(place: str) -> type[SettingsCommand]:
    """The class of a command with settings of the model at ``module:Class``."""
    return type("SettingsCommand", (SettingsCommand,), {"place": place})


def described(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """``key=default`` and description of every setting, from the section Attributes.

    Examples
    --------
    >>> from training.evaluation.compare import ComparisonSettings
    >>> dict(described(ComparisonSettings))["alpha=0.05"]
    'Significance level of the corrected p values.'
    """
    words = _attributes(model)
    for name, field in model.model_fields.items():
        is_union = get_origin(field.annotation) in (Union, UnionType)
        kinds = get_args(field.annotation) if is_union else (field.annotation,)
        nested = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
        for kind in nested:
            own = described(kind, f"{prefix}{name}.")
            if len(nested) > 1:  # one of them is chosen by its kind, as a source is
                (label,) = get_args(kind.model_fields["kind"].annotation)
                yield (
                    f"{prefix}{name}.kind={label}",
                    inspect.cleandoc(kind.__doc__ or "").splitlines()[0],
                )
                own = (pair for pair in own if ".kind=" not in pair[0])
            yield from own
        if nested:
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "" if field.is_required() else _as_yaml(default)
        yield f"{prefix}{name}={shown}", words.get(name, "")


def apart(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Places and settings among arguments; a place with "=" in its name begins with "./".

    Examples
    --------
    >>> apart(["fits/a", "seed=3", "./rate=1", "read_out.stage=conv4"])
    (['fits/a', './rate=1'], ['seed=3', 'read_out.stage=conv4'])
    """
    settings = [each for each in arguments if SETTING.match(each)]
    return [each for each in arguments if not SETTING.match(each)], settings


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Description of each attribute in the numpydoc docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, section = inspect.cleandoc(base.__doc__ or "").partition("Attributes\n----------\n")
        section = re.split(r"\n\n(?=\w+\n---)", section)[0]
        for names, text in ATTRIBUTE.findall(section):
            plain = re.sub(r":\w+:`~?([^`]+)`|`+([^`]+)`+", r"\1\2", " ".join(text.split()))
            found |= dict.fromkeys(names.split(", "), plain)
    return found


def _as_yaml(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{', '.join(map(_as_yaml, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_as_yaml(each)}" for key, each in value.items()) + "}"
        case BaseModel():
            return _as_yaml(value.model_dump())
    return str(value)

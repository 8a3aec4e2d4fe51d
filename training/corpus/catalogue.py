"""Lists of packages that come with the project, as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from training.config import SettingsT


def read_catalogue_of(path: Path, kind: type[SettingsT], holds: str) -> SettingsT:
    """A validated catalogue.

    Parameters
    ----------
    path : Path
        The TOML file.
    kind : type
        What it has to be.
    holds : str
        What it lists, for people.

    Raises
    ------
    ValueError
        If it is no such catalogue.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no catalogue of {holds}: {error}") from error

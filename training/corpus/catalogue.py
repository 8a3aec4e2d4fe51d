"""Package lists included in the project, as TOML."""

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
        Model to validate against.
    holds : str
        Description of the content, for messages.

    Raises
    ------
    ValueError
        If it is not such a catalogue.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is not a catalogue of {holds}: {error}") from error

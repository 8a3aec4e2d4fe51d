"""Entities in BIDS file names, and the filter by which all sources select files.

A file name such as ``sub-01_task-story_space-T1w_desc-preproc_bold.nii.gz`` is made of entities,
``key-value``, a suffix (``bold``) and an extension. A recipe selects files by a mapping from keys
to values, as a BIDS filter does:

    entities: {desc: clean, space: null, echo: 1, run: [1, 2], acq: "*"}

A value is text, with ``*`` and ``?`` as wildcards, or a number, for which leading zeros are ignored
(``res: 2`` matches ``res-02``). ``null`` selects files without the entity, and a list matches any
of its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator

# Names of pybids and of other filters for the keys of the file names.
KEYS = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "direction": "dir",
    "reconstruction": "rec",
    "resolution": "res",
    "density": "den",
    "description": "desc",
}

Choice = tuple[str | None, ...]  # any of these values; None for no such entity


def _choice(key: str, value: Any) -> Choice:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not values or any(isinstance(each, bool | float | dict | list) for each in values):
        raise ValueError(
            f"{key} must be a string, a whole number, null (no such entity) or a list of them, "
            f"got {value!r}"
        )
    return tuple(None if each is None or each == "" else str(each) for each in values)


def _choices(document: Any) -> Any:
    if not isinstance(document, Mapping):
        raise ValueError("expected a mapping from entities to values, like {desc: clean}")
    choices: dict[str, Choice] = {}
    for key, value in document.items():
        if not isinstance(key, str) or not key.isalnum():
            raise ValueError(
                f"{key!r} is not an entity of a file name; expected keys like desc, space"
            )
        short = KEYS.get(key, key)
        if short in choices:
            raise ValueError(f"{short} is given twice")
        choices[short] = _choice(key, value)
    return choices


# Content of ``entities:`` in a recipe.
Entities = Annotated[dict[str, Choice], BeforeValidator(_choices)]


@dataclass(frozen=True)
class EntityFilter:
    """Filter of files by their entities; see the module docstring.

    Examples
    --------
    >>> chosen = EntityFilter({"desc": ("clean",), "space": (None,), "run": ("1", "2")})
    >>> chosen.fits(parse_entities("sub-01_run-01_desc-clean_bold.nii.gz"))
    True
    >>> chosen.fits(parse_entities("sub-01_run-01_space-T1w_desc-clean_bold.nii.gz"))
    False
    """

    choices: Mapping[str, Choice]

    def fits(self, entities: Mapping[str, str]) -> bool:
        """Whether a file with these entities matches."""
        return not self.differences(entities)

    def differences(self, entities: Mapping[str, str]) -> dict[str, str | None]:
        """Entities of a file that do not match, None for a missing one."""
        return {
            key: entities.get(key)
            for key, choice in self.choices.items()
            if not any(_is_value(entities.get(key), wanted) for wanted in choice)
        }

    def __str__(self) -> str:
        """As text, such as ``space-T1w, desc-clean, no echo``."""
        return ", ".join(
            " or ".join(f"no {key}" if value is None else f"{key}-{value}" for value in choice)
            for key, choice in self.choices.items()
        )


def _is_value(value: str | None, wanted: str | None) -> bool:
    if value is None or wanted is None:
        return value is wanted
    if value.isdecimal() and wanted.isdecimal():
        return int(value) == int(wanted)
    return fnmatchcase(value, wanted)


def parse_entities(name: str) -> dict[str, str]:
    """Entities in a BIDS file name, in their order.

    Examples
    --------
    >>> parse_entities("sub-01_ses-003_task-s01e02a_desc-preproc_bold.nii.gz")
    {'sub': '01', 'ses': '003', 'task': 's01e02a', 'desc': 'preproc'}
    """
    pairs = (part.partition("-") for part in name.partition(".")[0].split("_"))
    return {key: value for key, dash, value in pairs if dash}


def suffix_of(name: str) -> tuple[str, str]:
    """Suffix and extension of a BIDS file name.

    Examples
    --------
    >>> suffix_of("sub-01_task-story_desc-preproc_bold.nii.gz")
    ('bold', '.nii.gz')
    >>> suffix_of("sub-01_task-story_space-fsLR_den-91k_bold.dtseries.nii")
    ('bold', '.dtseries.nii')
    """
    stem, dot, extension = name.partition(".")
    return stem.rpartition("_")[2], dot + extension


def joined(entities: Mapping[str, str]) -> str:
    """Entities as in a file name.

    Examples
    --------
    >>> joined({"ses": "003", "task": "s01e02a"})
    'ses-003_task-s01e02a'
    """
    return "_".join(f"{key}-{value}" for key, value in entities.items())


def as_yaml(entities: Mapping[str, str | None]) -> str:
    """A filter in recipe syntax: ``{desc: clean, space: null}``."""
    pairs = (f"{key}: {'null' if value is None else value}" for key, value in entities.items())
    return f"{{{', '.join(pairs)}}}"

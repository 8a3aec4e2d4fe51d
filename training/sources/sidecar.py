"""JSON sidecars of a BIDS image: the one beside it, and those in folders above."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.sources.entities import parse_entities, suffix_of

MOST_BYTES = 64 * 2**20  # fMRIPrep's largest are some kilobytes


@dataclass(frozen=True)
class Sidecars:
    """Metadata of an image by BIDS's inheritance principle.

    A value is taken from the JSON file beside the image, or from one in a folder above, up to the
    root of the dataset, with the image's suffix and a subset of its entities, such as
    ``task-story_bold.json``. The nearest one takes precedence.

    Attributes
    ----------
    paths : tuple of Path
        The nearest first.
    documents : tuple of dict
        Their content.
    """

    paths: tuple[Path, ...]
    documents: tuple[dict[str, Any], ...]

    def get(self, key: str) -> tuple[Any, Path | None]:
        """A value and the file that contains it; None if it is missing or null."""
        for path, document in zip(self.paths, self.documents, strict=True):
            if document.get(key) is not None:
                return document[key], path
        return None, None


def read_sidecars(image: Path, root: Path) -> Sidecars:
    """The sidecars of `image`, which lies in the dataset `root`.

    Raises
    ------
    ValueError
        If one of them is not readable as JSON, or not a mapping.
    """
    paths = tuple(_candidates(image, root))
    return Sidecars(paths, tuple(_read_json(path) for path in paths))


def _candidates(image: Path, root: Path) -> Iterator[Path]:
    suffix, extension = suffix_of(image.name)
    own = image.with_name(image.name.removesuffix(extension) + ".json")
    if own.is_file():
        yield own
    entities = parse_entities(image.name)
    for folder in image.parents:
        applying = [
            path
            for path in folder.glob(f"*{suffix}.json")
            if path != own
            and path.is_file()
            and suffix_of(path.name) == (suffix, ".json")
            and parse_entities(path.name).items() <= entities.items()
        ]
        # Of two in one folder, the one with more entities of the image.
        yield from sorted(applying, key=lambda path: (-len(parse_entities(path.name)), path.name))
        if folder == root:
            return


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes, a sidecar has at most {MOST_BYTES}")
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not readable as JSON ({error}); repair or remove it"
        ) from error
    if not isinstance(document, dict):
        raise ValueError(
            f"{path} is not readable as JSON with keys and values; repair or remove it"
        )
    return document

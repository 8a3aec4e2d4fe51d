"""What the JSON files of a BIDS folder say of an image: the one beside it, and those above it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.sources.entities import parse_entities, suffix_of

MOST_BYTES = 64 * 2**20  # no sidecar comes near; fMRIPrep's largest are some kilobytes


@dataclass(frozen=True)
class Sidecars:
    """Metadata of an image by BIDS's inheritance principle.

    A value stands in the JSON file beside the image, or in one of a folder above, up to the root of
    the dataset, whose name has the image's suffix and no entity that the image has not, such as
    ``task-story_bold.json``. The nearest one counts.

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
        """A value and the file that it stands in; None where none has it, or it is null."""
        for path, document in zip(self.paths, self.documents, strict=True):
            if document.get(key) is not None:
                return document[key], path
        return None, None


def read_sidecars(image: Path, root: Path) -> Sidecars:
    """The sidecars of `image`, which lies in the dataset `root`.

    Raises
    ------
    ValueError
        If one of them cannot be read as JSON, or holds no mapping.
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
        # of two in one folder, the one that names more of the image
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

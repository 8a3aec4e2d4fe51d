"""Output folder with a validated recipe and its results.

Each file appears under its name only when complete; tensors are read without unpickling anything
but tensors and plain values.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic

import torch

from hear_brainsoundnet.files import csv_table, sweep, text_cell, write_atomically, writing
from hear_brainsoundnet.lock import contents
from training.config import SettingsT, read_recipe, write_recipe

logger = logging.getLogger(__name__)

# Errors of torch.load for damaged files, and of parsing unexpected content.
UNREADABLE = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, TypeError)
CONFIG_FILE = "config.yaml"


class RecipeFolder(Generic[SettingsT]):
    """The files of one execution of a recipe.

    Parameters
    ----------
    path : path-like
        The folder.
    kind : type
        Model of its recipe.
    """

    what = "run"  # the word for it in messages

    def __init__(self, path: str | Path, kind: type[SettingsT]) -> None:
        self.path = Path(path)
        self.kind = kind

    def begin(self, recipe: SettingsT, *, resume: bool) -> None:
        """Prepare the folder for a recipe.

        Raises
        ------
        FileExistsError
            If it holds results and `resume` is false, or unrelated files.
        ValueError
            If the results to resume have another recipe.
        """
        config = self.path / CONFIG_FILE
        if config.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.path} already holds a {self.what}; give --resume to resume it, or "
                    "another --out"
                )
            self._refuse_other_recipe(recipe)
            sweep(self.path)
            return
        if contents(self.path):
            raise FileExistsError(
                f"{self.path} is not empty and holds no {self.what}; give another --out"
            )
        sweep(self.path)
        write_atomically(config, write_recipe(recipe).encode())

    def recipe(self) -> SettingsT:
        """The recipe in the folder."""
        return read_recipe(self.config(), self.kind)

    def config(self) -> Path:
        """The file of the recipe; FileNotFoundError if there is none."""
        path = self.path / CONFIG_FILE
        if not path.exists():
            raise FileNotFoundError(f"{self.path} holds no {self.what} (no {CONFIG_FILE})")
        return path

    def _refuse_other_recipe(self, recipe: SettingsT) -> None:
        before = self.recipe().model_dump(mode="json")
        now = recipe.model_dump(mode="json")
        changed = sorted(key for key in now if now[key] != before[key])
        if changed:
            raise ValueError(
                f"{self.path} was begun with another recipe ({', '.join(changed)} differ); resume "
                "it with its own recipe, or give another --out"
            )

    def read_tensors(self, name: str) -> dict[str, Any] | None:
        """Tensors and plain values of a file, or None if it has not been written.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        if path.stat().st_size == 0:
            logger.warning("%s is empty, as after a power cut: it counts as not written", path)
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(content, dict):
                raise TypeError(f"{path} holds no names")
        except UNREADABLE as error:
            raise self.damaged(name) from error
        return content

    def damaged(self, name: str) -> ValueError:
        """The error to raise for a file with invalid content."""
        return ValueError(f"{self.path / name} is damaged; start again in another folder")

    def write_tensors(self, name: str, content: Mapping[str, Any]) -> None:
        """Write tensors and plain values atomically."""
        # Given a path, torch writes the file itself, and does not report why it cannot.
        with writing(self.path / name) as temporary, temporary.open("wb") as file:
            torch.save(dict(content), file)

    def write_table(self, name: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Write a csv file; floats in full precision."""
        header = list(rows[0]) if rows else []
        cells = [[text_cell(v) if isinstance(v, str) else v for v in row.values()] for row in rows]
        write_atomically(self.path / name, csv_table(header, cells) if rows else b"")

    def write_document(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        write_atomically(self.path / name, json.dumps(document, indent=2).encode())

    def read_document(self, name: str) -> dict[str, Any]:
        """Read a JSON file."""
        path = self.path / name
        try:
            document: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} is missing; has the run begun?") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged") from error
        return document

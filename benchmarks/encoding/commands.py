"""Commands of ``python -m training``, run as by a user and recorded for the page."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

from training.cli import app
from training.commands.options import PROGRAM

logger = logging.getLogger(__name__)


class Commands:
    """Runs commands in a work folder and records them, with symbolic folder names.

    Parameters
    ----------
    names : dict
        Symbolic names of folders in the record: ``{"DATA": Path(...), "WORK": Path(...)}``.
    """

    def __init__(self, names: dict[str, Path]) -> None:
        self.names = names
        self.done: list[str] = []

    def run(self, *arguments: object, makes: Path) -> Path:
        """Run ``python -m training ARGUMENTS``, unless its output exists.

        It runs in this process, to avoid loading the libraries for each of many commands.

        Raises
        ------
        ValueError, OSError
            Error of the command.
        """
        words = [str(argument) for argument in arguments]
        self.done.append(self.plain(shlex.join([*PROGRAM.split(), *words])))
        if makes.exists():
            return makes
        logger.info("%s", self.done[-1])
        app(words, prog_name=PROGRAM, standalone_mode=False)
        return makes

    def plain(self, text: str) -> str:
        """A text with symbolic folder names."""
        for name, folder in self.names.items():
            text = text.replace(str(folder), name)
        return text

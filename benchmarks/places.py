"""Output locations of a benchmark: a working folder, or the committed results.

Only ``--committed`` writes into ``benchmarks/NAME``, the committed results: a command copied from a
page must not overwrite the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hear_brainsoundnet.command_line import WrongCall

WORKING = Path("benchmark-results")  # in the current folder

Data = Annotated[
    Path, typer.Option(envvar="BRAINSOUNDNET_DATA", help="Folder with the real recordings.")
]
Results = Annotated[
    Path | None,
    typer.Option(
        help=f"Folder for the numbers, one JSON file each; by default {WORKING}/NAME/results."
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help=f"The page; plots are written beside it. By default {WORKING}/NAME/results.md.",
    ),
]
Committed = Annotated[
    bool,
    typer.Option("--committed", help="For maintainers: write the committed results."),
]


@dataclass(frozen=True)
class Places:
    """Numbers and page of one benchmark.

    Attributes
    ----------
    benchmark : str
        Name of its package, for example "speed".
    """

    benchmark: str

    def results(self, given: Path | None = None, committed: bool = False) -> Path:
        """Folder of the numbers.

        Parameters
        ----------
        given : Path, optional
            Folder from the command line.
        committed : bool
            Whether to use the folder in the source tree.

        Raises
        ------
        WrongCall
            If both are given.

        Examples
        --------
        >>> Places("speed").results().as_posix()
        'benchmark-results/speed/results'
        """
        return self._chosen(given, committed, "--results") or self._folder(committed) / "results"

    def page(self, given: Path | None = None, committed: bool = False) -> Path:
        """The page; parameters and errors as for :meth:`results`."""
        return self._chosen(given, committed, "--out") or self._folder(committed) / "results.md"

    def _folder(self, committed: bool) -> Path:
        if committed:
            return Path(__file__).parent / self.benchmark
        return WORKING / self.benchmark

    def _chosen(self, given: Path | None, committed: bool, option: str) -> Path | None:
        if given is not None and committed:
            raise WrongCall(f"{option} and --committed both set the output; give one of them")
        return given

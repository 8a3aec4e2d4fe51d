"""The commands of one benchmark: experiments that write results, and the page of these results.

Results are written to a working folder. Only ``--committed`` writes into ``benchmarks/NAME``, the
committed results: a command copied from a page must not overwrite the page.
"""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from benchmarks.cli import BENCHMARKS, PROGRAM
from benchmarks.results import Document, write_result
from hear_brainsoundnet.command_line import WrongCall, new_app

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
        help=f"The page; plots and tables are written beside it. By default {WORKING}/NAME/"
        "results.md.",
    ),
]
Committed = Annotated[
    bool, typer.Option("--committed", help="For maintainers: write the committed results.")
]
Named = Iterator[tuple[str, Document]]  # results of an experiment, each with the name of its file


class Benchmark:
    """One program of ``python -m benchmarks``.

    Parameters
    ----------
    name : str
        As on the command line, for example "speed".
    write_page : callable, optional
        Writes the page: takes the folder of the results and the page, returns the page. With it
        there is a command ``page``.
    folder : str, optional
        Of the committed results, by default that of the benchmark.

    Attributes
    ----------
    app : Typer
        Its commands.
    """

    def __init__(
        self,
        name: str,
        write_page: Callable[[Path, Path], Path] | None = None,
        folder: str | None = None,
    ) -> None:
        self.folder = folder or name.replace("-", "_")
        self.app = new_app(f"{PROGRAM} {name}", BENCHMARKS[name])
        if write_page is not None:

            @self.app.command()
            def page(
                results: Results = None, committed: Committed = False, out: Page = None
            ) -> None:
                """Write the results page and its plots from the stored numbers."""
                typer.echo(write_page(self.results(results, committed), self.page(out, committed)))

    def experiment(self, measure: Callable[..., Named]) -> Callable[..., Named]:
        """Add a command that writes what a generator yields: names of files, and their documents.

        The command has the options of `measure`, and ``--results`` and ``--committed``. A wrong
        pair of these is reported before anything is measured. Documents get the command as typed,
        and a `measure` with a parameter `results` gets the folder, to continue what is there.
        """
        own = inspect.signature(measure).parameters
        plain = get_type_hints(measure).items()
        folders = {name for name, hint in plain if Path in (hint, *get_args(hint))}

        def command(
            context: typer.Context,
            results: Path | None = None,
            committed: bool = False,
            **given: Any,
        ) -> None:
            numbers = self.results(results, committed)
            if "results" in own:
                given["results"] = numbers
            typed, written = typed_command(context, folders), []
            for name, document in measure(**given):
                path = write_result(numbers, name, {"command": typed, **document})
                if path not in written:
                    typer.echo(path)
                    written.append(path)

        hints = get_type_hints(measure, include_extras=True) | {
            "context": typer.Context,
            "results": Results,
            "committed": Committed,
        }
        places = inspect.signature(command).parameters
        parameters = [
            each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for each in {**own, **places}.values()
            if each.name in hints
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: hints[each.name] for each in parameters}
        name = measure.__name__.strip("_").replace("_", "-")
        self.app.command(name, help=inspect.getdoc(measure))(command)
        return measure

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
        >>> Benchmark("speed").results().as_posix()
        'benchmark-results/speed/results'
        """
        return self._chosen(given, committed, "--results") or self._place(committed) / "results"

    def page(self, given: Path | None = None, committed: bool = False) -> Path:
        """The page; parameters and errors as for :meth:`results`."""
        return self._chosen(given, committed, "--out") or self._place(committed) / "results.md"

    def _place(self, committed: bool) -> Path:
        return (Path(__file__).parent if committed else WORKING) / self.folder

    def _chosen(self, given: Path | None, committed: bool, option: str) -> Path | None:
        if given is not None and committed:
            raise WrongCall(f"{option} and --committed both set the output; give one of them")
        return given


def typed_command(context: typer.Context, folders: Collection[str]) -> str:
    """The command with the options that were given, as a page prints it.

    Options in `folders` have their own name as value, and other words no folders: a page is the
    same wherever files lie.
    """
    words = context.command_path.split()
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name == "DEFAULT" or name in ("results", "committed"):
            continue
        given = context.params[name]
        for value in given if isinstance(given, list | tuple) else [given]:
            words += parameter.opts[:1] if parameter.opts[0].startswith("-") else []
            if not isinstance(value, bool):
                words.append(name.upper() if name in folders else re.sub("[^=]*/", "", str(value)))
    return shlex.join(words)


def named_checkpoints(words: list[str]) -> dict[str, str]:
    """Checkpoints by display name, from arguments ``NAME=FILE``.

    Raises
    ------
    WrongCall
        If one has no name.

    Examples
    --------
    >>> named_checkpoints(["original=soundnet", "mine=fits/mine.safetensors"])
    {'original': 'soundnet', 'mine': 'fits/mine.safetensors'}
    """
    if wrong := [word for word in words if "=" not in word]:
        raise WrongCall(f"expected NAME=FILE, got {wrong[0]!r}")
    return dict(word.split("=", 1) for word in words)

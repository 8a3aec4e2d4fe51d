"""``hear-brainsoundnet embed`` on folders of real recordings, end to end.

Contenders are processes: the command, and plain loops of reading, embedding and saving
(:mod:`.plain_loop`). They alternate on the same files; imports and model loading are included.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.machine import Machine
from benchmarks.speed.plain_loop import SUFFIXES, WAYS
from benchmarks.speed.processes import run_module
from benchmarks.speed.turns import Comparison, take_turns

SETS = {"FSDD": "audio/fsdd/recordings", "ESC-10": "audio/esc10"}  # within the data folder


@dataclass(frozen=True)
class FolderSpeed:
    """Times on one folder.

    Attributes
    ----------
    name : str
        Name of the set of recordings.
    n_files : int
        Number of files.
    earlier, own : Comparison
        Comparisons of the command with either plain loop.
    """

    name: str
    n_files: int
    earlier: Comparison
    own: Comparison

    def rows(self) -> list[dict[str, object]]:
        """Rows of the results page."""
        words = {"earlier": "the earlier recipe", "own": "this package's model"}
        return [
            {
                "recordings": f"{self.n_files} files of {self.name}",
                "plain loop with": words[way],
                **compared.speedup_cells(),
                "command (s)": median(compared.seconds),
                "plain loop (s)": median(compared.plain_seconds),
            }
            for way, compared in (("earlier", self.earlier), ("own", self.own))
        ]


def recordings(data_folder: Path, name: str) -> list[Path]:
    """The files of a set.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    folder = data_folder / SETS[name]
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f"no recordings in {folder}; name the folder with the real data by --data or "
            "BRAINSOUNDNET_DATA"
        )
    return found


def measure_folder(name: str, paths: Sequence[Path], n_rounds: int = 3) -> FolderSpeed:
    """Time the command and both plain loops in turn on these files.

    Raises
    ------
    ValueError
        If there is no round.
    ChildProcessError
        If one of the processes fails.
    """
    with tempfile.TemporaryDirectory() as place:
        sounds = Path(place, "sounds")
        sounds.mkdir()
        for path in paths:
            (sounds / path.name).symlink_to(path.resolve())
        results = _Results(Path(place))
        command = _command(sounds, results)
        loops: dict[str, Callable[[], object]] = {
            way: lambda way=way: _call(  # type: ignore[misc]
                "benchmarks.speed.plain_loop", way, str(sounds), str(results.new())
            )
            for way in WAYS
        }
        # The loops are compared with the command here, so that it runs only once.
        compared = take_turns(command, loops, n_rounds)
    return FolderSpeed(name, len(paths), *(_turned(compared[way]) for way in WAYS))


def measure_start(path: Path, n_rounds: int = 5) -> list[float]:
    """Seconds from start to end of the command with one short file."""
    with tempfile.TemporaryDirectory() as place:
        command = _command(path, _Results(Path(place)))
        command()  # fills the file cache
        seconds = []
        for _ in range(n_rounds):
            began = time.perf_counter()
            command()
            seconds.append(time.perf_counter() - began)
    return seconds


def folder_document(
    speeds: Sequence[FolderSpeed], starts: Sequence[float], command: str, machine: Machine
) -> dict[str, Any]:
    """Two rows for each folder: against either plain loop."""
    return {
        "title": "Folders of files by the command line",
        "command": command,
        "rows": [row for speed in speeds for row in speed.rows()],
        "notes": [
            "`hear-brainsoundnet embed`, default preset, scenes and timestamps, against a loop "
            "that reads, embeds and saves one file after another (`plain_loop.py`). All are "
            "processes from start to end and took turns; medians over "
            f"{len(speeds[0].own.seconds)} rounds.",
            f"Start-up: the command with one short file takes {median(starts):.2f} s from start to "
            f"end ({min(starts):.2f} to {max(starts):.2f}, {len(starts)} times), most of which is "
            "`import torch`.",
            f"Machine: {machine.note()}.",
        ],
        "details": {
            "machine": asdict(machine),
            "speeds": [asdict(speed) for speed in speeds],
            "starts": list(starts),
        },
    }


class _Results:
    """A new folder for the results of each run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.n_given = 0

    def new(self) -> Path:
        self.n_given += 1
        return self.place / f"results-{self.n_given}"


def _command(sounds: Path, results: _Results) -> Callable[[], None]:
    return lambda: _call("hear_brainsoundnet", "embed", str(sounds), "-o", str(results.new()))


def _call(module: str, *arguments: str) -> None:
    run_module(module, arguments, f"python -m {module} failed")


def _turned(compared: Comparison) -> Comparison:
    """The same times with contender and plain loop exchanged."""
    return Comparison(
        compared.plain_seconds,
        compared.seconds,
        compared.plain_cpu_seconds,
        compared.cpu_seconds,
    )

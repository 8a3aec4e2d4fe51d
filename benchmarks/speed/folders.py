"""``hear-brainsoundnet embed`` on folders, end to end: real recordings, and very many short files.

On real recordings the contenders are processes: the command, and plain loops of reading, embedding
and saving (:mod:`.plain_loop`). They alternate on the same files; imports and model loading are
included.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.hear.tasks.task_writer import no_data
from benchmarks.speed.plain_loop import SUFFIXES, WAYS
from benchmarks.speed.timing import Comparison, machine, measure_module, run_module, take_turns

SETS = {"FSDD": "audio/fsdd/recordings", "ESC-10": "audio/esc10"}  # within the data folder
LOOPS = {"earlier": "the earlier recipe", "own": "this package's model"}
# Of the many files.
RATE = 16_000  # Hz
SECONDS = 0.2
LINKS = 10_000  # names of one file: file systems allow some ten thousand
FOLDER = 1_000  # files of one folder


def folder_document(data: Path, n_rounds: int, n_files: int | None) -> dict[str, Any]:
    """Two rows for each folder of recordings: against either plain loop."""
    at_work = machine()
    sets = {name: recordings(data, name)[:n_files] for name in SETS}
    starts = measure_start(next(iter(sets.values()))[0])
    rows, speeds = [], []
    for name, paths in sets.items():
        compared = measure_folder(paths, n_rounds)
        rows += [
            {
                "recordings": f"{len(paths)} files of {name}",
                "plain loop with": LOOPS[way],
                **own.speedup_cells(),
                "command (s)": median(own.seconds),
                "plain loop (s)": median(own.plain_seconds),
            }
            for way, own in compared.items()
        ]
        details = {way: asdict(own) for way, own in compared.items()}
        speeds.append({"name": name, "n_files": len(paths), **details})
    return {
        "title": "Folders of files by the command line",
        "rows": rows,
        "notes": [
            "`hear-brainsoundnet embed`, default preset, scenes and timestamps, against a loop "
            "that reads, embeds and saves one file after another (`plain_loop.py`). All are "
            f"processes from start to end and took turns; medians over {n_rounds} rounds.",
            f"Start-up: the command with one short file takes {median(starts):.2f} s from start to "
            f"end ({min(starts):.2f} to {max(starts):.2f}, {len(starts)} times), most of which is "
            "`import torch`.",
            at_work.note(),
        ],
        "details": {"machine": asdict(at_work), "speeds": speeds, "starts": starts},
    }


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
        raise no_data(f"no recordings in {folder}")
    return found


def measure_folder(paths: Sequence[Path], n_rounds: int = 3) -> dict[str, Comparison]:
    """Time the command and both plain loops in turn on these files; comparisons by loop.

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
        new = _new_folders(place)
        loops: dict[str, Callable[[], object]] = {
            way: lambda way=way: _call(  # type: ignore[misc]
                "benchmarks.speed.plain_loop", way, str(sounds), new()
            )
            for way in WAYS
        }
        # The loops are compared with the command here, so that it runs only once.
        compared = take_turns(lambda: _command(sounds, new()), loops, n_rounds)
    return {
        way: Comparison(own.plain_seconds, own.seconds, own.plain_cpu_seconds, own.cpu_seconds)
        for way, own in compared.items()
    }


def measure_start(path: Path, n_rounds: int = 5) -> list[float]:
    """Seconds from start to end of the command with one short file."""
    with tempfile.TemporaryDirectory() as place:
        new = _new_folders(place)
        _command(path, new())  # fills the file cache
        seconds = []
        for _ in range(n_rounds):
            began = time.perf_counter()
            _command(path, new())
            seconds.append(time.perf_counter() - began)
    return seconds


def _new_folders(place: str) -> Callable[[], str]:
    """Names of new folders for the results of each process."""
    numbers = count(1)
    return lambda: str(Path(place, f"results-{next(numbers)}"))


def _command(sounds: Path, out: str) -> None:
    _call("hear_brainsoundnet", "embed", str(sounds), "-o", out)


def _call(module: str, *arguments: str) -> None:
    run_module(module, arguments, f"python -m {module} failed")


def many_files_document(counts: list[int]) -> dict[str, Any]:
    """One row for each number of files."""
    at_work = machine()
    rows, costs = [], {}
    for n_files in counts:
        with tempfile.TemporaryDirectory() as place:
            write_links(Path(place, "sounds"), n_files)
            arguments = ["embed", str(Path(place, "sounds")), "-o", str(Path(place, "out")), "-q"]
            cost = measure_module(["hear_brainsoundnet", *arguments], "embed failed")
        costs[str(n_files)] = asdict(cost)
        rows.append(
            {
                "files": n_files,
                "seconds": round(cost.seconds, 1),
                "ms per file": round(1e3 * cost.seconds / n_files, 2),
                "CPU ms per file": round(1e3 * cost.cpu_seconds / n_files, 2),
                "peak memory (GB)": round(cost.peak / 1e9, 2),
            }
        )
    return {
        "title": "Very many short files",
        "rows": rows,
        "notes": [
            f"`hear-brainsoundnet embed` from start to end, scenes and timestamps, on WAV files of "
            f"{SECONDS:g} s at {RATE} Hz, {FOLDER} to a folder. The peak is that of the process, "
            "libraries included.",
            at_work.note(),
        ],
        "details": {"machine": asdict(at_work), "costs": costs},
    }


def write_links(folder: Path, n_files: int) -> None:
    """WAV files of noise, most of them further names of a few."""
    import soundfile

    generator = np.random.default_rng(0)
    first = folder
    for number in range(n_files):
        path = folder / f"{number // FOLDER:04d}" / f"{number:07d}.wav"
        if number % FOLDER == 0:
            path.parent.mkdir(parents=True)
        if number % LINKS == 0:
            first = path
            sound = 0.1 * generator.standard_normal(int(SECONDS * RATE))
            soundfile.write(path, sound, RATE, subtype="PCM_16")
        else:
            os.link(first, path)

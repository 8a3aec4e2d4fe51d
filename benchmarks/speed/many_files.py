"""Time and memory of embedding very many short files with the command."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.processes import measure_module
from benchmarks.speed.turns import machine

RATE = 16_000  # Hz
SECONDS = 0.2
LINKS = 10_000  # names of one file: file systems allow some ten thousand
FOLDER = 1_000  # files of one folder


def many_files_document(counts: list[int]) -> dict[str, Any]:
    """One row for each number of files."""
    at_work = machine()
    rows, costs = [], {}
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            write_links(Path(place, "sounds"), count)
            arguments = ["embed", str(Path(place, "sounds")), "-o", str(Path(place, "out")), "-q"]
            cost = measure_module(["hear_brainsoundnet", *arguments], "embed failed")
        costs[str(count)] = asdict(cost)
        rows.append(
            {
                "files": count,
                "seconds": round(cost.seconds, 1),
                "ms per file": round(1e3 * cost.seconds / count, 2),
                "CPU ms per file": round(1e3 * cost.cpu_seconds / count, 2),
                "peak memory (GB)": round(cost.peak / 1e9, 2),
            }
        )
    return {
        "title": "Very many short files",
        "command": "python -m benchmarks speed many-files"
        + "".join(f" --files {count}" for count in counts),
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

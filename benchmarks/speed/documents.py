"""Measurements as documents for the results page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.speed.embedding import EQUAL, LONG, ClipSpeed, summarise
from benchmarks.speed.limits import MATRIX_SIZE, flop_of_product, flop_per_second_of_audio
from benchmarks.speed.long_sounds import MINUTES, LongSpeed
from benchmarks.speed.machine import Machine
from benchmarks.speed.memory import MEGABYTE, Memory
from benchmarks.speed.season import COMMANDS

if TYPE_CHECKING:
    from benchmarks.speed.epoch import EpochSpeed
    from benchmarks.speed.folders import FolderSpeed
    from benchmarks.speed.preparation import PreparationSpeed
    from benchmarks.speed.season import Use

EPOCHS = {
    "first": "first epoch",
    "later": "every later epoch",
    "crop": "any epoch with alignment crop",
}


def epoch_document(speeds: Sequence[EpochSpeed], command: str, machine: Machine) -> dict[str, Any]:
    """One row for each kind of epoch and number of threads."""
    rows = [
        {"threads": speed.n_threads, **getattr(speed, name).row(words)}
        for speed in speeds
        for name, words in EPOCHS.items()
    ]
    one = speeds[0]
    shares = [speed.loading for speed in speeds if speed.loading is not None]
    loading = (
        f"The loader takes {max(shares, default=0):.1%} of a later epoch at most. It works in "
        "the thread that learns, so that this is how long the arithmetic waits."
    )
    n_rounds = len(one.first.ratios)
    return {
        "title": "An epoch of fine-tuning from conv4",
        "command": command,
        "rows": rows,
        "notes": [
            f"{one.n_runs} runs of {one.minutes:g} minutes, {one.n_windows} windows of {one.n_trs} "
            f"TRs, one per step, {one.n_targets} targets, 5 delays, AdamW; training steps only.",
            "Plain: the earlier public recipe (`earlier_recipe.py`) on the same windows. Both took "
            f"turns in one process; medians over {n_rounds} rounds, ratios of the times of one "
            "round. Below 1 this package is faster.",
            "In the first epoch the frames of the frozen stages are computed once and kept; with "
            "alignment crop they cannot be kept, because each window begins anew.",
            "Several threads wait for each other after every operation. Where other work takes "
            "part of the cores this waiting, and not the work, decides the times, and ratios above "
            "1 come up; the rows of one thread are then the ones to read.",
            *([loading] if shares else []),
            f"Machine: {machine.note()}.",
        ],
        "details": {"machine": asdict(machine), "speeds": [asdict(speed) for speed in speeds]},
        "goals": {"loading": max(shares, default=None)},
    }


def preparation_document(speed: PreparationSpeed, command: str, machine: Machine) -> dict[str, Any]:
    """One row for each kind of file."""
    return {
        "title": "Preparing a stimulus",
        "command": command,
        "rows": [
            speed.film.row("sound of a film (AAC in Matroska)"),
            speed.sound.row("16-bit WAV file"),
        ],
        "notes": [
            f"Stereo files of {speed.minutes:g} minutes. Plain: the whole file is decoded and "
            "resampled at once; nothing is checked, written, or given a checksum.",
            f"Both took turns in one process; medians over {len(speed.film.ratios)} rounds, ratios "
            "of the times of one round. Below 1 this package is faster.",
            f"Machine: {machine.note()}.",
        ],
        "details": {"machine": asdict(machine), "speed": asdict(speed)},
    }


def season_document(uses: Sequence[Use], command: str, machine: Machine) -> dict[str, Any]:
    """One row for each command and size; the goal applies to all of them."""
    is_whole = {use.command for use in uses} == set(COMMANDS)
    peak = max(use.peak for use in uses) / 1e9
    return {
        "title": "Training at the size of a season",
        "command": command,
        "rows": [use.row() for use in uses],
        "notes": [
            "Each command in a process of its own, with its usual settings; time by the clock and "
            "of all cores together, and the most memory that the process had in use, libraries "
            "and data included.",
            "Data are noise. Ridge start: the cross-validated solution for the read-out, 5,120 "
            "features (conv7 with 5 delays) of full rank, all TRs for training. Fit: one epoch of "
            "conv7 and the read-out, from zero weights, and all scores. Runs share a few stretches "
            "of sound, so that computing frames hardly counts: see the epoch above for that.",
            "Load: processes that wanted a core when the command began; where they are more than "
            "the cores, the time by the clock is not the command's own.",
            f"Machine: {machine.note()}.",
        ],
        "details": {"machine": asdict(machine), "uses": [asdict(use) for use in uses]},
        "goals": {"season": peak if is_whole else None},
    }


def embedding_document(
    speeds: Sequence[ClipSpeed], n_threads: int, command: str, machine: Machine
) -> dict[str, Any]:
    """One row for each length, size of batch and kind of embedding."""
    summary = summarise(speeds)
    rates = [flop_of_product() / each for speed in speeds for each in speed.matrix_seconds]
    share = (
        ""
        if summary.share is None
        else (
            f"; from {LONG:g} s on at least {summary.share:.0%} of the machine's rate of products"
        )
    )
    return {
        "title": "Embedding clips",
        "command": command,
        "rows": [speed.row() for speed in speeds],
        "notes": [
            f"Geometric mean over all rows: {summary.mean:.2f} times the earlier recipe, the "
            f"smallest {summary.smallest:.2f}{share}.",
            "Clips of noise from 48 kHz tensors in float32. Earlier: `earlier_embedding.py`. All "
            f"took turns in one process on {n_threads} threads; medians over "
            f"{len(speeds[0].fast.seconds)} rounds, times faster in the same round. The other "
            "columns are seconds of audio per second: the fast way, the earlier recipe, the plain "
            'network of this package (these three give the same: preset "paper"), and the fast '
            "way with the default preset, which also takes spreads over time.",
            f"A product of {MATRIX_SIZE} x {MATRIX_SIZE} matrices took its turn in every round: "
            f"{median(rates) / 1e9:.0f} GFLOP/s ({min(rates) / 1e9:.0f} to "
            f"{max(rates) / 1e9:.0f}). The share counts the convolutions alone, "
            f"{flop_per_second_of_audio('conv7') / 1e6:.0f} MFLOP per second of audio up to conv7, "
            f"{flop_per_second_of_audio('conv4') / 1e6:.0f} up to conv4, and not resampling.",
            "Difference: largest one between the fast way and the plain network, as a share of the "
            f"range of the embeddings, of both presets; a run with more than {EQUAL} fails.",
            f"Machine: {machine.note()}.",
        ],
        "details": {"machine": asdict(machine), "speeds": [asdict(speed) for speed in speeds]},
        "goals": {
            "clips": summary.mean,
            "slowest clips": summary.smallest,
            "matrix rate": summary.share,
            "difference": summary.difference,
        },
    }


def long_document(
    speeds: Sequence[LongSpeed],
    memories: Sequence[Memory],
    n_threads: int,
    command: str,
    machine: Machine,
) -> dict[str, Any]:
    """Speed in one table, memory in another."""
    scenes = [each for each in memories if (each.task.who, each.task.kind) == ("fast", "scene")]
    long = [each for each in scenes if each.task.duration >= MINUTES]
    return {
        "title": "Long sounds, and memory",
        "command": command,
        "rows": [row for speed in speeds for row in speed.rows()],
        "tables": [{"title": "Memory above the model", "rows": [each.row() for each in memories]}],
        "notes": [
            "Sounds of noise from 48 kHz tensors. The earlier recipe takes a sound as a whole, "
            f"which two hours do not allow: its speed there is that of {MINUTES / 60:g} minutes. "
            f"All took turns in one process on {n_threads} threads; medians over "
            f"{len(speeds[0].at_shorter.seconds)} rounds.",
            "Memory: each line a process of its own; the highest use while embedding, above what "
            "there was when the model, the sounds and a first second were done with. Fast: the "
            "default preset. Timestamp embeddings are themselves as long as the sound.",
            f"Machine: {machine.note()}.",
        ],
        "details": {
            "machine": asdict(machine),
            "speeds": [asdict(speed) for speed in speeds],
            "memories": [asdict(each) for each in memories],
        },
        "goals": {
            "long": min(each for speed in speeds for each in speed.speedups),
            "memory": max((each.peak / MEGABYTE for each in long), default=None),
        },
    }


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
        "goals": {
            "folders": min(speed.earlier.speedup for speed in speeds),
            "folders, own loop": min(speed.own.speedup for speed in speeds),
            "start": median(starts),
        },
    }

"""What was measured, as the documents that the results page is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.speed.machine import Machine

if TYPE_CHECKING:
    from benchmarks.speed.epoch import EpochSpeed
    from benchmarks.speed.preparation import PreparationSpeed

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
            f"Machine: {machine.note()}.",
        ],
        "details": {"machine": asdict(machine), "speeds": [asdict(speed) for speed in speeds]},
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

"""Speed and memory for recordings of twenty minutes and two hours.

The earlier recipe processes a clip as a whole and would need more than 10 GB for two hours; its
speed at two hours is assumed to be that at twenty minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from benchmarks.speed.earlier_embedding import EarlierEmbedding
from benchmarks.speed.embedding import RATE, Kind, embed, long_noise
from benchmarks.speed.machine import Machine
from benchmarks.speed.memory import Memory, Task, measure_memory
from benchmarks.speed.turns import Comparison, take_turns
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.named import load_checkpoint

MINUTES, HOURS = 20 * 60.0, 2 * 60 * 60.0  # s
DURATIONS = (1.0, 10.0, 60.0, MINUTES, HOURS)
BATCHES = (1, 4, 16, 64, 256)
CLIP = 10.0  # s, of the batches
EARLIER_DURATIONS, EARLIER_BATCHES = DURATIONS[:-1], BATCHES[:-1]


@dataclass(frozen=True)
class LongSpeed:
    """Speed on long recordings for one kind of embedding.

    Attributes
    ----------
    kind : str
        {"scene", "timestamps"}.
    shorter, longer : float
        Lengths in seconds; the earlier recipe is measured at the shorter one.
    at_shorter, at_longer : Comparison
        Times of the fast implementation (preset "paper") and of the earlier recipe at the shorter
        length.
    """

    kind: Kind
    shorter: float
    longer: float
    at_shorter: Comparison
    at_longer: Comparison

    @property
    def speedups(self) -> tuple[float, float]:
        """Speed-up per second of audio, at both lengths; medians."""
        return self.at_shorter.speedup, self.at_longer.speedup * self.longer / self.shorter

    def rows(self) -> list[dict[str, object]]:
        """Rows of the results page."""
        pairs = ((self.shorter, self.at_shorter), (self.longer, self.at_longer))
        return [
            {
                "kind": self.kind,
                "sound (s)": f"{length:g}",
                "times faster": self.speedups[i],
                "from": min(compared.speedups) * length / self.shorter,
                "to": max(compared.speedups) * length / self.shorter,
                "audio s/s": round(length / median(compared.seconds)),
                "earlier": round(self.shorter / median(compared.plain_seconds)),
            }
            for i, (length, compared) in enumerate(pairs)
        ]


def measure_long(
    kind: Kind, n_rounds: int = 3, shorter: float = MINUTES, longer: float = HOURS
) -> LongSpeed:
    """Time both implementations in turn; the fast one at both lengths.

    Raises
    ------
    ValueError
        If there is no round.
    """
    checkpoint = load_checkpoint("untrained")
    model = EmbeddingModel(checkpoint, sample_rate=RATE, preset="paper")
    earlier = EarlierEmbedding(checkpoint)
    audio = long_noise(1, longer)
    beginning = audio[:, : round(shorter * RATE)]

    def fast(sound: torch.Tensor) -> Callable[[], object]:
        def work() -> object:
            with torch.no_grad():
                return embed(model, sound, kind)

        return work

    contenders = {"at_shorter": fast(beginning), "at_longer": fast(audio)}
    compared = take_turns(lambda: earlier.embed(beginning, RATE, kind), contenders, n_rounds)
    return LongSpeed(kind, shorter, longer, **compared)


def memory_tasks(n_threads: int) -> list[Task]:
    """Tasks for the growth of memory: longer clips, and more of them."""
    tasks = []
    kinds: tuple[Kind, ...] = ("scene", "timestamps")
    for kind in kinds:
        tasks += [Task("fast", kind, duration, 1, n_threads) for duration in DURATIONS]
        tasks += [Task("fast", kind, CLIP, n_clips, n_threads) for n_clips in BATCHES]
    tasks += [Task("earlier", "scene", duration, 1, n_threads) for duration in EARLIER_DURATIONS]
    tasks += [Task("earlier", "scene", CLIP, n_clips, n_threads) for n_clips in EARLIER_BATCHES]
    return list(dict.fromkeys(tasks))


def measure_memories(n_threads: int) -> list[Memory]:
    """All of :func:`memory_tasks`, each in a separate process."""
    return [measure_memory(task) for task in memory_tasks(n_threads)]


def long_document(
    speeds: Sequence[LongSpeed],
    memories: Sequence[Memory],
    n_threads: int,
    command: str,
    machine: Machine,
) -> dict[str, Any]:
    """Speed in one table, memory in another."""
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
    }

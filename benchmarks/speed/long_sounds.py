"""Speed and memory for recordings of twenty minutes and two hours.

The earlier code processes a clip as a whole and would need more than 10 GB for two hours; its speed
at two hours is assumed to be that at twenty minutes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch

from benchmarks.speed.clips import KINDS, RATE, Kind, embed, long_noise
from benchmarks.speed.earlier import EarlierEmbedding
from benchmarks.speed.memory import Task, measure_memory
from benchmarks.speed.turns import Comparison, machine, take_turns
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel

MINUTES, HOURS = 20 * 60.0, 2 * 60 * 60.0  # s
DURATIONS = (1.0, 10.0, 60.0, MINUTES, HOURS)
BATCHES = (1, 4, 16, 64, 256)
CLIP = 10.0  # s, of the batches


@dataclass(frozen=True)
class LongSpeed:
    """Speed on long recordings for one kind of embedding.

    Attributes
    ----------
    kind : {"scene", "timestamps"}
    shorter, longer : float
        Lengths in seconds; the earlier code is measured at the shorter one.
    at_shorter, at_longer : Comparison
        Times of the fast implementation (preset "paper") and of the earlier code at the shorter
        length.
    """

    kind: Kind
    shorter: float
    longer: float
    at_shorter: Comparison
    at_longer: Comparison

    def rows(self) -> list[dict[str, object]]:
        """Rows of the results page; speed-ups are per second of audio."""
        pairs = ((self.shorter, self.at_shorter), (self.longer, self.at_longer))
        return [
            {
                "kind": self.kind,
                "sound (s)": f"{length:g}",
                **compared.speedup_cells(length / self.shorter),
                "audio s/s": round(length / median(compared.seconds)),
                "earlier": round(self.shorter / median(compared.plain_seconds)),
            }
            for length, compared in pairs
        ]


def long_document(n_rounds: int) -> dict[str, Any]:
    """Speed in one table, memory in another."""
    at_work, n_threads = machine(), torch.get_num_threads()
    memories = [measure_memory(task) for task in memory_tasks(n_threads)]
    speeds = [measure_long(kind, n_rounds) for kind in KINDS]
    return {
        "title": "Long sounds, and memory",
        "command": f"python -m benchmarks speed long --rounds {n_rounds}",
        "rows": [row for speed in speeds for row in speed.rows()],
        "tables": [{"title": "Memory above the model", "rows": [each.row() for each in memories]}],
        "notes": [
            "Sounds of noise from 48 kHz tensors. The earlier recipe takes a sound as a whole, "
            f"which two hours do not allow: its speed there is that of {MINUTES / 60:g} minutes. "
            f"All took turns in one process on {n_threads} threads; medians over {n_rounds} "
            "rounds.",
            "Memory: each line a process of its own; the highest use while embedding, above what "
            "there was when the model, the sounds and a first second were done with. Fast: the "
            "default preset. Timestamp embeddings are themselves as long as the sound.",
            at_work.note(),
        ],
        "details": {
            "machine": asdict(at_work),
            "speeds": [asdict(speed) for speed in speeds],
            "memories": [asdict(each) for each in memories],
        },
    }


def measure_long(
    kind: Kind, n_rounds: int = 3, shorter: float = MINUTES, longer: float = HOURS
) -> LongSpeed:
    """Time both implementations in turn; the fast one at both lengths."""
    checkpoint = load_checkpoint("untrained")
    model = EmbeddingModel(checkpoint, sample_rate=RATE, preset="paper")
    earlier = EarlierEmbedding(checkpoint)
    audio = long_noise(1, longer)
    beginning = audio[:, : round(shorter * RATE)]

    @torch.no_grad()
    def fast(sound: torch.Tensor) -> None:
        embed(model, sound, kind)

    contenders = {"at_shorter": lambda: fast(beginning), "at_longer": lambda: fast(audio)}
    compared = take_turns(lambda: earlier.embed(beginning, RATE, kind), contenders, n_rounds)
    return LongSpeed(kind, shorter, longer, **compared)


def memory_tasks(n_threads: int) -> list[Task]:
    """Tasks for the growth of memory: longer clips, and more of them."""
    tasks = []
    for kind in KINDS:
        tasks += [Task("fast", kind, duration, 1, n_threads) for duration in DURATIONS]
        tasks += [Task("fast", kind, CLIP, n_clips, n_threads) for n_clips in BATCHES]
    tasks += [Task("earlier", "scene", duration, 1, n_threads) for duration in DURATIONS[:-1]]
    tasks += [Task("earlier", "scene", CLIP, n_clips, n_threads) for n_clips in BATCHES[:-1]]
    return list(dict.fromkeys(tasks))

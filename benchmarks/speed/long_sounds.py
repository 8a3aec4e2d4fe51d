"""Speed and memory for recordings of twenty minutes and two hours.

The earlier code processes a clip as a whole and would need more than 10 GB for two hours; its speed
at two hours is assumed to be that at twenty minutes.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from benchmarks.speed.clips import KINDS, RATE, Kind, embed, long_noise
from benchmarks.speed.earlier import EarlierEmbedding
from benchmarks.speed.timing import Comparison, machine, run_module, take_turns
from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel

MINUTES, HOURS = 20 * 60.0, 2 * 60 * 60.0  # s
DURATIONS = (1.0, 10.0, 60.0, MINUTES, HOURS)
BATCHES = (1, 4, 16, 64, 256)
CLIP = 10.0  # s, of the batches
MEGABYTE = 1e6
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


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


@dataclass(frozen=True)
class Task:
    """Clips of noise to embed: `duration` in seconds, of each of `n_clips`."""

    who: Literal["fast", "earlier"]
    kind: Literal["scene", "timestamps"]
    duration: float
    n_clips: int
    n_threads: int
    preset: str = "default"  # of the fast implementation


@dataclass(frozen=True)
class Memory:
    """Bytes of a task above the loaded model and audio, and bytes of the embeddings themselves."""

    task: Task
    peak: int
    result: int

    def row(self) -> dict[str, object]:
        """A row of the results page."""
        return {
            "who": self.task.who,
            "kind": self.task.kind,
            "clip (s)": f"{self.task.duration:g}",
            "clips": self.task.n_clips,
            "peak (MB)": round(self.peak / MEGABYTE),
            "of these the result (MB)": f"{self.result / MEGABYTE:.1f}",
        }


def measure_memory(task: Task) -> Memory:
    """Peak memory of a task above that of model, audio and a first second of work.

    Used memory is often not returned to the system, so that only a new process, which runs this
    module, gives the memory of a task.

    Raises
    ------
    ChildProcessError
        If the process fails, for example because there is not enough memory.
    """
    output = run_module(__name__, [json.dumps(asdict(task))], f"{task} failed in its process")
    peak, result = json.loads(output.splitlines()[-1])
    return Memory(task, peak, result)


def _bytes(name: str) -> int:
    """Resident bytes, "VmRSS", or their peak, "VmHWM"; on other systems than Linux the peak."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _run(task: Task) -> tuple[int, int]:
    """Bytes above those after the first second of audio, and of the embeddings."""
    torch.set_num_threads(task.n_threads)
    checkpoint = load_checkpoint("untrained")
    model = EmbeddingModel(checkpoint, sample_rate=RATE, preset=task.preset)
    earlier = EarlierEmbedding(checkpoint)
    audio = long_noise(task.n_clips, task.duration)

    @torch.no_grad()
    def work(sounds: torch.Tensor) -> int:
        if task.who == "fast":
            found = embed(model, sounds, task.kind)
            return found.numel() * found.element_size()
        return earlier.embed(sounds, RATE, task.kind).nbytes

    work(audio[:1, :RATE])
    before = _bytes("VmRSS")
    if _CLEAR_REFS.exists():  # Linux; elsewhere the peak is over the lifetime
        _CLEAR_REFS.write_text("5")
    n_bytes = work(audio)
    return max(0, _bytes("VmHWM") - before), n_bytes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(Task(**json.loads(sys.argv[1])))) + "\n")

"""Peak memory of embedding clips, in a separate process, which runs this module.

Used memory is often not returned to the system, so that only a fresh process gives the memory of a
task. Audio and model are loaded before the measurement begins, and one second of audio is embedded;
the result is the increase of memory above that.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from benchmarks.speed.processes import run_module

MEGABYTE = 1e6
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


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
    """Run the task in a separate process.

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
    import torch

    from benchmarks.speed.clips import RATE, embed, long_noise
    from benchmarks.speed.earlier import EarlierEmbedding
    from hear_brainsoundnet.checkpoint import load_checkpoint
    from hear_brainsoundnet.embedding import EmbeddingModel

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

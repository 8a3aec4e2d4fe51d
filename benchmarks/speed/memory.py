"""Peak memory of a task, in a separate process.

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
    """Task of the process: embedding clips of noise from memory.

    Attributes
    ----------
    who : str
        {"fast", "earlier"}.
    kind : str
        {"scene", "timestamps"}.
    duration : float
        Duration of a clip, in seconds.
    n_clips, n_threads : int
        Number of clips and threads.
    preset : str
        Preset of the fast implementation.
    """

    who: Literal["fast", "earlier"]
    kind: Literal["scene", "timestamps"]
    duration: float
    n_clips: int
    n_threads: int
    preset: str = "default"


@dataclass(frozen=True)
class Memory:
    """Memory of a task.

    Attributes
    ----------
    peak : int
        Bytes above the loaded model and audio.
    result : int
        Bytes of the embeddings themselves.
    """

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
    told = run_module(__name__, [json.dumps(asdict(task))], f"{task} failed in its process")
    peak, result = json.loads(told.splitlines()[-1])
    return Memory(task, peak, result)


def memory_in_use() -> int:
    """Resident bytes of this process; the peak if the system does not report them."""
    return _status("VmRSS")


def peak_memory() -> int:
    """Maximal resident bytes since :func:`forget_peak`, or since the process began."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Reset the peak (Linux); no effect elsewhere, where peaks are over the lifetime."""
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")


def _status(name: str) -> int:
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _run(task: Task) -> tuple[int, int]:
    import torch

    from benchmarks.speed.earlier_embedding import EarlierEmbedding
    from benchmarks.speed.embedding import RATE, embed, long_noise
    from hear_brainsoundnet.embedding import EmbeddingModel
    from hear_brainsoundnet.named import load_checkpoint

    torch.set_num_threads(task.n_threads)
    checkpoint = load_checkpoint("untrained")
    model = EmbeddingModel(checkpoint, sample_rate=RATE, preset=task.preset)
    earlier = EarlierEmbedding(checkpoint)
    audio = long_noise(task.n_clips, task.duration)

    def work(sounds: torch.Tensor) -> int:
        with torch.no_grad():
            if task.who == "fast":
                found = embed(model, sounds, task.kind)
                return found.numel() * found.element_size()
            return earlier.embed(sounds, RATE, task.kind).nbytes

    work(audio[:1, :RATE])
    before = memory_in_use()
    forget_peak()
    n_bytes = work(audio)
    return max(0, peak_memory() - before), n_bytes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_run(Task(**json.loads(sys.argv[1])))) + "\n")

"""Time and peak memory of all training commands at realistic sizes.

The data are synthetic, of two sizes: a season of a series with a parcellation of auditory cortex
(36 hours of 1.49 s), and two films with a target for each voxel. Every command is a separate
process. Runs share a few stretches of audio, so that the network's time, which is independent of
the number of targets and measured as an epoch, does not mask that of tables and statistics; the
ridge start has a separate row, with features of full rank.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.noise_dataset import SUBJECT, TR, write_noise
from benchmarks.speed.timing import Machine, machine, measure_module
from training.data.prepared import Run
from training.data.prepared_files import TARGETS_IMAGES
from training.fitting.recipe import FitRecipe

RUN_TRS = 480
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
N_STRETCHES = 4  # of audio in each split
STRETCH_S = 60  # from one to the next
N_CHANNELS, N_DELAYS = 1024, 5  # of conv7, and of the default read-out
COMMANDS = ("ridge start", "fit", "export", "evaluate", "compare", "partition", "report", "map")


@dataclass(frozen=True)
class Size:
    """Size of a dataset; its runs have 480 TRs, all complete."""

    n_trs: int
    n_targets: int


SEASON, FILMS = Size(87_000, 210), Size(17_000, 10_000)


@dataclass(frozen=True)
class Use:
    """Resources of a command.

    Attributes
    ----------
    size : Size
        Size of the data.
    command : str
        One of :data:`COMMANDS`.
    seconds, cpu_seconds : float
        Wall time, and CPU time of all cores together.
    peak : int
        Peak resident bytes of the process.
    load : float
        Load average over the minute before.
    """

    size: Size
    command: str
    seconds: float
    cpu_seconds: float
    peak: int
    load: float = 0.0

    def row(self) -> dict[str, object]:
        """A row of the results page."""
        return {
            "TRs": self.size.n_trs,
            "targets": self.size.n_targets,
            "command": self.command,
            "minutes": f"{self.seconds / 60:.1f}",
            "CPU minutes": f"{self.cpu_seconds / 60:.1f}",
            "load": f"{self.load:.1f}",
            "peak memory (GB)": f"{self.peak / 1e9:.1f}",
        }


def measure_season(
    size: Size, folder: Path, commands: Sequence[str] = COMMANDS, seed: int = 0
) -> Iterator[Use]:
    """Run the commands on a dataset of some size, one after the other.

    `folder` is an empty one, for data and results; dependencies of `commands` must be among them.

    Raises
    ------
    ChildProcessError
        If a command fails.
    """
    data = folder / "season"
    if any(command != "ridge start" for command in commands):
        write_season(data, size, seed)
        (folder / "fit.yaml").write_text(recipe(data))
    run, evaluation = folder / "fit", folder / "evaluation"
    evaluated = ["ceiling=none", "untrained=1"]
    arguments = {
        "ridge start": [__name__, str(size.n_trs), str(size.n_targets)],
        "fit": ["training", "fit", str(folder / "fit.yaml"), "--out", str(run)],
        "export": ["training", "export", str(run), str(folder / "fit.safetensors")],
        "evaluate": ["training", "evaluate", str(run), "--out", str(evaluation), *evaluated],
        "compare": [
            *("training", "compare", f"{evaluation}:fit", f"{evaluation}:untrained-0"),
            *("--out", str(folder / "comparison")),
        ],
        "partition": [
            *("training", "partition", str(evaluation), "models=[fit]"),
            *("--out", str(folder / "partition")),
        ],
        "report": ["training", "report", str(evaluation), "--out", str(folder / "report")],
        "map": ["training", "map", str(run), str(folder / "map.png")],
    }
    for command in commands:
        yield measure(size, command, arguments[command])


def measure(size: Size, command: str, arguments: Sequence[str]) -> Use:
    """Time and memory of ``python -m ...`` in a separate process; errors as above."""
    load = machine().load or 0.0
    cost = measure_module(arguments, f"{command} failed")
    return Use(size, command, cost.seconds, cost.cpu_seconds, cost.peak, load)


def merged(known: Mapping[str, Any] | None, new: Use) -> list[Use]:
    """Measurements of an earlier document and a new one, which replaces that of its command."""
    rows = known["details"]["uses"] if known else []
    uses = [*(Use(**{**row, "size": Size(**row["size"])}) for row in rows), new]
    own = {(use.size, use.command): use for use in uses}
    return sorted(own.values(), key=lambda use: (-use.size.n_trs, COMMANDS.index(use.command)))


def season_document(uses: Sequence[Use], machine: Machine) -> dict[str, Any]:
    """One row for each command and size."""
    return {
        "title": "Training at the size of a season",
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
            machine.note(),
        ],
        "details": {"machine": asdict(machine), "uses": [asdict(use) for use in uses]},
    }


def recipe(data: Path) -> str:
    """A fit of the read-out and conv7, with one epoch; the ridge start is measured separately."""
    from training.config import write_recipe

    return write_recipe(
        FitRecipe(
            data=data,
            subjects=(SUBJECT,),
            start="untrained",
            train_from="conv7",
            read_out={"initial": "zero"},
            split={"test": {"runs": ["test-*"]}, "validation": {"runs": ["validation-*"]}},
            optimiser={"max_epochs": 1},
        )
    )


def write_season(folder: Path, size: Size, seed: int = 0) -> None:
    """A prepared dataset of noise, with unrelated responses and an image of the targets."""
    sounds = dict.fromkeys(SHARES, N_STRETCHES * STRETCH_S + RUN_TRS * TR)
    runs = [
        Run(
            SUBJECT,
            name,
            split,
            "",
            name,
            "",
            float(STRETCH_S * (number % N_STRETCHES)),
            TR,
            RUN_TRS,
        )
        for split, share in SHARES.items()
        for number in range(max(2, round(size.n_trs * share / RUN_TRS)))
        for name in [f"{split}-{number:03d}"]
    ]
    folder.mkdir(parents=True)
    _write_image(folder / TARGETS_IMAGES[0], size.n_targets)
    write_noise(folder, sounds, runs, size.n_targets, seed)


def _write_image(path: Path, n_targets: int) -> None:
    """Targets side by side in the middle of a brain of 3 mm voxels."""
    import nibabel

    volume = np.zeros((61, 73, 61), dtype=np.int32)
    inner = volume[15:46, 15:58, 15:46]
    inner[...] = 1 + (np.arange(inner.size) * n_targets // inner.size).reshape(inner.shape)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -90, -126, -72
    nibabel.save(nibabel.Nifti1Image(volume, affine), path)


def ridge_start(size: Size, seed: int = 0) -> None:
    """Solve for the read-out from features of full rank, with conv7's dimensions."""
    import torch

    from training.fitting.ridge import solve_read_out

    generator = np.random.default_rng(seed)
    n_runs = size.n_trs // RUN_TRS
    runs = [Run(SUBJECT, f"{i}", f"{i}", "", f"{i}", "", 0.0, TR, RUN_TRS) for i in range(n_runs)]
    mixing = generator.standard_normal((64, N_CHANNELS), np.float32)
    loads = generator.standard_normal((64, size.n_targets), np.float32)
    features: list[NDArray[np.float32]] = []
    responses: list[NDArray[np.float32]] = []
    for _ in runs:
        latent = generator.standard_normal((RUN_TRS, 64), np.float32)
        noise = generator.standard_normal((RUN_TRS, N_CHANNELS), np.float32)
        rectified = np.maximum(latent @ mixing + 8 * noise, 0)  # like conv7
        features.append(rectified.astype(np.float32, copy=False))
        response = generator.standard_normal((RUN_TRS, size.n_targets), np.float32)
        responses.append((latent @ loads / 20 + response).astype(np.float32, copy=False))
    solve_read_out(torch.nn.Conv1d(N_CHANNELS, size.n_targets, N_DELAYS), runs, features, responses)


if __name__ == "__main__":
    ridge_start(Size(*map(int, sys.argv[1:])))

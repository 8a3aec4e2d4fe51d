"""Training windows: segments of N TRs with the audio that the network needs for them.

The predictions for a window equal those for the whole run. For this it includes more than its own
audio:

- *context*: the K - 1 TRs before its first one, for the delays (fewer at the
beginning of a run: there is nothing before the first TR);
- a *margin* of half a receptive field and one hop on each side, so that every frame has its
full receptive field within the stimulus;
- its first sample is a multiple of the hop, so that its frames coincide with those of the
whole stimulus.

With ``tr_sampling="crop"`` (the published models) a window has only its own audio, as in the
original. With ``tr_sampling="mean"`` it is one whole sound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from hear_brainsoundnet.encoder import ReadOut
from hear_brainsoundnet.geometry import StageGeometry
from training.config import Settings
from training.data.control import Donor
from training.data.prepared import INT16_SCALE, Prepared, Run
from training.fitting.frozen import FrozenStages


class WindowSettings(Settings):
    """Segmentation of runs.

    Attributes
    ----------
    n_trs : int
        Length of a window in TRs; ignored for sound responses.
    draw : str
        {"random", "fixed"}: onsets of windows are redrawn in every epoch, or each
        run is cut into consecutive windows, the last one shorter, in random order.
    batch_size : int
        Windows per optimiser step.
    """

    n_trs: Annotated[int, Field(ge=1)] = 70
    draw: Literal["random", "fixed"] = "random"
    batch_size: Annotated[int, Field(ge=1)] = 1


@dataclass(frozen=True)
class Window:
    """TRs ``first`` to ``first + n_trs`` of a run."""

    run: Run
    first: int
    n_trs: int


@dataclass(frozen=True)
class Batch:
    """Windows of one subject that pass through the network together.

    Attributes
    ----------
    windows : tuple of Window
        One per row.
    sound : Tensor
        float32 ``(n_windows, n_samples)``, at the network's amplitude scale; or, with frozen
        stages, their frames ``(n_windows, channels, n_frames)``.
    n_samples : int
        Length of the audio.
    bold : Tensor
        float32 ``(n_windows, n_trs, n_targets)``; NaN for targets missing in a subject.
    start : float
        Onset of the first TR of the context in seconds of the audio.
    context : int
        Number of TRs before those of `bold`.
    """

    windows: tuple[Window, ...]
    sound: Tensor
    n_samples: int
    bold: Tensor
    start: float
    context: int

    @property
    def subject(self) -> str:
        """Subject of the responses."""
        return self.windows[0].run.subject

    @property
    def n_trs(self) -> int:
        """Number of TRs to predict, including the context."""
        return self.context + self.bold.shape[1]


def draw_windows(
    runs: Sequence[Run], settings: WindowSettings, generator: np.random.Generator
) -> list[Window]:
    """The windows of one epoch, in order of use.

    A run of `n` TRs gives ``ceil(n / N)`` windows, so that an epoch covers about every TR once.

    Raises
    ------
    ValueError
        If a run is shorter than a window.

    Examples
    --------
    >>> run = Run("sub-01", "a", "a", "", "a", "", 0.0, 1.49, 10)
    >>> windows = draw_windows([run], WindowSettings(n_trs=4), np.random.default_rng(0))
    >>> [window.first for window in windows], windows[0].n_trs
    ([4, 3, 5], 4)
    """
    refuse_short_runs(runs, settings)
    windows = []
    for run in runs:
        if run.tr == 0 or settings.draw == "fixed":
            windows.extend(consecutive_windows(run, settings.n_trs))
        else:
            n_windows = math.ceil(run.n_trs / settings.n_trs)
            beginnings = generator.integers(0, run.n_trs - settings.n_trs + 1, size=n_windows)
            windows.extend(Window(run, int(first), settings.n_trs) for first in beginnings)
    return [windows[i] for i in generator.permutation(len(windows))]


def consecutive_windows(run: Run, n_trs: int) -> list[Window]:
    """A whole run in consecutive windows, the last one shorter if necessary."""
    return [
        Window(run, first, min(n_trs, run.n_trs - first)) for first in range(0, run.n_trs, n_trs)
    ]


def refuse_short_runs(runs: Iterable[Run], settings: WindowSettings) -> None:
    """Reject runs that are shorter than a window."""
    for run in runs:
        if run.tr > 0 and run.n_trs < settings.n_trs:
            raise ValueError(
                f"windows of {settings.n_trs} TRs are longer than run {run.name} of {run.subject} "
                f"with its {run.n_trs} TRs; set windows.n_trs to {run.n_trs} or less"
            )


class WindowLoader:
    """Reader of windows from a prepared dataset.

    Parameters
    ----------
    prepared : Prepared
        The dataset; its audio and responses are memory-mapped.
    read_out : ReadOut
        Its delays and sampling determine the audio needed for a window.
    stage : StageGeometry
        Stage of the read-out.
    input_scale : float
        Factor applied to audio in [-1, 1], from the network's checkpoint.
    columns : sequence of int, optional
        Columns of the responses that are targets; all by default.
    frozen : FrozenStages, optional
        Frames to return instead of audio.
    donors : mapping, optional
        Runs with permuted responses, see :mod:`training.data.control`.
    """

    def __init__(
        self,
        prepared: Prepared,
        read_out: ReadOut,
        stage: StageGeometry,
        input_scale: float,
        columns: Sequence[int] | None = None,
        frozen: FrozenStages | None = None,
        donors: Mapping[Run, Donor] | None = None,
    ) -> None:
        self.prepared = prepared
        self.read_out = read_out
        self.stage = stage
        self.scale = np.float32(input_scale / INT16_SCALE)
        self.frozen = frozen
        self.donors = donors or {}
        every = columns is None or list(columns) == list(range(prepared.n_targets))
        self.columns = slice(None) if every else list(columns or ())
        self._audio: dict[str, np.ndarray] = {}

    def batches(self, windows: Sequence[Window]) -> Iterator[Batch]:
        """Windows in as few batches as their shapes allow."""
        groups: dict[tuple[str, int, int, float, int], list[tuple[Window, int]]] = {}
        for window in windows:
            context, start_sample, n_samples, start = self._extent(window)
            key = (window.run.subject, window.n_trs, n_samples, start, context)
            groups.setdefault(key, []).append((window, start_sample))
        for (_, _, n_samples, start, context), members in groups.items():
            own = tuple(window for window, _ in members)
            pieces = [
                self._sound(window.run.stimulus, first_sample, n_samples)
                for window, first_sample in members
            ]
            yield Batch(own, torch.stack(pieces), n_samples, self.bold_of(own), start, context)

    def _sound(self, stimulus: str, first_sample: int, n_samples: int) -> Tensor:
        """Samples of a stimulus, zero past its end; or frames of the frozen stages."""
        if self.frozen is not None:
            stage = self.frozen.stage
            first = first_sample // stage.hop  # an integer: windows begin on the deepest hop
            return self.frozen.frames(stimulus)[:, first : first + stage.n_frames(n_samples)]
        piece = self.audio(stimulus)[first_sample : first_sample + n_samples]
        sound = np.zeros(n_samples, dtype=np.float32)
        np.multiply(piece, self.scale, out=sound[: len(piece)])
        return torch.from_numpy(sound)

    def audio(self, stimulus: str) -> np.ndarray:
        if stimulus not in self._audio:
            self._audio[stimulus] = self.prepared.audio(stimulus)
        return self._audio[stimulus]

    def bold(self, run: Run) -> np.ndarray:
        """Responses of a run, the chosen columns; memory-mapped if these are all."""
        return self._rows(run, 0, run.n_trs)

    def responses(self, runs: Sequence[Run]) -> Sequence[np.ndarray]:
        """Responses of several runs, each read on demand."""
        return _Responses(self, runs)

    def bold_of(self, windows: Sequence[Window]) -> Tensor:
        """Responses of equally long windows, ``(n_windows, n_trs, n_targets)``."""
        pieces = [self._rows(w.run, w.first, w.first + w.n_trs) for w in windows]
        return torch.from_numpy(np.stack(pieces))

    def _rows(self, run: Run, first: int, stop: int) -> np.ndarray:
        donor = self.donors.get(run, Donor(run))
        table = self.prepared.bold(donor.run)
        if donor.shift:  # as np.roll
            return table[(np.arange(first, stop) - donor.shift) % len(table)][:, self.columns]
        return table[first:stop, self.columns]

    def context(self, window: Window) -> int:
        """Number of TRs before a window that its predictions depend on."""
        if self.read_out.tr_sampling == "crop":  # windows are independent
            return 0
        return min(window.first, self.read_out.n_delays - 1)

    def _extent(self, window: Window) -> tuple[int, int, int, float]:
        """Context in TRs, first sample, number of samples, onset of the first TR in them."""
        run, rate = window.run, self.prepared.info.sample_rate
        n_audio = len(self.audio(run.stimulus))
        if self.read_out.tr_sampling == "mean":
            return 0, 0, max(n_audio, self.stage.shortest_input()), 0.0
        if self.read_out.tr_sampling == "crop":
            per_tr = math.floor(rate * run.tr)
            first_sample = round(run.start * rate) + window.first * per_tr
            n_samples = max(window.n_trs * per_tr, self.stage.shortest_input(window.n_trs))
            return 0, first_sample, n_samples, 0.0
        context = self.context(window)
        onset = (run.start + (window.first - context) * run.tr) * rate
        last_onset = (run.start + (window.first + window.n_trs - 1) * run.tr) * rate
        margin = self.stage.receptive_field // 2 + 1 + self.stage.hop
        hops = math.floor((onset - margin) / self.stage.hop)
        first_sample = max(0, hops * self.stage.hop)
        stop_sample = min(n_audio, math.ceil(last_onset + margin))
        n_samples = max(stop_sample - first_sample, self.stage.shortest_input())
        return context, first_sample, n_samples, (onset - first_sample) / rate


class _Responses(Sequence[np.ndarray]):
    """Tables of runs, read on demand."""

    def __init__(self, loader: WindowLoader, runs: Sequence[Run]) -> None:
        self.loader, self.runs = loader, runs

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return _Responses(self.loader, self.runs[place])
        return self.loader.bold(self.runs[place])

"""Features of embeddings: expressions of stages and poolings over time, and their computation.

Both kinds of embeddings are given as short expressions:

- scene: ``"conv4+conv7"`` takes the mean over time of each stage;
  ``"conv4:mean,std+conv7:max"`` names the poolings. The embedding is the concatenation in the
  order written. Besides mean, std (population) and max there is change1, change2, ...: the root
  mean square of the difference between frames that are 1, 2, ... frames apart, which measures
  how fast a stage's activations vary. (Several of them sample the structure function, which
  is equivalent to the modulation spectrum.)
- timestamps: ``"conv4"`` or ``"conv4+conv7"``. The frames are those of the stage with the
  smallest hop; slower stages are interpolated linearly to its times.

Frames of a clip arrive segment by segment. :class:`ScenePool` reduces them to one vector, with
memory that does not grow with the clip; :class:`FrameTrack` keeps them and interpolates them at any
time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hear_brainsoundnet.geometry import StageGeometry, frames_at
from hear_brainsoundnet.modes import is_traced

POOLINGS = ("mean", "std", "max")
_CHANGE = re.compile(r"change([1-9][0-9]{0,2})")

FRAMES_PER_BLOCK = 4096  # interpolated at a time


@dataclass(frozen=True)
class Preset:
    """A named pair of expressions, with a target level.

    Attributes
    ----------
    scene, timestamps : str
        See above.
    level : float
        Target of the moving normalisation (:mod:`hear_brainsoundnet.level`); 0 disables it.
    """

    scene: str
    timestamps: str
    level: float


PRESETS = {
    # The published choice (Freteault et al. 2025): conv7 averaged over time, conv4 frames.
    "paper": Preset(scene="conv7", timestamps="conv4", level=0),
    # Chosen on development tasks, not on reported ones: benchmarks/default_checkpoint/results.md.
    # Frames of conv2 are 1.45 ms apart, so that its changes span lags of 1.45 to 93 ms: pitch and
    # roughness. The level is 23 decibels below full scale, that of broadcasts (EBU R 128) and
    # typical of the checkpoint's training data.
    "default": Preset(
        scene="conv2:mean,std,max,change1,change2,change4,change8,change16,change32,change64"
        "+conv3:mean,std,max,change1+conv4:mean,std,max,change1+conv5:mean,std",
        timestamps="conv3+conv4",
        level=0.07,
    ),
}


@dataclass(frozen=True)
class Term:
    """One stage of an expression with its poolings (none for timestamps)."""

    stage: str
    poolings: tuple[str, ...] = ()


def lag_of(pooling: str) -> int:
    """Lag in frames of a change pooling; 0 for the other poolings.

    Examples
    --------
    >>> lag_of("change16"), lag_of("mean")
    (16, 0)
    """
    match = _CHANGE.fullmatch(pooling)
    return int(match[1]) if match else 0


def find_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises
    ------
    ValueError
        If there is no preset of that name.

    Examples
    --------
    >>> find_preset("paper").scene
    'conv7'
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(map(repr, PRESETS))}")
    return PRESETS[name]


def parse_scene(expression: str, stages: Mapping[str, StageGeometry]) -> tuple[Term, ...]:
    """Parse a scene expression.

    Parameters
    ----------
    expression : str
        ``stage[:pooling[,pooling...]]`` joined by ``+``; poolings are {"mean", "std", "max",
        "change1" to "change999"}, "mean" by default.
    stages : mapping of str to StageGeometry
        The network's stages.

    Raises
    ------
    ValueError
        For an unknown stage or pooling, an empty term, or a stage or pooling named twice.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> parse_scene("conv4:mean,std+conv7", stage_geometry())
    (Term(stage='conv4', poolings=('mean', 'std')), Term(stage='conv7', poolings=('mean',)))
    """
    terms = []
    for text in _split(expression, "+", "scene"):
        stage, colon, poolings_text = text.partition(":")
        poolings = _split(poolings_text, ",", "scene") if colon else ["mean"]
        for pooling in poolings:
            if pooling not in POOLINGS and not lag_of(pooling):
                raise ValueError(
                    f"unknown pooling {pooling!r} in scene={expression!r}; "
                    f"choose from {', '.join(POOLINGS)}, change1 to change999"
                )
        _check_unique(poolings, expression, "scene")
        terms.append(Term(stage.strip(), tuple(poolings)))
    _check_stages([term.stage for term in terms], stages, expression, "scene")
    return tuple(terms)


def parse_timestamps(expression: str, stages: Mapping[str, StageGeometry]) -> tuple[Term, ...]:
    """Parse a timestamps expression: stage names joined by ``+``.

    Raises
    ------
    ValueError
        For an unknown stage, a pooling (frames are not pooled), an empty term, or a stage named
        twice.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> [term.stage for term in parse_timestamps("conv4+conv5", stage_geometry())]
    ['conv4', 'conv5']
    """
    names = _split(expression, "+", "timestamps")
    for name in names:
        if ":" in name:
            raise ValueError(
                f"timestamps={expression!r} names a pooling; frames are not pooled, "
                f"write {name.partition(':')[0]!r}"
            )
    _check_stages(names, stages, expression, "timestamps")
    return tuple(Term(name) for name in names)


def _split(text: str, separator: str, argument: str) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(
            f"{argument} must be a string such as 'conv4+conv7', got {type(text).__name__}"
        )
    parts = [part.strip() for part in text.split(separator)]
    if not all(parts):
        raise ValueError(
            f"{argument}={text!r} has an empty part; write stages joined by '+', "
            f"such as 'conv4+conv7'"
        )
    return parts


def _check_stages(
    names: list[str], stages: Mapping[str, StageGeometry], expression: str, argument: str
) -> None:
    for name in names:
        if name not in stages:
            raise ValueError(
                f"unknown stage {name!r} in {argument}={expression!r}; "
                f"choose from {', '.join(stages)}"
            )
    _check_unique(names, expression, argument)


def _check_unique(names: list[str], expression: str, argument: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{argument}={expression!r} names {', '.join(repeated)} more than once")


class ScenePool:
    """The poolings of one stage over time; see :mod:`hear_brainsoundnet.features`.

    Sums are kept in float64, so that the result does not depend on the segmentation.

    Examples
    --------
    >>> pool = ScenePool(Term("conv4", ("mean", "std", "change1")))
    >>> pool.add(torch.tensor([[[1.0, 2.0]]]))
    >>> pool.add(torch.tensor([[[6.0]]]))
    >>> pool.result()
    tensor([[3.0000, 2.1602, 2.9155]], dtype=torch.float64)
    """

    def __init__(self, term: Term) -> None:
        self.term = term
        self.n_frames: Tensor | int = 0
        self.sum: Tensor | float = 0.0
        self.sum_of_squares: Tensor | float = 0.0
        self.max: Tensor | None = None
        lags = {pooling: lag_of(pooling) for pooling in term.poolings}
        self.changes = {pooling: Changes(lag) for pooling, lag in lags.items() if lag}
        self.needs_mean = "mean" in term.poolings
        # With fewer frames than the lag, the deviation estimates how much frames differ.
        self.needs_std = "std" in term.poolings or bool(self.changes)

    def add(self, frames: Tensor, numbers: Tensor | None = None) -> None:
        """Add frames, shape ``(n_sounds, channels, n_frames)``; possibly none.

        For clips of unequal length `numbers`, shape ``(n_sounds,)``, gives the number of valid
        frames; the rest are zero, and all frames are added at once.
        """
        if not is_traced() and frames.shape[2] == 0:
            return
        self.n_frames = self.n_frames + (frames.shape[2] if numbers is None else numbers[:, None])
        if self.needs_mean or self.needs_std:
            frames64 = frames.double()
            self.sum = self.sum + frames64.sum(dim=2)
            if self.needs_std:
                self.sum_of_squares = self.sum_of_squares + frames64.square().sum(dim=2)
        if "max" in self.term.poolings:
            highest = frames.amax(dim=2).double()
            self.max = highest if self.max is None else torch.maximum(self.max, highest)
        for changes in self.changes.values():
            changes.add(frames, numbers)

    def result(self) -> Tensor:
        """The concatenated poolings, shape ``(n_sounds, channels * n_poolings)``, float64."""
        return torch.cat([self._pooled(pooling) for pooling in self.term.poolings], dim=1)

    def _pooled(self, pooling: str) -> Tensor:
        if pooling == "max":
            assert self.max is not None
            return self.max
        mean = self.sum / self.n_frames
        assert isinstance(mean, Tensor)
        if pooling == "mean":
            return mean
        variance = self.sum_of_squares / self.n_frames - mean.square()
        if pooling in self.changes:
            variance = self.changes[pooling].mean_square(self.n_frames, variance)
        varies = variance > 0
        # A constant channel has standard deviation 0, with gradient 0 rather than NaN.
        return torch.where(varies, torch.where(varies, variance, 1.0).sqrt(), 0.0)


class Changes:
    """Squared differences between frames that are `lag` apart, summed as frames arrive."""

    def __init__(self, lag: int) -> None:
        self.lag = lag
        self.sum: Tensor | float = 0.0
        self.last: Tensor | None = None  # up to `lag` frames, for the next ones

    def add(self, frames: Tensor, numbers: Tensor | None = None) -> None:
        """As :meth:`ScenePool.add`."""
        lag = self.lag
        if numbers is not None or is_traced():
            # For any length without a branch: frames with no partner `lag` later are set to 0.
            n_frames = frames.shape[2]
            within = torch.arange(n_frames, device=frames.device) + lag
            within = within < (n_frames if numbers is None else numbers[:, None, None])
            later = torch.nn.functional.pad(frames, (0, lag))[:, :, lag:]
            self.sum = torch.where(within, later - frames, 0.0).square().sum(dim=2).double()
            return
        joined = frames if self.last is None else torch.cat([self.last, frames], dim=2)
        if joined.shape[2] > lag:
            # Nothing cancels among squares: within a segment float32 does, in a third of the time.
            squares = (joined[:, :, lag:] - joined[:, :, :-lag]).square_()
            self.sum = self.sum + squares.sum(dim=2).double()
        self.last = joined[:, :, -lag:]

    def mean_square(self, n_frames: Tensor | int, variance: Tensor) -> Tensor:
        """Mean over all pairs; without any, twice the variance, as for independent frames."""
        n_pairs = n_frames - self.lag
        if isinstance(n_pairs, Tensor):
            return torch.where(n_pairs > 0, self.sum / n_pairs.clamp_min(1), 2 * variance)
        found = self.sum / n_pairs if n_pairs > 0 else 2 * variance
        assert isinstance(found, Tensor)
        return found


def pooled(frames: Tensor, numbers: Tensor | None, term: Term) -> Tensor:
    """The poolings of complete frames; see :meth:`ScenePool.add`."""
    pool = ScenePool(term)
    pool.add(frames, numbers)
    return pool.result()


class FrameTrack:
    """Frames `first` to `stop` of one stage, counted in the whole clip, kept in order of time."""

    def __init__(self, stage: StageGeometry, first: int, stop: int) -> None:
        self.stage = stage
        self.first, self.stop = first, stop
        self.frames: Tensor | None = None

    def add(self, frames: Tensor, position: int) -> None:
        """Add frames ``(n_sounds, channels, n_frames)``, the first one at `position`."""
        if self.frames is None:
            n_kept = self.stop - self.first
            self.frames = frames.new_empty(frames.shape[0], n_kept, frames.shape[1])
        begin = max(position, self.first)
        end = min(position + frames.shape[2], self.stop)
        if begin < end:
            own = frames[:, :, begin - position : end - position]
            self.frames[:, begin - self.first : end - self.first] = own.transpose(1, 2)

    def kept(self) -> Tensor:
        """The frames themselves, shape ``(n_sounds, n_kept, channels)``."""
        assert self.frames is not None
        return self.frames

    def write_at(self, times: Tensor, out: Tensor) -> None:
        """Frames at `times`, linearly interpolated, the first and last held beyond the ends.

        `times` are in samples at the network's rate, float64, ``(n_times,)``. `out` is
        ``(n_sounds, n_times, channels)``, a view of a larger tensor, so that nothing of the clip's
        length is copied.
        """
        frames = self.kept()
        for start in range(0, len(times), FRAMES_PER_BLOCK):
            block = slice(start, start + FRAMES_PER_BLOCK)
            out[:, block] = frames_at(frames, self.stage, times[block], first=self.first)

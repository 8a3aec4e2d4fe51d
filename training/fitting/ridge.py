"""Ridge read-out: the closed-form solution on frozen activations.

For target `v` with delayed, centred and scaled features `X` (a row per TR, the delays of K channels
side by side), the weights minimise

    || y_v - X w_v - b_v ||² + alpha_v || w_v ||²

Channels are divided by their standard deviation, or by the root mean square over those of their
stage if theirs is smaller: otherwise noise in rarely active units would be amplified, and a unit
active only in the test data would spoil a prediction. `alpha_v`, the same for all stages that are
read, is selected for each target by cross-validation over the training episodes. The solution
becomes the initial weights of the read-out, so that fine-tuning starts from the frozen baseline.

With a fixed haemodynamic response (:mod:`training.fitting.response`) `X` holds the channels
convolved with it. If it is a delay, there is a regression for each, and each target takes the one
with the smallest error in the cross-validation.

Delayed features are computed a few runs at a time and accumulated
(:mod:`training.fitting.gram_ridge`): 36 hours with 5,120 features take about as much memory as ten
minutes. Targets are solved for in blocks, so that besides the weights nothing grows with them.

For a read-out of rank R the weights of all targets together are replaced by those of rank R with
the nearest fitted values (:func:`training.fitting.gram_ridge.reduce_rank`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hear_brainsoundnet.encoder import output_layer
from training.data.prepared import Run
from training.fitting.gram_ridge import Rows, Shape, reduce_rank, solve_in_blocks, solver_of
from training.fitting.response import channel_weights, fixed_response

logger = logging.getLogger(__name__)

STRENGTHS = np.logspace(-3, 5, 81)  # per row, for standardised features
EVERY = 5  # of these is tried first, two in a decade
N_FOLDS = 5
ROWS_AT_ONCE = 2048  # approximate; with 5,120 features 84 MB in float64


# For each fold, the rows that are fitted and those that are held out.
Folds = list[tuple[NDArray[np.int_], NDArray[np.int_]]]


def delayed(features: NDArray[np.float32], n_delays: int) -> NDArray[np.float32]:
    """Features ``(n_trs, n_channels)`` of one run to ``(n_trs, n_delays * n_channels)``.

    Column block `k` holds the features of ``n_delays - 1 - k`` TRs before, in the order of the
    read-out's kernel; before the run there are zeros.

    Examples
    --------
    >>> delayed(np.array([[1.0], [2.0], [3.0]], dtype=np.float32), 2)
    array([[0., 1.],
           [1., 2.],
           [2., 3.]], dtype=float32)
    """
    n_trs = len(features)
    padded = np.concatenate([np.zeros((n_delays - 1, features.shape[1]), np.float32), features])
    return np.concatenate([padded[k : k + n_trs] for k in range(n_delays)], axis=1)


def convolved(features: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features ``(n_trs, n_channels)`` of one run, convolved with a kernel in the read-out's order.

    Examples
    --------
    >>> impulse = np.array([[1.0], [0.0], [0.0]], dtype=np.float32)
    >>> convolved(impulse, np.array([3.0, 2.0, 1.0], dtype=np.float32)).T
    array([[1., 2., 3.]], dtype=float32)
    """
    out = np.zeros_like(features)
    for lag, weight in enumerate(kernel[::-1]):
        if weight and lag < len(features):
            out[lag:] += weight * features[: len(features) - lag]
    return out


def folds_by_episode(episodes: Sequence[str]) -> Folds:
    """Up to five folds of whole episodes; of consecutive rows if there is one episode.

    Parameters
    ----------
    episodes : sequence of str
        The episode of each row.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    from sklearn.model_selection import GroupKFold, KFold

    rows, n_episodes = np.zeros(len(episodes)), len(set(episodes))
    if len(episodes) < 2:
        raise ValueError(f"cross-validation needs 2 rows or more, got {len(episodes)}")
    if n_episodes > 1:
        return list(GroupKFold(min(N_FOLDS, n_episodes)).split(rows, groups=list(episodes)))
    return list(KFold(min(N_FOLDS, len(episodes))).split(rows))


def solve_read_out(
    head: nn.Module,
    runs: Sequence[Run],
    features: Sequence[NDArray[np.float32]],
    responses: Sequence[NDArray[np.float32]],
    widths: Sequence[int] = (),
) -> None:
    """Set the weights of a read-out to the ridge solution.

    Parameters
    ----------
    head : Module
        The read-out of :func:`hear_brainsoundnet.encoder.new_head`; changed in place, and the
        delays of its response if these are selected.
    runs : sequence of Run
        Training runs; their episodes are the folds of the cross-validation.
    features, responses : sequences of array
        For each run ``(n_trs, n_channels)`` and ``(n_trs, n_targets)``; each is accessed several
        times and not kept. Targets with NaN get a prediction of zero.
    widths : sequence of int
        Numbers of channels of the stages that are read, which have scales of their own; by default
        they are one stage.
    """
    table = partial(_DelayedRows, runs, features, responses, widths)
    with torch.no_grad():
        for parameter in head.parameters():  # what is not solved for is zero
            parameter.zero_()
        if isinstance(head, nn.Sequential):
            _low_rank(head, table(_delays_of(head[0])))
            return
        assert isinstance(head, nn.Conv1d)
        assert head.bias is not None
        response = fixed_response(head)
        if response is None:
            for columns, weights, bias, _ in _solve(table(_delays_of(head))):
                head.weight[columns] = _kernels(weights, head.in_channels)
                head.bias[columns] = torch.from_numpy(bias).float()
            return
        kernels = response.kernels[:1].cpu().numpy()
        if response.is_selected:
            kernels = np.eye(head.kernel_size[0], dtype=np.float32)[::-1]  # the shortest first
        chosen = np.zeros(head.out_channels, dtype=int)
        score = np.full(head.out_channels, -np.inf)
        for number, kernel in enumerate(kernels):
            for columns, weights, bias, scores in _solve(table(partial(convolved, kernel=kernel))):
                better = scores > score[columns]
                own = columns[better]
                chosen[own], score[own] = number, scores[better]
                channel_weights(head)[own] = _kernels(weights[:, better], head.in_channels)
                head.bias[own] = torch.from_numpy(bias[better]).float()
        response.kernels.copy_(torch.from_numpy(kernels[chosen]))


def _low_rank(head: nn.Sequential, rows: _DelayedRows) -> None:
    """Set both layers of a read-out of low rank."""
    first, last = head[0], output_layer(head)
    assert isinstance(first, nn.Conv1d)
    assert last.bias is not None
    there = np.flatnonzero(rows.there)
    if not len(there):
        return
    solver = solver_of(rows.batches, rows.shape)
    solved = solve_in_blocks(solver, STRENGTHS * rows.shape.n_rows, EVERY)
    weights = [found.weights.astype(np.float32) for _, found in solved]
    components, loadings = reduce_rank(weights, solver, first.out_channels)
    components /= rows.scale[:, None]
    first.weight.copy_(_kernels(components, first.in_channels))
    last.weight[there] = _kernels(loadings, last.in_channels)
    bias = rows.offset - rows.mean @ components @ loadings
    last.bias[there] = torch.from_numpy(bias).float()


def _kernels(weights: NDArray[np.float64], n_channels: int) -> torch.Tensor:
    """Weights ``(n_delays * n_channels, n)`` as those of a convolution, ``(n, n_channels,
    n_delays)``."""
    blocks = weights.reshape(len(weights) // n_channels, n_channels, weights.shape[1])
    return torch.from_numpy(blocks.transpose(2, 1, 0).astype(np.float32))


Expand = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Values = NDArray[np.float64]


def _delays_of(layer: nn.Module) -> Expand:
    assert isinstance(layer, nn.Conv1d)
    return partial(delayed, n_delays=layer.kernel_size[0])


def _solve(
    rows: _DelayedRows,
) -> Iterator[tuple[NDArray[np.int_], Values, Values, Values]]:
    """For blocks of targets their columns, weights ``(n_features, n)``, bias and score of the
    cross-validation ``(n,)``."""
    there = np.flatnonzero(rows.there)
    if len(there):
        solver = solver_of(rows.batches, rows.shape)
        for targets, found in solve_in_blocks(solver, STRENGTHS * rows.shape.n_rows, EVERY):
            weights = found.weights / rows.scale[:, None]
            bias = rows.offset[targets] - rows.mean @ weights
            yield there[targets], weights, bias, found.scores


class _DelayedRows:
    """The rows of all runs, delayed or convolved, centred and scaled, in batches."""

    def __init__(
        self,
        runs: Sequence[Run],
        features: Sequence[NDArray[np.float32]],
        responses: Sequence[NDArray[np.float32]],
        widths: Sequence[int],
        expand: Expand,
    ) -> None:
        self.features, self.responses, self.expand = features, responses, expand
        episodes = [run.episode for run, table in zip(runs, features, strict=True) for _ in table]
        if len(set(episodes)) == 1:
            logger.warning("one training episode only: the ridge's folds lie within it")
        folds = folds_by_episode(episodes)
        self.fold_of_row = np.zeros(len(episodes), dtype=np.int64)
        for number, (_, held_out) in enumerate(folds):
            self.fold_of_row[held_out] = number
        self.mean, self.scale = self._moments(widths or [features[0].shape[1]])
        self.there, self.offset = self._known_targets()
        self.shape = Shape(len(episodes), len(self.mean), int(self.there.sum()), len(folds))

    def batches(self, targets: slice) -> Iterator[Rows]:
        """The source of a regression, see :mod:`training.fitting.gram_ridge`."""
        columns = np.flatnonzero(self.there)[targets]
        for rows, runs in self._groups():
            x = (self._delayed(runs) - self.mean) / self.scale
            if len(columns):
                y = np.concatenate([self.responses[i][:, columns] for i in runs]).astype(float)
                y -= self.offset[targets]
            else:
                y = np.zeros((len(x), 0))
            of_row = self.fold_of_row[rows]
            for fold in np.unique(of_row):
                own = of_row == fold
                yield Rows(int(fold), x[own], y[own])

    def _groups(self) -> Iterator[tuple[slice, list[int]]]:
        """Groups of rows, and their runs."""
        first, runs, n_rows = 0, [], 0
        for number, table in enumerate(self.features):
            runs.append(number)
            n_rows += len(table)
            if n_rows >= ROWS_AT_ONCE or number == len(self.features) - 1:
                yield slice(first, first + n_rows), runs
                first, runs, n_rows = first + n_rows, [], 0

    def _delayed(self, runs: Sequence[int]) -> NDArray[np.float32]:
        return np.concatenate([self.expand(self.features[i]) for i in runs])

    def _moments(self, widths: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and scale of every column."""
        n_rows = len(self.fold_of_row)
        groups = [runs for _, runs in self._groups()]
        mean = sum(self._delayed(runs).sum(axis=0, dtype=np.float64) for runs in groups) / n_rows
        squares = sum(np.square(self._delayed(runs) - mean).sum(axis=0) for runs in groups)
        deviation = np.sqrt(squares / n_rows)
        scale = deviation.reshape(-1, sum(widths))  # of each delay
        for stage in np.split(scale, np.cumsum(widths)[:-1], axis=1):  # views
            least = max(float(np.sqrt(np.mean(stage**2))), 1e-12)
            np.maximum(stage, least, out=stage)
        return np.asarray(mean), scale.ravel()

    def _known_targets(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Targets without NaN, and their means."""
        total, there = np.zeros(self.responses[0].shape[1]), np.ones((), dtype=bool)
        for table in self.responses:
            there = there & np.isfinite(table).all(axis=0)
            total += table.sum(axis=0, dtype=np.float64)
        return there, total[there] / len(self.fold_of_row)

"""Block permutation: the prediction is cut into blocks, which are reordered.

Blocks stay intact, so that autocorrelation up to about the length of a block is preserved; slower
fluctuations are broken up, and every joint of two blocks is a jump. It tests whether the prediction
is better in place than with its blocks at other times of the same run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class BlockPermutation:
    """Blocks of `block_trs` TRs; the remainder is a shorter block that is permuted like the others.

    Attributes
    ----------
    block_trs : int
        Length of a block: longer than the autocorrelation of both signals, and short enough for
        many orders.

    Examples
    --------
    >>> null = BlockPermutation(block_trs=2)
    >>> null.n_possible(5)
    6
    >>> null.surrogate(np.arange(5.0)[:, None], np.array([2, 0, 1]))[:, 0]
    array([4., 0., 1., 2., 3.])
    """

    block_trs: int

    def n_blocks(self, n_trs: int) -> int:
        """Number of blocks of a run, including the shorter one.

        Raises
        ------
        ValueError
            If there are fewer than two full ones.
        """
        if not 1 <= self.block_trs <= n_trs // 2:
            raise ValueError(
                f"a run of {n_trs} TRs has no two blocks of {self.block_trs} TRs; expected "
                f"block_trs of 1 to {n_trs // 2}: give shorter blocks, or leave runs out that are "
                "this short"
            )
        return -(-n_trs // self.block_trs)

    def n_possible(self, n_trs: int) -> int:
        """Number of orders of a run's blocks, including the original one."""
        return math.factorial(self.n_blocks(n_trs))

    def draw(self, n_trs: int, n_draws: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Random orders, ``(n_draws, n_blocks)``: which block comes first, second, ..."""
        in_order = np.arange(self.n_blocks(n_trs))
        return generator.permuted(np.tile(in_order, (n_draws, 1)), axis=1)

    def surrogate(
        self, predicted: NDArray[np.float64], draw: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The surrogate of one draw, ``(n_trs, n_targets)``."""
        starts = [block * self.block_trs for block in draw]
        return np.concatenate([predicted[start : start + self.block_trs] for start in starts])

    def cross_products(
        self,
        measured: NDArray[np.float64],
        predicted: NDArray[np.float64],
        draws: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """``sum_t measured[t] surrogate[t]`` per draw and target, ``(n_draws, n_targets)``.

        A block in slot `s` begins at TR ``s * block_trs`` or, after the shorter block, ``block_trs
        - n_left`` TRs earlier. So all possible sums are in two tables of products, block by slot,
        and a draw is a sum over slots.
        """
        n_trs, n_targets = measured.shape
        n_whole, n_left = divmod(n_trs, self.block_trs)
        blocks = _blocks(predicted[: n_trs - n_left], n_whole)
        early = _blocks(measured[: n_trs - n_left], n_whole)
        n_blocks = n_whole + (n_left > 0)
        products = np.zeros((2, n_blocks, n_blocks, n_targets))  # short block passed, block, slot
        products[0, :n_whole, :n_whole] = _block_products(blocks, early)
        if n_left:
            late = _blocks(measured[n_left:], n_whole)
            products[1, :n_whole, 1:] = _block_products(blocks, late)
            for slot in range(n_blocks):
                start = slot * self.block_trs
                products[0, n_whole, slot] = (
                    measured[start : start + n_left] * predicted[n_trs - n_left :]
                ).sum(axis=0)
        is_late = np.zeros(len(draws), dtype=np.int64)
        total = np.zeros((len(draws), n_targets))
        for slot in range(n_blocks):
            total += products[is_late, draws[:, slot], slot]
            is_late |= (draws[:, slot] == n_whole).astype(np.int64)
        return total


def _blocks(table: NDArray[np.float64], n_blocks: int) -> NDArray[np.float64]:
    """``(n_targets, n_blocks, block_trs)``."""
    return np.moveaxis(table.reshape(n_blocks, -1, table.shape[1]), 2, 0)


def _block_products(blocks: NDArray[np.float64], slots: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n_blocks, n_slots, n_targets)``."""
    return np.moveaxis(blocks @ np.swapaxes(slots, 1, 2), 0, 2)

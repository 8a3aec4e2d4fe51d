"""Numbers of simulated experiments: for a test, or for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SizeName = Literal["small", "full"]


@dataclass(frozen=True)
class Size:
    """Numbers of repetitions.

    Attributes
    ----------
    null_experiments, discovery_experiments : int
        Simulated experiments for each setting.
    shuffle_experiments : int
        Maximum for the shuffle of TRs, which is slow, and clearly invalid after a few.
    n_settings : int
        Number of settings with p values: the first ones.
    ceiling_targets, interval_targets : int
        Simulated targets.
    power_experiments, power_targets : int
        Simulated comparisons of two models for each setting, and their targets.
    """

    null_experiments: int
    discovery_experiments: int
    shuffle_experiments: int
    n_settings: int
    ceiling_targets: int
    interval_targets: int
    power_experiments: int
    power_targets: int


SIZES: Mapping[SizeName, Size] = {
    "small": Size(20, 16, 5, 2, 400, 750, 1, 40),
    "full": Size(100, 250, 40, 8, 2000, 8000, 3, 210),
}

"""Inference on prediction scores: nulls, p values, corrections, noise ceilings, intervals,
comparisons.

Everything here is independent of files and models: a run is a pair ``(measured, predicted)`` of
tables ``(n_trs, n_targets)``.

Choice of the null
------------------
BOLD signals and predictions are autocorrelated, and two autocorrelated signals correlate by chance
far more than two signals with independent TRs. A null has to preserve the autocorrelation and break
the relation. All nulls here change the prediction within runs and leave BOLD as measured.

- "circular_shift": is the prediction better in place than at another time of the run? Preserves
  everything about the prediction except its timing. The default for time series.
- "phase_randomised": is it better than another signal of the same spectrum? Preserves the spectrum
  exactly, but not the shape of events. For a single run, which has no more shifts than TRs, often
  too few for a correction over many targets.
- "block_permutation": is it better in place than with its blocks (a minute each) in another order?
  Breaks fluctuations slower than a block, so it is too liberal where both signals are slow.
- "shuffle": is it better than with its rows in any order? For responses to separate sounds. Invalid
  for time series.

All of them assume BOLD without drift, because a drift's ends do not match: remove it first, as
preparation does. Measured false positive rates: benchmarks/calibration/results.md.

A significant prediction means that its timing fits, not why. Whether the loudness of the sound or
an untrained network predicts as well is a question for a comparison of models (``compare_runs``).
"""

from training.statistics.intervals import Interval, bootstrap_interval
from training.statistics.moments import Runs, ScoreName
from training.statistics.noise_ceiling import (
    Ceiling,
    fraction_of_ceiling,
    inter_subject_correlation,
    repeats_ceiling,
    spearman_brown,
)
from training.statistics.nulls import NullScores, null_scores
from training.statistics.p_values import (
    Correction,
    benjamini_hochberg,
    benjamini_yekutieli,
    check_permutations,
    family_wise,
    largest_scores,
    p_of_largest,
    p_values,
    permutations_needed,
    smallest_p,
)
from training.statistics.paired import PairedComparison, compare_runs, smallest_wilcoxon_p
from training.statistics.pooling import Pooling, pool, pooled_scores
from training.statistics.surrogates import BLOCK_TRS, MIN_SHIFT, Null

__all__ = [
    "BLOCK_TRS",
    "MIN_SHIFT",
    "Ceiling",
    "Correction",
    "Interval",
    "Null",
    "NullScores",
    "PairedComparison",
    "Pooling",
    "Runs",
    "ScoreName",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "bootstrap_interval",
    "check_permutations",
    "compare_runs",
    "family_wise",
    "fraction_of_ceiling",
    "inter_subject_correlation",
    "largest_scores",
    "null_scores",
    "p_of_largest",
    "p_values",
    "permutations_needed",
    "pool",
    "pooled_scores",
    "repeats_ceiling",
    "smallest_p",
    "smallest_wilcoxon_p",
    "spearman_brown",
]

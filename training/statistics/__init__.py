"""What scores are worth: nulls, p values, corrections, noise ceilings, intervals, comparisons.

Nothing here knows of files or models: a run is a pair ``(measured, predicted)`` of tables
``(n_trs, n_targets)``.

Which null asks what
--------------------
BOLD is slow and so are predictions of it, and two slow signals correlate by chance far more than
two signals whose TRs are independent. A null has to keep the slowness and break the relation. All
of these change the prediction within runs and leave BOLD as it was measured.

- "circular_shift": is the prediction better in place than at another time of the run? Keeps
  everything about the prediction but its timing. The one to take for time series.
- "phase_randomised": is it better than another signal of the same spectrum? Keeps smoothness
  exactly, but not the shape of events. The one to take for a single run, which has no more shifts
  than TRs, often too few for a correction over many targets.
- "block_permutation": is it better in place than with its pieces (a minute each) in another order?
  Breaks what is slower than a piece, so it is passed too easily where both signals are slow.
- "shuffle": is it better than with its rows in any order? For responses to separate sounds. For
  time series it is wrong by a wide margin: never use it there.

All of them need BOLD without drift, because a drift's two ends do not meet: remove it first, as
preparation does. How often each is wrong: benchmarks/calibration/results.md.

A null of predictions says that the timing fits, not why. That the sound's loudness alone would do
as well, or an untrained network, is for a comparison of models (``compare_runs``) to say.
"""

from training.statistics.corrections import (
    Correction,
    benjamini_hochberg,
    benjamini_yekutieli,
    family_wise,
)
from training.statistics.enough_permutations import check_permutations, permutations_needed
from training.statistics.inter_subject import inter_subject_correlation
from training.statistics.intervals import Interval, bootstrap_interval
from training.statistics.moments import Runs, ScoreName
from training.statistics.noise_ceiling import (
    Ceiling,
    fraction_of_ceiling,
    repeats_ceiling,
    spearman_brown,
)
from training.statistics.nulls import BLOCK_TRS, MIN_SHIFT, Null, NullScores, null_scores
from training.statistics.p_values import p_values, smallest_p
from training.statistics.paired import PairedComparison, compare_runs, smallest_wilcoxon_p
from training.statistics.pooling import Pooling, pool, pooled_scores

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
    "null_scores",
    "p_values",
    "permutations_needed",
    "pool",
    "pooled_scores",
    "repeats_ceiling",
    "smallest_p",
    "smallest_wilcoxon_p",
    "spearman_brown",
]

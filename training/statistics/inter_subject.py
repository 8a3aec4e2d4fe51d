"""Inter-subject correlation: agreement of each subject with the mean of the others.

It is not a noise ceiling. Write the responses of two subjects to one stimulus as ``s + e1`` and ``s
+ e2`` with equal noise: they correlate by ``rho = var(s) / (var(s) + var(e))``, while a perfect
model of `s` reaches ``sqrt(rho)`` with either, .62 where they correlate by .38. The mean of more
subjects approaches that without reaching it, and a model fitted to one subject may also predict
responses specific to that subject.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.scores import pearson_r

Values = NDArray[np.float64]


def inter_subject_correlation(subjects: NDArray[np.floating]) -> Values:
    """r of each subject with the mean of the others, ``(n_subjects, n_targets)``.

    Leave-one-out inter-subject correlation (Nastase et al. 2019); Nili et al. (2014) call it the
    lower bound of the noise ceiling.

    Parameters
    ----------
    subjects : ndarray
        Responses to the same stimulus, ``(n_subjects, n_trs, n_targets)``, z-scored per subject and
        target if their scales differ; a column with NaN is a target missing in the subject.

    Raises
    ------
    ValueError
        If there is only one subject.

    Examples
    --------
    >>> one = np.array([[0.0], [1.0], [2.0]])
    >>> inter_subject_correlation(np.stack([one, one, -one]))[:, 0]
    array([ 0.,  0., -1.])
    """
    responses = np.asarray(subjects, dtype=np.float64)
    if responses.ndim != 3 or len(responses) < 2:
        raise ValueError(
            "an inter-subject correlation needs responses (n_subjects, n_trs, n_targets) of at "
            f"least two subjects to the same stimulus, got {responses.shape}"
        )
    known: NDArray[np.bool_] = np.asarray(np.isfinite(responses).all(axis=1, keepdims=True))
    total = np.where(known, responses, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    found = []
    for own, is_known in zip(responses, known, strict=True):
        n_others = count - is_known
        with np.errstate(invalid="ignore", divide="ignore"):
            others = np.where(
                n_others > 0, (total - np.where(is_known, own, 0.0)) / n_others, np.nan
            )
        found.append(pearson_r(own, others))
    return np.stack(found)

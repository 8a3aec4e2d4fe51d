"""Names and phrases shared by several sections."""

from __future__ import annotations

from training.evaluation.folders import ComparisonInfo, EvaluationInfo
from training.evaluation.target_scores import ALL

CORRECTIONS = {
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "fwe": "family-wise, by the largest score over targets",
    "none": "not corrected",
}


def brain(subject: str | None) -> str:
    """Name of a subject.

    Examples
    --------
    >>> brain("all"), brain("sub-01")
    ('all subjects together', 'sub-01')
    """
    return "all subjects together" if subject == ALL else str(subject)


def at_level(info: EvaluationInfo | ComparisonInfo) -> str:
    """The significance criterion."""
    if info.correction == "none":
        return f"p ≤ {info.level:g}, not corrected"
    return f"corrected p ≤ {info.level:g} ({CORRECTIONS[info.correction]})"

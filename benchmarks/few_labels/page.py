"""The results page of the few-labels benchmark."""

from __future__ import annotations

from benchmarks.page import ResultsPage

PAGE = ResultsPage(
    "few-labels",
    "Six brain components where labels are few",
    "Whether six predicted responses of auditory cortex serve classification with few examples "
    "better than six numbers that owe nothing to a brain. The [design](design.md) was written "
    "before any of the results.",
    {"few-labels": []},
)

"""The report: one page for people, from what evaluations, comparisons and partitions left."""

from training.report.report import write_report

__all__ = ["write_report"]

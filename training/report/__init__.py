"""HTML report of evaluations, comparisons and partitions."""

from training.report.report import write_report

__all__ = ["write_report"]

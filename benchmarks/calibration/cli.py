"""Simulated experiments with known truth, and their page."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.calibration.page import PAGE
from benchmarks.calibration.sizes import SIZES, SizeName
from benchmarks.program import Benchmark, Named

benchmark = Benchmark("calibration", PAGE.write)
app = benchmark.app
Size = Annotated[SizeName, typer.Option(help="Number of simulated experiments.")]


@benchmark.experiment
def run(size: Size = "full") -> Named:
    """Simulate, estimate, and compare with the truth: takes minutes at full size, on one core."""
    from benchmarks.calibration.estimates import ceilings_document, intervals_document
    from benchmarks.calibration.p_values import discoveries_document, nulls_document

    yield "nulls", nulls_document(SIZES[size])
    yield "discoveries", discoveries_document(SIZES[size])
    yield "ceilings", ceilings_document(SIZES[size])
    yield "intervals", intervals_document(SIZES[size])


@benchmark.experiment
def power(size: Size = "full") -> Named:
    """Simulate comparisons of two models: which gains are detected with how much data."""
    from benchmarks.calibration.power import power_document

    yield "power", power_document(SIZES[size])

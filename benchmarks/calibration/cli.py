"""Simulated experiments with known truth, and their page."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks.calibration.page import PAGE
from benchmarks.calibration.sizes import SIZES, SizeName
from benchmarks.program import Benchmark, Named

benchmark = Benchmark("calibration", PAGE.write)
app = benchmark.app


@benchmark.experiment
def run(
    size: Annotated[SizeName, typer.Option(help="Number of simulated experiments.")] = "full",
) -> Named:
    """Simulate, estimate, and compare with the truth: takes minutes at full size, on one core."""
    from benchmarks.calibration.ceilings import ceilings_document
    from benchmarks.calibration.discoveries import discoveries_document
    from benchmarks.calibration.intervals import intervals_document
    from benchmarks.calibration.nulls import nulls_document

    command = {"command": f"python -m benchmarks calibration run --size {size}"}
    yield "nulls", nulls_document(SIZES[size]) | command
    yield "discoveries", discoveries_document(SIZES[size]) | command
    yield "ceilings", ceilings_document(SIZES[size]) | command
    yield "intervals", intervals_document(SIZES[size]) | command


@benchmark.experiment
def power(
    size: Annotated[SizeName, typer.Option(help="Number of simulated experiments.")] = "full",
) -> Named:
    """Simulate comparisons of two models: which gains are detected with how much data."""
    from benchmarks.calibration.power import power_document

    command = {"command": f"python -m benchmarks calibration power --size {size}"}
    yield "power", power_document(SIZES[size]) | command

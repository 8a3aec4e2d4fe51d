"""Published figures redone, and their page."""

from __future__ import annotations

from benchmarks.program import Benchmark, Data, Named
from benchmarks.published.page import PAGE

benchmark = Benchmark("published", PAGE.write)
app = benchmark.app


@benchmark.experiment
def encoding(data: Data) -> Named:
    """Gains of fine-tuning from conv4 over the frozen baseline."""
    from benchmarks.published.encoding import run_encoding

    yield "encoding", run_encoding(data)


@benchmark.experiment
def hear(data: Data) -> Named:
    """HEAR scores of brain-aligned models, and their ranks on the leaderboard."""
    from benchmarks.published.hear import run_hear

    yield "hear", run_hear(data)

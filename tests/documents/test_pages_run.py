"""The commands of the pages of results."""

from __future__ import annotations

from pathlib import Path

import pytest
import stand_ins
from exceptions import rule_for
from running import lines_of, run_page

from benchmarks.calibration.page import PAGE


@pytest.mark.slow
def test_the_page_of_correspondence_runs_as_printed(tmp_path: Path) -> None:
    stand_ins.natural_sounds(tmp_path / "DATA" / "fmri" / "natsound165")
    page = "benchmarks/correspondence/results.md"
    run_page(page, tmp_path)
    numbers = tmp_path / "benchmark-results" / "correspondence" / "results"
    run_lines = {line.text for line in lines_of(page) if rule_for(line) is None}
    assert len(list(numbers.glob("*.json"))) == len(run_lines)


@pytest.mark.slow
def test_the_page_of_calibration_runs_at_a_small_size(tmp_path: Path) -> None:
    run_page("benchmarks/calibration/results.md", tmp_path)
    numbers = tmp_path / "benchmark-results" / "calibration" / "results"
    assert {path.stem for path in numbers.iterdir()} == set(PAGE.experiments)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("benchmark", ["published", "hear"])
def test_the_pages_of_published_data_run_as_printed(
    benchmark: str, data_folder: Path, tmp_path: Path
) -> None:
    """Published scores, and tasks made from published recordings."""
    (tmp_path / "DATA").symlink_to(data_folder)
    run_page(f"benchmarks/{benchmark}/results.md", tmp_path)

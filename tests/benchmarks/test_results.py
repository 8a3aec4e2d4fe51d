"""Results files and the pages written from them."""

import json
from pathlib import Path

import pytest

from benchmarks.encoding.page import write_page
from benchmarks.results import read_result, write_result

DOCUMENT = {
    "title": "Simulated brains",
    "command": "python -m benchmarks encoding simulated --out WORK",
    "rows": [{"model": "frozen", "r": 0.12345}, {"model": "tuned", "r": float("nan"), "n": 3}],
    "notes": ["Made up."],
}


def test_a_page_is_written_from_the_results_alone(tmp_path: Path):
    write_result(tmp_path / "results", "simulated", DOCUMENT)
    page = write_page(tmp_path / "results", tmp_path / "page" / "results.md")
    text = page.read_text()
    assert "Made up." in text
    assert write_page(tmp_path / "results", page).read_text() == text


def test_results_are_strict_json_with_versions(tmp_path: Path):
    path = write_result(tmp_path, "simulated", {**DOCUMENT, "versions": {"espeak-ng": "1.51"}})
    document = read_result(tmp_path, "simulated")
    assert document == json.loads(path.read_text(), parse_constant=pytest.fail)
    assert document is not None
    assert {"torch", "espeak-ng"} <= document["versions"].keys()
    assert document["rows"][1]["r"] is None
    assert read_result(tmp_path, "alice") is None
    with pytest.raises(ValueError, match="expected 'notes' to be a list, got None"):
        write_result(tmp_path, "alice", {**DOCUMENT, "notes": None})
    path.write_text("{")
    with pytest.raises(ValueError, match="not readable JSON; run the experiment again"):
        read_result(tmp_path, "simulated")
    with pytest.raises(FileNotFoundError, match=r"no results in .*; run first"):
        write_page(tmp_path / "empty", tmp_path / "results.md")

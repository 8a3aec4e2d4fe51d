"""The README and CITATION.cff: scores of the results, files that exist, this version."""

from __future__ import annotations

import configparser
import re

import yaml
from shell_lines import ROOT

from benchmarks.default_checkpoint.page import BEGINS, ENDS, IN_README, RESULTS, brief_table

README = (ROOT / "README.md").read_text()


def test_the_scores_are_those_of_the_results() -> None:
    table = re.search(f"{BEGINS}(.*?){ENDS}", README, re.DOTALL)
    assert table
    assert table.group(1) == brief_table(RESULTS, IN_README)


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http|#)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_citation_names_this_software_and_its_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"].replace("_", "-") == setup["metadata"]["name"]
    assert citation["version"] == setup["metadata"]["version"]
    assert citation["license"] == setup["metadata"]["license"]
    changelog = (ROOT / "docs" / "changelog.md").read_text()
    assert f"\n## {citation['version']}\n" in changelog
    for entry in (citation, *citation["references"]):
        assert {"title", "authors"} <= entry.keys()
        assert all({"name"} <= each.keys() or {"family-names"} <= each.keys()
                   for each in entry["authors"])  # fmt: skip

"""CITATION.cff is what the tools that read it expect, and names this version."""

from __future__ import annotations

import configparser

import yaml
from shell_lines import ROOT


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

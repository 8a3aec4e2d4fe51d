"""The line that installs the HEAR tools stands in one place, and other versions are refused."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.hear import heareval_process
from benchmarks.hear.heareval_process import INSTALL, VERSIONS, HearevalError, check_tools

ROOT = Path(__file__).parents[2]


def _installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(heareval_process, "version", version)


def test_a_tool_that_is_missing_or_older_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2021.0.2 is what plain pip installs; its checks are the weaker ones."""
    _installed(monkeypatch, **VERSIONS)
    check_tools()
    _installed(monkeypatch, heareval="2021.1.3", hearvalidator="2021.0.2")
    with pytest.raises(HearevalError, match=r"^hearvalidator is 2021\.0\.2, expected 2021\.0\.6"):
        check_tools()
    _installed(monkeypatch)
    with pytest.raises(HearevalError, match=r"^heareval is not installed; .*") as raised:
        check_tools()
    assert INSTALL in str(raised.value)


def test_readme_make_and_constraints_install_the_same_versions() -> None:
    assert f"    {INSTALL}\n" in (ROOT / "README.md").read_text()
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert {f"{name}=={number}" for name, number in VERSIONS.items()} <= set(constraints)
    assert "-c constraints.txt" in (ROOT / "Makefile").read_text()

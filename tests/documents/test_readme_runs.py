"""Every shell line of every document is run, or has a reason not to be; the README's sections."""

from __future__ import annotations

from pathlib import Path

import pytest
from exceptions import RULES, rule_for
from running import EXCEPTED, LINES, OWN_FMRI, PAGES, STORIES, lines_of, run


def test_every_line_is_run_or_excepted_for_a_reason() -> None:
    sections = {line.section for line in lines_of("README.md")}
    told = {section for titles, _ in STORIES.values() for section in titles}
    assert sections <= told | set(OWN_FMRI) | set(EXCEPTED)
    for line in LINES:
        rule = rule_for(line)
        is_run = line.document == "README.md" or Path(line.document).parent.name in PAGES
        assert rule or is_run, f"{line.place}: neither run nor excepted; see exceptions.py"
        if line.section in EXCEPTED:
            assert rule, f"{line.place}: its section has no stand-ins; see STORIES"
    for rule in RULES:
        assert any(rule_for(line) == rule for line in LINES), f"excepts nothing: {rule}"
    assert all(len(rule.reason) > 8 for rule in RULES)


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES)
def test_a_section_of_the_readme_runs_as_printed(story: str, tmp_path: Path) -> None:
    titles, prepare = STORIES[story]
    if story == "HEAR":
        pytest.importorskip("heareval", reason="heareval is not installed")
    for make in prepare:
        make(tmp_path)
    for title in titles:
        for line in lines_of("README.md", title):
            run(line, tmp_path)

"""The README's way from fMRI to a report."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import stand_ins
from running import OWN_FMRI, README, lines_of, run, section_text
from shell_lines import ShellLine


@pytest.mark.slow
def test_the_readme_takes_a_study_from_fmri_to_a_report(tmp_path: Path) -> None:
    """Its two recipes included, on two simulated listeners."""
    stand_ins.recordings(tmp_path)
    stand_ins.recipes(tmp_path, section_text(OWN_FMRI[0]))
    stand_ins.study(tmp_path)
    for title in OWN_FMRI:
        if title == "What a model is worth":
            stand_ins.fits(tmp_path)
        for line in lines_of("README.md", title):
            run(line, tmp_path)
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
    assert (tmp_path / "sub-01.targets.nii.gz").is_file()


@pytest.mark.slow
def test_the_simulation_that_the_readme_speaks_of_runs(tmp_path: Path) -> None:
    """It stands within a sentence, and the recipe that it leaves is to be prepared."""
    stand_ins.recordings(tmp_path)
    (command,) = re.findall(r"`(python -m training simulate [^`]+)`", README)
    small = map(shlex.quote, stand_ins.SMALL)
    for text in (" ".join([command, *small]), "python -m training prepare experiment/prepare.yaml"):
        run(ShellLine("README.md", 0, " ".join(text.split()), True), tmp_path)

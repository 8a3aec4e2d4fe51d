"""Sphinx settings; `make docs` builds build/docs."""

from __future__ import annotations

import configparser
import logging
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The examples import the checkout, and start commands of it.
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

setup_cfg = configparser.ConfigParser()
setup_cfg.read(ROOT / "setup.cfg")

for package in ("hear_brainsoundnet", "training"):  # what examples log is no matter of the build
    logging.getLogger(package).setLevel(logging.ERROR)

project = "hear_brainsoundnet"
version = release = setup_cfg["metadata"]["version"]
copyright = "the authors of hear_brainsoundnet, MIT licence"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["examples/*", "gallery/sg_execution_times.rst", "sg_execution_times.rst"]
highlight_language = "none"

html_theme = "furo"
html_title = f"hear_brainsoundnet {version}"
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_search_summary = False  # fetched from pages, which browsers refuse from disk
html_show_sourcelink = False

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections have the types

sphinx_gallery_conf = {
    "examples_dirs": ["examples"],
    "gallery_dirs": ["gallery"],
    # All are run, that of the places where there is the file it needs.
    "filename_pattern": "/" if "SOUNDNET_HEADS" in os.environ else r"/(?!8_places)[^/]*$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "min_reported_time": 10**6,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": True,
    "remove_config_comments": True,
}

BENCHMARKS, RESULTS = ROOT / "benchmarks", ROOT / "docs" / "results"


def copy_results() -> None:
    """Copy the results pages from the benchmarks; a link to what is no page becomes its words."""
    pages = [*BENCHMARKS.glob("*/results.md"), *BENCHMARKS.glob("*.md")]
    shutil.rmtree(RESULTS, ignore_errors=True)
    for page in pages:
        folder = RESULTS / page.parent.relative_to(BENCHMARKS)
        folder.mkdir(parents=True, exist_ok=True)
        for path in page.parent.glob("results*.*"):
            shutil.copy(path, folder)
        text = page.read_text()
        for words, target in re.findall(r"\[([^]]+)\]\(([^)]+\.md)\)", text):
            if (page.parent / target).resolve() not in pages:
                text = text.replace(f"[{words}]({target})", words)
        (folder / page.name).write_text(text)


def write_facts() -> None:
    """Write what the package states of itself: stages, cards of checkpoints, import layers."""
    from hear_brainsoundnet.checkpoint import NAMED, load_checkpoint
    from hear_brainsoundnet.describe import describe, stage_table

    (RESULTS / "stages.txt").write_text(stage_table())
    for name in NAMED:
        (RESULTS / f"{name}.txt").write_text(describe(load_checkpoint(name)))
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(
        contract["layers"]
        for contract in rules["contracts"]
        if f"{project}.cli" in contract["layers"]
    )
    text = "\n".join(layers).replace(f"{project}.", "").replace(" | ", ", ")
    (RESULTS / "layers.txt").write_text(text)


copy_results()
write_facts()

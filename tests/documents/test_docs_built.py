"""`make docs` without a warning, its examples run; the built pages in a real browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell_lines import ROOT

pytestmark = pytest.mark.slow

NARROW, WIDE = 390, 1280  # pixels


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, built from a copy of the checkout as `make docs` does, with every example run."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (
        "benchmarks",
        "docs",
        "hear_brainsoundnet",
        "training",
        "setup.cfg",
        "pyproject.toml",
    ):
        path = ROOT / name
        if path.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "gallery")
            shutil.copytree(path, root / name, ignore=unwanted)
        else:
            shutil.copy(path, root / name)
    words = ["-W", "--keep-going", "-q", "-b", "html", "docs", "build/docs"]
    ran = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-5000:]
    return root / "build" / "docs"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("these tests open the pages in chromium: make chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """A page in a browser of some width, and what went wrong on it."""

    def __init__(self, browser, width: int) -> None:  # type: ignore[no-untyped-def]
        self.wrong: list[str] = []
        self.page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.page.on(
            "console",
            lambda message: (
                self.wrong.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file://", "data:", "blob:"))
                else self.wrong.append(f"asks the network for {request.url}")
            ),
        )

    def open(self, path: Path) -> None:
        """Open a file from disk, as a reader without a server would."""
        self.page.goto(path.as_uri())
        self.page.wait_for_load_state("networkidle")


def pages(built: Path) -> list[Path]:
    """All but the highlighted sources."""
    found = sorted(path for path in built.rglob("*.html") if "_modules" not in path.parts)
    assert len(found) > 25
    return found


def test_every_page_opens_from_disk_whole_and_narrow(built: Path, browser: object) -> None:
    """No errors, nothing from the network, all pictures, no scrolling to the side."""
    for width in (NARROW, WIDE):
        visit = Visit(browser, width)
        for path in pages(built):
            visit.open(path)
            broken = visit.page.evaluate(
                "[...document.images].filter(image => {"
                " image.loading = 'eager'; return image.complete && image.naturalWidth == 0"
                "}).map(image => image.src)"
            )
            assert broken == [], path.name
            overflow = visit.page.evaluate("document.documentElement.scrollWidth")
            assert overflow <= width, f"{path.relative_to(built)} is {overflow} px wide"
            assert visit.wrong == [], path.name


def test_every_link_to_a_page_or_a_place_on_it_leads_there(built: Path, browser: object) -> None:
    visit = Visit(browser, WIDE)
    places: dict[str, set[str]] = {}
    links: dict[str, list[str]] = {}
    for path in pages(built):
        visit.open(path)
        places[path.as_uri()] = set(
            visit.page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
        )
        links[path.as_uri()] = visit.page.evaluate(
            "[...document.querySelectorAll('main a[href], .sidebar-tree a[href]')]"
            ".map(each => each.href)"
        )
    missing = []
    for page, targets in links.items():
        for target in targets:
            if not target.startswith("file://"):
                continue
            where, _, place = target.partition("#")
            is_there = Path(where.removeprefix("file://").replace("%20", " ")).is_file()
            if not is_there or (place and where in places and place not in places[where]):
                missing.append(f"{page}: {target}")
    assert sum(map(len, links.values())) > 500
    assert missing == []

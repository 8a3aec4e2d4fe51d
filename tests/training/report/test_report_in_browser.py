"""The report in a real browser without a network."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from results_of_fits import changed, compared_and_partitioned

from training.report import write_report

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
# WebGL without a graphics card.
BROWSER = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
# A remark of the browser on how plotly reads its canvas: no error, and not ours to change.
REMARK = "Canvas2D: Multiple readback operations"
STEP, SHAPE = 6.0, (32, 38, 32)
AFFINE = np.array([[-STEP, 0, 0, 93], [0, STEP, 0, -128], [0, 0, STEP, -78], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def report(evaluation, tmp_path_factory):
    """Two models, four targets in the octants of the brain, some with hostile or long names."""
    folder = tmp_path_factory.mktemp("report")
    names = [HOSTILE, *(f"a_parcel_with_a_very_long_name_of_the_{i}th_area" for i in range(3))]

    def named(table):
        return table.assign(target_name=[names[i - 1] for i in table["target_id"]])

    hostile = changed(
        evaluation, folder / "EVAL", named, named,
        dataset=HOSTILE, excluded=(HOSTILE,), notes=("word" * 60,),
    )  # fmt: skip
    x, y, z = np.indices(SHAPE) * STEP
    ids = 1 + ((x > 93) + 2 * (y > 110) + (z > 75)) % 4
    nibabel.save(nibabel.Nifti1Image(ids.astype(np.int16), AFFINE), hostile / "targets.nii.gz")
    _, comparison, partition = compared_and_partitioned(evaluation, folder)
    return write_report([hostile, comparison, partition], folder / "out")


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("these tests open the page in chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=BROWSER)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser, report):
    """A function from width to the opened page, and all that went wrong or was asked for."""
    contexts, events = [], []

    def opened(width):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: events.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: events.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (events.append("a dialog"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file://", "data:", "about:", "blob:"))
                else events.append(f"request: {request.url}")
            ),
        )
        page.goto(report.as_uri())
        return page

    yield opened, events
    for context in contexts:
        context.close()
    assert [event for event in events if REMARK not in event] == []


@pytest.mark.slow
def test_map_turns_without_a_network(open_page, tmp_path):
    opened, _ = open_page
    page = opened(1280)
    frame = page.locator("iframe")
    assert frame.count() == 1
    frame.scroll_into_view_if_needed()
    inside = page.frame_locator("iframe")
    inside.locator("#scene canvas, .gl-container canvas, canvas").first.wait_for(timeout=20_000)
    page.wait_for_timeout(500)
    before = frame.screenshot()
    inside.locator("select#select-view").select_option("top")
    page.wait_for_timeout(500)
    assert frame.screenshot() != before
    shot = tmp_path / "wide.png"
    page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 100_000
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.slow
def test_hidden_view_is_drawn_again(open_page):
    opened, events = open_page
    page = opened(1280)
    frame = page.locator("iframe")
    frame.scroll_into_view_if_needed()
    page.frame_locator("iframe").locator("canvas").first.wait_for(timeout=20_000)
    frame.evaluate("frame => { frame.style.height = 0; }")
    page.wait_for_timeout(500)
    frame.evaluate("frame => { frame.style.height = ''; }")
    page.wait_for_timeout(500)
    assert page.frame_locator("iframe").locator("canvas").first.bounding_box()["height"] > 100
    assert not any("error" in event for event in events)


@pytest.mark.slow
def test_hostile_names_are_shown_as_text(open_page):
    opened, events = open_page
    page = opened(1280)
    assert page.get_by_text(HOSTILE).count() > 3
    assert page.locator("main script, main img[src=x]").count() == 0
    assert not any("dialog" in event for event in events)


@pytest.mark.slow
def test_page_fits_a_phone(open_page):
    opened, _ = open_page
    page = opened(390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    too_wide = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, .picture') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert too_wide == []


@pytest.mark.slow
def test_print_has_pictures_instead_of_views(open_page, tmp_path):
    opened, _ = open_page
    page = opened(1000)
    page.emulate_media(media="print")
    assert not page.locator("iframe").is_visible()
    assert not page.locator("nav").is_visible()
    widths = page.evaluate(
        "[...document.querySelectorAll('img')].map(e => e.complete && e.naturalWidth)"
    )
    assert len(widths) > 8
    assert all(widths)
    path = tmp_path / "report.pdf"
    page.pdf(path=path, format="A4")
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_size_of_the_page(report):
    assert Path(report).stat().st_size < 8_000_000

"""The page to listen with: map and neighbours against scikit-learn, excerpts, a real browser."""

import base64
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.stats import zscore
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from hear_brainsoundnet.explore import Excerpt, excerpt, neighbours, page, positions, seconds_within
from hear_brainsoundnet.results import SceneTable

RATE = 22_050
SMALL = ("--scene", "conv3:mean,std", "--jobs", "1")
HOSTILE = "</script><img src=x onerror=alert(1)>.wav"


def embeddings(n_rows=60, size=8):
    return np.random.default_rng(0).standard_normal((n_rows, size)) * np.arange(1, size + 1)


def tone(frequency, seconds=1.0):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    for name, audio in {
        "tones/low.wav": tone(440),
        "tones/high.wav": tone(3_000),
        "noises/one.wav": np.random.default_rng(0).uniform(-0.3, 0.3, RATE),
        "noises/two.wav": np.random.default_rng(1).uniform(-0.3, 0.3, RATE),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, audio, RATE)
    return folder


def data_of(path: Path) -> dict:
    match = re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert match
    return json.loads(match[1])


def test_the_map_is_that_of_principal_components():
    table = embeddings()
    expected = PCA(2).fit_transform(zscore(table, axis=0))
    found = positions(table)
    for i in range(2):
        assert abs(np.corrcoef(found[:, i], expected[:, i])[0, 1]) == pytest.approx(1)
    ratio = np.ptp(found, axis=0) / np.ptp(expected, axis=0)
    assert ratio[0] == pytest.approx(ratio[1])  # one scale for both axes
    assert np.abs(found).max() == pytest.approx(1)


def test_the_map_tsne_keeps_groups_together():
    groups = np.repeat([0, 1, 2], 20)
    table = embeddings() + 30 * np.eye(8)[groups] * np.arange(1, 9)
    found = positions(table, "tsne")
    nearest = NearestNeighbors(n_neighbors=2).fit(found).kneighbors(found)[1][:, 1]
    assert (groups[nearest] == groups).all()
    assert np.array_equal(found, positions(table, "tsne"))


@pytest.mark.parametrize("table", [np.zeros((5, 3)), np.ones((2, 4)), np.eye(2)])
def test_few_or_equal_embeddings_have_a_map(table):
    for kind in ("pca", "tsne"):
        assert np.isfinite(positions(table, kind)).all()
        assert len(neighbours(table)) == len(table)


def test_neighbours_are_those_of_scikit_learn(monkeypatch):
    monkeypatch.setattr("hear_brainsoundnet.explore.ROWS_AT_ONCE", 7)
    table = embeddings()
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(zscore(table, axis=0))
    distances, rows = search.kneighbors()  # without the row itself
    found = neighbours(table, 5)
    assert [[i for i, _ in row] for row in found] == rows.tolist()
    assert np.allclose([[s for _, s in row] for row in found], 1 - distances)


def test_excerpts_keep_within_the_limit():
    durations = [0.2, 10, 3, 100]
    seconds = seconds_within(durations, 60, 0.1)
    size = sum(
        len(encoded.mp3)
        for encoded in (tone_excerpt(min(seconds, duration)) for duration in durations)
    )
    assert size * 4 / 3 <= 100_000
    with pytest.raises(ValueError, match=r"take 41 MB, more than the 10 MB.*--megabytes 42"):
        seconds_within([10.0] * 10_000, 3, 10)


def tone_excerpt(seconds, folder=None):
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "tone.wav")
        soundfile.write(path, tone(1_000, seconds), RATE)
        return excerpt(path, 0, seconds)


def test_an_excerpt_is_the_recording_from_its_start(tmp_path):
    path = tmp_path / "stereo.wav"
    audio = np.concatenate([tone(500, 2), tone(2_000, 1)])
    soundfile.write(path, np.stack([audio, audio], axis=1), RATE)
    decoded, rate = soundfile.read(io.BytesIO(excerpt(path, 2.0, 30).mp3))
    assert rate == RATE
    assert decoded.ndim == 1
    assert len(decoded) / rate == pytest.approx(1, abs=0.1)  # MP3 fills its last frame
    spectrum = np.abs(np.fft.rfft(decoded * np.hanning(len(decoded))))
    assert np.fft.rfftfreq(len(decoded), 1 / rate)[spectrum.argmax()] == pytest.approx(2_000, abs=5)


def test_recordings_that_are_gone_are_shown_without_sound(tmp_path):
    gone = excerpt(tmp_path / "gone.wav", 0, 1)
    assert gone.mp3 == b""
    assert "no such audio file" in gone.reason


def test_results_and_sounds_give_one_page(run, sounds, tmp_path):
    code, out, _ = run("explore", sounds, "-o", tmp_path / "a.html", *SMALL)
    assert code == 0
    assert "4 recordings" in out
    assert run("embed", sounds, "-o", tmp_path / "out", "--kind", "scene", "-q", *SMALL)[0] == 0
    assert run("explore", tmp_path / "out", "-o", tmp_path / "b.html", "--no-audio", "-q")[0] == 0
    one, other = data_of(tmp_path / "a.html"), data_of(tmp_path / "b.html")
    for sound in one["sounds"]:
        assert soundfile.info(io.BytesIO(base64.b64decode(sound.pop("audio"))))
        assert sound.pop("reason") == ""
    assert one["sounds"] == other["sounds"]
    by_name = {sound["name"]: i for i, sound in enumerate(one["sounds"])}
    assert {sound["folder"] for sound in one["sounds"]} == {"tones", "noises"}
    assert one["sounds"][by_name["noises/one.wav"]]["near"][0][0] == by_name["noises/two.wav"]


def test_windows_are_points_with_their_times(run, sounds, tmp_path):
    out = tmp_path / "out"
    run("embed", sounds, "-o", out, "--kind", "scene", "--window", "0.5", "-q", *SMALL)
    assert run("explore", out, "-o", tmp_path / "a.html", "-q")[0] == 0
    found = data_of(tmp_path / "a.html")["sounds"]
    assert [sound["times"] for sound in found[:2]] == [[0, 0.5], [0.5, 1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "umap"], "--map must be one of pca, tsne"),
        (["--megabytes", "0.1"], None),
        (["--preset", "paper", "--scene", "conv9"], "unknown stage 'conv9'"),
    ],
)
def test_wrong_options_are_one_line(run, sounds, tmp_path, arguments, message):
    code, _, err = run(
        "explore", sounds, "-o", out := tmp_path / "a.html", "-q", "--jobs", "1", *arguments
    )
    assert (code, out.exists()) == ((0, True) if message is None else (2, False))
    if message:
        assert message in err.splitlines()[-1]


def test_an_earlier_page_and_a_single_recording_are_refused(run, sounds, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("mine")
    code, _, err = run("explore", sounds, "-o", path, *SMALL)
    assert (code, path.read_text()) == (2, "mine")
    assert "--force" in err
    shutil.rmtree(sounds / "noises")
    (sounds / "tones" / "low.wav").unlink()
    code, _, err = run("explore", sounds, "-o", tmp_path / "new.html", "-q", *SMALL)
    assert (code, (tmp_path / "new.html").exists()) == (2, False)
    assert "fewer than two recordings" in err


def made_page(path: Path, n_sounds: int) -> Path:
    names = [f"folder{i % 3}/{i:04}.wav" for i in range(n_sounds)]
    names[0] = HOSTILE
    table = SceneTable(names, None, embeddings(n_sounds))
    clip = tone_excerpt(1.0)
    excerpts = [clip] * (n_sounds - 1) + [Excerpt(b"", "no such audio file")]
    path.write_text(page("made", table, excerpts))
    return path


@pytest.fixture
def open_page(tmp_path):
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("these tests open the page in chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    events = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])

        def opened(n_sounds, width=1000):
            tab = browser.new_page(viewport={"width": width, "height": 700})
            tab.on("console", lambda message: events.append(message.text))
            tab.on("pageerror", lambda error: events.append(str(error)))
            tab.on("dialog", lambda dialog: events.append("a name was run"))
            tab.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith(("file:", "data:"))
                    else events.append(request.url)
                ),
            )
            tab.goto(made_page(tmp_path / f"{n_sounds}.html", n_sounds).as_uri())
            return tab

        yield opened
        assert not events
        browser.close()


def wait_for(tab, expression):
    """Like the browser's own wait, which the page's security policy forbids."""
    for _ in range(100):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    pytest.fail(f"not within five seconds: {expression}")


@pytest.mark.slow
def test_the_page_in_a_browser(open_page):
    tab = open_page(30)
    place = "[screenX(sounds[5].x), screenY(sounds[5].y)]"
    box = tab.locator("#canvas").bounding_box()
    x, y = tab.evaluate(place)
    tab.mouse.move(box["x"] + x, box["y"] + y)
    assert tab.inner_text("#tip") == "folder2/0005.wav"
    tab.mouse.click(box["x"] + x, box["y"] + y)
    assert tab.inner_text("#chosen") == "folder2/0005.wav"
    wait_for(tab, "player && player.currentTime > 0.1")
    assert tab.evaluate("player.duration") == pytest.approx(1, abs=0.1)
    first = tab.inner_text("#near li:first-child span:last-child")
    tab.click("#near li:first-child button")
    assert tab.inner_text("#chosen").startswith(first)
    tab.fill("#search", "0005")
    assert tab.inner_text("#count") == "1 of 30 recordings"
    tab.fill("#search", "")
    tab.click("#folders label:first-child input")
    assert tab.inner_text("#count") == "20 of 30 recordings"
    tab.evaluate("choose(29)")
    assert "cannot be heard: no such audio file" in tab.inner_text("#chosen")
    tab.evaluate("choose(0)")
    assert tab.inner_text("#chosen") == HOSTILE
    before = tab.evaluate(place)
    tab.mouse.move(box["x"] + x, box["y"] + y)
    tab.mouse.wheel(0, -400)
    wait_for(tab, "view.zoom > 2")
    assert tab.evaluate(place) == pytest.approx(before, abs=1)  # what is pointed at stays


@pytest.mark.slow
def test_the_page_on_a_phone(open_page):
    tab = open_page(30, width=390)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("width > 300 && height > 200")


@pytest.mark.timing
def test_two_thousand_recordings_stay_smooth(open_page):
    tab = open_page(2_000)
    durations = tab.evaluate(
        """() => Array.from({length: 20}, (_, i) => {
            const start = performance.now();
            point(200 + i, 300);
            paint();
            return performance.now() - start;
        })"""
    )
    assert np.median(durations) < 1000 / 30  # a picture of the screen at 30 per second

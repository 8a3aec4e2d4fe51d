import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding import alice, evaluated, natsound165, story
from benchmarks.encoding.fits import ridge_predictions
from benchmarks.encoding.page import write_page
from benchmarks.encoding.story import place_words, without_silence, words_of
from benchmarks.encoding.text_grid import Interval, parse_tier, read_tier
from benchmarks.results import read_result, write_result
from benchmarks.results_page import format_table
from training.data.prepared import Run

GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phone"
        xmin = 0
        xmax = 2
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "AH"
    item [2]:
        class = "IntervalTier"
        name = "word"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "sp"
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "and "
        intervals [3]:
            xmin = 1.25
            xmax = 2
            text = "said ""Oh"""
'''


def test_words_are_read_with_their_times():
    intervals = parse_tier(GRID, "word")
    assert intervals == [
        Interval(0.0, 0.5, "sp"),
        Interval(0.5, 1.25, "and"),
        Interval(1.25, 2.0, 'said "Oh"'),
    ]
    assert [word.text for word in words_of(intervals)] == ["and", 'said "Oh"']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GRID.replace('"word"', '"words"'), "no tier 'word', it has phone, words"),
        (GRID.replace("size = 3", "size = 4"), "declares 4 intervals and has 3"),
        ("some text", "no TextGrid in the long text form"),
    ],
)
def test_a_damaged_grid_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "story.TextGrid"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tier(path, "word")
    with pytest.raises(FileNotFoundError, match="no such TextGrid"):
        read_tier(tmp_path / "other.TextGrid", "word")


def test_words_begin_at_their_onsets_and_end_before_the_next():
    """Clicks at the beginning and ramps behind them show where every sample went."""
    rate = 1000
    spoken = {"short": np.full(100, 0.5, np.float32), "long": np.full(900, 0.25, np.float32)}
    for sound in spoken.values():
        sound[0] = 1.0
    words = [Interval(0.2, 0.4, "short"), Interval(0.5, 0.9, "long"), Interval(1.0, 1.1, "short")]
    placed = place_words(words, spoken, duration=2.0, rate=rate)
    assert len(placed) == 2000
    assert np.flatnonzero(placed == 1).tolist() == [200, 500, 1000]
    assert not placed[300:500].any()
    n_faded = round(story.FADE_S * rate)
    assert (placed[501 : 1000 - n_faded] == 0.25).all()
    assert (np.diff(placed[1000 - n_faded : 1000]) < 0).all()
    assert placed[1001:1100].tolist() == [0.5] * 99
    assert not placed[1100:].any()


def test_words_out_of_order_are_refused():
    words = [Interval(1.0, 1.2, "a"), Interval(0.5, 0.9, "a")]
    with pytest.raises(ValueError, match="onsets must ascend within the 2 s"):
        place_words(words, {"a": np.ones(10, np.float32)}, duration=2.0, rate=1000)


def test_silence_at_the_ends_of_a_word_is_cut_off():
    sound = np.array([0, 0.001, 0.5, 0, -0.4, 0.002, 0], dtype=np.float32)
    np.testing.assert_array_equal(without_silence(sound), sound[2:5])
    assert len(without_silence(np.zeros(4, np.float32))) == 4


def test_ridge_predictions_look_back_and_recover_a_known_response():
    generator = np.random.default_rng(2)
    runs = [Run("s1", name, "a", "", name, "", 0.0, 2.0, 80) for name in "abcde"]
    features = [generator.standard_normal((80, 2)).astype(np.float32) for _ in range(6)]
    responses = []
    for table in features:
        before = np.concatenate([np.zeros((1, 2), np.float32), table[:-1]])
        responses.append(2 * before[:, :1] - table[:, 1:] + 3)
    (predicted,) = ridge_predictions(runs, features[:5], responses[:5], features[5:], n_delays=2)
    np.testing.assert_allclose(predicted, responses[5], atol=0.05)


def test_drifts_are_removed_from_each_part_by_itself(tmp_path: Path):
    n_trs = 362
    onsets = alice.START_S + np.arange(n_trs) * alice.TR
    in_train = (onsets >= 20) & (onsets + alice.TR <= 390)
    drift = np.cos(np.pi * (np.arange(n_trs) + 0.5) / in_train.sum())
    fast = np.tile([1.0, -1.0], n_trs // 2)
    np.savetxt(tmp_path / "s1-timecourses.txt", np.stack([fast + 5 * drift, fast], axis=1))
    out = alice.without_drifts(tmp_path / "s1-timecourses.txt", tmp_path / "out" / "s1.txt")
    values = np.loadtxt(out)
    assert np.abs(values[in_train, 0] - fast[in_train]).max() < 0.05
    before = values[in_train]
    changed = np.loadtxt(tmp_path / "s1-timecourses.txt")
    changed[~in_train] += 100 * np.random.default_rng(0).standard_normal((n_trs, 2))[~in_train]
    np.savetxt(tmp_path / "s2-timecourses.txt", changed)
    again = alice.without_drifts(tmp_path / "s2-timecourses.txt", tmp_path / "out" / "s2.txt")
    np.testing.assert_array_equal(np.loadtxt(again)[in_train], before)


def test_estimate_is_the_median_over_splits_then_the_mean_over_components():
    assert natsound165.estimate(np.array([[0.0, 1.0], [0.1, 0.5], [0.9, 0.6]])) == pytest.approx(
        (0.1 + 0.6) / 2
    )


DOCUMENT = {
    "title": "simulated: a brain whose truth is known",
    "command": "python -m benchmarks encoding simulated --out WORK",
    "rows": [{"model": "frozen", "r": 0.12345}, {"model": "tuned", "r": float("nan"), "n": 3}],
    "notes": ["Made up."],
}


def test_page_is_written_from_the_numbers_alone(tmp_path: Path):
    write_result(tmp_path / "results", "simulated", DOCUMENT)
    page = write_page(tmp_path / "results", tmp_path / "page" / "results.md")
    text = page.read_text()
    assert "| frozen | 0.123 |  |" in text
    assert "| tuned | undefined | 3 |" in text
    assert "- Made up." in text
    assert "Not run yet: no `natsound165.json`." in text
    assert "Not run yet: no `alice.json`." in text
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


def test_columns_are_those_of_all_rows():
    assert format_table([{"a": 1}, {"b": "x|y"}])[0] == "| a | b |"
    assert format_table([{"a": 1}, {"b": "x|y"}])[3] == "|  | x\\|y |"


def looks_good(work: Path) -> None:
    """The HEAR validator accepts the exported checkpoint."""
    (checkpoint,) = work.rglob("*.safetensors")
    command = [Path(sys.executable).with_name("hear-validator"), "hear_brainsoundnet"]
    command += ["--model", checkpoint, "--device", "cpu"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Looks good!" in run.stdout, run.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.heartools
def test_natural_sounds_from_files_to_the_page(data_folder: Path, tmp_path: Path):
    """Two splits, one epoch; the exported model is loaded and embeds noise on the way."""
    document = natsound165.run_natsound165(
        data_folder,
        tmp_path / "work",
        n_splits=2,
        stages=("pool5",),
        candidates=natsound165.CANDIDATES[1:],
        max_epochs=1,
        learned_epochs=2,
        n_permutations=19,
    )
    write_result(tmp_path / "results", "natsound165", document)
    assert document["details"]["largest_difference_of_R2_between_fit_and_ridge"] < 1e-3
    assert document["details"]["checkpoint"]["scene"][0] == 2
    looks_good(tmp_path / "work")
    of_ridge = {row["stage"]: row["r²"] for row in document["rows"] if row["sounds"] == 83}
    measured = natsound165.YARDSTICKS["mean and std of 128 log-mel bands"]
    assert of_ridge["log-mel mean and std"] == pytest.approx(measured, abs=0.06)
    (control,) = document["tables"][2]["rows"]
    assert control["r² shuffled"] < 0.05 < control["r² in place"]
    page = write_page(tmp_path / "results", tmp_path / "results.md")
    assert "fine-tuned" in page.read_text()
    assert (tmp_path / "results-natsound165.png").stat().st_size < 100_000


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.heartools
def test_a_story_from_files_to_the_page(data_folder: Path, tmp_path: Path):
    document = alice.run_alice(
        data_folder, tmp_path / "work", stages=("conv5",), n_listeners=3, tuned_epochs=1
    )
    path = write_result(tmp_path / "results", "alice", document)
    assert str(data_folder) not in path.read_text()
    assert document["details"]["checkpoint"]["frames"][0] == 2
    looks_good(tmp_path / "work")
    published = [row for row in document["rows"] if row["model"].startswith("published")]
    assert all(-1 < row["r"] < 1 and 1 / 114 <= row["p"] <= 1 for row in published)
    page = write_page(tmp_path / "results", tmp_path / "results.md")
    assert "espeak-ng" in page.read_text()
    assert (tmp_path / "results-alice.png").stat().st_size < 100_000


@pytest.mark.slow
@pytest.mark.realdata
def test_the_command_line_alone_evaluates_a_story(data_folder: Path, tmp_path: Path):
    document = evaluated.run_alice_commands(data_folder, tmp_path, n_listeners=2)
    models = {row["model"] for row in document["rows"]}
    assert models == {"group", "multi-subject", "untrained-0", "leave-one-out"}
    assert all(-1 < row["r"] < 1 for row in document["rows"])
    shared = [row["inter-subject r"] for row in document["rows"] if "inter-subject r" in row]
    assert shared
    assert all(-1 < r < 1 for r in shared)
    (level, beyond) = document["tables"]
    assert {row["n"] for row in level["rows"]} == {2}
    assert len(beyond["rows"]) == 6
    report = (tmp_path / "report" / "index.html").read_text()
    assert "LPTL" in report
    assert str(data_folder) not in json.dumps(document)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_command_line_alone_evaluates_sounds(data_folder: Path, tmp_path: Path):
    document = evaluated.run_natsound165_commands(data_folder, tmp_path, n_splits=2, max_epochs=2)
    assert [row["model"] for row in document["rows"]] == ["frozen"] * 6 + ["tuned"] * 6
    assert all(row["p, median"] >= 1 / 1001 for row in document["rows"])
    (comparison,) = document["tables"]
    assert {row["n"] for row in comparison["rows"]} == {2}
    assert "speech" in (tmp_path / "report" / "index.html").read_text()

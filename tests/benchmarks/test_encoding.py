import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding import alice, natsound165, story
from benchmarks.encoding.story import (
    Interval,
    parse_tier,
    place_words,
    read_tier,
    without_silence,
    words_of,
)

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


@pytest.mark.slow
@pytest.mark.realdata
def test_the_commands_evaluate_a_story(data_folder: Path, tmp_path: Path):
    document = alice.run_alice(data_folder, tmp_path, n_subjects=2)
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
def test_the_commands_evaluate_sounds(data_folder: Path, tmp_path: Path):
    document = natsound165.run_natsound165(data_folder, tmp_path, n_splits=2, max_epochs=2)
    assert [row["model"] for row in document["rows"]] == ["frozen"] * 6 + ["tuned"] * 6
    assert all(row["p, median"] >= 1 / 1001 for row in document["rows"])
    (comparison,) = document["tables"]
    assert {row["n"] for row in comparison["rows"]} == {2}
    assert "speech" in (tmp_path / "report" / "index.html").read_text()

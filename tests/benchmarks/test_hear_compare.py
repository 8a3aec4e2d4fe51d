"""Models side by side: intervals and tests against scipy; what was not measured stays missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hear_documents import scores_document
from scipy.stats import rankdata, spearmanr, t, wilcoxon

from benchmarks.hear.compare import (
    choose_baseline,
    paired_rows,
    ranks_document,
    sizes_document,
    write_comparison,
)
from benchmarks.hear.compare import scores_document as compared
from benchmarks.hear.leaderboard import (
    OFFICIAL_TASKS,
    Leaderboard,
    rank_among,
    rank_gain,
    read_leaderboard,
)
from benchmarks.hear.model_scores import measured_model, read_models
from benchmarks.hear.scores import write_json

GUNSHOT, ESC50, GENRE = (
    "gunshot_triangulation-v1.0-full",
    "esc50-v2.0.0-full",
    "tfds_gtzan-1.0.0-full",
)
LEADERBOARD = Leaderboard(
    ("A", "B", "C"),
    {"Gunshot": {"A": 0.9, "B": 0.5}, "ESC-50": {"A": 0.8, "B": 0.3, "C": 0.2}},
)


def _models() -> list:
    plain = {GUNSHOT: [[0.4, 0.6]], ESC50: [[0.25, 0.25]], "own-1-full": [[0.1]]}
    aligned = {GUNSHOT: [[0.6, 0.8]], ESC50: [[0.35, 0.45]], GENRE: [[0.5, 0.6]]}
    return [
        measured_model(scores_document("plain", plain)),
        measured_model(scores_document("aligned", aligned)),
    ]


def test_interval_is_students_over_folds_of_means_over_seeds() -> None:
    table = np.array([[0.1, 0.4, 0.6], [0.3, 0.4, 0.5]])
    score = measured_model(scores_document("a", {ESC50: table.tolist()})).scores["ESC-50"]
    folds = table.mean(axis=0)
    half = t.ppf(0.975, 2) * folds.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose([score.low, score.high], [folds.mean() - half, folds.mean() + half])
    assert (score.n_seeds, len(score.folds), score.train_seconds) == (2, 3, 8000)


def test_without_folds_the_interval_is_over_seeds_and_one_seed_has_none() -> None:
    scores = measured_model(
        scores_document("a", {"own-1-full": [[0.2], [0.4]], "other-1-full": [[0.2]]})
    ).scores
    half = t.ppf(0.975, 1) * 0.1
    assert scores["own-1-full"].high == pytest.approx(0.3 + half)
    assert scores["other-1-full"].text == "0.200"
    undefined = measured_model(scores_document("a", {ESC50: [[None]]}))
    assert undefined.scores == {}


def test_missing_tasks_stay_missing() -> None:
    rows = {row["task"]: row for row in compared(_models())["rows"]}
    assert rows["GTZAN Genre"]["plain"] == rows["own-1-full"]["aligned"] == "missing"
    (pair,) = paired_rows(_models(), list(rows))
    assert pair["tasks"] == 2  # Gunshot and ESC-50, which both have
    assert pair["mean difference"] == pytest.approx(-(0.2 + 0.15) / 2)


def test_models_with_few_examples_alone_are_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`compare results/*/*` meets the folders of `few-shot`, too."""
    plain, few = tmp_path / "plain", tmp_path / "few"
    write_json(plain / "scores.json", scores_document("plain", {ESC50: [[0.5]]}))
    write_json(few / "few-shot.json", {"format_version": 1, "model": {}, "tasks": []})
    assert [model.name for model in read_models([few, plain])] == ["plain"]
    assert f"{few} has no scores of run, only of few-shot" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"no scores\.json in any of 1 folders; name an"):
        read_models([few])
    with pytest.raises(ValueError, match=r"few-shot\.json holds no scores of a model; name an"):
        read_models([few / "few-shot.json"])


def test_pairs_over_tasks_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    folders = [f"task{number}-1-full" for number in range(9)]
    a, b = generator.random((2, 9))
    models = [
        measured_model(
            scores_document(name, {f: [[float(v)]] for f, v in zip(folders, own, strict=True)})
        )
        for name, own in (("a", a), ("b", b))
    ]
    (row,) = paired_rows(models, folders)
    assert row["p"] == pytest.approx(wilcoxon(a, b).pvalue)
    assert row["q"] == row["p"]


def test_ranks_and_places_by_hand() -> None:
    plain, aligned = _models()
    document = ranks_document([plain, aligned], LEADERBOARD, plain)
    rows = {row["task"]: row for row in document["rows"]}
    assert list(rows) == ["Gunshot", "ESC-50"]  # the leaderboard lacks the others
    assert (rows["Gunshot"]["plain"], rows["Gunshot"]["aligned"]) == ("2.5", "2")
    assert (rows["ESC-50"]["plain"], rows["ESC-50"]["aligned"]) == ("3", "2")
    means, gained = (table["rows"] for table in document["tables"])
    assert [row["mean rank"] for row in means] == [2.75, 2.0]
    assert gained[0]["places gained"] == pytest.approx((0.5 + 1) / 2)
    assert gained[0]["ranked together"] == pytest.approx((1.5 + 2) / 2)
    assert document["details"]["rank_changes"]["places"] == [[0.5], [1.0]]


def test_gains_are_related_to_the_size_of_the_training_set() -> None:
    plain = {GUNSHOT: [[0.4]], ESC50: [[0.4]], GENRE: [[0.4]]}
    aligned = {GUNSHOT: [[0.7]], ESC50: [[0.5]], GENRE: [[0.6]]}
    models = [
        measured_model(scores_document(name, own))
        for name, own in (("plain", plain), ("aligned", aligned))
    ]
    document = sizes_document(models, LEADERBOARD, models[0])
    gain = next(row for row in document["rows"] if row["measure"] == "gain")
    expected = spearmanr([114, 8000, 27000], [0.3, 0.1, 0.2])
    assert (gain["Spearman"], gain["tasks"]) == (pytest.approx(expected.statistic), 3)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no scores\.json in"):
        read_models([tmp_path])
    for folder, task_hash in (("a", "x"), ("b", "y")):
        document = scores_document(folder, {ESC50: [[0.5]]}, task_hash=task_hash)
        write_json(tmp_path / folder / "scores.json", document)
    with pytest.raises(ValueError, match="ESC-50 is not the same task for 'a' and 'b'"):
        read_models([tmp_path])
    write_json(tmp_path / "b" / "scores.json", scores_document("a", {ESC50: [[0.5]]}))
    with pytest.raises(ValueError, match="2 results are of 'a'; compare each model once"):
        read_models([tmp_path])
    models = _models()
    assert choose_baseline(models, "").name == "plain"
    assert choose_baseline(models, "aligned0").name == "aligned"
    with pytest.raises(ValueError, match=r"'other' means 0 models.*plain \(plain0000000\)"):
        choose_baseline(models, "other")


def test_a_page_is_named_with_or_without_its_ending(tmp_path: Path) -> None:
    """The folder of numbers has the page's name without the ending: `page` is both."""
    (tmp_path / "leaderboard.csv").write_text("Model,ESC-50\nA,0.5\n")
    write_json(tmp_path / "out" / "scores.json", scores_document("plain", {"own-1-full": [[0.1]]}))
    places = [tmp_path / "out"], tmp_path / "leaderboard.csv"
    for name in ("page", "page.md"):  # the second time over the first
        assert write_comparison(*places, tmp_path / name) == tmp_path / "page.md"
        assert (tmp_path / "page" / "scores.json").is_file()


@pytest.mark.slow
def test_the_page_has_its_pictures_and_leaves_out_what_there_is_no_data_for(
    tmp_path: Path,
) -> None:
    leaderboard = tmp_path / "leaderboard.csv"
    leaderboard.write_text("Model,ESC-50\nA,0.5\nB,0.2\n")
    for name, value in (("plain", 0.1), ("aligned", 0.3)):
        document = scores_document(name, {ESC50: [[value, value + 0.1]]})
        write_json(tmp_path / "out" / name / "scores.json", document)
    page = write_comparison([tmp_path / "out"], leaderboard, tmp_path / "page.md", "plain")
    text = page.read_text()
    assert "--baseline plain" in text
    assert sorted(path.name for path in tmp_path.glob("page-*.png")) == [
        "page-ranks.png",
        "page-scores.png",
        "page-sizes.png",
    ]
    own = tmp_path / "own"
    document = scores_document("plain", {"own-1-full": [[0.1]]})
    write_json(own / "scores.json", document)
    text = write_comparison([own], leaderboard, tmp_path / "page.md").read_text()
    assert "No measured task has what this needs: Ranks among published models" in text


def test_ranks_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        published = generator.integers(0, 6, generator.integers(1, 12)) / 10
        score, baseline = generator.integers(0, 6, 2) / 10
        alone = [rankdata(-np.append(published, each))[-1] for each in (score, baseline)]
        assert rank_among(score, published.tolist()) == alone[0]
        assert rank_gain(score, baseline, published.tolist()) == alone[1] - alone[0]
        both = rankdata(-np.append(published, [score, baseline]))
        together = rank_gain(score, baseline, published.tolist(), together=True)
        assert together == both[-1] - both[-2]


def test_missing_scores_stay_missing(tmp_path: Path) -> None:
    table = tmp_path / "leaderboard.csv"
    table.write_text("Model,URL,ESC-50,Beehive\nA,x,0.5,\nB,y,0.7,nan\n")
    leaderboard = read_leaderboard(table)
    assert leaderboard.models == ("A", "B")
    assert leaderboard.of_task("ESC-50") == [0.5, 0.7]
    assert leaderboard.of_task("Beehive") == leaderboard.of_task("Gunshot") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Model,URL\nA,x\n", "expected Model and the names of HEAR's tasks"),
        ("Model,ESC-50\n", "has 0 rows"),
        ("Model,ESC-50\nA,good\n", "A, ESC-50: expected a number or nothing, got 'good'"),
    ],
)
def test_what_is_no_leaderboard_is_refused(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "leaderboard.csv"
    with pytest.raises(FileNotFoundError, match=r"no leaderboard .*leaderboard\.csv"):
        read_leaderboard(table)
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_leaderboard(table)


def test_there_are_nineteen_tasks() -> None:
    assert len({task.folder for task in OFFICIAL_TASKS}) == 19
    sizes = [task.train_seconds for task in OFFICIAL_TASKS]
    assert sizes == sorted(sizes)


@pytest.mark.realdata
def test_the_published_leaderboard_has_all_tasks_and_29_models(data_folder: Path) -> None:
    leaderboard = read_leaderboard(data_folder / "hear_results" / "leaderboard.csv")
    assert len(leaderboard.models) == 29
    assert list(leaderboard.scores) == [task.name for task in OFFICIAL_TASKS]
    assert len(leaderboard.of_task("Beehive")) == 11  # the others were not measured on it

"""Scores are strict JSON, and the page is made from them alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hear.heareval_process import HearevalError
from benchmarks.hear.page import write_page
from benchmarks.hear.scores import read_heareval_scores, replace_non_finite, write_json


def _write_heareval_scores(path: Path, document: dict[str, Any]) -> Path:
    hparams = {"initialization": "<function xavier_uniform_ at 0x7f12ab>", "lr": 0.001}
    rest = {"hparams": hparams, "postprocessing": [], "score_mode": "max", "embedding_path": "/x"}
    path.write_text(json.dumps({**document, **rest}))  # as heareval does: NaN is written as NaN
    return path


def test_undefined_scores_become_null_with_a_note(tmp_path: Path) -> None:
    measured = {"test_f": math.nan, "test_loss": -math.inf, "time_in_min": 3.0}
    file = _write_heareval_scores(tmp_path / "scores.json", {"test": measured})
    scores = read_heareval_scores(file, ["f"])
    text = json.dumps(scores, allow_nan=False)
    assert json.loads(text)["scores"] == {"f": None}
    assert scores["notes"] == [
        "scores.f was nan",
        "splits.test.test_f was nan",
        "splits.test.test_loss was -inf",
    ]
    assert "time_in_min" not in text
    assert "0x7f12ab" not in text


def test_folds_give_their_mean_and_spread(tmp_path: Path) -> None:
    document = {
        "fold00": {"test_acc": 0.1},
        "fold01": {"test_acc": math.nan},
        "aggregated_scores": {"test_acc_mean": 0.1, "test_acc_std": 0.0},
    }
    scores = read_heareval_scores(_write_heareval_scores(tmp_path / "s.json", document), ["acc"])
    assert (scores["scores"], scores["std_over_folds"]) == ({"acc": 0.1}, {"acc": 0.0})
    assert (
        "acc of fold01 is not finite: heareval's mean over folds leaves it out" in (scores["notes"])
    )


def test_a_missing_score_is_said(tmp_path: Path) -> None:
    file = _write_heareval_scores(tmp_path / "s.json", {"test": {"test_f": 1.0}})
    with pytest.raises(HearevalError, match="has no score 'g'"):
        read_heareval_scores(file, ["g"])


def test_write_json_refuses_what_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"f": math.nan})
    assert list(tmp_path.iterdir()) == []
    assert replace_non_finite({"f": (1.0, math.inf)}, []) == {"f": [1.0, None]}


def _collected(checkpoint_hash: str, module: str, values: list[float | None]) -> dict[str, Any]:
    model = {
        "module": module,
        "module_version": "1.0",
        "checkpoint": "net",
        "checkpoint_hash": checkpoint_hash,
        "weights_file_name": "",
        "options": {"preset": "paper", "sample_rate": 44100},
        "resolved": {"scene": "conv7", "timestamps": "conv4"},
        "sample_rate": 44100,
    }
    runs = [
        {
            "task": "beeps",
            "seed": 42 + number,
            "evaluation": ["acc"],
            "scores": {"acc": value},
            "std_over_folds": {"acc": None},
            "splits": {"test": {"test_acc": value}},
            "task_hash": "t",
            "versions": {"torch": "2"},
            "notes": [] if value is not None else ["scores.acc was nan"],
        }
        for number, value in enumerate(values)
    ]
    return {"format_version": 1, "model": model, "runs": runs}


def test_page_can_be_written_again_from_its_own_raw_scores(tmp_path: Path) -> None:
    results = tmp_path / "out"
    write_json(results / "a" / "scores.json", _collected("a" * 64, "other", [0.2, 0.4]))
    write_json(
        results / "b" / "scores.json", _collected("b" * 64, "hear_brainsoundnet", [0.3, None])
    )
    page = write_page(results, tmp_path / "page" / "results.md")
    text = page.read_text()
    assert text.index("hear_brainsoundnet preset=paper") < text.index("other preset=paper")
    assert """--model-options '{"preset": "paper", "sample_rate": 44100}'""" in text
    assert "seed 43: scores.acc was nan" in text
    raw = sorted(path.name for path in page.with_suffix("").iterdir())
    assert raw == [
        "hear_brainsoundnet-preset-paper-net-bbbbbbbbbbbb.json",
        "other-preset-paper-net-aaaaaaaaaaaa.json",
    ]
    again = write_page(page.with_suffix(""), tmp_path / "again" / "results.md")
    assert again.read_bytes() == page.read_bytes()


def test_page_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no scores\.json in"):
        write_page(tmp_path, tmp_path / "results.md")

"""Scores are strict JSON, and the page is made from them alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hear_documents import scores_document

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


def test_page_can_be_written_again_from_its_own_raw_scores(tmp_path: Path) -> None:
    results = tmp_path / "out"
    options = {"preset": "paper", "sample_rate": 44100}
    for module, values in (("other", [[0.2], [0.4]]), ("hear_brainsoundnet", [[0.3], [None]])):
        document = scores_document(module, {"beeps": values})
        document["model"] |= {"checkpoint": "net", "options": options}
        document["runs"][1]["notes"] = ["scores.acc was nan"]
        write_json(results / module / "scores.json", document)
    page = write_page(results, tmp_path / "page" / "results.md")
    text = page.read_text()
    assert text.index("hear_brainsoundnet preset=paper") < text.index("other preset=paper")
    assert """--model-options '{"preset": "paper", "sample_rate": 44100}'""" in text
    assert "seed 43: scores.acc was nan" in text
    raw = sorted(path.name for path in page.with_suffix("").iterdir())
    assert raw == [
        "hear_brainsoundnet-preset-paper-net-hear_brainso.json",
        "other-preset-paper-net-other0000000.json",
    ]
    again = write_page(page.with_suffix(""), tmp_path / "again" / "results.md")
    assert again.read_bytes() == page.read_bytes()

"""A module is what it says it is, or is refused before anything is computed."""

from __future__ import annotations

import json
import types
from pathlib import Path

import numpy as np
import pytest

from benchmarks.hear.embedding_check import check_clip_embeddings, check_model
from benchmarks.hear.model_identity import identify

MODULE = "hear_module_that_lies"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"announced": 5},
            r"get_scene_embeddings returned shape \(2, 3\).*the model declares \(2, 5\)",
        ),
        ({"announced_frames": 7}, r"get_timestamp_embeddings returned shape \(2, 4, 2\)"),
        ({"announced": 3.0}, "expected the model's scene_embedding_size to be an int, got 3.0"),
        ({"n_timestamps": 3}, r"timestamps of shape \(2, 3\) for frames of shape \(2, 4, 2\)"),
        ({"rate": 8000}, "expected a sample rate of 16000, 22050, .* got 8000"),
        (
            {"undefined_on": "noise"},
            "get_scene_embeddings returned NaN or infinity for quiet noise",
        ),
    ],
)
def test_a_module_that_lies_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        identify(MODULE, "", options)


def test_an_honest_module_passes() -> None:
    assert identify(MODULE).sample_rate == 44_100


def test_a_module_without_the_functions_is_refused() -> None:
    module = types.ModuleType("half")
    module.get_scene_embeddings = lambda audio, model: audio  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="'half' has no get_timestamp_embeddings"):
        check_model(module, object())


def test_the_clip_with_nan_is_named(tmp_path: Path) -> None:
    table = np.zeros((2, 3), np.float32)
    (tmp_path / "fold00").mkdir()

    def write() -> None:
        table.tofile(tmp_path / "fold00.embeddings.npy")  # heareval writes it without a header
        (tmp_path / "fold00.embedding-dimensions.json").write_text(json.dumps(table.shape))
        for name, row in zip(("a.wav", "b.wav"), table, strict=True):
            np.save(tmp_path / "fold00" / f"{name}.embedding.npy", row)

    write()
    check_clip_embeddings(tmp_path, ["fold00"], "task")
    table[1, 2] = np.inf
    write()
    with pytest.raises(ValueError, match=r"task: the embedding of clip fold00/b\.wav has NaN"):
        check_clip_embeddings(tmp_path, ["fold00"], "task")

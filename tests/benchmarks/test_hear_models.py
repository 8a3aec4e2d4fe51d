"""Results lie under a name that changes with all that the embeddings depend on."""

from __future__ import annotations

import json
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hear.embedding_check import check_clip_embeddings, check_model
from benchmarks.hear.model_identity import identify
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import write_checkpoint
from hear_brainsoundnet.soundnet import SoundNet


def _write(path: Path, seed: int) -> str:
    torch.manual_seed(seed)
    write_checkpoint(path, Card(name="net", trained=False, input_scale=1.0), SoundNet())
    return str(path)


def test_folder_follows_weights_not_the_file_name(tmp_path: Path) -> None:
    first = identify("hear_brainsoundnet", _write(tmp_path / "net.safetensors", 0))
    same = identify("hear_brainsoundnet", _write(tmp_path / "moved.safetensors", 0))
    other = identify("hear_brainsoundnet", _write(tmp_path / "net.safetensors", 1))
    assert first.folder == same.folder
    assert first.folder != other.folder
    assert first.folder.name.split("-")[0] == first.checkpoint_hash[:12]


def test_folder_follows_options() -> None:
    def folder(**options: object) -> Path:
        return identify("hear_brainsoundnet", "untrained", options).folder

    folders = {
        folder(),
        folder(preset="paper"),
        folder(preset="paper", sample_rate=44100),
        folder(preset="paper", timestamps="conv5"),
    }
    assert len(folders) == 4
    assert folder(preset="paper") == folder(preset="paper")


def test_identity_says_what_a_preset_means() -> None:
    model = identify("hear_brainsoundnet", "untrained", {"preset": "paper"})
    assert (model.resolved["scene"], model.resolved["timestamps"]) == ("conv7", "conv4")
    assert model.options["model_file_path"] == "untrained"
    assert model.heareval_options()[0] == "--model-options"


def test_what_weights_were_fitted_to_is_stated() -> None:
    assert identify("hear_brainsoundnet", "natural-sounds").resolved["fitted_to"] == "natsound165"
    assert "fitted_to" not in identify("hear_brainsoundnet", "soundnet").resolved


def test_module_without_weights_goes_by_its_source() -> None:
    model = identify("benchmarks.hear.logmel", "", {"sample_rate": 44100})
    assert model.checkpoint_hash == model.source_hash
    assert model.sample_rate == 44100


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("no_such_module", {}, "cannot import module 'no_such_module'"),
        ("json", {}, "no load_model; it is not a HEAR module"),
        ("hear_brainsoundnet", {"preset": "papr"}, "cannot load its model: unknown preset 'papr'"),
        ("benchmarks.hear.logmel", {"volume": 11}, "unexpected keyword argument 'volume'"),
    ],
)
def test_wrong_model_is_refused(module: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        identify(module, "", options)


MODULE = "faulty_hear_module"


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
def test_a_faulty_module_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        identify(MODULE, "", options)


def test_a_right_module_passes() -> None:
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

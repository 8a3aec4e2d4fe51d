"""Results lie under a name that changes with all that the embeddings depend on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

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

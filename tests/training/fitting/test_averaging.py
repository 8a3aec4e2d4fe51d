"""Networks between two others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import load_checkpoint, read_checkpoint, write_checkpoint
from hear_brainsoundnet.soundnet import SoundNet
from training.fitting.averaging import averaged, write_average

AUDIO = 20 * torch.randn(2, 22_050, generator=torch.Generator().manual_seed(0))


def network(seed: int) -> SoundNet:
    """Random weights with statistics, factors and offsets of their own."""
    generator = torch.Generator().manual_seed(seed)
    soundnet = SoundNet().eval()
    with torch.no_grad():
        for tensor in soundnet.state_dict().values():
            if tensor.ndim == 1:
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif tensor.ndim == 3:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return soundnet


@torch.no_grad()
def stages(soundnet: SoundNet) -> dict[str, torch.Tensor]:
    return soundnet(AUDIO, ["conv1", "conv4", "conv7"])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_at_the_ends_it_is_one_of_the_two(share: float) -> None:
    one, other = network(1), network(2)
    expected, found = stages(one if share else other), stages(averaged(one, other, share))
    for name, frames in expected.items():
        assert (found[name] - frames).abs().max() < 1e-4 * frames.abs().max(), name


def test_before_the_first_rectifier_it_is_the_mean_of_both() -> None:
    """Convolution is linear: where factors agree, mean weights give the mean of the outputs."""
    one, other = network(1), network(2)
    for block in (one.conv1, other.conv1):
        block.norm.weight.data.fill_(1.5)
        block.norm.bias.data.fill_(1e4)  # so that nothing is cut off
    mean = stages(averaged(one, other, 0.3))["conv1"]
    expected = 0.3 * stages(one)["conv1"] + 0.7 * stages(other)["conv1"]
    torch.testing.assert_close(mean, expected, rtol=1e-4, atol=1e-2)


def test_averaged_checkpoint_names_both(tmp_path: Path) -> None:
    for seed in (1, 2):
        licence = f"licence {seed}"
        card = Card(name=f"number {seed}", trained=True, input_scale=256.0, licence=licence)
        write_checkpoint(tmp_path / f"{seed}.safetensors", card, network(seed))
    paths = [tmp_path / f"{name}.safetensors" for name in ("1", "2", "mean")]
    write_average(*paths, share=0.25)
    assert read_checkpoint(paths[2]).card.licence == "licence 1\n\nlicence 2"
    provenance = read_checkpoint(paths[2]).card.provenance["average"]
    assert isinstance(provenance, dict)
    assert provenance["first"]["name"] == "number 1"  # type: ignore[index, call-overload]
    assert provenance["second"]["hash"] == read_checkpoint(paths[1]).hash  # type: ignore[index, call-overload]


def test_networks_for_other_levels_are_not_averaged(tmp_path: Path) -> None:
    for name, scale in (("one", 1.0), ("other", 256.0)):
        card = Card(name=name, trained=True, input_scale=scale)
        write_checkpoint(tmp_path / f"{name}.safetensors", card, network(1))
    paths = [tmp_path / f"{name}.safetensors" for name in ("one", "other", "mean")]
    with pytest.raises(ValueError, match="one and other differ in input_scale"):
        write_average(*paths, share=0.5)
    assert not paths[2].exists()


def test_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
        averaged(SoundNet(), SoundNet(), 1.5)


def test_names_are_taken_as_everywhere_else(tmp_path: Path) -> None:
    write_average("default", "pretrained", tmp_path / "mean.safetensors", share=0.5)
    provenance = read_checkpoint(tmp_path / "mean.safetensors").card.provenance["average"]
    assert isinstance(provenance, dict)
    assert provenance["second"]["hash"] == load_checkpoint("pretrained").hash  # type: ignore[index, call-overload]
    with pytest.raises(FileNotFoundError, match="neither a file nor one of the names"):
        write_average("defualt", "pretrained", tmp_path / "none.safetensors", share=0.5)

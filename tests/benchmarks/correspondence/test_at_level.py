"""Sounds at one level: the embedding of the same level is the oracle."""

import pytest
import torch

from benchmarks.correspondence.models import AtLevel
from benchmarks.correspondence.soundnet_stages import SoundNetStages
from hear_brainsoundnet import get_scene_embeddings, load_checkpoint, load_model

LEVEL = 0.05


@pytest.fixture(scope="module")
def stages():
    return SoundNetStages(load_checkpoint("pretrained"))


@pytest.fixture(scope="module")
def noise(stages):
    generator = torch.Generator().manual_seed(0)
    return 0.3 * torch.randn(2, 2 * stages.sample_rate, generator=generator).clamp(-3, 3)


def test_time_averages_are_those_of_the_embedding_at_this_level(stages, noise):
    activations = AtLevel(stages, LEVEL).activations(noise)
    model = load_model(
        "pretrained", sample_rate=stages.sample_rate, scene="conv4+conv7", level=LEVEL
    )
    expected = get_scene_embeddings(noise, model)
    found = torch.cat([activations["conv4"], activations["conv7"]], dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    as_they_are = stages.activations(noise)["conv7"]
    assert not torch.allclose(as_they_are, activations["conv7"], rtol=0.1)


def test_loudness_makes_no_difference_to_time_averages_nor_to_frames(stages, noise):
    model = AtLevel(stages, LEVEL)
    loud, quiet = model.frames(noise[0], "conv5"), model.frames(noise[0] / 64, "conv5")
    torch.testing.assert_close(loud.values, quiet.values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loud.times_s, quiet.times_s)


def test_level_is_part_of_name_and_identity(stages):
    one, other = AtLevel(stages, 0.05), AtLevel(stages, 0.07)
    assert one.name == "soundnet-pretrained, level 0.05"
    assert len({stages.identity, one.identity, other.identity}) == 3


@pytest.mark.parametrize("level", [0, -1, 2, float("nan")])
def test_levels_that_say_nothing_are_refused(stages, level):
    with pytest.raises(ValueError, match="level"):
        AtLevel(stages, level)

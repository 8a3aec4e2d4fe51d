import random
from fractions import Fraction

import pytest
import torch

from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS, Layer, SoundNet, stage_names

STAGES = stage_geometry()


def windows_by_hand(stage):
    """(kernel, stride, padding) from the audio up to `stage`, written out independently."""
    chain = []
    for layer in LAYERS:
        chain.append((layer.name, layer.kernel, layer.stride, layer.padding))
        if layer.pool:
            chain.append((layer.name.replace("conv", "pool"), layer.pool, layer.pool, 0))
    names = [name for name, *_ in chain]
    return [window for _, *window in chain[: names.index(stage) + 1]]


# From the design of the network: hop, centre of frame 0, receptive field, shortest input.
@pytest.mark.parametrize(
    ("stage", "hop", "centre", "receptive_field", "shortest"),
    [
        ("conv4", 1024, -273.5, 8222, 222),
        ("pool5", 8192, None, None, 4574),
        ("conv7", 32768, -10001.5, 91166, 4574),
    ],
)
def test_published_numbers(stage, hop, centre, receptive_field, shortest):
    geometry = STAGES[stage]
    assert geometry.hop == hop
    assert geometry.shortest_input() == shortest
    if centre is not None:
        assert geometry.centre == centre
        assert geometry.receptive_field == receptive_field


@pytest.mark.parametrize("stage", stage_names())
def test_receptive_field_equals_tracing_a_frame_back_to_the_samples(stage):
    for frame in (0, 1, 7):
        first = last = frame
        for kernel, stride, padding in reversed(windows_by_hand(stage)):
            first = first * stride - padding
            last = last * stride - padding + kernel - 1
        geometry = STAGES[stage]
        assert (geometry.field_start(frame), geometry.field_stop(frame)) == (first, last + 1)
        assert geometry.receptive_field == last - first + 1


@pytest.mark.parametrize("stage", stage_names())
def test_centre_is_the_mean_position_of_the_windows(stage):
    """Average the positions of the taps level by level, with exact fractions."""
    for frame in (0, 1, 5):
        centre = Fraction(frame)
        for kernel, stride, padding in reversed(windows_by_hand(stage)):
            centre = centre * stride + Fraction(sum(range(kernel)), kernel) - padding
        geometry = STAGES[stage]
        assert Fraction(geometry.centre) + frame * geometry.hop == centre


def test_number_of_frames_is_that_of_the_network():
    generator = random.Random(0)
    lengths = [*range(1, 10_001, 97), *(generator.randrange(10**4, 10**7) for _ in range(60))]
    with torch.device("meta"):
        soundnet = SoundNet().eval()
        for n_samples in lengths:
            expected = {name: STAGES[name].n_frames(n_samples) for name in stage_names()}
            expected = {name: n_frames for name, n_frames in expected.items() if n_frames}
            frames = soundnet(torch.empty(1, n_samples), expected)
            assert {name: x.shape[2] for name, x in frames.items()} == expected


@pytest.mark.parametrize("stage", stage_names())
def test_shortest_input_is_shortest(stage):
    geometry = STAGES[stage]
    for n_frames in (1, 2, 3, 10, 1000):
        shortest = geometry.shortest_input(n_frames)
        assert geometry.n_frames(shortest) >= n_frames
        assert shortest == 1 or geometry.n_frames(shortest - 1) < n_frames


def test_network_rejects_less_than_the_shortest_input():
    shortest = STAGES["conv7"].shortest_input()
    soundnet = SoundNet().eval()
    assert soundnet(torch.zeros(1, shortest), ["conv7"])["conv7"].shape[2] == 1
    with pytest.raises(RuntimeError):
        soundnet(torch.zeros(1, shortest - 1), ["conv7"])


@pytest.mark.parametrize("stage", stage_names())
def test_frames_within_are_those_whose_centre_lies_in_the_clip(stage):
    geometry = STAGES[stage]
    generator = random.Random(1)
    for _ in range(100):
        length = Fraction(generator.randrange(1, 40 * geometry.hop), generator.choice([1, 3, 147]))
        centres = [
            Fraction(geometry.centre) + k * geometry.hop
            for k in range(int(length / geometry.hop) + 3)
        ]
        expected = [k for k, centre in enumerate(centres) if 0 <= centre < length]
        assert list(geometry.frames_within(length)) == expected


def test_geometry_follows_another_layer_table():
    layers = (Layer("conv1", kernel=5, stride=3, padding=1, channels=2, pool=2),)
    stages = stage_geometry(layers)
    assert (stages["conv1"].hop, stages["conv1"].centre) == (3, 1.0)
    assert (stages["pool1"].hop, stages["pool1"].centre) == (6, 2.5)
    assert stages["pool1"].receptive_field == 8

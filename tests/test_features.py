"""Expressions of stages and poolings, and the poolings against numpy."""

import numpy as np
import pytest
import torch

from hear_brainsoundnet.features import (
    PRESETS,
    FrameTrack,
    ScenePool,
    Term,
    find_preset,
    parse_scene,
    parse_timestamps,
    pooled,
)
from hear_brainsoundnet.geometry import stage_geometry

STAGES = stage_geometry()


def test_presets_can_be_read():
    for name in PRESETS:
        preset = find_preset(name)
        assert parse_scene(preset.scene, STAGES)
        assert parse_timestamps(preset.timestamps, STAGES)


def test_paper_preset_is_the_published_choice():
    assert find_preset("paper").scene == "conv7"
    assert find_preset("paper").timestamps == "conv4"


def test_spaces_do_not_matter():
    assert parse_scene(" conv4 : mean , std + conv7 ", STAGES) == parse_scene(
        "conv4:mean,std+conv7", STAGES
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("conv9", r"unknown stage 'conv9' in scene='conv9'; choose from conv1, pool1"),
        ("conv4:median", r"unknown pooling 'median' .* choose from mean, std, max"),
        ("conv4+", r"scene='conv4\+' has an empty part"),
        ("", r"scene='' has an empty part"),
        ("conv4:", r"has an empty part"),
        ("conv4+conv4", r"names conv4 more than once"),
        ("conv4:mean,mean", r"names mean more than once"),
        (7, r"scene must be a string such as 'conv4\+conv7', got int"),
    ],
)
def test_wrong_scene_expressions(expression, message):
    with pytest.raises(ValueError, match=message):
        parse_scene(expression, STAGES)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("conv4:mean", r"names a pooling; frames are not pooled, write 'conv4'"),
        ("objects", r"unknown stage 'objects' in timestamps='objects'"),
    ],
)
def test_wrong_timestamps_expressions(expression, message):
    with pytest.raises(ValueError, match=message):
        parse_timestamps(expression, STAGES)


def test_unknown_preset():
    with pytest.raises(ValueError, match=r"unknown preset 'best'; choose one of 'paper'"):
        find_preset("best")


@pytest.mark.parametrize("pieces", [[100], [1, 99], [33, 0, 33, 34]])
def test_scene_pool_equals_numpy_however_the_frames_arrive(pieces):
    torch.manual_seed(0)
    frames = torch.randn(3, 5, 100).relu()
    pool = ScenePool(Term("conv4", ("max", "std", "mean")))
    for piece in frames.split(pieces, dim=2):
        pool.add(piece)
    x = frames.double().numpy()
    expected = np.concatenate([x.max(2), x.std(2), x.mean(2)], axis=1)
    np.testing.assert_allclose(pool.result().numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pieces", [[100], [1, 99], [33, 0, 3, 1, 1, 62]])
@pytest.mark.parametrize("lag", [1, 7, 40])
def test_change_equals_numpy_however_the_frames_arrive(pieces, lag):
    torch.manual_seed(0)
    frames = torch.randn(3, 5, 100).relu()
    pool = ScenePool(Term("conv4", (f"change{lag}",)))
    for piece in frames.split(pieces, dim=2):
        pool.add(piece)
    x = frames.double().numpy()
    expected = np.sqrt(np.mean((x[:, :, lag:] - x[:, :, :-lag]) ** 2, axis=2))
    np.testing.assert_allclose(pool.result().numpy(), expected, rtol=1e-6)


def test_change_of_a_sinusoid_follows_its_frequency():
    # The structure function of a sinusoid: root mean square of its difference over a lag is
    # 2 |sin(pi f lag)| times its own root mean square.
    times, cycles_per_frame = np.arange(4_000), 1 / 40
    frames = torch.from_numpy(np.sin(2 * np.pi * cycles_per_frame * times))[None, None]
    lags = (1, 4, 20, 40)
    pool = ScenePool(Term("conv2", tuple(f"change{lag}" for lag in lags)))
    pool.add(frames)
    expected = [2 * abs(np.sin(np.pi * cycles_per_frame * lag)) * np.sqrt(0.5) for lag in lags]
    np.testing.assert_allclose(pool.result()[0].numpy(), expected, rtol=0.02, atol=1e-9)


def test_change_over_more_frames_than_there_are_is_that_of_independent_frames():
    frames = torch.tensor([[[1.0, 3.0, 1.0, 3.0]]])  # standard deviation 1
    pool = ScenePool(Term("conv5", ("change4", "change9")))
    pool.add(frames)
    assert pool.result()[0].tolist() == pytest.approx([2**0.5, 2**0.5], rel=1e-12)


def test_change_of_clips_of_unequal_length_leaves_out_what_is_beyond_their_ends():
    torch.manual_seed(0)
    frames, numbers, term = torch.rand(3, 4, 20), torch.tensor([20, 9, 2]), Term("c", ("change3",))
    alone = [pooled(own[None, :, :n], None, term) for own, n in zip(frames, numbers, strict=True)]
    beyond = torch.arange(20) >= numbers[:, None, None]
    together = pooled(frames.masked_fill(beyond, 0.0), numbers, term)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-6, atol=1e-9)


def test_standard_deviation_of_a_constant_is_zero_with_a_finite_gradient():
    frames = torch.zeros(1, 2, 10, requires_grad=True)
    pool = ScenePool(Term("conv4", ("std",)))
    pool.add(frames + 1)
    result = pool.result()
    result.sum().backward()
    assert result.tolist() == [[0.0, 0.0]]
    assert bool(frames.grad.isfinite().all())


def read_out(track, times):
    kept = track.kept()
    found = torch.full((len(kept), len(times), kept.shape[2]), torch.nan)
    track.write_at(times, found)
    return found


def test_frame_track_interpolates_like_numpy_and_holds_the_ends():
    torch.manual_seed(0)
    stage = stage_geometry()["conv7"]
    frames = torch.randn(2, stage.channels, 6)
    track = FrameTrack(stage, 0, 6)
    track.add(frames[:, :, :4], 0)
    track.add(frames[:, :, 4:], 4)
    times = torch.linspace(-50_000, 200_000, 5001, dtype=torch.float64)
    actual = read_out(track, times).numpy()
    centres = stage.centre + stage.hop * np.arange(6)
    for channel in (0, 500, 1023):
        expected = np.interp(times.numpy(), centres, frames[1, channel].numpy())
        np.testing.assert_allclose(actual[1, :, channel], expected, atol=1e-5)


def test_frame_track_keeps_only_its_range():
    stage = stage_geometry()["conv4"]
    frames = torch.arange(10.0).expand(1, stage.channels, 10)
    track = FrameTrack(stage, 2, 7)
    for position in range(0, 10, 5):
        track.add(frames[:, :, position : position + 5], position)
    times = torch.arange(2, 7, dtype=torch.float64) * stage.hop + stage.centre
    assert read_out(track, times)[0, :, 0].tolist() == [2, 3, 4, 5, 6]

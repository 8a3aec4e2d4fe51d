import numpy as np
import pytest
import torch

from hear_brainsoundnet.features import Term
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.pooling import FrameTrack, ScenePool


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

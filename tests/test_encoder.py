import numpy as np
import pytest
import torch

from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import SoundNet


def encoder_of(tr_sampling, *, n_delays=4, tr=1.49, power_transform="none", stage="conv7"):
    torch.manual_seed(0)
    read_out = ReadOut(
        stage,
        n_delays,
        tr,
        tr_sampling,
        target_ids=(2, 5, 9),
        names=("sub-01", "sub-02"),
        power_transform=power_transform,
    )
    return BrainEncoder(SoundNet(), read_out).eval().double()


def by_hand(features, weight, bias):
    """The sum in the module's documentation, term by term."""
    n_trs, n_delays = features.shape[1], weight.shape[2]
    response = np.tile(bias[:, None], (1, n_trs))
    for i in range(n_trs):
        for d in range(min(n_delays, i + 1)):
            response[:, i] += weight[:, :, n_delays - 1 - d] @ features[:, i - d]
    return response.T


@pytest.mark.parametrize("power_transform", ["none", "sqrt"])
@pytest.mark.parametrize("name", ["sub-01", "sub-02"])
def test_crop_takes_one_frame_for_one_tr(name, power_transform):
    encoder = encoder_of("crop", power_transform=power_transform)
    audio = torch.randn(1, 22050 * 18, dtype=torch.float64)
    frames = encoder.soundnet(audio, ["conv7"])["conv7"][0].detach().numpy()
    if power_transform == "sqrt":
        frames = np.sqrt(frames)
    head = encoder.heads[name]
    expected = by_hand(frames[:, :10], head.weight.detach().numpy(), head.bias.detach().numpy())
    actual = encoder(audio, 10, name=name)[0].detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("tr", "start"), [(1.49, 0.0), (2.0, 3.3), (0.8, 0.0)])
def test_interpolation_reads_the_frames_at_the_onset_of_each_tr(tr, start):
    encoder = encoder_of("interpolate", tr=tr)
    audio = torch.randn(1, 22050 * 25, dtype=torch.float64)
    frames = encoder.soundnet(audio, ["conv7"])["conv7"][0].detach().numpy()
    centres = (encoder.stage.centre + encoder.stage.hop * np.arange(frames.shape[1])) / 22050
    onsets = start + tr * np.arange(10)
    features = np.stack([np.interp(onsets, centres, channel) for channel in frames])
    head = encoder.heads["sub-01"]
    expected = by_hand(features, head.weight.detach().numpy(), head.bias.detach().numpy())
    actual = encoder(audio, 10, start=start)[0].detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def test_stages_lie_side_by_side_each_at_its_own_centres():
    encoder = encoder_of("interpolate", stage="conv7+conv5")
    audio = torch.randn(1, 22050 * 25, dtype=torch.float64)
    onsets = 1.2 + 1.49 * np.arange(10)
    features = []
    for stage in encoder.stages:
        frames = encoder.soundnet(audio, [stage.name])[stage.name][0].detach().numpy()
        centres = (stage.centre + stage.hop * np.arange(frames.shape[1])) / 22050
        features += [np.interp(onsets, centres, channel) for channel in frames]
    assert len(features) == 1024 + 256
    actual = encoder.features(audio, 10, start=1.2)[0].detach().numpy()
    np.testing.assert_allclose(actual, np.stack(features, axis=1), rtol=1e-9, atol=1e-9)
    assert encoder.stage.name == "conv7"


def test_a_prediction_does_not_depend_on_later_sound():
    encoder = encoder_of("interpolate", tr=1.0, stage="conv4")
    audio = torch.randn(1, 22050 * 20, dtype=torch.float64)
    later = audio.clone()
    later[:, 22050 * 10 :] = 0
    change = (encoder(audio, 20) - encoder(later, 20)).abs().amax(dim=(0, 2))
    assert float(change[:10].detach().max()) == 0
    assert float(change[10:13].detach().min()) > 0


def test_delays_begin_with_the_run():
    """The first TR sees its own frame alone, not what a longer run had before it."""
    encoder = encoder_of("crop")
    audio = torch.randn(1, 22050 * 18, dtype=torch.float64)
    first = encoder.soundnet(audio, ["conv7"])["conv7"][0, :, 0]
    head = encoder.heads["sub-01"]
    torch.testing.assert_close(encoder(audio, 5)[0, 0], head.weight[:, :, -1] @ first + head.bias)


def test_more_trs_than_frames_is_refused():
    with pytest.raises(ValueError, match=r"50 TRs were requested, the audio yields 8 frames"):
        encoder_of("crop")(torch.zeros(1, 22050 * 10, dtype=torch.float64), 50)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("conv9", r"the read-out reads stage 'conv9'; the network has"),
        ("conv5+conv5", r"'conv5\+conv5'; the network has .* may read several, each once"),
        ("conv5+conv7", r"tr_sampling crop takes a frame of one stage for a TR, got conv5\+conv7"),
    ],
)
def test_stages_that_do_not_go_together_are_refused(stage: str, message: str):
    with pytest.raises(ValueError, match=message):
        BrainEncoder(SoundNet(), ReadOut(stage, 1, 1.0, "crop", (1,), ("a",)))

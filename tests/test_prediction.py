"""Predicted responses: equal to the encoder on the whole clip."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from small_encoder import SCALE, assert_close, encoder_of, noise

from hear_brainsoundnet.audio import AudioFile, TensorSound
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.prediction import FramesAt, n_trs_within, predict_responses

STAGES = [("conv4", "sqrt"), ("conv7", "none"), ("conv7+conv4", "none")]
TIMES = [
    ("interpolate", 10, 0.0),
    ("interpolate", 12, 3.3),
    ("interpolate", 5, -4.0),
    ("crop", 9, 0.0),
    ("mean", 1, 0.0),
]


@pytest.mark.parametrize(
    ("stage", "power_transform", "tr_sampling", "n_trs", "start"),
    [
        (*stage, *times)
        for stage in STAGES
        for times in TIMES
        if "+" not in stage[0] or times[0] != "crop"  # which takes frames of one stage
    ],
)
def test_segments_change_nothing(stage, power_transform, tr_sampling, n_trs, start):
    encoder = encoder_of(tr_sampling, stage=stage, power_transform=power_transform)
    audio = noise(22_050 * 14 + 77)
    predicted = predict_responses(
        encoder,
        TensorSound(audio, 22_050),
        input_scale=SCALE,
        n_trs=n_trs,
        start=start,
        samples_per_pass=180_000,
    )
    assert list(predicted) == ["sub-01", "sub-02"]
    for name, rows in predicted.items():
        expected = encoder(SCALE * audio, n_trs, start=start, name=name)[0].detach()
        assert_close(rows, expected)


@pytest.mark.parametrize("tr_sampling", ["interpolate", "crop", "mean"])
def test_a_file_of_another_rate_is_resampled(tmp_path, tr_sampling):
    audio = noise(48_000 * 12).expand(2, -1) * torch.tensor([[0.4], [0.2]])
    soundfile.write(tmp_path / "stereo.wav", audio.T.numpy(), 48_000, subtype="FLOAT")
    encoder = encoder_of(tr_sampling)
    whole = torchaudio.functional.resample(audio.mean(dim=0, keepdim=True), 48_000, 22_050)
    with AudioFile(tmp_path / "stereo.wav") as sound:
        predicted = predict_responses(encoder, sound, input_scale=SCALE, names=["sub-02"])
    assert list(predicted) == ["sub-02"]
    n_trs = 1 if tr_sampling == "mean" else 9
    assert_close(predicted["sub-02"], encoder(SCALE * whole, n_trs, name="sub-02")[0].detach())


@pytest.mark.parametrize("n_samples", [1, 300, 4_573, 4_574, 20_000])
@pytest.mark.parametrize("tr_sampling", ["interpolate", "crop", "mean"])
def test_a_short_sound_is_padded_with_silence(tr_sampling, n_samples):
    encoder = encoder_of(tr_sampling)
    audio = noise(n_samples) + 0.1
    padded = F.pad(SCALE * audio, (0, max(0, 4_574 - n_samples)))
    predicted = predict_responses(encoder, TensorSound(audio, 22_050), input_scale=SCALE)
    assert_close(predicted["sub-01"], encoder(padded, 1)[0].detach())


def test_the_mean_is_over_the_frames_within_the_sound():
    """conv7 frames are centred at -0.454 s, 1.032 s, 2.519 s: three seconds have the last two."""
    encoder = encoder_of("mean")
    audio = noise(3 * 22_050)
    frames = encoder.soundnet(SCALE * audio, ["conv7"])["conv7"][0].detach().double()
    head = encoder.heads["sub-01"].double()
    expected = head.weight[:, :, 0] @ frames[:, 1:3].mean(dim=1) + head.bias
    predicted = predict_responses(encoder_of("mean"), TensorSound(audio, 22_050), input_scale=SCALE)
    assert_close(predicted["sub-01"], expected[None].float().detach())


def test_frames_that_arrive_in_pieces_are_interpolated_as_one():
    stage = stage_geometry()["conv5"]
    generator = np.random.default_rng(0)
    frames = generator.normal(size=(50, 2))
    centres = stage.centre + stage.hop * np.arange(50)
    for _ in range(30):
        times = np.sort(generator.uniform(-9 * stage.hop, 60 * stage.hop, 40))
        times[:5] = np.sort(generator.choice(centres, 5))
        times.sort()
        cuts = [0, *np.sort(generator.integers(0, 51, 6)), 50]
        rows = FramesAt(stage, torch.from_numpy(times))
        for first, stop in pairwise(cuts):
            rows.add(torch.from_numpy(frames[None, first:stop]), first)
        expected = np.stack([np.interp(times, centres, channel) for channel in frames.T], axis=1)
        np.testing.assert_allclose(rows.result()[0], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("n_samples", "rate", "tr", "start", "n_trs"),
    [
        (447, 100, 1.49, 0.0, 3),  # three whole TRs; the fourth begins with the end
        (448, 100, 1.49, 0.0, 4),
        (3, 10, 0.1, 0.0, 3),  # 0.3 / 0.1 is less than 3 in binary, 0.7 / 0.1 too
        (7, 10, 0.1, 0.0, 7),
        (1, 48_000, 2.0, 0.0, 1),
        (10, 1, 2.0, 3.0, 4),
        (10, 1, 2.0, -3.0, 7),
    ],
)
def test_trs_count_that_begin_within_the_sound(n_samples, rate, tr, start, n_trs):
    assert n_trs_within(n_samples, rate, tr, start) == n_trs


def test_every_published_tr_within_a_sound_has_its_frame():
    """A TR of 1.49 s outlasts the hop of conv7, so that tr_sampling "crop" never lacks frames."""
    stage = stage_geometry()["conv7"]
    for n_trs in range(1, 5_000):
        n_samples = int((n_trs - 1) * 1.49 * 22_050) + 1  # the shortest sound with so many
        assert stage.n_frames(max(n_samples, stage.shortest_input())) >= n_trs


def test_a_long_sound_is_read_in_pieces():
    class Silence:
        n_sounds, sample_rate, n_samples = 1, 22_050, 22_050 * 60
        longest = 0

        def read(self, start, stop):
            self.longest = max(self.longest, stop - start)
            return torch.zeros(1, stop - start)

    sound = Silence()
    encoder = encoder_of()
    rows = predict_responses(encoder, sound, input_scale=SCALE, samples_per_pass=200_000)["sub-01"]
    assert rows.shape == (41, 3)
    assert 100_000 < sound.longest <= 200_000


@pytest.mark.parametrize(
    ("tr_sampling", "options", "message"),
    [
        ("crop", {"start": 2.0}, r"'crop', which takes frame i for TR i: the start must be 0, go"),
        ("mean", {"start": 2.0}, r"takes the mean over the whole sound: the start must be 0, got"),
        ("mean", {"n_trs": 3}, r"sound responses have one row, 3 TRs were requested"),
        ("crop", {"n_trs": 50}, r"50 TRs were requested, the audio yields 8 frames of conv7"),
        ("crop", {"n_trs": 0}, r"the number of TRs must be at least 1, got 0"),
        ("interpolate", {"start": float("nan")}, r"start must be a finite number of seconds, got"),
        ("interpolate", {"start": 10.0}, r"sound ends after 10 s and TR 0 begins at 10 s: no TR"),
        ("interpolate", {"names": ["sub-09"]}, r"no read-out 'sub-09'; .* has sub-01, sub-02"),
    ],
)
def test_impossible_requests_are_refused(tr_sampling, options, message):
    sound = TensorSound(noise(220_500), 22_050)
    with pytest.raises(ValueError, match=message):
        predict_responses(encoder_of(tr_sampling), sound, input_scale=SCALE, **options)


def test_training_mode_several_sounds_and_nan_are_refused():
    encoder = encoder_of()
    with pytest.raises(ValueError, match=r"expected one sound, got 2; predict them one by one"):
        predict_responses(encoder, TensorSound(torch.zeros(2, 9), 22_050), input_scale=SCALE)
    with pytest.raises(ValueError, match=r"expected audio within \[-1, 1\], got NaN"):
        predict_responses(
            encoder, TensorSound(torch.full((1, 9), torch.nan), 22_050), input_scale=SCALE
        )
    with pytest.raises(ValueError, match=r"training mode; call encoder.eval\(\) first"):
        predict_responses(encoder.train(), TensorSound(noise(9), 22_050), input_scale=SCALE)

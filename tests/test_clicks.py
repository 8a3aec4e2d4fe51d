"""Frames respond at the time of their label: clicks and gradients.

The HEAR validator cannot detect a wrong label. An earlier public wrapper of SoundNet labelled its
frames up to 0.8 s away from the sound they responded to, and scored near zero on event tasks.
"""

import pytest
import torch

from hear_brainsoundnet.api import get_timestamp_embeddings
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import stage_names

CLICKS = [1.0, 2.71828, 6.99]  # seconds
STAGES = stage_geometry()


def changes_at_clicks(model, background):
    """Times of the frames (s), and for each click how much it changes each of them."""
    audio = torch.zeros(1 + len(CLICKS), 10 * model.sample_rate)
    if background == "noise":
        generator = torch.Generator().manual_seed(1)
        audio += 0.005 * torch.randn(1, audio.shape[1], generator=generator)
    for row, click in enumerate(CLICKS, start=1):
        audio[row, round(click * model.sample_rate)] += 1
    frames, milliseconds = get_timestamp_embeddings(audio, model)
    changes = (frames[1:] - frames[:1]).double().norm(dim=2)
    return milliseconds[0].double() / 1000, changes


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("background", ["silence", "noise"])
@pytest.mark.parametrize("stage", stage_names())
def test_click_is_labelled_at_its_own_time(bell_checkpoint, stage, background, sample_rate):
    """In a network of bell-shaped kernels the nearest frame answers most."""
    model = EmbeddingModel(bell_checkpoint, sample_rate=sample_rate, timestamps=stage, level=0)
    half_hop = STAGES[stage].hop / 22_050 / 2
    times, changes = changes_at_clicks(model, background)
    for click, change in zip(CLICKS, changes, strict=True):
        strongest = float(times[change.argmax()])
        assert abs(strongest - click) <= half_hop * 1.02 + 1 / sample_rate


@pytest.mark.parametrize("background", ["silence", "noise"])
@pytest.mark.parametrize("stage", stage_names())
def test_embedded_checkpoint_responds_to_a_click_around_its_time(untrained, stage, background):
    """With random weights the strongest frame varies; the centre of mass of the answer does not."""
    model = EmbeddingModel(untrained, sample_rate=48_000, timestamps=stage, level=0)
    half_hop = STAGES[stage].hop / 22_050 / 2
    times, changes = changes_at_clicks(model, background)
    for click, change in zip(CLICKS, changes, strict=True):
        centre_of_mass = float((times * change**2).sum() / (change**2).sum())
        assert abs(centre_of_mass - click) <= half_hop + 1 / 48_000


@pytest.mark.parametrize("stage", stage_names())
def test_gradient_of_a_frame_peaks_at_its_label(untrained, bell_checkpoint, stage):
    geometry = STAGES[stage]
    frame = max(2, 50_000 // geometry.hop)
    label = geometry.centre + frame * geometry.hop
    for checkpoint in (untrained, bell_checkpoint):
        soundnet = checkpoint.build_soundnet()
        audio = torch.randn(1, 200_000, generator=torch.Generator().manual_seed(0)) * 0.3
        audio = (audio + 0.3).requires_grad_()
        soundnet(audio, [stage])[stage][0, :, frame].norm().backward()
        energy = audio.grad[0].double() ** 2
        samples = torch.arange(200_000, dtype=torch.float64)
        centre_of_mass = float((samples * energy).sum() / energy.sum())
        assert abs(centre_of_mass - label) <= max(geometry.hop / 2, 8)
        field = energy.nonzero()[:, 0]
        assert field.min() >= max(0, geometry.field_start(frame))
        assert field.max() < geometry.field_stop(frame)


@pytest.mark.parametrize("stage", ["conv1", "pool1", "conv3", "conv4", "conv5"])
def test_receptive_field_is_neither_wider_nor_narrower(bell_checkpoint, stage):
    """The outermost samples of the field change a frame, the samples next to them do not."""
    geometry = STAGES[stage]
    soundnet = bell_checkpoint.build_soundnet().double()
    frame = max(8, 12_000 // geometry.hop)
    start, stop = geometry.field_start(frame), geometry.field_stop(frame)

    def answer(sample):
        audio = torch.zeros(1, 60_000, dtype=torch.float64)
        audio[0, sample] = 1e6
        return float(soundnet(audio, [stage])[stage][0, 0, frame].detach())

    assert answer(start) > 0
    assert answer(stop - 1) > 0
    assert answer(start - 1) == 0
    assert answer(stop) == 0

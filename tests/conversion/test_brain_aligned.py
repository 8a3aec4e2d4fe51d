"""The authors' brain-aligned networks predict as they did, cropped to the run's TRs."""

import foreign_files
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rounding import assert_same

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import convert

N_TRS = 7


def authors_prediction(expected, layer, weight, bias, *, power):
    """Conv2d over the frames, padded on both sides, cropped to the first TRs."""
    frames = expected[layer][..., None]
    if power:
        frames = torch.sqrt(frames)
    with torch.no_grad():
        padded = F.conv2d(frames, weight, bias, padding=(weight.shape[2] - 1, 0))
    return padded[0, :, :N_TRS, 0].T


def assert_predicts(path, audio, truth):
    encoder = load_checkpoint(path).build_encoder()
    with torch.no_grad():
        prediction = encoder(audio, N_TRS)[0]
    assert_same(prediction, truth)


def published(state, *, layer="conv7", channels=1024, out_size=210, ks=5, power=False, **more):
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(out_size, channels, ks, 1, generator=generator) * 0.01
    tensors = {f"soundnet.{name}": tensor for name, tensor in state.items()}
    tensors |= {
        "encoding_fmri.weight": weight,
        "encoding_fmri.bias": torch.linspace(-1, 1, out_size),
    }
    return {
        "out_size": out_size,
        "output_layer": layer,
        "fmrihidden": 1000,
        "kernel_size": ks,
        "power_transform": power,
        "checkpoint": tensors,
    } | more


@pytest.fixture(scope="module")
def state(body):
    return foreign_files.state_dict_a(body, heads=False)


@pytest.mark.parametrize(
    ("layer", "channels", "ks", "power"),
    [("conv7", 1024, 5, False), ("conv4", 128, 1, True), ("pool5", 256, 6, False)],
)
def test_published_network_predicts_as_before(
    state, audio, expected, tmp_path, layer, channels, ks, power
):
    document = published(state, layer=layer, channels=channels, ks=ks, power=power)
    source, target = tmp_path / f"{layer}_sub-03.pt", tmp_path / "out.safetensors"
    torch.save(document, source)
    convert(source, target, "brain-aligned-pt")
    tensors = document["checkpoint"]
    truth = authors_prediction(
        expected,
        layer,
        tensors["encoding_fmri.weight"],
        tensors["encoding_fmri.bias"],
        power=power,
    )
    assert_predicts(target, audio, truth)
    card = load_checkpoint(target).card
    assert card.input_scale == 1
    assert card.read_out.stage == layer
    assert card.read_out.n_delays == ks
    assert card.read_out.tr_sampling == "crop"
    assert card.read_out.power_transform == ("sqrt" if power else "none")
    assert card.read_out.names == card.read_out.subjects == ("sub-03",)
    assert card.read_out.tr == 1.49


def test_published_network_keeps_its_heads(weights, audio, expected, tmp_path):
    source, target = tmp_path / "aligned.pt", tmp_path / "out.safetensors"
    torch.save(published(foreign_files.state_dict_a(weights)), source)
    convert(source, target, "brain-aligned-pt", input_scale=2)
    checkpoint = load_checkpoint(target)
    assert [head.name for head in checkpoint.card.heads] == ["objects", "scenes"]
    assert checkpoint.card.read_out.names == ("subject",)
    assert checkpoint.card.read_out.subjects == ()
    assert checkpoint.card.input_scale == 2
    with torch.no_grad():
        scenes = checkpoint.build_soundnet()(audio, ["scenes"])["scenes"]
    assert_same(scenes, expected["scenes"])


@pytest.mark.parametrize(
    ("out_size", "given", "atlas", "note"),
    [
        (210, "", "MIST_ROI", "ids 1 to 210 of MIST_ROI"),
        (210, "Other", "Other", "positions 1 to 210"),
        (12, "", "", "positions 1 to 12"),
    ],
)
def test_targets_are_the_papers_parcels_or_positions(state, tmp_path, out_size, given, atlas, note):
    source, target = tmp_path / "a.pt", tmp_path / "out.safetensors"
    torch.save(published(state, out_size=out_size), source)
    convert(source, target, "brain-aligned-pt", atlas=given, tr=2.0)
    card = load_checkpoint(target).card
    assert card.read_out.target_ids == tuple(range(1, out_size + 1))
    assert card.read_out.atlas == atlas
    assert card.read_out.tr == 2.0
    assert note in card.provenance["target_ids"]


def test_training_state_with_a_pickled_network(training_state, audio, expected, tmp_path):
    source, target = tmp_path / "20220810_sub-02_best.pt", tmp_path / "out.safetensors"
    model = training_state(source, output_layer="conv5", power=True, ks=3, out_size=20)
    convert(source, target, "brain-aligned-pt")
    read_out = load_checkpoint(target).card.read_out
    assert read_out.stage == "conv5"
    assert read_out.names == ("sub-02",)
    encoding = model.encoding_fmri
    truth = authors_prediction(expected, "conv5", encoding.weight, encoding.bias, power=True)
    assert_predicts(target, audio, truth)


def without_layer(state, **sizes):
    document = published(state, **sizes)
    del document["output_layer"], document["power_transform"]
    return {"net": document["checkpoint"], "hyperparameters": {"kernel_size": 5}}


def test_a_missing_layer_name_is_derived_from_its_width(state, tmp_path):
    source, target = tmp_path / "a.pt", tmp_path / "out.safetensors"
    torch.save(without_layer(state, channels=512, out_size=4), source)
    convert(source, target, "brain-aligned-pt")
    card = load_checkpoint(target).card
    assert card.read_out.stage == "conv6"
    assert "not stated" in card.provenance["output_layer"]
    assert "not stated" in card.provenance["power_transform"]


@pytest.mark.parametrize("channels", [16, 32, 256])
def test_a_width_that_two_stages_share_is_an_error(state, tmp_path, channels):
    source = tmp_path / "a.pt"
    torch.save(without_layer(state, channels=channels, out_size=4), source)
    with pytest.raises(ValueError, match=rf"{channels} channels fit conv\d and pool\d; add"):
        convert(source, tmp_path / "out.safetensors", "brain-aligned-pt")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4, its weights have 5"),
        ({"out_size": 209}, "out_size is 209, its weights have 210"),
        ({"output_layer": "conv4"}, "read-out has 1024 input channels, conv4 has 128"),
        ({"output_layer": "conv9"}, "layer 'conv9', expected one of conv1, pool1"),
        ({"output_layer": 7}, "output_layer is not the name of a layer"),
        ({"power_transform": "yes"}, "power_transform is neither true nor false"),
    ],
)
def test_settings_that_contradict_the_weights(state, tmp_path, more, message):
    source = tmp_path / "a.pt"
    torch.save(published(state) | more, source)
    with pytest.raises(ValueError, match=message):
        convert(source, tmp_path / "out.safetensors", "brain-aligned-pt")


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("maskattention", torch.ones(210, 3), "attention over parcels"),
        ("encoding_fmri.bias", None, r"lacks encoding_fmri\.weight or \.bias"),
        ("encoding_fmri.bias", torch.ones(3), r"encoding_fmri.bias has shape \(3,\)"),
        ("encoding_fmri.weight", torch.ones(3, 4), r"shape \(3, 4\), expected \(targets, channels"),
        (
            "encoding_fmri.weight",
            torch.ones(1).expand(2**40, 1024, 5, 1),
            "encoding_fmri.weight is larger than the file",
        ),
        (
            "encoding_fmri.weight",
            torch.full((210, 1024, 5, 1), np.nan),
            "encoding_fmri.weight contains NaN",
        ),
        ("soundnet.conv3.0.weight", None, r"lacks conv3\.0\.weight"),
    ],
)
def test_read_outs_that_cannot_be_converted(state, tmp_path, name, tensor, message):
    document = published(state)
    tensors = document["checkpoint"]
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    torch.save(document, tmp_path / "a.pt")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.pt", tmp_path / "out.safetensors", "brain-aligned-pt")

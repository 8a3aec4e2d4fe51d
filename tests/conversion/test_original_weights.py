"""The original network's files, in each of their layouts, yield the original network's outputs."""

import hashlib
import json

import foreign_files
import numpy as np
import pytest
import torch
from rounding import assert_same

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import KINDS, convert, torch7
from hear_brainsoundnet.conversion.layouts import from_state_dict

STAGES = ["conv1", "pool2", "conv4", "pool5", "conv7"]


def assert_same_outputs(path, audio, expected, names):
    soundnet = load_checkpoint(path).build_soundnet()
    with torch.no_grad():
        outputs = soundnet(audio, names)
    for name in names:
        assert expected[name].abs().max() > 0
        assert_same(outputs[name], expected[name], name)


def test_python_2_npy_yields_the_original_outputs(weights, audio, expected, tmp_path):
    source, target = tmp_path / "sound8.npy", tmp_path / "out.safetensors"
    foreign_files.write_npy(source, foreign_files.npy_tree(weights))
    returned = convert(source, target, "sound8-npy")
    assert_same_outputs(target, audio, expected, [*STAGES, "objects", "scenes"])

    checkpoint = load_checkpoint(target)
    assert returned == checkpoint.hash
    assert checkpoint.card.name == "sound8"
    assert checkpoint.card.trained
    assert checkpoint.card.input_scale == 256
    assert [head.name for head in checkpoint.card.heads] == ["objects", "scenes"]
    assert "sound8.npy" in checkpoint.card.licence
    provenance = checkpoint.card.provenance
    assert provenance["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert provenance["source_file"] == "sound8.npy"
    assert provenance["kind"] == "sound8-npy"
    assert json.dumps(provenance)


def test_the_python_2_writer_of_these_tests_is_read_by_numpy_itself(body, tmp_path):
    path = tmp_path / "sound8.npy"
    tree = foreign_files.npy_tree(body, heads=False)
    foreign_files.write_npy(path, tree)
    read = np.load(path, allow_pickle=True, encoding="latin1").item()
    assert read.keys() == tree.keys()
    for layer, fields in tree.items():
        for name, array in fields.items():
            np.testing.assert_array_equal(read[layer][name], array)


def test_npy_of_numpy_today_with_mixed_float_types(body, audio, expected, tmp_path):
    source, target = tmp_path / "a.npy", tmp_path / "out.safetensors"
    tree = foreign_files.npy_tree(body, heads=False)
    tree["conv3"] = {name: array.astype(">f4") for name, array in tree["conv3"].items()}
    tree["conv4"] = {name: array.astype("<f8") for name, array in tree["conv4"].items()}
    np.save(source, tree, allow_pickle=True)
    convert(source, target, "sound8-npy")
    assert_same_outputs(target, audio, expected, ["conv7"])
    assert load_checkpoint(target).card.heads == ()


@pytest.mark.parametrize("is_zip", [True, False])
def test_state_dict_with_sequentials_in_both_torch_formats(body, audio, expected, tmp_path, is_zip):
    source, target = tmp_path / "sound8.pth", tmp_path / "out.safetensors"
    torch.save(
        foreign_files.state_dict_a(body, heads=False),
        source,
        _use_new_zipfile_serialization=is_zip,
    )
    convert(source, target, "sound8-pth", input_scale=128)
    assert_same_outputs(target, audio, expected, STAGES)
    assert load_checkpoint(target).card.input_scale == 128


@pytest.mark.parametrize("wrapper", ["", "model_state_dict"])
def test_state_dict_with_batchnorm_names(body, audio, expected, tmp_path, wrapper):
    source, target = tmp_path / "soundnet.pth", tmp_path / "out.safetensors"
    state = foreign_files.state_dict_b(body, heads=False, one_dimensional=bool(wrapper))
    if wrapper:
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, source)
    convert(source, target, "sound8-pth")
    assert_same_outputs(target, audio, expected, STAGES)


def test_every_family_of_state_dicts_holds_the_same_tensors(weights):
    state_b = foreign_files.state_dict_b(weights, heads=True, one_dimensional=False)
    first = from_state_dict(foreign_files.state_dict_a(weights)).tensors
    second = from_state_dict(state_b).tensors
    assert first.keys() == second.keys()
    assert "heads.scenes.bias" in first
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name])


@pytest.mark.parametrize(
    ("kind", "dtype", "as_matrix", "versions", "heads"),
    [
        ("Float", "<f4", False, True, True),
        ("Double", "<f8", True, False, False),
    ],
)
def test_torch7_yields_the_original_outputs(
    weights, body, audio, expected, tmp_path, kind, dtype, as_matrix, versions, heads
):
    source, target = tmp_path / "soundnet8_final.t7", tmp_path / "out.safetensors"
    network = foreign_files.torch7_network(
        weights if heads else body, as_matrix=as_matrix, dtype=dtype
    )
    writer = foreign_files.Torch7Writer(versions=versions, kind=kind)
    source.write_bytes(writer.write(network))
    convert(source, target, "torch7")
    names = ["objects", "scenes"] if heads else []
    assert_same_outputs(target, audio, expected, [*STAGES, *names])


def test_tensors_of_no_layer_are_left_out_and_noted(state_file, tmp_path, caplog):
    state = torch.load(state_file, weights_only=True) | {"extra.weight": torch.ones(2)}
    source, target = tmp_path / "more.pth", tmp_path / "out.safetensors"
    torch.save(state, source)
    convert(source, target, "sound8-pth")
    assert load_checkpoint(target).card.provenance["unused_tensors"] == ["extra.weight"]
    assert "extra.weight" in caplog.text


def test_four_kinds_are_offered(state_file, tmp_path):
    assert KINDS == ("sound8-npy", "sound8-pth", "torch7", "brain-aligned-pt")
    with pytest.raises(ValueError, match="unknown kind 'pth', expected one of sound8-npy"):
        convert(state_file, tmp_path / "out.safetensors", "pth")
    with pytest.raises(ValueError, match=r"name ends in \.safetensors"):
        convert(state_file, tmp_path / "out.pth", "sound8-pth")


@pytest.mark.parametrize("kind", ["Cuda", "CudaDouble", "Half", "Long", "Byte"])
def test_torch7_tensors_of_other_types_and_strides(kind):
    dtype = {"Cuda": "<f4", "CudaDouble": "<f8", "Half": "<f2", "Long": "<i8", "Byte": "u1"}[kind]
    storage = np.arange(20).astype(dtype)
    view = foreign_files.View(storage, 3, (4, 2), (1, 5))
    writer = foreign_files.Torch7Writer(kind=kind)
    table = torch7.load(writer.write({"tensor": view, 2: view, 2.5: True, "none": None}))
    assert table["tensor"] is table[2]
    assert table["tensor"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(table[2], [[3, 8], [4, 9], [5, 10], [6, 11]])
    assert table[2.5] is True
    assert table["none"] is None


def test_conversion_draws_no_random_numbers_and_repeats(state_file, tmp_path):
    before = torch.get_rng_state()
    hashes = {convert(state_file, tmp_path / f"{name}.safetensors", "sound8-pth") for name in "ab"}
    assert len(hashes) == 1
    assert torch.equal(torch.get_rng_state(), before)

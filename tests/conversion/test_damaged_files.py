"""Errors of damaged files: what was expected, what was found, what to do."""

import foreign_files
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import KINDS, convert


@pytest.fixture(scope="module")
def small_files():
    files = foreign_files.small_files()
    return [(content, kind) for kind, contents in files.items() for content in contents]


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    which=st.integers(0, 5),
    cut=st.none() | st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
)
@example(which=0, cut=0.99, changes=[])
@example(which=4, cut=0.99, changes=[])
@example(which=5, cut=0.99, changes=[])
def test_changed_and_truncated_files_raise_value_errors(small_files, tmp_path, which, cut, changes):
    content, kind = small_files[which]
    damaged = bytearray(content if cut is None else content[: int(cut * len(content))])
    for place, bits in changes if damaged else ():
        damaged[int(place * len(damaged))] ^= bits
    (tmp_path / "a").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"/a: "):
        convert(tmp_path / "a", tmp_path / "out.safetensors", kind)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(KINDS),
    start=st.sampled_from([b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x04\x00\x00\x00\x01"]),
    content=st.binary(max_size=200),
)
def test_random_bytes_raise_value_errors(tmp_path, kind, start, content):
    (tmp_path / "a").write_bytes(start + content)
    with pytest.raises(ValueError, match=rf"/a: .*({kind}|damaged|sound|pickle)"):
        convert(tmp_path / "a", tmp_path / "out.safetensors", kind)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9999])
def test_truncated_download(state_file, tmp_path, share):
    content = state_file.read_bytes()
    (tmp_path / "a.pth").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"no sound PyTorch archive .* fetch the file again"):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_missing_files(tmp_path, kind):
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match=f"expected a file of kind {kind}, it is empty; fetch"):
        convert(tmp_path / "empty", tmp_path / "out.safetensors", kind)
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere to convert"):
        convert(tmp_path / "nowhere", tmp_path / "out.safetensors", kind)
    with pytest.raises(ValueError, match="is not a file; give the path of a file of weights"):
        convert(tmp_path, tmp_path / "out.safetensors", kind)


def test_another_kind_is_named(small_files, state_file, body, tmp_path):
    looks = {"sound8-npy": "sound8-npy", "torch7": "torch7"}
    for content, true_kind in small_files:
        (tmp_path / "a").write_bytes(content)
        for kind in KINDS:
            name = looks.get(true_kind, "sound8-pth or brain-aligned-pt")
            if name == looks.get(kind, "sound8-pth or brain-aligned-pt"):
                continue
            with pytest.raises(ValueError, match=f"expected .* {kind}, it looks like {name}; use"):
                convert(tmp_path / "a", tmp_path / "out.safetensors", kind)

    with pytest.raises(ValueError, match="it looks like sound8-pth; use --from sound8-pth"):
        convert(state_file, tmp_path / "out.safetensors", "brain-aligned-pt")
    torch.save({"net": {"encoding_fmri.weight": torch.ones(2, 3, 4, 1)}}, tmp_path / "b.pt")
    with pytest.raises(ValueError, match="it looks like brain-aligned-pt; use --from brain-al"):
        convert(tmp_path / "b.pt", tmp_path / "out.safetensors", "sound8-pth")
    convert(state_file, tmp_path / "out.safetensors", "sound8-pth")
    with pytest.raises(ValueError, match=r"like a safetensors file; .* needs no conversion"):
        convert(tmp_path / "out.safetensors", tmp_path / "b.safetensors", "sound8-pth")
    (tmp_path / "c").write_bytes(b"<html>not found</html>")
    with pytest.raises(ValueError, match="it looks like none of sound8-npy, sound8-pth"):
        convert(tmp_path / "c", tmp_path / "out.safetensors", "torch7")


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("conv4.1.running_var", None, r"lacks conv4\.1\.running_var"),
        ("conv1.0.bias", None, r"lacks conv1\.0\.bias"),
        (
            "conv2.0.weight",
            torch.ones(32, 16, 31, 1),
            r"shape \(32, 16, 31\), expected \(32, 16, 32",
        ),
        ("conv2.0.weight", torch.ones(1).expand(32, 2**40, 32, 1), r"expected \(32, 16, 32\)"),
        (
            "conv5.1.weight",
            torch.full((256,), np.nan),
            r"conv5\.1\.weight contains NaN or infinity",
        ),
        (
            "conv5.0.bias",
            torch.full((256,), 1e300, dtype=torch.float64),
            "contains NaN or infinity",
        ),
        ("conv6.1.running_var", torch.full((512,), -1.0), "negative variance"),
        (
            "conv7.0.bias",
            torch.ones(1024, dtype=torch.int32),
            "torch.int32, expected a plain array",
        ),
        ("conv7.0.bias", torch.ones(1024).to_sparse(), "it builds tensors with"),
        ("conv7.0.bias", [1.0] * 1024, r"lacks conv7\.0\.bias"),
        ("conv8.0.weight", torch.ones(1000, 1024, 8, 1), r"lacks conv8\.0\.bias"),
    ],
)
def test_wrong_tensors(state_file, tmp_path, name, tensor, message):
    state = torch.load(state_file, weights_only=True)
    if tensor is None:
        del state[name]
    else:
        state[name] = tensor
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")
    assert not (tmp_path / "out.safetensors").exists()


def test_wrong_npy_layers(body, tmp_path):
    source, target = tmp_path / "a.npy", tmp_path / "out.safetensors"
    tree = foreign_files.npy_tree(body, heads=False)
    missing = {name: fields for name, fields in tree.items() if name != "conv3"}
    foreign_files.write_npy(source, missing)
    with pytest.raises(ValueError, match=r"lacks conv3\.weights, conv3\.biases, .* and 3 more"):
        convert(source, target, "sound8-npy")
    foreign_files.write_npy(source, tree | {"conv3": {"weights": np.ones(3, "i4")}})
    with pytest.raises(ValueError, match=r"lacks conv3\.biases"):
        convert(source, target, "sound8-npy")
    np.save(source, np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"array of float64 with shape \(2, 3\), expected one pick"
    ):
        convert(source, target, "sound8-npy")


def test_wrong_torch7_networks(body, tmp_path):
    source, target = tmp_path / "a.t7", tmp_path / "out.safetensors"
    network = foreign_files.torch7_network(body)
    modules = network.fields["modules"]
    for changed, message in (
        (foreign_files.Lua("nn.Parallel"), "expected an nn.Sequential with modules, got 'nn.Paral"),
        ({1: 2.0}, "expected a file of kind torch7, it looks like none"),
        (
            foreign_files.Lua("nn.Sequential", modules={**modules, 6: modules[7]}),
            r"modules\[5\] is 'nn.ReLU', expected a BatchNormalization",
        ),
        (
            foreign_files.Lua("nn.Sequential", modules={**modules, 25: modules[7]}),
            "expected an nn.ConcatTable with modules, got 'nn.ReLU'",
        ),
    ):
        source.write_bytes(foreign_files.Torch7Writer().write(changed))
        with pytest.raises(ValueError, match=message):
            convert(source, target, "torch7")


def test_port_that_lost_its_batchnorm_is_refused_unless_wanted(state_file, tmp_path):
    state = torch.load(state_file, weights_only=True)
    initial = {"weight": 1, "bias": 0, "running_mean": 0, "running_var": 1}
    for name in state:
        _, part, field = name.split(".")
        if part == "1" and field in initial:
            state[name] = torch.full_like(state[name], initial[field])
    source, target = tmp_path / "a.pth", tmp_path / "out.safetensors"
    torch.save(state, source)
    with pytest.raises(ValueError, match=r"copied the convolutions only.*allow_initial"):
        convert(source, target, "sound8-pth")
    convert(source, target, "sound8-pth", allow_initial_batchnorm=True)
    assert load_checkpoint(target).card.trained

    # One layer that was set is enough to see that the file had statistics.
    state["conv3.1.running_mean"][0] = 0.5
    torch.save(state, source)
    assert convert(source, target, "sound8-pth")


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_impossible_input_scales(state_file, tmp_path, scale):
    with pytest.raises(ValueError, match="input_scale"):
        convert(state_file, tmp_path / "a.safetensors", "sound8-pth", input_scale=scale)

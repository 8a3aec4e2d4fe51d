import json
import logging
import os
import stat
import struct
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch
from checkpoints_in_memory import checkpoint_of
from safetensors.torch import load_file, save_file

from hear_brainsoundnet import checkpoint as checkpoint_module
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import NAMED, load_checkpoint, read_checkpoint, write_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import HEADS, LAYERS, Layer, SoundNet

# A small network with the same structure, so that files are small.
SMALL = (
    Layer("conv1", kernel=8, stride=2, padding=4, channels=3, pool=4),
    Layer("conv2", kernel=4, stride=2, padding=2, channels=5),
)
READ_OUT = ReadOut(
    "conv2", 3, 1.49, "crop", target_ids=(4, 7), names=("sub-01", "sub-02"), atlas="MIST_ROI"
)


def card(**fields):
    return Card.model_validate(
        {"name": "small", "trained": True, "input_scale": 2.0, "layers": SMALL, **fields}
    )


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    write_checkpoint(path, card(provenance={"seed": 0}, scores={"r": 0.5}), SoundNet(SMALL))
    return path


def rewrite(path, change):
    """Write the file again after `change(tensors, document)`, with its old hash."""
    tensors = load_file(path)
    with path.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    document = json.loads(header["__metadata__"]["hear_brainsoundnet"])
    change(tensors, document)
    save_file(tensors, path, metadata={"hear_brainsoundnet": json.dumps(document)})


def test_what_is_written_is_read(tmp_path):
    torch.manual_seed(0)
    soundnet = SoundNet(SMALL, HEADS)
    encoder = BrainEncoder(soundnet, READ_OUT)
    path = tmp_path / "encoder.safetensors"
    digest = write_checkpoint(path, card(heads=HEADS, read_out=READ_OUT), encoder)
    loaded = read_checkpoint(path)
    assert loaded.hash == digest
    assert loaded.card == card(heads=HEADS, read_out=READ_OUT)
    audio = torch.randn(1, 2000)
    again = loaded.build_encoder()
    for name in READ_OUT.names:
        expected = encoder.eval()(audio, 20, name=name)
        assert torch.equal(again(audio, 20, name=name), expected)
    stages = ["conv1", "conv2", "objects"]
    actual, expected = loaded.build_soundnet()(audio, stages), soundnet.eval()(audio, stages)
    assert all(torch.equal(actual[stage], expected[stage]) for stage in stages)


def test_equal_checkpoints_are_equal_bytes_and_other_seeds_are_not(tmp_path):
    contents = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        path = tmp_path / f"{len(contents)}.safetensors"
        write_checkpoint(path, card(), SoundNet(SMALL))
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_half_precision_on_disk_changes_outputs_by_less_than_a_thousandth(tmp_path):
    torch.manual_seed(0)
    soundnet = SoundNet().eval()
    path = tmp_path / "half.safetensors"
    fields = {"name": "half", "trained": False, "input_scale": 1.0}
    write_checkpoint(path, Card.model_validate(fields), soundnet, dtype=torch.float16)
    assert path.stat().st_size < 6_000_000
    audio = torch.randn(1, 50_000)
    expected = soundnet(audio, ["conv7"])["conv7"]
    actual = read_checkpoint(path).build_soundnet()(audio, ["conv7"])["conv7"]
    actual, expected = actual.detach(), expected.detach()
    assert float((actual - expected).abs().max()) < 1e-3 * float(expected.max())


@pytest.mark.parametrize("name", NAMED)
def test_embedded_checkpoints_are_complete_and_small(name):
    checkpoint = load_checkpoint(name)
    assert checkpoint.hash == NAMED[name].hash
    assert checkpoint.card.licence
    assert checkpoint.card.use
    path = checkpoint_module.CHECKPOINT_FOLDER / NAMED[name].file
    assert path.stat().st_size <= 12e6
    soundnet = checkpoint.build_soundnet()
    assert soundnet.layers == LAYERS
    assert sum(parameter.numel() for parameter in soundnet.parameters()) < 3e6


def test_the_default_is_trained_and_logs_nothing(caplog):
    with caplog.at_level(logging.INFO):
        for name in ("", "default"):
            assert load_checkpoint(name).card.trained
    assert not caplog.records
    assert not load_checkpoint("untrained").card.trained


def test_a_replaced_named_checkpoint_is_refused(tmp_path, monkeypatch):
    torch.manual_seed(0)
    fields = {"name": "other", "trained": True, "input_scale": 1.0, "layers": SMALL}
    write_checkpoint(
        tmp_path / NAMED["untrained"].file, Card.model_validate(fields), SoundNet(SMALL)
    )
    monkeypatch.setattr(checkpoint_module, "CHECKPOINT_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"has hash .* expected .*: it was replaced"):
        load_checkpoint("untrained")


def test_unknown_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither a file nor one of the names default"):
        load_checkpoint("brain")
    with pytest.raises(ValueError, match=r"is a folder; give the path of a \.safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 7, 100, 1000, -1])
def test_truncated_file(file, kept):
    content = file.read_bytes()
    file.write_bytes(content[:kept])
    with pytest.raises(ValueError, match="is damaged"):
        read_checkpoint(file)


def test_every_flipped_bit_is_noticed(file):
    content = file.read_bytes()
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(len(content) * 8, (300,), generator=generator).tolist()
    for place in [*range(64), *places]:
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"small\.safetensors"):
            read_checkpoint(file)


WEIGHT, BIAS = "soundnet.conv1.conv.weight", "soundnet.conv1.conv.bias"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"soundnet.conv2.norm.bias": None}, r"lacks tensor soundnet\.conv2\.norm\.bias; its card"),
        ({"extra": torch.zeros(3)}, r"has an unexpected tensor extra; its card and content disag"),
        ({BIAS: torch.zeros(4)}, r"bias has shape \(4,\), its layer table implies \(3,\)"),
        ({WEIGHT: torch.full((3, 1, 8), torch.nan)}, r"weight contains NaN or infinity"),
        ({BIAS: torch.zeros(3, dtype=torch.int32)}, r"has type torch\.int32, expected floats"),
        ({WEIGHT: torch.ones(3, 1, 8)}, r"is damaged: its content does not match its SHA-256"),
    ],
)
def test_tensors_that_do_not_match_their_card(file, changes, message):
    def change(tensors, _):
        tensors.update(changes)
        for name in [name for name, tensor in changes.items() if tensor is None]:
            del tensors[name]

    rewrite(file, change)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(file)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("card", "input_scale"), 3.0, r"is damaged: its content does not match its SHA-256"),
        (("card", "format_version"), 4, r"checkpoint format 4, this version .* up to 3: pip inst"),
        (("card", "format_version"), "1", r"has checkpoint format 1"),
        (("card", "colour"), "red", r"the card's colour is wrong: Extra inputs are not permitted"),
        (("card", "input_scale"), -1, r"card's input_scale is wrong: Input should be greater than"),
        (("card", "layers", 0, "kernel"), 10**12, r"layers is wrong: .* = 1000000000000 is out of"),
        (("card", "layers", 0, "name"), "__class__", r"'__class__' is not a stage name"),
        (("card", "layers", 0, "name"), "forward", r"'forward' is not a stage name"),
        (("card", "layers", 0, "name"), "training", r"'training' is not a stage name"),
        (("card", "layers", 1, "name"), "pool1", r"twice among the stages conv1, pool1, pool1"),
        (("card", "layers"), [], r"no rows, expected at least one layer"),
        (("card", "heads"), {"keys": 3}, r"heads is wrong: Input should be a valid tuple"),
        (("card", "name"), "\x1b[2J", r"'\\x1b\[2J' is not one line of printable text"),
        (("card", "labels"), {"objects": ["a"]}, r"1 labels for head 'objects', expected none"),
        (("card",), [1, 2], r"its card is not readable JSON"),
    ],
)
def test_cards_that_are_wrong_or_of_other_content(file, place, value, message):
    def change(_, document):
        *parents, last = place
        for key in parents:
            document = document[key]
        document[last] = value

    rewrite(file, change)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(file)


def published(**changes):
    """The published layer table with changes to its first row."""
    return (replace(LAYERS[0], **changes), *LAYERS[1:])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (published(channels=8_193), "channels = 8193 is out of range, expected 1 to 8192"),
        (published(channels=129), "129 channels every 2 samples are out of range"),
        (published(padding=33), "padding = 33 is out of range, expected at most half"),
        (published(stride=65_536), "stride = 65536 is out of range, expected 1 to 256"),
        (published(pool=33), "pool = 33 is out of range, expected 0 to 32"),
        (
            [Layer(f"conv{n}", kernel=1, stride=256, padding=0, channels=1) for n in range(64)],
            r"conv2: a frame for 16777216 samples is out of range, expected at most 2097152",
        ),
        ([Layer(f"conv{n}", 1, 1, 0, 1) for n in range(65)], "65 rows, expected at most 64"),
    ],
)
def test_a_layer_table_out_of_proportion(layers, message):
    with pytest.raises(ValueError, match=message):
        card(layers=layers)


def test_a_network_four_times_as_wide_is_accepted():
    wide = tuple(replace(layer, channels=4 * layer.channels) for layer in LAYERS)
    assert card(layers=wide).layers == wide


def names_of_modules_attributes():
    return sorted(name for name in dir(torch.nn.ModuleDict()) if not name.startswith("_"))


def test_read_outs_and_heads_of_any_name(tmp_path):
    """A subject can be called "keys", "pop" or "training"; PyTorch's modules have such names."""
    names = ("keys", "pop", "training", "sub-01", *names_of_modules_attributes())
    names = tuple(dict.fromkeys(name for name in names if name != "T_destination"))
    read_out = replace(READ_OUT, names=names)
    heads = tuple(replace(HEADS[0], name=name, channels=2, kernel=1) for name in names[:3])
    torch.manual_seed(0)
    encoder = BrainEncoder(SoundNet(SMALL, heads), read_out).eval()
    path = tmp_path / "names.safetensors"
    write_checkpoint(path, card(heads=heads, read_out=read_out), encoder)
    again = read_checkpoint(path).build_encoder()
    assert not any(module.training for module in again.modules())
    audio = torch.randn(1, 2000)
    for name in names:
        assert torch.equal(again(audio, 20, name=name), encoder(audio, 20, name=name))
    expected = encoder.soundnet(audio, names[:3])
    actual = again.soundnet(audio, names[:3])
    assert all(torch.equal(actual[name], expected[name]) for name in names[:3])
    assert all(module.training for module in again.train().modules())


def test_labels_of_heads_are_read_back_and_raise_the_format_version(tmp_path):
    heads = (replace(HEADS[0], channels=2),)
    labels = {"objects": ("dog", "cat")}
    path = tmp_path / "labels.safetensors"
    for given, version in (({}, 1), (labels, 2)):
        made = card(heads=heads, labels=given)
        write_checkpoint(path, made, SoundNet(SMALL, heads))
        assert read_checkpoint(path).card.labels == given
        assert made.document()["format_version"] == version
        assert ("labels" in made.document()) == bool(given)
    with pytest.raises(ValueError, match="3 labels for head 'objects', expected 2"):
        card(heads=heads, labels={"objects": ("a", "b", "c")})


def test_a_rank_is_read_back_and_raises_the_format_version(tmp_path):
    read_out = ReadOut("conv7", 2, 1.49, "crop", tuple(range(1, 41)), ("sub-01",), rank=3)
    made = Card(name="low rank", trained=True, input_scale=1.0, read_out=read_out)
    encoder = BrainEncoder(SoundNet(), read_out).eval()
    assert made.document()["format_version"] == 3
    write_checkpoint(tmp_path / "low.safetensors", made, encoder)
    again = read_checkpoint(tmp_path / "low.safetensors").build_encoder()
    features = torch.randn(1, 9, 1024)
    assert torch.equal(again.respond(features), encoder.respond(features))
    full = made.model_copy(update={"read_out": replace(read_out, rank=None)})
    assert full.document()["format_version"] == 1
    assert "rank" not in full.document()["read_out"]
    with pytest.raises(ValueError, match=r"lacks tensor heads\.sub-01\.bias"):
        write_checkpoint(tmp_path / "full.safetensors", full, encoder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tr_sampling": "guess"}, r"tr_sampling 'guess' is none of"),
        ({"power_transform": "cube"}, r"power transform is none of"),
        ({"target_ids": (7, 4)}, r"target ids must be ascending"),
        ({"target_ids": ()}, r"target ids must be ascending, each once, at least one"),
        ({"target_names": ("one",)}, r"target names must be as many as target ids"),
        ({"n_delays": 0}, r"0 delays of 1.49 s are out of range"),
        ({"n_delays": 1025}, r"1025 delays of 1.49 s are out of range, expected at most 1024"),
        ({"tr": 1e-9}, r"3 delays of 1e-09 s are out of range"),
        ({"names": ("../x",)}, r"are not names of weights"),
    ],
)
def test_an_impossible_read_out(fields, message):
    with pytest.raises(ValueError, match=message):
        card(read_out={**asdict(READ_OUT), **fields})


def test_a_safetensors_file_of_another_program(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"has no hear_brainsoundnet card: it was not written by"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("sound8.npy", b"\x93NUMPY\x01\x00", "sound8-npy"),
        ("sound8.pth", b"PK\x03\x04 archive", "sound8-pth"),
        ("old.pth", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "sound8-pth"),
        ("soundnet8_final.t7", b"\x04\x00\x00\x00\x01\x00", "torch7"),
    ],
)
def test_a_foreign_file_is_an_error_with_the_conversion_command(tmp_path, name, start, kind):
    path = tmp_path / name
    path.write_bytes(start + bytes(100))
    with pytest.raises(
        ValueError, match=rf"hear-brainsoundnet convert .*{name} OUT\.safetensors --from {kind}"
    ):
        load_checkpoint(path)


def test_card_and_weights_must_fit_when_writing(tmp_path):
    with pytest.raises(ValueError, match=r"lacks tensor soundnet\.conv3"):
        write_checkpoint(
            tmp_path / "x.safetensors", card(layers=SoundNet().layers), SoundNet(SMALL)
        )
    with pytest.raises(ValueError, match=r"name ends in \.safetensors, got 'x\.pt'"):
        write_checkpoint(tmp_path / "x.pt", card(), SoundNet(SMALL))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(file, monkeypatch):
    content = file.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        write_checkpoint(file, card(name="new"), SoundNet(SMALL))
    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_written_file_is_readable_by_others(file):
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444


def test_checkpoint_without_read_out_has_no_encoder():
    with pytest.raises(ValueError, match="checkpoint 'test' has no read-out to fMRI"):
        checkpoint_of(SoundNet()).build_encoder()


@pytest.mark.slow
def test_loading_the_default_imports_nothing_heavy() -> None:
    """PyTorch imports sympy (half a second) for some operations on tensors without memory."""
    program = "import sys, hear_brainsoundnet as h; h.load_model(); print('sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr

"""Files that would run a program when unpickled run none here, whatever holds them."""

import builtins
import io
import os
import pickle
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections import OrderedDict

import foreign_files
import numpy.testing
import pytest
import torch

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import convert, torch_pickle
from hear_brainsoundnet.conversion.pickle_scan import scan_pickle
from hear_brainsoundnet.conversion.torch_pickle import Inert


class Runs:
    """Unpickled by pickle, this calls a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def mark(tmp_path):
    """The file that appears when a payload is run."""
    return tmp_path / "harm-was-done"


@pytest.fixture(params=["os.system", "eval", "exec", "Popen", "runstring"])
def payload(request, mark):
    code = f"open({str(mark)!r}, 'w').close()"
    return {
        "os.system": Runs(os.system, f"touch {mark}"),
        "eval": Runs(builtins.eval, code),
        "exec": Runs(builtins.exec, code),
        "Popen": Runs(subprocess.check_call, ["touch", str(mark)]),
        # Of no module that looks dangerous: only never calling what a file names helps here.
        "runstring": Runs(numpy.testing.runstring, code, {}),
    }[request.param]


def assert_no_harm(source, kind, mark, tmp_path):
    """Whether converted or refused, nothing is run. Returns the message of a refusal."""
    message = ""
    try:
        convert(source, tmp_path / "out.safetensors", kind)
    except ValueError as error:
        message = str(error)
    assert not mark.exists()
    return message


def test_the_payloads_of_these_tests_run_when_unpickled(payload, mark):
    pickle.loads(pickle.dumps(payload, protocol=2))  # noqa: S301 - our own, to see it work
    assert mark.exists()


def test_npy_payloads(payload, mark, tmp_path):
    source = tmp_path / "sound8.npy"
    for content in (payload, {"conv1": payload}, {"conv1": {"weights": payload}}):
        for protocol in (0, 2, 4):
            foreign_files.write_npy_pickle(source, pickle.dumps(content, protocol=protocol))
            assert "nothing was run" in assert_no_harm(source, "sound8-npy", mark, tmp_path)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("kind", ["sound8-pth", "brain-aligned-pt"])
def test_torch_payloads(payload, mark, tmp_path, is_zip, kind):
    source = tmp_path / "sound8.pth"
    for content in (payload, OrderedDict({"conv1.0.weight": payload}), {"checkpoint": [payload]}):
        torch.save(content, source, _use_new_zipfile_serialization=is_zip)
        assert assert_no_harm(source, kind, mark, tmp_path)


def test_payload_beside_sound_weights(payload, mark, state_file, tmp_path):
    state = torch.load(state_file, weights_only=True)
    torch.save({"state_dict": state, "extra": payload}, tmp_path / "a.pth")
    message = assert_no_harm(tmp_path / "a.pth", "sound8-pth", mark, tmp_path)
    if message:  # a function of the standard library
        assert "it may be made to do harm. Nothing was run" in message
    else:  # an unknown function, which became inert
        assert load_checkpoint(tmp_path / "out.safetensors").card.heads == ()


def test_payload_among_the_attributes_of_a_pickled_network(payload, mark, training_state, tmp_path):
    source = tmp_path / "state.pt"
    training_state(source, attributes={"hook": payload})
    message = assert_no_harm(source, "brain-aligned-pt", mark, tmp_path)
    assert "Nothing was run" in message or (tmp_path / "out.safetensors").exists()


def test_payload_that_the_running_program_has_declared_safe(mark, tmp_path):
    payload = Runs(numpy.testing.runstring, f"open({str(mark)!r}, 'w')", {})
    torch.save({"a": payload}, tmp_path / "a")
    before = set(torch.serialization.get_safe_globals())
    with torch.serialization.safe_globals([numpy.testing.runstring]):
        assert "it lacks conv1" in assert_no_harm(tmp_path / "a", "sound8-pth", mark, tmp_path)
        assert numpy.testing.runstring in torch.serialization.get_safe_globals()
    assert set(torch.serialization.get_safe_globals()) == before


def test_lua_functions_are_skipped(body, mark, tmp_path):
    network = foreign_files.torch7_network(body)
    network.fields["modules"][1].fields["weight"] = foreign_files.Function()
    (tmp_path / "a.t7").write_bytes(foreign_files.Torch7Writer().write(network))
    message = assert_no_harm(tmp_path / "a.t7", "torch7", mark, tmp_path)
    assert r"lacks modules[0].weight" in message


def save_pickle_as_torch(path, pickled):
    """A PyTorch file with this pickle as its content."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickled if name.endswith("data.pkl") else old.read(name))


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        # Call the inert object itself, take an item of it, store one in it.
        (b"\x80\x02cmodels\nNet\n)R)R.", "reduce for unrecognized function"),
        (b"\x80\x02cmodels\nNet\n)RK\x01K\x02s.", "Can only SETITEM"),
        (b"\x80\x02cmodels\nNet\n)RK\x01a.", "Can only append to lists"),
        # Tensors whose attributes shadow their methods, tensors of any size without numbers.
        (b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n.", "plain tensors"),
        (b"\x80\x02ctorch\nTensor\nJ\x00\xca\x9a;\x85R.", "plain tensors"),
        (b"\x80\x02c__builtin__\nbytearray\nJ\x00\xca\x9a;\x85R.", r"builtins\.bytearray"),
        (b"\x80\x02)" + b"\x85" * 30_000 + b".", "nested more than 200 deep"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "of its memo"),
        (b"\x80\x02\x82\x01.", "registered number"),
        (b"no pickle", "no sound pickle"),
    ],
)
def test_instructions_that_no_weights_need(tmp_path, instructions, message):
    save_pickle_as_torch(tmp_path / "a.pth", instructions)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")


def test_inert_objects_take_any_state_and_do_nothing():
    for state in (None, 3, {"__class__": Runs}, ({"a": 1}, {"__setstate__": print, "state": 2})):
        inert = Inert(1, key=2)
        inert.__setstate__(state)
        assert type(inert) is Inert
        assert inert.state is state
        assert not callable(inert)
        assert not hasattr(inert, "__dict__")
        assert inert.attribute("nothing") is None


def test_a_state_dict_whose_methods_are_shadowed_is_read(state_file, tmp_path):
    class Shadowed:
        def __reduce__(self):
            shadows = dict.fromkeys(("items", "keys", "values", "get", "__iter__"), "no method")
            return OrderedDict, (), shadows, None, iter(state.items())

    state = dict(torch.load(state_file, weights_only=True))
    torch.save({"state_dict": Shadowed()}, tmp_path / "a.pth")
    shadowed = torch.load(tmp_path / "a.pth", weights_only=True)["state_dict"]
    assert shadowed.items == "no method"
    assert convert(tmp_path / "a.pth", tmp_path / "a.safetensors", "sound8-pth")


def test_archive_that_unpacks_to_more_than_itself(tmp_path):
    save_pickle_as_torch(tmp_path / "a.pth", b"\x80\x02}.")
    with zipfile.ZipFile(tmp_path / "a.pth", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data/0", bytes(10_000_000))
    with pytest.raises(ValueError, match="unpacks to more than its own size"):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")


def test_archive_of_a_million_members(tmp_path):
    member = b"PK\x01\x02" + bytes(42)
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04" + member * 1_000_000)
    with pytest.raises(ValueError, match="it has more than 20000 members"):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")


def test_torchscript_is_refused(tmp_path):
    save_pickle_as_torch(tmp_path / "a.pth", b"\x80\x02}.")
    with zipfile.ZipFile(tmp_path / "a.pth", "a") as archive:
        archive.writestr("archive/constants.pkl", b"\x80\x02).")
    with pytest.raises(ValueError, match="TorchScript program, expected a state dict"):
        convert(tmp_path / "a.pth", tmp_path / "out.safetensors", "sound8-pth")


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"\x80\x02cnumpy\ndtype\nU\x02V9K\x00K\x01\x87R.", "neither float nor int"),
        (b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.", "tries to change a function"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "latin1"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "of its memo"),
        (b"\x80\x02U\x01aQ.", "outside the file"),
        (b"\x80\x02}.", "an array that holds one dictionary"),
        (b"\x80\x02(", "no sound pickle"),
    ],
)
def test_npy_pickles_that_no_arrays_need(tmp_path, pickled, message):
    foreign_files.write_npy_pickle(tmp_path / "a.npy", pickled)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.npy", tmp_path / "out.safetensors", "sound8-npy")


def tuples_within_tuples(n, end):
    """`n` tuples, each of them the one before twice, and instructions that use the last one."""
    return b"\x80\x02)q\x00" + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(n)) + end


def integers(values):
    numbers = (value.to_bytes(9, "little", signed=True) for value in values)
    return b"".join(b"\x8a\x09" + number for number in numbers)


COLLIDING = [k * (2**61 - 1) for k in range(1, 100)] * 20
LONG_TEXT = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x00"


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (tuples_within_tuples(60, b"."), "far larger than the file"),
        (tuples_within_tuples(60, b"0}."), "far larger than the file"),  # dropped before the end
        (tuples_within_tuples(60, b"0}h\x3cNs."), "far larger than the file"),
        (tuples_within_tuples(8, b"0}h\x08Ns."), "one of its keys is a tuple of more than 100"),
        (tuples_within_tuples(18, b"0" + b"ctorch\ndevice\nh\x12\x85R0" * 20 + b"."), "far larger"),
        (b"\x80\x02}(" + integers(COLLIDING) + b"u.", "integers of over 61 bits"),
        (b"\x80\x02}(" + b"K\x01K\x02\x86N" * 2_000 + b"u.", "more than 1000 of its keys are"),
        (b"\x80\x02c__builtin__\nset\n](" + b"K\x01\x85" * 2_000 + b"e\x85R.", "of its keys are"),
        (b"\x80\x02]q\x00h\x00a.", "a list or dictionary within itself"),
        (b"\x80\x02]q\x00}q\x01K\x01h\x00sa.", "a list or dictionary within itself"),
        (b"\x80\x02" + LONG_TEXT + b"0](" + b"h\x00" * 1_000 + b"e.", "far larger than the file"),
        (
            b"\x80\x02" + LONG_TEXT + b"X\x06\x00\x00\x00latin1q\x01"
            b"0](" + b"c_codecs\nencode\nh\x00h\x01\x86R" * 300 + b"e.",
            "far larger than the file",
        ),
        pytest.param(
            b"\x80\x02" + b"N0" * 150_001 + b".",
            "more than 300000 instructions",
            marks=pytest.mark.slow,
        ),
        (b"\x80\x02" + b"".join(b"cm\n%d\n0" % i for i in range(501)), "more than 500 functions"),
        pytest.param(
            b"\x80\x02" + b"cm\nC\n)\x810" * 20_001 + b".",
            "calls functions and classes more than",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_small_pickles_that_would_never_end_are_refused(tmp_path, pickled, message):
    """They are refused before anything is loaded, in each kind of file."""
    save_pickle_as_torch(tmp_path / "a.pth", pickled)
    foreign_files.write_npy_pickle(tmp_path / "a.npy", pickled)
    begun = time.process_time()
    for name, kind in (("a.pth", "sound8-pth"), ("a.npy", "sound8-npy")):
        with pytest.raises(ValueError, match=message):
            convert(tmp_path / name, tmp_path / "out.safetensors", kind)
    assert time.process_time() - begun < 60


def test_values_shared_in_genuine_files_are_accepted():
    """One tuple in ten thousand places, text that recurs, tuples as keys."""
    shared, text = (1, 2, 3), "text" * 100
    content = {
        "list": [shared] * 10_000,
        "texts": [text] * 1_000,
        **{(i, 1): i for i in range(900)},
    }
    for protocol in range(6):
        assert scan_pickle(io.BytesIO(pickle.dumps(content, protocol))) == set()


def lua_table_nested(depth):
    table = {}
    for _ in range(depth):
        table = {1: table}
    return foreign_files.Lua("nn.Sequential", modules=table)


STORAGE = foreign_files.np.zeros(4, "<f4")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lua_table_nested(200), "nested more than 100 deep"),
        (foreign_files.View(STORAGE, 0, (5,)), "reaches to number 4 of 4"),
        (foreign_files.View(STORAGE, 3, (2, 1)), "reaches to number 4 of 4"),
        (foreign_files.View(STORAGE, -1, (2,)), "negative size, stride or offset"),
        (foreign_files.View(STORAGE, 2, (2,), (-1,)), "negative size, stride or offset"),
        (foreign_files.View(STORAGE, 0, (-2,), (1,)), "negative size, stride or offset"),
        (foreign_files.View(STORAGE, 0, (2**40,), (0,)), "reaches to number"),
        (foreign_files.View({}, 0, (2,)), "without a storage of its type"),
        (foreign_files.View(STORAGE, 0, (1,) * 17), "17 dimensions"),
    ],
)
def test_torch7_objects_that_do_not_fit_the_file(tmp_path, value, message):
    network = foreign_files.Lua("nn.Sequential", modules={1: value})
    (tmp_path / "a.t7").write_bytes(foreign_files.Torch7Writer().write(network))
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.t7", tmp_path / "out.safetensors", "torch7")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (struct.pack("<iii", 4, 1, 2**31 - 1), "2147483647 bytes should follow, 0 are left"),
        (struct.pack("<iii", 4, 1, -1), "-1 bytes should follow"),
        (struct.pack("<iii3si", 4, 1, 3, b"nn.", 9), "object type 9, expected 0 to 8"),
        (struct.pack("<iii18sq", 4, 1, 18, b"torch.FloatStorage", 2**61), "bytes should follow"),
        (struct.pack("<iii3siii", 4, 1, 3, b"nn.", 3, 2, 2**30), "bytes should follow"),
        (
            struct.pack("<iii3siii", 4, 1, 3, b"nn.", 3, 2, 200_000) + bytes(1_600_000),
            "more than 200000 objects",
        ),
    ],
)
def test_torch7_sizes_beyond_the_file(tmp_path, content, message):
    (tmp_path / "a.t7").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "a.t7", tmp_path / "out.safetensors", "torch7")


def test_reading_from_a_thread_with_a_small_stack(tmp_path):
    """Deep nesting is a message there too and never the end of the process."""
    network = lua_table_nested(5_000)
    sys.setrecursionlimit(20_000)
    try:
        content = foreign_files.Torch7Writer().write(network)
    finally:
        sys.setrecursionlimit(1_000)
    (tmp_path / "a.t7").write_bytes(content)
    caught = []

    def read():
        with pytest.raises(ValueError, match="nested more than 100 deep") as error:
            convert(tmp_path / "a.t7", tmp_path / "out.safetensors", "torch7")
        caught.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert caught


def test_names_are_listed_without_loading(mark, tmp_path):
    for is_zip in (True, False):
        torch.save(
            {"a": Runs(os.system, f"touch {mark}"), "b": torch.ones(2)},
            tmp_path / "a.pth",
            _use_new_zipfile_serialization=is_zip,
        )
        names = torch_pickle.names_in((tmp_path / "a.pth").read_bytes())
        assert "posix.system" in names
        assert "torch._utils._rebuild_tensor_v2" in names
        assert not mark.exists()

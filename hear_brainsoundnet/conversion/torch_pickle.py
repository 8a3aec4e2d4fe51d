"""Reader of PyTorch files (zip and the older format) that builds nothing but tensors.

``torch.load(weights_only=True)`` rejects unknown classes. A training state saved with the whole
network refers to such classes, which are not installed here; all of them are replaced by one class
that does nothing, :class:`Inert`, so that the data around and inside them can be read. Names that
no weight file needs (``os.system``) are rejected outright, although they would become inert as
well: opening the file with another program would be harmful, and the user should know.

One thing PyTorch cannot read this way is a whole network in the format from before
PyTorch 1.6, whose storages are declared together with source code; such a file is rejected.
"""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from hear_brainsoundnet.conversion.pickle_scan import scan_pickle

# The older format is a sequence of pickles followed by the numbers: magic number, version, byte
# order of the machine, the object, the keys of its storages.
N_LEGACY_PICKLES = 5

# Members of a zip archive; each takes some hundred bytes there and a thousand in memory.
MEMBER_SIGNATURE = b"PK\x01\x02"
MOST_MEMBERS = 20_000

# Standard-library names in genuine training states: settings, paths, dates.
PLAIN_MODULES = {
    "_codecs",
    "argparse",
    "collections",
    "copyreg",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "pathlib",
    "uuid",
}
PLAIN_BUILTINS = {
    f"builtins.{name}"
    for name in (
        *("bool", "bytes", "complex", "dict", "float", "frozenset"),
        *("int", "list", "object", "range", "set", "slice", "str", "tuple"),
    )
}

# PyTorch calls functions of these modules for a file; weights need only the plain ones.
# The others build tensors with attributes that shadow methods, or without storage.
REBUILDING_MODULES = {"torch._tensor", "torch._utils", "torch.serialization"}
PLAIN_REBUILDING = {f"torch._utils.{name}" for name in ("_rebuild_parameter", "_rebuild_tensor_v2")}


class Inert:
    """Stub for an instance of any class in a file: keeps its state, does nothing.

    PyTorch's reader calls it with the file's arguments and sets the file's state. It is not
    callable, holds no items, and a state cannot give it attributes.
    """

    __slots__ = ("state",)

    def __new__(cls, *args: object, **kwargs: object) -> Inert:
        made = super().__new__(cls)
        made.state = None
        return made

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Accept and ignore the arguments of any class."""

    def __setstate__(self, state: object) -> None:
        self.state: object = state

    def attribute(self, name: str) -> object:
        """An attribute of the object that this stub replaces; None if it had none."""
        return dict.get(self.state, name) if isinstance(self.state, dict) else None


def load(data: bytes) -> object:
    """The object in a PyTorch file; all tensors on the CPU, foreign objects :class:`Inert`.

    A ValueError if the file is damaged, not a PyTorch weight file, or refers to a function that
    weights do not need.
    """
    names = names_in(data)
    _refuse_dangerous(names)
    try:
        with _inert(names), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about partly supported protocols
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can raise anything
        reason = str(error).split("WeightsUnpickler error:")[-1].strip().split("\n")[0]
        raise ValueError(
            f"PyTorch cannot read it as weights ({type(error).__name__}: {reason[:200]}); expected "
            "a state dict that torch.save wrote; fetch the file again, or save "
            "model.state_dict() where the model can be loaded"
        ) from error


def names_in(data: bytes) -> set[str]:
    """Names of all functions and classes that a PyTorch file refers to; nothing is loaded."""
    if not data.startswith(b"PK"):
        stream = io.BytesIO(data)
        return set().union(*(scan_pickle(stream) for _ in range(N_LEGACY_PICKLES)))
    try:
        if data.count(MEMBER_SIGNATURE) > MOST_MEMBERS:
            raise ValueError(f"it has more than {MOST_MEMBERS} members")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
            if any(member.filename.endswith("constants.pkl") for member in members):
                raise ValueError("it is a TorchScript program, expected a state dict")
            if len(pickles) != 1:
                raise ValueError(f"{len(pickles)} files data.pkl in it, expected one")
            # torch.save never compresses; a small file that unpacks to a huge one is malicious.
            if sum(member.file_size for member in members) > len(data):
                raise ValueError("it unpacks to more than its own size")
            content = archive.read(pickles[0])
    except Exception as error:  # zipfile fails on invalid data in many ways
        raise ValueError(
            f"no sound PyTorch archive ({str(error)[:200]}); fetch the file again"
        ) from error
    return scan_pickle(io.BytesIO(content))


def _refuse_dangerous(names: Iterable[str]) -> None:
    for name in sorted(names):
        module, _, _ = name.rpartition(".")
        if name in PLAIN_BUILTINS or name in PLAIN_REBUILDING or module in PLAIN_MODULES:
            continue
        if module.split(".")[0] in sys.stdlib_module_names:
            raise ValueError(
                f"it refers to {ascii(name)[1:-1]}, which weights do not need: it may be made to "
                "do harm. Nothing was run; do not open this file with other programs"
            )
        if module in REBUILDING_MODULES or name == "torch.Tensor":
            raise ValueError(
                f"it builds tensors with {ascii(name)[1:-1]}, expected plain tensors; save "
                "model.state_dict() without attributes on its tensors"
            )


@contextmanager
def _inert(names: Iterable[str]) -> Iterator[None]:
    """Make ``torch.load`` resolve each of these names to :class:`Inert`.

    Names known to PyTorch itself keep their meaning. Globals that the running program has declared
    safe are set aside meanwhile, because they would be imported and built.
    """
    declared = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(Inert, name) for name in names])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(declared)

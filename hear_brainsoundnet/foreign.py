"""Convertible weight files of other programs, recognised by their first bytes."""

from __future__ import annotations

NPY = "sound8-npy"
TORCH7 = "torch7"
PYTORCH = ("sound8-pth", "brain-aligned-pt")
KINDS = (NPY, "sound8-pth", TORCH7, "brain-aligned-pt")

# The zip format, and the magic number at the start of PyTorch's older format.
_PYTORCH_STARTS = (b"PK\x03\x04", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")


def kinds_by_content(data: bytes) -> tuple[str, ...]:
    """The kinds that a file with this content can be; empty for an unknown file.

    Examples
    --------
    >>> kinds_by_content(b"\\x93NUMPY...")
    ('sound8-npy',)
    """
    if data.startswith(b"\x93NUMPY"):
        return (NPY,)
    if data.startswith(_PYTORCH_STARTS):
        return PYTORCH
    if data.startswith(b"\x04\x00\x00\x00"):  # a Torch7 file begins with a class instance
        return (TORCH7,)
    return ()


def check_kind(data: bytes, kind: str) -> None:
    """Reject a file that is evidently of another kind, naming that kind.

    Raises
    ------
    ValueError
        If the content does not have the signature of this kind.
    """
    found = kinds_by_content(data)
    if kind in found:
        return
    if not data:
        what = "it is empty; fetch it again"
    elif found:
        options = " or ".join(f"--from {name}" for name in found)
        what = f"it looks like {' or '.join(found)}; use {options}"
    elif data[8:9] == b"{":
        what = "it looks like a safetensors file; a checkpoint of this package needs no conversion"
    else:
        what = f"it looks like none of {', '.join(KINDS)}; fetch it again or check its source"
    raise ValueError(f"expected a file of kind {kind}, {what}")

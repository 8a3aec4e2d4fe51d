"""Arrays from files: those written by numpy and scipy, and hostile ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from training.sources.array_files import NpzFile, read_mat, read_npy, run_isolated

TABLE = np.random.default_rng(0).standard_normal((4, 3))


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin1")
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "array",
    [TABLE, np.asfortranarray(TABLE), TABLE.astype(">f4"), np.array(["a", "b"]), np.zeros((0, 3))],
)
def test_files_of_numpy_are_read(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array, other=np.array([object()]))
    for read in (read_npy(tmp_path / "a.npy"), NpzFile(tmp_path / "a.npz")["a"]):
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its header cannot be read"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3)}"), "cut off"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}", bytes(24)), "its shape"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", bytes(8)), "not objects"),
        (npy("{'descr': '<U0', 'fortran_order': False, 'shape': (9,)}"), "numbers or texts"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (("), "its header cannot be read"),
        (npy("{'descr': [], 'fortran_order': False, 'shape': ()}"), ".*"),
        (npy("(" * 5000), "its header cannot be read"),
        (npy("{'descr': '<f8'}", version=b"\x09\x09"), "its header cannot be read"),
    ],
)
def test_impossible_headers_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=message):
        NpzFile(tmp_path / "a.npz")["a"]


def test_archive_that_declares_more_than_it_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (2**31).to_bytes(4, "little")  # its size unpacked
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a declares 2147483648 bytes"):
        NpzFile(path)["a"]


def test_matlab_arrays_are_those_of_scipy(tmp_path: Path) -> None:
    names = np.array([["dog"], ["cat"]], dtype=object)
    arrays = {"R": TABLE, "n": np.array([[1, 2]], dtype=np.uint8), "names": names, "word": "text"}
    arrays["file"] = TABLE  # a name that numpy's savez keeps for itself
    for compression in (False, True):
        path = tmp_path / f"{compression}.mat"
        scipy.io.savemat(path, arrays, do_compression=compression)
        read = read_mat(path)
        np.testing.assert_array_equal(read["R"], TABLE)
        assert (read["n"].tolist(), read["n"].dtype) == ([[1, 2]], np.uint8)
        assert read["names"].tolist() == ["dog", "cat"]
        assert read["word"].tolist() == ["text"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", r"its library ended: -6"),
        ("import sys; sys.exit('first\\nno MATLAB')", "no MATLAB"),
        ("while True: pass", "reading it took more than 1 s"),
    ],
)
def test_crash_or_hang_of_a_library_is_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    script, path = tmp_path / "script.py", tmp_path / "file.mat"
    monkeypatch.setattr("training.sources.array_files.SECONDS", 1.0)
    monkeypatch.setattr("training.sources.array_files.CHILD", script)
    script.write_text(code)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"file\.mat is damaged .*{message}.*; fetch it again"):
        run_isolated("mat", path, memory_per_byte=64)

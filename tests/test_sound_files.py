"""Which files a search finds, and what is said of the others."""

import logging
import os

import pytest

from hear_brainsoundnet.sound_files import find_audio, find_sound_files, printable


@pytest.fixture
def folder(tmp_path):
    """A folder as people have them: what is to be taken is called taken-..."""
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "sounds"
    for path in (
        root / "taken-1.wav",
        root / "rec.wav" / "taken-2.M4A",
        root / "taken-3.webm",
        root / "notes.txt",
        root / "labels.csv",
        root / "more.txt",
        root / "._taken-1.wav",
        root / "__MACOSX" / "taken-1.wav",
        root / ".Trash-1000" / "files" / "deleted.flac",
        root / ".cache" / "index",
        root / ".git" / "annex" / "content.wav",
        elsewhere / "sub" / "taken-4.caf",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "linked").symlink_to(elsewhere)
    (root / "taken-5.wav").symlink_to(elsewhere / "sub" / "taken-4.caf")
    (root / "taken-6.wav").symlink_to(root / ".git" / "annex" / "content.wav")
    (root / "loop").symlink_to(root)
    (root / "to-itself.wav").symlink_to(root / "to-itself.wav")
    (root / "annexed.wav").symlink_to("../.git/annex/objects/XX/MD5E-s1.wav")
    os.mkfifo(root / "pipe.wav")
    return root


LEFT_OUT = {
    "hidden, or made by the system": "3 (.Trash-1000/files/deleted.flac, ._taken-1.wav, "
    "__MACOSX/taken-1.wav)",
    "links to a folder that is searched already": "1 (loop)",
    "links without a target": "2 (annexed.wav, to-itself.wav)",
    "no regular files (pipes, sockets, devices)": "1 (pipe.wav)",
    "no sound or film by their suffix": "3 (2 .txt, 1 .csv)",
}


def test_every_file_is_taken_or_named_with_the_reason(folder):
    found = find_sound_files(folder)
    assert [path.relative_to(folder).as_posix() for path in found.files] == [
        "linked/sub/taken-4.caf",
        "rec.wav/taken-2.M4A",
        "taken-1.wav",
        "taken-3.webm",
        "taken-5.wav",
        "taken-6.wav",
    ]
    assert found.findings() == [
        f"{folder}: left out, {reason}: {files}" for reason, files in LEFT_OUT.items()
    ]


def test_links_are_left_out_where_they_are_not_trusted(folder):
    found = find_sound_files(folder, follow_links=False)
    assert [path.name for path in found.files] == ["taken-2.M4A", "taken-1.wav", "taken-3.webm"]
    links = {path.name for path in found.left_out["links"]}
    assert {"linked", "loop", "taken-5.wav", "taken-6.wav", "annexed.wav"} <= links


def test_a_folder_that_two_links_show_is_searched_once(tmp_path):
    for name in ("sounds", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "a.wav").touch()
    for name in ("first", "second"):
        (tmp_path / "sounds" / name).symlink_to(tmp_path / "elsewhere")
    found = find_sound_files(tmp_path / "sounds")
    assert [path.parent.name for path in found.files] == ["first"]
    assert [path.name for paths in found.left_out.values() for path in paths] == ["second"]


def test_embedding_and_prediction_say_what_they_leave_out(folder, caplog):
    with caplog.at_level(logging.WARNING):
        entries = find_audio([folder])
    assert len(entries) == 6
    assert [record.message for record in caplog.records] == find_sound_files(folder).findings()


def test_a_message_with_any_name_can_be_printed_and_written(tmp_path):
    for name in (b"caf\xe9.txt", b"new\nline.wav", b"\x1b[2J.wav", b"a\r.wav"):
        with open(os.path.join(os.fsencode(tmp_path), b"." + name), "wb"):
            pass
    (line,) = find_sound_files(tmp_path).findings()
    assert line.isprintable()
    line.encode()
    assert printable("plain café.wav") == "plain café.wav"

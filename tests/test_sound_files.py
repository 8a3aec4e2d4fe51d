"""Files that a search finds, reasons for leaving out the others, names of results."""

import logging
import os

import pytest

from hear_brainsoundnet.sound_files import find_audio, find_sound_files, find_sounds, printable


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


def test_a_folder_behind_two_links_is_searched_once(tmp_path):
    for name in ("sounds", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "a.wav").touch()
    for name in ("first", "second"):
        (tmp_path / "sounds" / name).symlink_to(tmp_path / "elsewhere")
    found = find_sound_files(tmp_path / "sounds")
    assert [path.parent.name for path in found.files] == ["first"]
    assert [path.name for paths in found.left_out.values() for path in paths] == ["second"]


def test_files_left_out_are_logged(folder, caplog):
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


def test_results_are_named_by_the_path_in_the_folder_that_was_given(tmp_path):
    for name in ("sounds/notes.txt", "sounds/deep/er/b.flac", "sounds/deep/c.OGG", "sounds/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def names(*paths):
        return [entry.name for entry in find_audio([tmp_path / "sounds" / path for path in paths])]

    assert names("") == ["a.wav", "deep/c.OGG", "deep/er/b.flac"]
    assert names("notes.txt") == ["notes.txt"]
    assert names("deep", "a.wav") == ["deep/c.OGG", "deep/er/b.flac", "a.wav"]


def test_nothing_found_and_equal_names_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*nowhere"):
        find_audio([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match=r"no audio in folder .*; files with these suffixes"):
        find_audio([tmp_path])
    for name in ("a/x.wav", "b/x.wav", "a.x.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"would both be named 'x\.wav'; embed them into two"):
        find_audio([tmp_path / "a" / "x.wav", tmp_path / "b" / "x.wav"])
    with pytest.raises(ValueError, match=r"would both be named 'a\.x\.wav'; rename one of them"):
        find_sounds([tmp_path])


def test_predictions_are_named_without_slashes_and_suffixes(tmp_path):
    for name in ("a/x.wav", "a/y.wav", "a/y.flac", "b/c/x.wav", "b/target_ids.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def names(*paths):
        return [sound.name for sound in find_sounds([tmp_path / path for path in paths])]

    assert names("a") == ["x", "y.flac", "y.wav"]
    assert names("a", "b") == ["a.x", "a.y.flac", "a.y.wav", "b.c.x", "b.target_ids"]
    assert names("b/c", "a/x.wav") == ["b.c.x", "a.x"]
    assert names("b/target_ids.wav") == ["target_ids.wav"]
    assert names("a/x.wav", "a/x.wav") == ["x"]


def test_a_name_that_is_not_utf8_is_escaped(tmp_path):
    path = tmp_path / "caf\udce9.wav"
    path.touch()
    assert [sound.name for sound in find_sounds([path])] == [r"caf\udce9"]

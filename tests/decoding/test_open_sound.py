"""Sound files are read to their end, whatever length they declare."""

import os
from contextlib import closing

import numpy as np
import odd_sounds as odd
import pytest
import soundfile

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.decoding import open_sound

N = 2 * odd.RATE
LOUD = odd.samples()
MP3 = odd.encoded("MP3")
FLAC = odd.encoded("FLAC", "PCM_16")


def read(path):
    with closing(open_sound(path)) as reader:
        blocks = [block.copy() for block in reader.blocks()]
        return np.concatenate(blocks), reader.sample_rate, reader.findings()


UNDECLARED = {
    "wav of length 0": (odd.wav(LOUD), N),
    "wav of length 0 in a riff of any size": (odd.wav(LOUD, riff_size=36), N),
    "wav of unknown length": (odd.wav(LOUD, riff_size=2**32 - 1, data_size=2**32 - 1), N),
    "wav of sox": (odd.wav(LOUD, riff_size=0x7FFFF024, data_size=0x7FFFF000), N),
    "rf64": (odd.wav(LOUD, b"RF64", 2**32 - 1, 2**32 - 1, odd.ds64(2 * N, N)), N),
    "bw64": (odd.wav(LOUD, b"BW64", 2**32 - 1, 2**32 - 1, odd.ds64(2 * N, N)), N),
    "rf64 of length 0": (
        odd.wav(LOUD, b"RF64", 2**32 - 1, 2**32 - 1, odd.chunk(b"ds64", bytes(28))),
        N,
    ),
    "rf64 of unknown length": (
        odd.wav(LOUD, b"RF64", 2**32 - 1, 2**32 - 1, odd.chunk(b"ds64", b"\xff" * 24 + bytes(4))),
        N,
    ),
    "flac of unknown length": (odd.flac_of_unknown_length(), N),
    "two vorbis": (odd.encoded("OGG", "VORBIS") * 2, 2 * N),
    "vorbis and opus": (
        odd.encoded("OGG", "VORBIS", 48_000) + odd.encoded("OGG", "OPUS", 48_000),
        4 * 48_000,
    ),
    "two mp3": (MP3 * 2, 2 * N),
    "three mp3 with tags": (
        odd.id3(300) + MP3 + b"TAG" + bytes(125) + odd.id3(20) + MP3 * 2,
        3 * N,
    ),
    "mp3 after a large tag": (odd.id3(300_000) + MP3, N),
    "mp3 after zeros": (bytes(4096) + MP3, N),
}


@pytest.mark.parametrize("kind", UNDECLARED)
def test_all_samples_are_read(tmp_path, kind):
    content, n_samples = UNDECLARED[kind]
    path = tmp_path / "sound"
    path.write_bytes(content)
    sound, rate, findings = read(path)
    assert len(sound) == n_samples
    assert findings == []
    assert abs(odd.burst_time(sound, rate) - odd.BURST) < 0.003
    if n_samples >= 2 * N:  # what was joined is as long and as loud as the first
        again = odd.burst_time(sound[n_samples // 2 :], rate) if n_samples % 3 else odd.BURST
        assert abs(again - odd.BURST) < 0.003
    with AudioFile(path) as file:
        assert file.n_samples == n_samples
        np.testing.assert_array_equal(file.read(0, n_samples)[0].numpy(), sound)


@pytest.mark.parametrize("order", ["loud first", "quiet first"])
def test_mp3_without_a_length_header_is_not_cut(tmp_path, order):
    generator = np.random.default_rng(0)
    loud = generator.standard_normal(10 * odd.RATE) * 0.3
    sound = np.concatenate([loud, loud * 1e-3][:: 1 if order == "loud first" else -1])
    path = tmp_path / "sound.mp3"
    with soundfile.SoundFile(
        path, "w", odd.RATE, 1, bitrate_mode="VARIABLE", compression_level=0.5
    ) as file:
        file.write(np.clip(sound, -1, 1))
    whole, _, _ = read(path)
    path.write_bytes(odd.without_length_header(path.read_bytes()))
    found, _, _ = read(path)
    assert len(whole) == 20 * odd.RATE
    # What encoder and decoder add, which a length header counts, at most three frames of 1152.
    assert 0 <= len(found) - len(whole) < 3 * 1152
    n = 15 * odd.RATE
    second = slice(odd.RATE, 2 * odd.RATE)
    start = second.start
    fits = [np.dot(found[start + s :][: odd.RATE], whole[second]) for s in range(1152)]
    shift = int(np.argmax(fits))
    np.testing.assert_allclose(found[shift : shift + n], whole[:n], atol=1e-5)


def test_joined_mp3_with_and_without_length_header(tmp_path):
    path = tmp_path / "sound.mp3"
    for content in (odd.without_length_header(MP3) + MP3, MP3 + odd.without_length_header(MP3)):
        path.write_bytes(content)
        assert 0 <= len(read(path)[0]) - 2 * N < 3 * 1152


@pytest.mark.parametrize(("content", "n_read"), [(MP3, N // 2), (FLAC, N // 2)])
def test_half_a_file_that_declares_its_length_is_refused(tmp_path, content, n_read):
    (tmp_path / "half").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"half is (damaged or )?truncated.*copy it again"):
        AudioFile(tmp_path / "half")


def test_half_a_wav_is_an_error_and_half_an_ogg_a_finding(tmp_path):
    path = tmp_path / "half"
    path.write_bytes(odd.encoded("WAV", "PCM_16")[:N])
    with AudioFile(path) as file, pytest.raises(ValueError, match="truncated: its header declares"):
        file.read(0, file.n_samples)
    ogg = odd.encoded("OGG", "VORBIS", sound=odd.samples(8))
    path.write_bytes(ogg[: len(ogg) * 3 // 4])
    sound, _, findings = read(path)
    assert 4 * odd.RATE < len(sound) < 7 * odd.RATE
    assert findings == ["the file has no end mark: it may be truncated"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"RIFF\x00\x00\x00\x00WAVE", r"cannot be read as audio|contains no samples"),
        (b"<!DOCTYPE html><html><title>404</title>", r"a web page \(HTML\).*fetch it again"),
        (b"\n <HTML>", r"a web page \(HTML\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS.*git lfs pull"),
        (b"words, no sounds " * 50, "expected WAV, FLAC, Ogg, MP3"),
        (b"\xff\xfb\x90\x64" + bytes(300), "cannot be read as audio"),
    ],
)
@pytest.mark.parametrize("name", ["a.mp3", "a.wav"])
def test_files_without_sound_are_named_for_what_they_are(tmp_path, content, message, name, capfd):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        AudioFile(tmp_path / name)
    assert "possibly a pipe" not in str(caught.value)
    assert "does not exist" not in str(caught.value)


def test_a_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ValueError, match=r"no regular file but a folder, pipe or device.*first"):
        AudioFile(tmp_path / "pipe.wav")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_names_that_are_not_utf8(tmp_path, kind):
    path = tmp_path / os.fsdecode(b"caf\xe9." + kind.lower().encode())
    path.write_bytes(odd.encoded(kind))
    assert len(read(path)[0]) == N
    path.write_bytes(b"words")
    with pytest.raises(ValueError, match=r"caf\\xe9") as caught:
        AudioFile(path)
    str(caught.value).encode()


@pytest.mark.parametrize("n_channels", [65, 255])
def test_more_channels_than_any_sound_has(tmp_path, n_channels):
    soundfile.write(tmp_path / "a.wav", np.zeros((10, n_channels)), 8_000)
    with pytest.raises(ValueError, match=rf"{n_channels} channels, at most 64 are averaged"):
        AudioFile(tmp_path / "a.wav")


@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_silence_is_a_finding(tmp_path, n_channels):
    soundfile.write(tmp_path / "a.wav", np.zeros((1000, n_channels)), 8_000)
    assert read(tmp_path / "a.wav")[2] == ["the sound is silent: all samples are 0"]


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_channels_of_opposite_phase_are_a_finding(tmp_path, subtype):
    left = odd.samples()
    for right, finding in [
        (
            -left,
            r"the channels cancel each other \(opposite phase\): their mean is (silent|[67]\d dB)",
        ),
        (-0.9 * left, r"the channels cancel each other \(opposite phase\): their mean is 26 dB"),
        (left, ""),
        (0 * left, ""),
        (odd.samples(seed=1), ""),
    ]:
        soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), odd.RATE, subtype)
        findings = read(tmp_path / "a.wav")[2]
        if finding:
            with pytest.raises(ValueError, match=finding):
                raise ValueError(*findings)
        else:
            assert findings == []


def test_a_long_file_whose_length_has_to_be_found_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("hear_brainsoundnet.audio.LONGEST_KEPT", 10_000)
    (tmp_path / "a.mp3").write_bytes(MP3)
    expected, _, _ = read(tmp_path / "a.mp3")
    with AudioFile(tmp_path / "a.mp3") as file:
        for _ in range(2):
            assert file.n_samples == N
            pieces = [file.read(i, min(i + 30_001, N))[0].numpy() for i in range(0, N, 30_001)]
            np.testing.assert_array_equal(np.concatenate(pieces), expected)
            file.rewind()


def test_a_damaged_link_of_a_chain_is_an_error_of_one_line(tmp_path):
    first, second = odd.encoded("OGG", "VORBIS"), bytearray(odd.encoded("OGG", "VORBIS"))
    second[30:60] = bytes(30)
    (tmp_path / "a.ogg").write_bytes(first + second)
    with pytest.raises(ValueError, match=r"a\.ogg is damaged: of 2 sounds in it one cannot"):
        AudioFile(tmp_path / "a.ogg")


def test_a_link_of_another_rate_is_refused(tmp_path):
    chain = odd.encoded("OGG", "VORBIS") + odd.encoded("OGG", "VORBIS", 48_000)
    (tmp_path / "a.ogg").write_bytes(chain)
    with pytest.raises(ValueError, match=r"changes from 44100 to 48000 Hz; convert it with ffmpeg"):
        AudioFile(tmp_path / "a.ogg")


def test_integers_written_as_floats_are_a_finding(tmp_path):
    text = "samples far beyond full scale: the largest is "
    for factor, finding in [(1.0, []), (2.0**15, [text])]:
        soundfile.write(tmp_path / "a.wav", odd.samples() * factor, odd.RATE, subtype="FLOAT")
        assert [each[: len(text)] for each in read(tmp_path / "a.wav")[2]] == finding

import hashlib
import os
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import soxr

from hear_brainsoundnet.decoding import containers, sndfile
from training.data.stimuli import prepare_sound

av = pytest.importorskip("av")


def noise(n_samples, n_channels=2, seed=0, level=0.1):
    generator = np.random.default_rng(seed)
    return (level * generator.standard_normal((n_samples, n_channels))).astype(np.float32)


def prepared(tmp_path, source, **options):
    target = tmp_path / "out" / "sound.npy"
    sound = prepare_sound(source, target, **options)
    samples = np.load(target)
    assert samples.dtype == np.int16
    assert samples.shape == (sound.n_samples,)
    assert sorted(path.name for path in target.parent.iterdir()) == ["sound.json", "sound.npy"]
    return samples, sound


def as_int16(samples):
    return np.clip(np.rint(samples * 32768), -32768, 32767)


def write_film(path, samples, rate=48_000, start=0.0, pictures=0.0, codec="flac", gap=(0, 0.0)):
    """A container with sound from `start` s and, if asked for, seconds of pictures from 0 s on.

    `gap`: sample from which on, and seconds by which, time stamps are later.
    """
    with av.open(str(path), "w") as container:
        audio = container.add_stream(codec, rate=rate, layout="stereo")
        if pictures:
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        if pictures:
            for i in range(int(25 * pictures)):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                picture.pts = i
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
        for first in range(0, len(samples), 1024):
            piece = samples[first : first + 1024]
            if codec in ("flac", "pcm_s16le"):
                packed = as_int16(piece).astype(np.int16).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
            else:
                planes = np.ascontiguousarray(piece.T)
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
            late = gap[1] if gap[1] and first >= gap[0] else 0.0
            frame.rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first + round((start + late) * rate)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_streaming_equals_resampling_the_whole(tmp_path, monkeypatch, rate, n_channels):
    monkeypatch.setattr(sndfile, "BLOCK", 5_000)
    samples = noise(3 * rate + 17, n_channels)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    got, sound = prepared(tmp_path, tmp_path / "a.wav")
    expected = as_int16(soxr.resample(samples.mean(axis=1), rate, 22_050))
    assert sound.n_clipped == 0
    assert len(got) == len(expected)
    assert np.abs(got - expected).max() <= 1


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("kind", ["wav", "flac", "aiff"])
def test_16_bit_samples_are_the_same_numbers_as_integers_and_as_floats(tmp_path, kind, n_channels):
    source = tmp_path / f"a.{kind}"
    soundfile.write(source, noise(50_000, n_channels, level=0.3), 44_100, subtype="PCM_16")
    as_floats, rate = soundfile.read(source, dtype="float32", always_2d=True)
    soundfile.write(tmp_path / "floats.wav", as_floats, rate, subtype="FLOAT")
    np.testing.assert_array_equal(
        prepared(tmp_path, source)[0], prepared(tmp_path, tmp_path / "floats.wav")[0]
    )


def test_int16_at_the_same_rate_comes_through_unchanged(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 300_000).astype(np.int16)
    samples[:2] = -32768, 32767
    soundfile.write(tmp_path / "a.flac", samples, 22_050)
    got, sound = prepared(tmp_path, tmp_path / "a.flac")
    np.testing.assert_array_equal(got, samples)
    assert sound.n_clipped == 0


def test_peaks_beyond_full_scale_are_clipped_and_counted(tmp_path):
    samples = np.array([0.0, 1.0, -1.0, 1.2, -1.5, 0.5], dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 22_050, subtype="FLOAT")
    got, sound = prepared(tmp_path, tmp_path / "a.wav")
    assert got.tolist() == [0, 32767, -32768, 32767, -32768, 16384]
    assert sound.n_clipped == 2


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mkv", "flac"), ("mp4", "flac"), ("mov", "pcm_s16le"), ("avi", "pcm_s16le")],
)
def test_sound_of_a_film_equals_that_of_the_same_audio(tmp_path, monkeypatch, suffix, codec):
    monkeypatch.setattr(containers, "BLOCK", 5_000)
    samples = noise(100_000)
    film = write_film(tmp_path / f"film.{suffix}", samples, codec=codec)
    got, _ = prepared(tmp_path, film)
    exact = (as_int16(samples) / 32768).astype(np.float32)
    expected = as_int16(soxr.resample(exact.mean(axis=1), 48_000, 22_050))
    assert len(got) == len(expected)
    assert np.abs(got - expected).max() <= 1


@pytest.mark.parametrize("codec", ["aac", "pcm_s24le", "libopus"])
def test_lossy_and_packed_codecs_keep_place_and_level(tmp_path, codec):
    samples = np.zeros((96_000, 2), np.float32)
    samples[48_000:60_000] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(12_000) / 48_000)[:, None]
    try:
        film = write_film(tmp_path / "film.mkv", samples, codec=codec)
    except ValueError:  # pcm_s24le takes no floats in every build of ffmpeg
        pytest.skip(f"this build of ffmpeg does not encode {codec}")
    got, _ = prepared(tmp_path, film)
    loud = np.flatnonzero(np.abs(got) > 8_000) / 22_050
    assert abs(loud[0] - 1) < 0.005
    assert abs(loud[-1] - 1.25) < 0.005
    assert 15_000 < np.abs(got[23_000:26_000]).max() < 18_000


def test_sound_that_starts_after_the_pictures_is_preceded_by_silence(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(48_000, level=0.2), start=0.75, pictures=1.75)
    got, sound = prepared(tmp_path, film)
    assert abs(sound.duration - 1.75) < 0.002
    first = np.flatnonzero(np.abs(got) > 1_000)[0] / 22_050
    assert abs(first - 0.75) < 0.002


def test_gap_in_the_time_stamps_becomes_silence(tmp_path):
    samples = noise(96_256, level=0.2)
    film = write_film(tmp_path / "film.mkv", samples, gap=(48_128, 0.5), codec="aac")
    got, sound = prepared(tmp_path, film)
    assert abs(sound.duration - 96_256 / 48_000 - 0.5) < 0.05
    assert np.abs(got[int(1.1 * 22_050) : int(1.4 * 22_050)]).max() < 10
    assert np.abs(got[int(1.6 * 22_050) : int(1.9 * 22_050)]).max() > 1_000


def test_checksum_size_and_time_are_those_of_the_file(tmp_path):
    source = tmp_path / "a.wav"
    soundfile.write(source, noise(50_000), 44_100)
    _, sound = prepared(tmp_path, source)
    digest = hashlib.blake2b(source.read_bytes(), digest_size=32).hexdigest()
    assert sound.checksum == f"blake2b-256:{digest}"
    assert (sound.n_bytes, sound.path) == (source.stat().st_size, str(source))


def test_done_sound_is_skipped_until_its_file_changes(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "out" / "a.npy"
    soundfile.write(source, noise(20_000), 44_100)
    first = prepare_sound(source, target)
    state = target.stat()
    assert prepare_sound(source, target) == first
    assert target.stat().st_ino == state.st_ino

    target.write_bytes(target.read_bytes()[:-100])  # somebody cut it
    assert prepare_sound(source, target) == first
    assert len(np.load(target)) == first.n_samples

    soundfile.write(source, noise(30_000), 44_100)
    assert prepare_sound(source, target).n_samples == 15_000
    assert prepare_sound(source, target, sample_rate=44_100).n_samples == 30_000
    os.utime(source, ns=(1, 1))
    assert prepare_sound(source, target).modified_ns == 1


def test_nothing_is_left_of_a_file_that_turns_out_bad_halfway(tmp_path):
    source, target = tmp_path / "a.wav", tmp_path / "out" / "a.npy"
    samples = noise(400_000)
    samples[300_000, 1] = np.nan
    soundfile.write(source, samples, 48_000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"a\.wav holds NaN .* first at 6\.250 s; export it again"):
        prepare_sound(source, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.wav", None, r"a\.wav is missing or no file; check the path"),
        ("a.mkv", None, r"a\.mkv is missing or no file; check the path"),
        ("a.wav", b"", r"a\.wav is empty \(0 bytes\); copy it again"),
        ("a.mp4", b"", r"a\.mp4 is empty \(0 bytes\); copy it again"),
        ("a.wav", b"words, not sounds " * 50, r"a\.wav cannot be read as audio .*convert it"),
        ("a.mkv", b"words, not sounds " * 50, r"a\.mkv cannot be read as audio .*convert it"),
        ("a.txt", b"words", r"expected an audio or video file .*got \.txt"),
        ("a", b"words", r"expected an audio or video file"),
    ],
)
def test_what_is_no_sound(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        prepare_sound(tmp_path / name, tmp_path / "out.npy")


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "mp3", "w64", "mkv", "mp4"])
def test_truncated_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix in ("mkv", "mp4"):
        write_film(path, noise(480_000), pictures=10.0)
    else:
        soundfile.write(path, noise(200_000), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"truncated|damaged"):
        prepare_sound(path, tmp_path / "out.npy")


def test_film_whose_sound_ends_before_its_pictures_is_not_truncated(tmp_path):
    film = write_film(tmp_path / "film.mkv", noise(48_000), pictures=4.0)
    _, sound = prepared(tmp_path, film)
    assert abs(sound.duration - 1) < 0.01


def test_film_without_sound(tmp_path):
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with pytest.raises(ValueError, match="has no audio stream; give a file with sound"):
        prepare_sound(path, tmp_path / "out.npy")


def test_no_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 44_100)
    with pytest.raises(ValueError, match=r"contains no samples"):
        prepare_sound(tmp_path / "a.wav", tmp_path / "out.npy")


def test_folder_that_may_not_be_written_to(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1_000), 44_100)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"out\.npy cannot be written .*finished work is kept"):
        prepare_sound(tmp_path / "a.wav", tmp_path / "file" / "out.npy")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, resource; from pathlib import Path\n"
        "from training.data.stimuli import prepare_sound\n"
        "prepare_sound(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks, minute = [], noise(60 * 44_100)
    for minutes in (1, 20):
        source = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(source, "w", 44_100, 2) as file:
            for _ in range(minutes):
                file.write(minute)
        command = [sys.executable, "-c", code, str(source), str(tmp_path / f"{minutes}.npy")]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    assert peaks[1] < peaks[0] + 20_000  # KiB; the file itself has 200 MB


def test_what_is_odd_in_a_sound_is_noted_beside_it(tmp_path):
    left = noise(50_000, 1)[:, 0]
    for samples, finding in [
        (np.zeros((50_000, 2)), ("the sound is silent: all samples are 0",)),
        (
            np.stack([left, -0.9 * left], axis=1),
            ("the channels cancel each other (opposite phase): their mean is 26 dB below them",),
        ),
        (np.stack([left, left], axis=1), ()),
    ]:
        soundfile.write(tmp_path / "a.wav", samples, 44_100, subtype="FLOAT")
        first = prepare_sound(tmp_path / "a.wav", tmp_path / "out.npy")
        assert first.findings == finding
        assert prepare_sound(tmp_path / "a.wav", tmp_path / "out.npy") == first  # from the note


def test_another_sound_track_is_prepared_again(tmp_path):
    source, target = tmp_path / "film.mkv", tmp_path / "film.npy"
    with av.open(str(source), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=22_050, layout="mono") for _ in range(2)]
        for level, stream in zip((1000, 2000), streams, strict=True):
            samples = np.full((1, 22_050), level, dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 22_050, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    first = prepare_sound(source, target)
    assert first.findings[0].startswith("of 2 sound tracks number 0 is taken")
    assert np.load(target)[100] == 1000
    assert prepare_sound(source, target, audio_stream=1).findings == ()
    assert np.load(target)[100] == 2000


def test_an_mp3_without_length_header_keeps_all_its_seconds(tmp_path):
    source = tmp_path / "a.mp3"
    soundfile.write(source, noise(20 * 44_100, 1), 44_100)
    content = source.read_bytes()
    source.write_bytes(content[content.find(b"\xff\xfb", 4) :])  # without the first frame
    assert b"Info" not in source.read_bytes()[:1000]
    assert abs(prepare_sound(source, tmp_path / "a.npy").duration - 20) < 0.08


def test_a_name_that_is_not_utf8_is_named(tmp_path):
    source = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(os.fsencode(source), noise(1000), 44_100)
    with pytest.raises(ValueError, match=r"caf\\xe9\.wav: the name is not UTF-8.*rename it"):
        prepare_sound(source, tmp_path / "out.npy")

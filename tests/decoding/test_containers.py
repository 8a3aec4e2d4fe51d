"""Films and containers: which sound track is read, and which time stamps are refused."""

import subprocess
import sys
from contextlib import closing
from fractions import Fraction

import numpy as np
import odd_sounds as odd
import pytest

from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.decoding import open_sound

av = pytest.importorskip("av")
RATE = 48_000


def tone(frequency, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


def write_container(path, *tracks, codec="flac", jump=0):
    """A file with a mono sound track per ``(samples, title, disposition)``.

    `jump`: seconds by which the time stamps of the second half are later.
    """
    with av.open(str(path), "w") as container:
        streams = []
        for _, title, disposition in tracks:
            stream = container.add_stream(codec, rate=RATE, layout="mono")
            stream.disposition = disposition
            stream.metadata["title"] = title
            streams.append(stream)
        for (samples, _, _), stream in zip(tracks, streams, strict=True):
            resampler = av.AudioResampler(stream.format, "mono", RATE)
            for first in range(0, len(samples), 1024):
                piece = samples[None, first : first + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), "fltp", "mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = first + (jump * RATE if first > len(samples) // 2 else 0)
                for each in resampler.resample(frame):
                    container.mux(stream.encode(each))
            container.mux(stream.encode(None))
    return path


def main_frequency(path, **options):
    with closing(open_sound(path, **options)) as reader:
        sound = np.concatenate([block.copy() for block in reader.blocks()])
        spectrum = np.abs(np.fft.rfft(sound))
        return round(np.argmax(spectrum) * reader.sample_rate / len(sound)), reader.findings()


PROGRAMME_SOUND = tone(400)
PROGRAMME = (PROGRAMME_SOUND, "Stereo", 0)
MARKED = (PROGRAMME_SOUND, "English", 1)
COMMENTARY = (tone(700), "Director's commentary", 0)
FLAGGED = (tone(700), "Other", 8)  # "comment"
DESCRIPTION = (tone(700), "Audio description", 0)


@pytest.mark.parametrize(
    "tracks",
    [
        (PROGRAMME, COMMENTARY),
        (COMMENTARY, PROGRAMME),
        (FLAGGED, PROGRAMME),
        (DESCRIPTION, PROGRAMME),
        ((tone(700), "German", 0), MARKED),
    ],
)
def test_the_programme_is_read_and_the_others_are_listed(tmp_path, tracks):
    path = write_container(tmp_path / "film.mkv", *tracks)
    frequency, (finding,) = main_frequency(path)
    assert frequency == 400
    number = next(i for i, (samples, _, _) in enumerate(tracks) if samples is PROGRAMME_SOUND)
    assert finding.startswith(f"of 2 sound tracks number {number} is taken: 0 (")
    assert all(title in finding for _, title, _ in tracks)


def test_another_sound_track_can_be_chosen(tmp_path):
    path = write_container(tmp_path / "film.mkv", PROGRAMME, COMMENTARY)
    assert main_frequency(path, audio_stream=1) == (700, [])
    with pytest.raises(ValueError, match=r"2 sound tracks, there is no audio_stream 2; they are 0"):
        open_sound(path, audio_stream=2)
    single = write_container(tmp_path / "single.mkv", PROGRAMME)
    assert main_frequency(single, audio_stream=1) == (400, [])


def test_time_stamps_that_jump_by_hours_do_not_become_silence(tmp_path):
    path = write_container(tmp_path / "film.mkv", PROGRAMME, jump=4000)
    with pytest.raises(ValueError, match=r"time stamps jump by 4000 s at 0\.5. s"):
        AudioFile(path)


CONTAINERS = {"m4a": "aac", "webm": "libopus", "aac": "aac", "mka": "flac", "oga": "flac"}


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_what_libsndfile_does_not_know(tmp_path, suffix):
    sound = odd.samples(rate=RATE)
    path = write_container(tmp_path / f"a.{suffix}", (sound, "", 1), codec=CONTAINERS[suffix])
    with AudioFile(path) as file:
        assert abs(file.duration - 2) < 0.05
        found = file.read(0, file.n_samples)[0].numpy()
    assert abs(odd.burst_time(found, RATE) - odd.BURST) < 0.03
    named = path.rename(tmp_path / "a.mp3")  # the content counts, not the name
    with AudioFile(named) as file:
        np.testing.assert_array_equal(file.read(0, file.n_samples)[0].numpy(), found)


def test_without_pyav_the_error_names_the_package(tmp_path, monkeypatch):
    path = write_container(tmp_path / "film.mkv", PROGRAMME)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"film\.mkv .*PyAV, which is not installed: pip install"):
        AudioFile(path)


def test_predict_and_embed_read_the_sound_that_prepare_reads(tmp_path, untrained):
    import torch

    from hear_brainsoundnet.embedding import EmbeddingModel
    from training.data.stimuli import prepare_sound

    path = write_container(tmp_path / "film.mkv", COMMENTARY, PROGRAMME)
    prepared = prepare_sound(path, tmp_path / "film.npy", RATE)
    expected = np.load(tmp_path / "film.npy") / np.float32(2**15)
    with AudioFile(path) as file:
        found = file.read(0, file.n_samples)[0].numpy()
        file.rewind()
        embedded = EmbeddingModel(untrained).embed(file)
    assert prepared.n_samples == len(found)
    np.testing.assert_allclose(found, expected, atol=0.51 / 2**15)
    assert torch.isfinite(embedded.scene).all()


@pytest.mark.slow
def test_a_film_is_embedded_by_the_command(tmp_path):
    (tmp_path / "films").mkdir()
    write_container(tmp_path / "films" / "film.mkv", COMMENTARY, PROGRAMME)
    command = [sys.executable, "-m", "hear_brainsoundnet", "embed", tmp_path / "films"]
    done = subprocess.run([*command, "-o", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 files (1.0 s of audio)" in done.stdout
    assert "film.mkv: of 2 sound tracks number 1 is taken" in done.stderr
    assert "number 1 is taken" in (tmp_path / "out" / "files.csv").read_text()

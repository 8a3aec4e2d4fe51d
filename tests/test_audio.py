import numpy as np
import pytest
import soundfile
import torch

from hear_brainsoundnet.audio import AudioFile, check_samples


def stereo(n_samples=30_000, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.uniform(-0.5, 0.5, (n_samples, 2))).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_16"),
        ("wav", "FLOAT"),
        ("wav", "PCM_24"),
        ("flac", "PCM_16"),
        ("ogg", "VORBIS"),
        ("mp3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_reading_in_pieces_equals_reading_the_whole(tmp_path, suffix, subtype, rate):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, stereo(), rate, subtype=subtype)
    expected = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    for pieces in ([(0, None)], [(0, 10), (5, 9000), (5, 9001), (9001, 9002), (20_000, None)]):
        with AudioFile(path) as sound:
            assert (sound.sample_rate, sound.n_samples) == (rate, len(expected))
            for start, stop in pieces:
                piece = sound.read(start, stop or sound.n_samples)
                np.testing.assert_allclose(piece[0].numpy(), expected[start:stop], atol=1e-6)


def test_channels_are_averaged(tmp_path):
    path = tmp_path / "four.wav"
    soundfile.write(path, np.tile([0.1, 0.2, 0.3, 0.8], (100, 1)), 16_000, subtype="FLOAT")
    with AudioFile(path) as sound:
        torch.testing.assert_close(sound.read(0, 100), torch.full((1, 100), 0.35))
        assert sound.duration == 100 / 16_000


def test_no_samples(tmp_path):
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros((0, 1)), 16_000)
    with pytest.raises(ValueError, match="contains no samples"):
        AudioFile(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        AudioFile(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="cannot be read as audio"):
        AudioFile(tmp_path)


def test_reading_backwards_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, stereo(), 44_100)
    with AudioFile(path) as sound:
        sound.read(100, 200)
        with pytest.raises(ValueError, match="read from front to back, cannot go back to 50"):
            sound.read(50, 60)


@pytest.mark.parametrize("peak", [1e10, 1e20, 1e38])
def test_what_is_too_large_to_be_a_sample_is_refused(tmp_path, peak):
    soundfile.write(tmp_path / "a.wav", stereo() * peak, 44_100, subtype="FLOAT")
    with AudioFile(tmp_path / "a.wav") as sound:
        samples = sound.read(0, sound.n_samples)
    with pytest.raises(ValueError, match=r"audio reaches .*e\+\d\d .*which no sound does"):
        check_samples(samples)


def test_integers_written_as_floats_are_a_warning():
    with pytest.warns(UserWarning, match="divide 16-bit samples by 32768"):
        check_samples(torch.tensor([[2.0**31]]))


@pytest.mark.filterwarnings("error")
def test_doubles_beyond_floats_are_infinite_and_print_nothing(tmp_path):
    soundfile.write(tmp_path / "a.wav", stereo().astype(float) * 1e300, 44_100, subtype="DOUBLE")
    with (
        AudioFile(tmp_path / "a.wav") as sound,
        pytest.raises(ValueError, match=r"got (NaN|infinity)"),
    ):
        check_samples(sound.read(0, sound.n_samples))

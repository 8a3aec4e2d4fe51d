import math

import pytest
import torch
import torchaudio

from hear_brainsoundnet.resampling import Resampler

RATES = [8000, 11025, 16000, 22050, 22254, 32000, 44100, 48000, 96000]


@pytest.mark.parametrize("table", ["kernel", "no kernel"])
@pytest.mark.parametrize("rate", RATES)
def test_equals_torchaudio(rate, table):
    torch.manual_seed(0)
    audio = torch.randn(2, 30_011, dtype=torch.float64)
    expected = torchaudio.functional.resample(audio, rate, 22050).float()
    resampler = Resampler(rate, 22050, **({} if table == "kernel" else {"largest_kernel": 0}))
    actual = resampler(audio.float())
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("rate", RATES)
def test_slices_equal_the_whole(rate):
    torch.manual_seed(0)
    audio = torch.randn(1, 9_001)
    resampler = Resampler(rate, 22050)
    whole = resampler(audio)
    n_out = resampler.n_out(9_001)
    assert whole.shape[1] == n_out
    for start, stop in [(0, 1), (0, n_out), (7, 1000), (500, 501), (n_out - 3, n_out)]:
        read = []

        def reader(i, j, read=read):
            read.append((i, j))
            return audio[:, i:j]

        part = resampler.slice(reader, 9_001, start, stop)
        torch.testing.assert_close(part, whole[:, start:stop], rtol=0, atol=1e-5)
        assert len(read) == 1
        assert 0 <= read[0][0] < read[0][1] <= 9_001


def test_a_tone_below_the_cutoff_keeps_its_frequency_phase_and_level():
    time_in = torch.arange(48_000, dtype=torch.float64) / 48_000
    time_out = torch.arange(22_050, dtype=torch.float64) / 22_050
    tone_in = torch.sin(2 * math.pi * 997 * time_in)[None].float()
    tone_out = torch.sin(2 * math.pi * 997 * time_out).float()
    middle = slice(100, -100)
    actual = Resampler(48_000, 22_050)(tone_in)[0]
    torch.testing.assert_close(actual[middle], tone_out[middle], rtol=0, atol=5e-3)


def test_rates_without_common_divisor_need_no_large_kernel():
    resampler = Resampler(44_099, 22_050)
    assert resampler.kernel.numel() == 0
    audio = torch.sin(2 * math.pi * 440 * torch.arange(44_099) / 44_099)[None]
    expected = torch.sin(2 * math.pi * 440 * torch.arange(22_050) / 22_050)
    torch.testing.assert_close(resampler(audio)[0, 100:-100], expected[100:-100], rtol=0, atol=5e-3)


@pytest.mark.parametrize("rate", [0, -1, 999, 1_000_001, 44_100.0])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match=r"sample rate must be a whole number of Hz from 1000"):
        Resampler(rate, 22_050)


@pytest.mark.parametrize("rate", [8_000, 8_009])
def test_a_slice_of_many_inputs_is_made_of_few_at_a_time(rate, monkeypatch):
    torch.manual_seed(0)
    audio = torch.randn(2, 3 * rate)
    resampler = Resampler(rate, 22_050)
    whole = resampler(audio)
    monkeypatch.setattr("hear_brainsoundnet.resampling.MOST_INPUTS", rate)
    monkeypatch.setattr("hear_brainsoundnet.resampling.MOST_WEIGHTS", 10_000)
    read = []

    def reader(i, j):
        read.append((i, j))
        return audio[:, i:j]

    part = resampler.slice(reader, 3 * rate, 100, 60_000)
    torch.testing.assert_close(part, whole[:, 100:60_000], rtol=0, atol=1e-5)
    assert len(read) > 1
    assert sorted(read) == read
    assert max(j - i for i, j in read) < 2.1 * rate

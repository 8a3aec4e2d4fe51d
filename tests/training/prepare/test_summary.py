"""Summary page of a prepared dataset, and synchrony of sound and responses."""

import base64
import io
import re
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from small_collections import sound_collection
from small_dataset import RATE, changing_sound, write_prepared

from training.data.prepared import Prepared, Run
from training.prepare.preparation import PreparationSettings, prepare_collection
from training.prepare.summary import write_summary
from training.prepare.synchrony import (
    best_lag,
    expected_signal,
    out_of_step,
    synchrony_of_dataset,
    synchrony_of_subject,
)

TR = 1.5
N_TRS = 60


def responding_brain(
    folder, late_by=0, n_runs=3, n_targets=40, late_runs=None, start=0.0, lags=None
):
    """Two targets follow the loudness through a double-gamma response; runs may come late.

    The response is written out here: the difference of two gamma densities that peak at 5 and
    15 s, the second a sixth of the first.
    """
    from scipy.stats import gamma

    seconds = np.arange(0, 32, TR)
    response = gamma.pdf(seconds, 6) - gamma.pdf(seconds, 16) / 6
    sounds, tables = {}, {}
    for i in range(n_runs):
        generator = np.random.default_rng(i)
        sound = changing_sound(start + N_TRS * TR, seed=i)
        slow = np.repeat(generator.uniform(0.02, 1, int(start + N_TRS * TR) // 5 + 1), 5 * RATE)
        sound = (sound * slow[: len(sound)]).astype(np.int16)
        played = sound[round(start * RATE) :].astype(float)
        pieces = np.array_split(played[: round(N_TRS * TR * RATE)], N_TRS)
        loudness = np.array([np.sqrt((piece**2).mean()) for piece in pieces])
        signal = np.convolve(loudness, response)[:N_TRS]
        table = generator.standard_normal((N_TRS, n_targets))
        shift = late_by if late_runs is None or i in late_runs else 0
        shift = (lags or {}).get(i, shift)
        table[:, 7] = table[:, 21] = np.roll(signal, shift)
        table = (table - table.mean(axis=0)) / table.std(axis=0)
        table[:, 3] = np.nan
        run = Run("sub-01", f"run-{i}", f"film-{i}", "ses-1", "", "", start, TR, N_TRS)
        sounds[f"film-{i}"], tables[run] = sound, table
    return Prepared(write_prepared(folder / "known", sounds, tables, TR))


def page_of(dataset, tmp_path, **options):
    synchrony = synchrony_of_dataset(dataset)
    write_summary(dataset, tmp_path / "summary.html", synchrony=synchrony, **options)
    return (tmp_path / "summary.html").read_text(encoding="utf-8")


def pictures(page):
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [matplotlib.image.imread(io.BytesIO(base64.b64decode(each))) for each in found]


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_expected_signal_is_loudness_through_the_haemodynamic_response(tmp_path):
    dataset = responding_brain(tmp_path)
    for run in dataset.runs:
        measured = dataset.bold(run)[:, 7]
        assert np.corrcoef(expected_signal(dataset, run), measured)[0, 1] > 0.95


def test_sound_before_the_first_tr_counts(tmp_path):
    dataset = responding_brain(tmp_path, start=6.0)
    run = dataset.runs[0]
    here = expected_signal(dataset, run)
    earlier = expected_signal(dataset, replace(run, start=0.0, n_trs=N_TRS + 4))
    np.testing.assert_allclose(here, earlier[4:], rtol=1e-9)


@pytest.mark.parametrize("late_by", [-4, 0, 2, 6])
def test_lag_of_a_late_stimulus_is_found(tmp_path, late_by):
    dataset = responding_brain(tmp_path, late_by=late_by)
    for each in synchrony_of_subject(dataset, dataset.runs):
        assert each.lag == late_by * TR
        assert each.r > 0.9


def test_best_lag_agrees_with_numpy():
    generator = np.random.default_rng(0)
    expected, signal = generator.standard_normal((2, 80))
    lag, r = best_lag(expected, signal, reach=10)
    by_lag = {
        k: np.corrcoef(expected[max(0, -k) : 80 - max(0, k)], signal[max(0, k) : 80 - max(0, -k)])
        for k in range(-10, 11)
    }
    assert lag == max(by_lag, key=lambda k: by_lag[k][0, 1])
    np.testing.assert_allclose(r, by_lag[lag][0, 1])


def test_page_has_numbers_lags_motion_and_a_picture(tmp_path):
    dataset = responding_brain(tmp_path)
    motion = {("sub-01", "run-0"): lambda: np.array([np.nan, 0.1, 0.3]), ("sub-01", "run-1"): None}
    page = page_of(dataset, tmp_path, motion=motion)
    text = text_of(page)
    assert "1 subjects, 3 runs, 0.07 hours, TR 1.5 s, 40 targets of made up" in text
    assert "sub-01 3 4.5 1 0.20" in text  # runs, minutes, missing targets, displacement
    assert re.search(r"run-0 \+0.0 [01]\.\d\d ses-1 film-0 0 60 1.5 1.5 0.20 0.30", text)
    assert re.search(r"run-1 \+0.0 [01]\.\d\d ses-1 film-1 0 60 1.5 1.5 – –", text)
    assert "No run correlates best at a lag beyond 3 s" in text
    assert "3 of 3 runs, early and late ones first. Expected:" in text
    (picture,) = pictures(page)
    assert picture.std() > 0.05


def test_misaligned_run_is_shaded_and_counted(tmp_path):
    page = page_of(responding_brain(tmp_path, late_by=6, late_runs=[1]), tmp_path)
    assert "In 1 of 3 runs the signal is more than 3 s early or late" in text_of(page)
    (shaded,) = re.findall(r'<tr class="look">.*?</tr>', page)
    assert "run-1" in shaded
    assert "+9.0" in shaded


def test_runs_out_of_step_are_drawn_first(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "training.prepare.summary.draw_synchrony",
        lambda runs, synchrony: (
            drawn.extend((run.name, each.lag) for run, each in zip(runs, synchrony, strict=True))
            or b""
        ),
    )
    dataset = responding_brain(tmp_path, n_runs=16, n_targets=22, lags={3: 3, 9: -6, 14: 5})
    page = page_of(dataset, tmp_path)
    assert all(f"<td>run-{i}</td>" in page for i in range(16))
    assert len(drawn) == 12
    assert drawn[:3] == [("run-9", -9.0), ("run-14", 7.5), ("run-3", 4.5)]
    assert all(lag == 0 for _, lag in drawn[3:])
    drawn.clear()
    late = responding_brain(
        tmp_path / "most", n_runs=14, n_targets=22, lags=dict.fromkeys(range(2, 14), 5)
    )
    synchrony = synchrony_of_dataset(late)
    write_summary(late, tmp_path / "summary.html", synchrony=synchrony)
    lags = [abs(lag) for _, lag in drawn]
    assert len(drawn) == 12
    assert lags == sorted(lags, reverse=True)


def test_runs_out_of_step_have_lag_and_r(tmp_path):
    dataset = responding_brain(tmp_path, n_runs=6, lags={1: 4, 4: -5})
    found = out_of_step(synchrony_of_dataset(dataset))
    assert [(each.run, each.lag) for each in found] == [("run-1", 6.0), ("run-4", -7.5)]
    assert all(each.r > 0.9 for each in found)


def test_noise_is_not_out_of_step(tmp_path):
    """The best of many lags correlates by chance, more so in short runs."""
    tables, sounds = {}, {}
    for i in range(12):
        run = Run("sub-01", f"run-{i}", f"film-{i}", "", "", "", 0.0, TR, N_TRS)
        tables[run] = np.random.default_rng(i).standard_normal((N_TRS, 3))
        sounds[f"film-{i}"] = changing_sound(N_TRS * TR, seed=i)
    synchrony = synchrony_of_dataset(
        Prepared(write_prepared(tmp_path / "noise", sounds, tables, TR))
    )
    assert max(each.r for each in synchrony.values()) > 0.15
    assert sum(each.is_out_of_step(TR) for each in synchrony.values()) <= 1


def test_long_findings_are_foldable(tmp_path):
    dataset = responding_brain(tmp_path)
    many = "clipped (40): " + "; ".join(f"film-{i}" for i in range(40))
    dataset.info = dataset.info.model_copy(update={"findings": (many, "few: a; b")})
    page = page_of(dataset, tmp_path)
    assert "<details><summary>clipped (40):</summary>" in page
    assert page.count("<li>film-") == 40
    assert "<li>few: a; b</li>" in page


def test_page_is_self_contained_and_reproducible(tmp_path):
    dataset = responding_brain(tmp_path)
    page = page_of(dataset, tmp_path)
    assert page == page_of(dataset, tmp_path)
    assert not re.search(r"<script|https?:|<link|@import|url\(", page)
    assert 'name="viewport"' in page


def test_names_from_files_are_escaped(tmp_path):
    sound = changing_sound(N_TRS * TR, seed=0)
    run = Run("sub-<b>", "run&$x^2$", "film<i>", "<s>", "", "", 0.0, TR, N_TRS)
    table = np.random.default_rng(0).standard_normal((N_TRS, 4))
    dataset = Prepared(write_prepared(tmp_path / "known", {"film<i>": sound}, {run: table}, TR))
    info = dataset.info.model_copy(update={"findings": ("<script>x</script>",), "atlas": "<a>"})
    dataset.info = info
    page = page_of(dataset, tmp_path)
    assert not re.search(r"<(script|i|b|s|a)>", page)
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "run&amp;$x^2$" in page


def test_silent_stimulus_is_not_out_of_step(tmp_path):
    table = np.random.default_rng(0).standard_normal((N_TRS, 4))
    run = Run("sub-01", "run-0", "quiet", "", "", "", 0.0, TR, N_TRS)
    quiet = np.zeros(int(N_TRS * TR * RATE), np.int16)
    dataset = Prepared(write_prepared(tmp_path / "known", {"quiet": quiet}, {run: table}, TR))
    (synchrony,) = synchrony_of_subject(dataset, dataset.runs)
    assert synchrony.r == 0
    assert "No run correlates best" in text_of(page_of(dataset, tmp_path))


def test_page_of_sound_responses(tmp_path):
    settings = PreparationSettings(name="sounds")
    collection = sound_collection(tmp_path / "source")
    out = tmp_path / "prepared"
    prepare_collection(collection, settings, out, progress=False)
    page = (out / "summary.html").read_text(encoding="utf-8")
    text = text_of(page)
    assert "2 subjects, 10 responses, 4 targets" in text
    assert "2 of 2 subjects. Bars:" in text
    assert "sub-a s3 s3 1.00" in text
    assert "s0.wav" in text
    assert len(pictures(page)) == 1

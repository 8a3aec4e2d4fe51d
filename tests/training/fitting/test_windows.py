from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rounding import assert_same, network_rounding

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from training.data.prepared import Prepared, Run
from training.fitting.assembly import assemble, freeze
from training.fitting.frozen import SAMPLES_PER_PASS, FrozenStages
from training.fitting.predicting import Predictor
from training.fitting.recipe import FitRecipe
from training.fitting.windows import (
    Window,
    WindowLoader,
    WindowSettings,
    consecutive_windows,
    draw_windows,
)

RATE = 22_050
SETTINGS = {
    "start": "untrained",
    "subjects": ["sub-01"],
    "windows": {"n_trs": 8},
    "split": {"test": {"seasons": ["s02"]}, "validation": {"count": 1}},
    "train_from": "conv6",
}


def encoder_of(prepared: Prepared, stage: str, tr_sampling: str, n_delays: int = 4) -> BrainEncoder:
    torch.manual_seed(0)
    read_out = ReadOut(
        stage, n_delays, prepared.info.tr, tr_sampling, prepared.info.target_ids, ("group",)
    )
    return BrainEncoder(load_checkpoint("untrained").build_soundnet(), read_out).eval()


def whole_run(encoder: BrainEncoder, prepared: Prepared, run: Run) -> np.ndarray:
    audio = torch.from_numpy(prepared.audio(run.stimulus) / np.float32(32768))[None]
    with torch.no_grad():
        return encoder(audio, run.n_trs, start=run.start)[0].numpy()


@pytest.mark.parametrize("stage", ["conv4", "pool5", "conv7", "conv4+conv7"])
@pytest.mark.parametrize("frozen", [None, "pool1", "conv3", "pool2", "itself"])
def test_a_window_predicts_what_the_whole_run_predicts(
    two_subjects: Path, stage: str, frozen: str | None
):
    prepared = Prepared(two_subjects)
    run = replace(prepared.runs[0], start=1.7, n_trs=20)
    encoder = encoder_of(prepared, stage, "interpolate")
    lower = None
    if frozen is not None:
        lowest = stage.partition("+")[0]
        lower = FrozenStages(encoder, lowest if frozen == "itself" else frozen, prepared, 1.0)
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, 1.0, frozen=lower)
    predictor = Predictor(encoder, loader, n_trs=7)
    expected = whole_run(encoder, prepared, run)
    tolerance = network_rounding() * np.abs(expected).max()
    for window in (Window(run, 0, 5), Window(run, 2, 5), Window(run, 9, 5), Window(run, 15, 5)):
        (prediction,) = predictor.predict([window])
        np.testing.assert_allclose(
            prediction.predicted[0].detach(),
            expected[window.first : window.first + 5],
            atol=tolerance,
        )
    np.testing.assert_allclose(predictor.predict_runs([run])[0], expected, atol=tolerance)


def test_delays_do_not_reach_before_the_run(two_subjects: Path):
    prepared = Prepared(two_subjects)
    encoder = encoder_of(prepared, "conv7", "interpolate")
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, input_scale=1.0)
    contexts = [loader.context(Window(prepared.runs[0], first, 4)) for first in (0, 1, 2, 3, 9)]
    assert contexts == [0, 1, 2, 3, 3]


def test_crop_windows_hold_their_own_seconds_only(two_subjects: Path):
    prepared = Prepared(two_subjects)
    run = prepared.runs[0]
    encoder = encoder_of(prepared, "conv7", "crop")
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, input_scale=256.0)
    (batch,) = loader.batches([Window(run, 5, 10)])
    per_tr = int(RATE * run.tr)  # 32,854 samples in the published code
    expected = prepared.audio(run.stimulus)[5 * per_tr : 15 * per_tr] / 32768 * 256
    np.testing.assert_allclose(batch.sound[0], expected, rtol=1e-6)
    assert batch.context == 0
    np.testing.assert_array_equal(batch.bold[0], prepared.bold(run)[5:15])


@pytest.mark.parametrize("train_from", ["conv1", "conv4", "none"])
@pytest.mark.parametrize("stage", ["conv5", "conv7"])
def test_crop_windows_predict_what_their_sound_predicts(
    two_subjects: Path, stage: str, train_from: str
):
    """Although their frozen stages are computed in pieces."""
    prepared = Prepared(two_subjects)
    encoder = encoder_of(prepared, stage, "crop")
    freeze(encoder, train_from)
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, input_scale=1.0)
    windows = [Window(prepared.runs[i], 2, 22) for i in (0, 1)]  # more than two pieces
    (prediction,) = Predictor(encoder, loader, n_trs=22).predict(windows)
    (batch,) = loader.batches(windows)
    with torch.no_grad():
        expected = encoder(batch.sound, 22)
    assert batch.sound.shape[1] > 2 * SAMPLES_PER_PASS
    assert_same(prediction.predicted, expected)
    prediction.predicted.sum().backward()
    learning = {
        name.split(".")[1]
        for name, each in encoder.named_parameters()
        if name.startswith("soundnet") and each.grad is not None
    }
    stages = [f"conv{i}" for i in range(1, int(stage[-1]) + 1)]
    assert learning == set(stages[stages.index(train_from) :] if train_from in stages else [])


def test_past_the_end_of_the_stimulus_there_is_silence(two_subjects: Path):
    prepared = Prepared(two_subjects)
    run = replace(prepared.runs[0], start=0.0, n_trs=24)
    encoder = encoder_of(prepared, "conv7", "crop")
    loader = WindowLoader(prepared, encoder.read_out, encoder.stage, input_scale=1.0)
    (batch,) = loader.batches([Window(run, 20, 4)])
    n_left = len(prepared.audio(run.stimulus)) - 20 * int(RATE * run.tr)
    assert batch.sound.shape[1] >= encoder.stage.shortest_input(4)
    assert not batch.sound[0, n_left:].any()


def test_windows_are_drawn_from_the_seed():
    run = Run("sub-01", "a", "a", "", "a", "", 0.0, 1.49, 200)
    settings = WindowSettings(n_trs=30)

    def drawn(seed: int) -> list[Window]:
        return draw_windows([run], settings, np.random.default_rng(seed))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert len(drawn(1)) == 7  # 200 / 30, rounded up
    assert all(0 <= window.first <= 170 for seed in range(20) for window in drawn(seed))


def test_fixed_windows_cover_each_tr_once():
    runs = [Run("sub-01", name, name, "", name, "", 0.0, 1.49, 75) for name in "ab"]
    settings = WindowSettings(n_trs=30, draw="fixed")
    windows = draw_windows(runs, settings, np.random.default_rng(0))
    drawn = sorted((w.run.name, w.first + i) for w in windows for i in range(w.n_trs))
    assert drawn == [(name, i) for name in "ab" for i in range(75)]
    assert consecutive_windows(runs[0], 30)[-1].n_trs == 15


def test_windows_longer_than_a_run_are_refused():
    run = Run("sub-01", "short", "a", "", "a", "", 0.0, 1.49, 50)
    with pytest.raises(ValueError, match=r"windows of 70 TRs are longer than run short.*50 TRs"):
        draw_windows([run], WindowSettings(n_trs=70), np.random.default_rng(0))


@pytest.mark.parametrize("control", ["none", "permuted_brain"])
def test_windows_read_no_more_of_the_responses_than_their_own_rows(
    two_subjects: Path, control: str, monkeypatch: pytest.MonkeyPatch
):
    parts = assemble(FitRecipe(data=two_subjects, control=control, **SETTINGS))
    mapped = parts.prepared.bold(parts.splits.train[0])
    assert isinstance(mapped.base, np.memmap)
    for run in (*parts.splits.train, *parts.splits.validation):
        table = parts.loader.bold(run)
        (window,) = parts.loader.bold_of([Window(run, 3, 8)]).numpy()
        np.testing.assert_array_equal(window, table[3:11])
        if control == "none":
            np.testing.assert_array_equal(table, parts.prepared.bold(run))


def test_frames_beyond_the_bound_are_computed_with_each_window(
    two_subjects: Path, monkeypatch: pytest.MonkeyPatch
):
    """The two ways differ by the rounding of float32 sums, relative to the largest prediction."""
    recipe = FitRecipe(data=two_subjects, **SETTINGS)
    kept = assemble(recipe)
    assert kept.loader.frozen is not None
    monkeypatch.setattr("training.fitting.frozen.MOST_KEPT", 0)
    plain = assemble(recipe)
    assert plain.loader.frozen is None
    run = kept.splits.validation[0]
    (expected,), (found,) = (each.predictor.predict_runs([run]) for each in (kept, plain))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())

"""A read-out of several stages at once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from himalaya.ridge import RidgeCV
from small_fits import fitted

from hear_brainsoundnet.checkpoint import read_checkpoint
from training.data.prepared import Prepared
from training.evaluation.evaluate import evaluate
from training.evaluation.folders import read_table
from training.evaluation.settings import EvaluationSettings
from training.fitting.assembly import assemble
from training.fitting.fit_folder import FitFolder
from training.fitting.recipe import FitRecipe, ReadOutSettings
from training.fitting.ridge import STRENGTHS, delayed, folds_by_episode

STAGES = "conv5+conv7"


@pytest.fixture(scope="module")
def ridge(two_subjects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stages") / "ridge"
    return fitted(two_subjects, out, subjects=["sub-01"], read_out={"stage": STAGES})


def test_the_ridge_start_scales_each_stage_by_itself(ridge: Path):
    encoder = read_checkpoint(ridge / "model.safetensors").build_encoder()
    parts = assemble(FitFolder(ridge).recipe())
    runs = parts.splits.train
    features = parts.predictor.features_of_runs(runs)
    x = np.concatenate([delayed(table, 5) for table in features]).astype(float)
    y = np.concatenate([parts.prepared.bold(run) for run in runs]).astype(float)
    mean, scale = x.mean(axis=0), x.std(axis=0).reshape(5, 256 + 1024)
    for stage in (scale[:, :256], scale[:, 256:]):
        stage[:] = np.maximum(stage, np.sqrt(np.mean(stage**2)))
    z = (x - mean) / scale.ravel()
    episodes = [run.episode for run in runs for _ in range(run.n_trs)]
    model = RidgeCV(STRENGTHS * len(x), fit_intercept=False, cv=folds_by_episode(episodes))
    model.fit(z, y - y.mean(axis=0))
    expected = z @ model.coef_ + y.mean(axis=0)
    with torch.no_grad():
        predicted = [encoder.respond(torch.from_numpy(own)[None])[0].numpy() for own in features]
    np.testing.assert_allclose(np.concatenate(predicted), expected, atol=5e-3)


def test_it_is_tuned_evaluated_and_predicted_with_as_any_other(
    ridge: Path, two_subjects: Path, tmp_path: Path
):
    tuned = fitted(
        two_subjects,
        tmp_path / "tuned",
        subjects=["sub-01"],
        read_out={"stage": STAGES},
        train_from="conv6",
        optimiser={"max_epochs": 1, "keep": "last"},
    )
    before, after = (
        read_checkpoint(each / "model.safetensors").build_soundnet().state_dict()
        for each in (ridge, tuned)
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all("conv6" in name or "conv7" in name for name in moved)
    settings = EvaluationSettings(n_permutations=0, subjects=("sub-01",))
    evaluate([ridge, tuned], tmp_path / "eval", settings=settings, progress=False)
    scores = read_table(tmp_path / "eval", "scores")
    own = FitFolder(tuned).scores().query("split == 'test'")
    np.testing.assert_allclose(scores[scores.model == "tuned"].r, own.r, rtol=1e-4)
    checkpoint = read_checkpoint(tuned / "model.safetensors")
    assert checkpoint.card.read_out is not None
    assert checkpoint.card.read_out.stage == STAGES
    assert checkpoint.card.document()["format_version"] == 3  # earlier programs say they are old
    prepared = Prepared(two_subjects)
    run = prepared.runs[0]
    audio = torch.from_numpy(prepared.audio(run.stimulus) / np.float32(32768))[None]
    audio = audio * checkpoint.card.input_scale
    with torch.no_grad():
        whole = checkpoint.build_encoder().eval()(audio, run.n_trs, start=run.start)[0].numpy()
    parts = assemble(FitFolder(tuned).recipe())
    state = FitFolder(tuned).read_state()
    assert state is not None
    parts.encoder.load_state_dict(state.best)
    (by_windows,) = parts.predictor.predict_runs([run])
    np.testing.assert_allclose(by_windows, whole, atol=2e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stage": "conv5+conv9"}, r"'conv5\+conv9' is none of conv1"),
        ({"stage": "conv5+conv5"}, "names one twice"),
        ({"stage": STAGES, "tr_sampling": "crop"}, "tr_sampling=crop is for one stage"),
    ],
)
def test_stages_that_do_not_go_together_are_refused(settings: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        ReadOutSettings.model_validate(settings)


def test_training_may_begin_at_the_deepest_stage():
    FitRecipe(data="x", read_out={"stage": STAGES}, train_from="conv7")
    with pytest.raises(ValueError, match="nothing of the network would be trained"):
        FitRecipe(data="x", read_out={"stage": "conv3+conv5"}, train_from="conv6")

"""Read-outs with a canonical haemodynamic response, or one delay per target."""

from pathlib import Path

import numpy as np
import pytest
import torch
from himalaya.ridge import RidgeCV
from nilearn.glm.first_level import compute_regressor
from small_dataset import changing_sound, write_prepared
from small_fits import fitted

from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.soundnet import SoundNet
from training.data.prepared import Run
from training.fitting.fit import fit
from training.fitting.fit_folder import FitFolder
from training.fitting.recipe import FitRecipe, ReadOutSettings
from training.fitting.response import canonical_response, constrain, fixed_response, unconstrained
from training.fitting.ridge import STRENGTHS, folds_by_episode, solve_read_out

TR = 1.49
N_CHANNELS = 16


def encoder_of(hrf: str, n_targets: int, length: int) -> BrainEncoder:
    read_out = ReadOut("conv1", length, TR, "interpolate", tuple(range(n_targets)), ("sub-01",))
    encoder = BrainEncoder(SoundNet(), read_out)
    constrain(encoder, hrf)
    return encoder


def study(
    kernels: np.ndarray, noise: float, seed: int = 0
) -> tuple[list[Run], list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Runs, features and responses to a mix of channels with a response each, and the mixes."""
    generator = np.random.default_rng(seed)
    mixes = generator.standard_normal((N_CHANNELS, len(kernels)))
    runs, features, responses = [], [], []
    for name in "abcdef":
        x = generator.standard_normal((90, N_CHANNELS)).astype(np.float32)
        drive = x @ mixes
        y = [np.convolve(drive[:, v], kernel)[:90] for v, kernel in enumerate(kernels)]
        y = np.array(y).T + noise * generator.standard_normal((90, len(kernels)))
        runs.append(Run("sub-01", name, name, "", name, "", 0.0, TR, 90))
        features.append(x)
        responses.append(y.astype(np.float32))
    return runs, features, responses, mixes


@pytest.mark.parametrize("tr", [0.8, 1.49, 2.0])
def test_the_canonical_response_is_that_of_a_glm(tr: float):
    times = np.arange(60) * tr
    event = [[5 * tr], [tr / 50], [1.0]]
    expected = compute_regressor(event, "spm", times, con_id="sound")[0][:, 0]
    response = canonical_response(tr)
    ours = np.zeros(60)
    ours[5 : 5 + len(response)] = response[: 60 - 5]
    assert np.corrcoef(ours, expected)[0, 1] > 0.999
    assert 31 <= len(response) * tr <= 33


def test_a_canonical_read_out_is_a_ridge_regression_on_convolved_channels():
    kernel = canonical_response(TR)
    runs, features, responses, _ = study(np.tile(kernel, (5, 1)), noise=1.0)
    encoder = encoder_of("canonical", 5, len(kernel))
    head = encoder.heads["sub-01"]
    solve_read_out(head, runs, features, responses)
    convolved = [
        np.stack([np.convolve(x[:, c], kernel)[: len(x)] for c in range(N_CHANNELS)], axis=1)
        for x in features
    ]
    x, y = np.concatenate(convolved), np.concatenate(responses)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.maximum(scale, np.sqrt(np.mean(scale**2)))
    episodes = [run.episode for run in runs for _ in range(90)]
    ridge = RidgeCV(STRENGTHS * len(x), fit_intercept=False, cv=folds_by_episode(episodes))
    ridge.fit((x - mean) / scale, y - y.mean(axis=0))
    expected = ((x - mean) / scale) @ ridge.coef_ + y.mean(axis=0)
    with torch.no_grad():
        predicted = [encoder.respond(torch.from_numpy(own)[None])[0].numpy() for own in features]
    np.testing.assert_allclose(np.concatenate(predicted), expected, atol=2e-3)


def test_each_target_gets_its_own_delay():
    delays = [0, 3, 5, 2, 3]
    runs, features, responses, mixes = study(np.eye(6)[delays], noise=0.5)
    encoder = encoder_of("delay", 5, 6)
    head = encoder.heads["sub-01"]
    solve_read_out(head, runs, features, responses)
    weights = head.weight.detach().numpy()[:, :, ::-1]  # lag 0 first
    assert [int(np.abs(own).sum(axis=0).argmax()) for own in weights] == delays
    for own, delay, mix in zip(weights, delays, mixes.T, strict=True):
        np.testing.assert_allclose(own[:, delay], mix, atol=0.15)
        assert not np.delete(own, delay, axis=1).any()


@pytest.mark.parametrize("hrf", ["canonical", "delay"])
def test_the_response_is_kept_in_training_and_the_checkpoint_is_ordinary(
    hrf: str, two_subjects: Path, tmp_path: Path
):
    settings = {
        "subjects": ["sub-01"],
        "read_out": {"hrf": hrf, "n_delays": 5},
        "train_from": "conv7",
        "optimiser": {"max_epochs": 2, "keep": "last", "read_out_learning_rate": 1e-3},
    }
    trained = fitted(two_subjects, tmp_path / "fit", **settings)
    checkpoint = read_checkpoint(trained / "model.safetensors")
    encoder = checkpoint.build_encoder()
    weights = encoder.heads["sub-01"].weight.detach().numpy().astype(float)
    length = len(canonical_response(TR)) if hrf == "canonical" else 5
    assert encoder.read_out.n_delays == weights.shape[2] == length
    assert all(np.linalg.matrix_rank(own, tol=1e-5 * np.abs(own).max()) == 1 for own in weights)
    at_start = fitted(
        two_subjects, tmp_path / "start", **{**settings, "optimiser": {"max_epochs": 0}}
    )
    before = read_checkpoint(at_start / "model.safetensors").build_encoder()
    assert not np.allclose(weights, before.heads["sub-01"].weight.detach().numpy(), rtol=1e-3)
    if hrf == "canonical":
        response = canonical_response(TR)[::-1]
        for own in weights:
            channel = np.abs(own).sum(axis=1).argmax()
            np.testing.assert_allclose(
                own[channel] / np.linalg.norm(own[channel]) * np.sign(own[channel] @ response),
                response, atol=1e-5,
            )  # fmt: skip
    state = FitFolder(trained).read_state()
    again = encoder_of("delay" if hrf == "delay" else "canonical", 4, length)
    assert state is not None
    assert {name for name in state.best if name.startswith("heads")} == {
        name for name in again.state_dict() if name.startswith("heads")
    }


def test_a_fit_with_a_fixed_response_resumes_with_its_delays(two_subjects: Path, tmp_path: Path):
    settings = {"subjects": ["sub-01"], "read_out": {"hrf": "delay"}, "train_from": "conv7"}
    long = {**settings, "optimiser": {"max_epochs": 2, "keep": "last"}}
    whole = fitted(two_subjects, tmp_path / "whole", **long)
    part = fitted(two_subjects, tmp_path / "part", **long)
    (part / "model.safetensors").unlink()
    fit(FitFolder(part).recipe(), part, resume=True, progress=False)
    assert (part / "model.safetensors").read_bytes()[-1000:] == (
        whole / "model.safetensors"
    ).read_bytes()[-1000:]


def test_a_free_read_out_is_left_as_it_is():
    encoder = encoder_of("fir", 3, 5)
    assert fixed_response(encoder.heads["sub-01"]) is None
    assert unconstrained(encoder) is encoder


def test_what_a_response_cannot_be_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="hrf=delay selects delays in the ridge start"):
        ReadOutSettings(hrf="delay", initial="zero")
    assert "hrf" not in FitRecipe(data="x").model_dump()["read_out"]
    sounds = {f"s{i}": changing_sound(0.5, seed=i) for i in range(4)}
    runs = {Run("sub-01", s, s, "", s, "", 0.0, 0.0, 1): np.ones((1, 2)) for s in sounds}
    data = write_prepared(tmp_path / "sounds", sounds, runs, tr=0.0)
    with pytest.raises(ValueError, match=r"read_out.hrf=canonical is for time series"):
        fitted(data, tmp_path / "fit", read_out={"hrf": "canonical"}, split={})

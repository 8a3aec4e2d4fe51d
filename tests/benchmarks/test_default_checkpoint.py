"""The road to the default checkpoint at a small scale: pretraining, alignment, controls, file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import hear_brainsoundnet
from benchmarks.correspondence.splits import Split
from benchmarks.default_checkpoint import shipping
from benchmarks.default_checkpoint.cli import app
from benchmarks.default_checkpoint.components import (
    PRESET,
    STAGES,
    TOGETHER,
    squared_correlations,
    stage_summaries,
)
from benchmarks.default_checkpoint.natural_sounds import OWN_RATE, measure_natural_sounds
from benchmarks.default_checkpoint.page import (
    BEGINS,
    CONTENDERS,
    ENDS,
    IN_README,
    RESULTS,
    brief_table,
    contender_rows,
    write_brief_table,
)
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.hear.model_scores import MeasuredModel, TaskScore
from hear_brainsoundnet.checkpoint import DEFAULT, NAMED, read_checkpoint
from hear_brainsoundnet.features import PRESETS
from hear_brainsoundnet.soundnet import SoundNet
from training.corpus.build import build
from training.corpus.source import AudioFile, Source
from training.pretraining.folder import write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import PretrainRecipe
from training.pretraining.targets import SAMPLE_RATE


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps on noises."""
    folder = tmp_path_factory.mktemp("pretrained")
    generator = np.random.default_rng(0)
    files = []
    for i in range(4):
        noise = 0.1 * generator.standard_normal(2 * SAMPLE_RATE)
        soundfile.write(folder / f"{i}.wav", noise, SAMPLE_RATE)
        files.append(AudioFile(folder / f"{i}.wav", f"{i}.wav", "noise", "CC0-1.0"))
    build([Source("noises", files=tuple(files))], folder / "corpus")
    recipe = PretrainRecipe.model_validate(
        {
            "corpus": folder / "corpus",
            "crops": {"seconds": 1, "recordings_per_step": 3},
            "schedule": {"steps": 2, "calibration_steps": 1},
        }
    )
    pretrain(recipe, folder / "run", progress=False)
    write_pretrained(folder / "run", folder / "small.safetensors", name="small")
    return folder / "small.safetensors"


@pytest.mark.slow
@pytest.mark.realdata
def test_from_pretraining_to_a_file_that_works(
    pretrained: Path, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {**shipping.SETTINGS["optimiser"], "max_epochs": 1}
    monkeypatch.setattr(shipping, "SETTINGS", {**shipping.SETTINGS, "optimiser": quick})
    fitted = tmp_path / "fitted.safetensors"
    shipping.fit_all(pretrained, data_folder, tmp_path, fitted, share=0.5)
    tasks = {"rows": [{"model": "natural-sounds", "scene embedding": "default", "esc10": "0.9"}]}
    sounds = {"tables": [{"rows": [{"model": "natural-sounds", "r²": 0.5}]}]}
    scores = shipping.scores_of("aligned", {"natural_sounds": sounds, "tasks": tasks})
    digest = shipping.ship(fitted, "aligned", scores, tmp_path)
    out = tmp_path / "soundnet-natural-sounds.safetensors"
    model = hear_brainsoundnet.load_model(str(out))
    scene = hear_brainsoundnet.get_scene_embeddings(torch.zeros(1, model.sample_rate), model)
    assert bool(scene.isfinite().all())
    provenance: Any = model.card.provenance
    assert provenance["alignment"]["share of the aligned weights"] == 0.5
    assert provenance["pretraining"]["corpus"]["sources"][0]["name"] == "noises"
    assert model.card.scores["logistic regression, scene default"] == {"esc10": "0.9"}
    assert model.checkpoint_hash == digest
    kept, written = (read_checkpoint(path).tensors for path in (fitted, out))
    assert all(torch.equal(kept[name], written[name]) for name in kept)


def test_scores_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import RidgeCV

    generator = np.random.default_rng(0)
    x = generator.standard_normal((40, 5)) * [1, 10, 0.1, 1, 1]
    y = x @ generator.standard_normal((5, 2)) / 5 + generator.standard_normal((40, 2))
    split = Split(np.arange(25), np.arange(25, 40))
    found = squared_correlations(x, y, split)
    deviation = x[:25].std(axis=0)
    scaled = x / np.maximum(deviation, 0.1 * np.sqrt((deviation**2).mean()))
    for i in range(2):
        ridge = RidgeCV(alphas=10.0 ** np.arange(-10, 11)).fit(scaled[:25], y[:25, i])
        expected = np.corrcoef(ridge.predict(scaled[25:]), y[25:, i])[0, 1] ** 2
        assert found[i] == pytest.approx(expected, abs=1e-6)


def test_a_unit_that_is_all_but_silent_in_training_does_not_rule() -> None:
    generator = np.random.default_rng(0)
    split = Split(np.arange(40), np.arange(40, 80))
    units = generator.standard_normal((80, 3))
    y = units.sum(axis=1, keepdims=True)
    silent = np.full((80, 1), 1.0)
    silent[:40, 0] += 1e-6 * y[:40, 0]  # seems to know all
    silent[60] = 2.0
    found = squared_correlations(np.hstack([units, silent]), y, split)
    assert found[0] == pytest.approx(squared_correlations(units, y, split)[0], abs=0.02)
    assert found[0] > 0.95


def test_units_that_say_nothing_score_nothing() -> None:
    split = Split(np.arange(6), np.arange(6, 10))
    assert squared_correlations(np.ones((10, 3)), np.arange(10.0)[:, None], split).tolist() == [0]


def test_summaries_are_those_of_single_sounds() -> None:
    soundnet = SoundNet().eval()
    sounds = list(np.random.default_rng(0).standard_normal((17, 22_050)).astype(np.float32))
    summaries = stage_summaries(soundnet, sounds, 2.0)
    with torch.no_grad():
        alone = soundnet(2 * torch.from_numpy(sounds[16])[None], STAGES)
    for stage in STAGES:
        frames = alone[stage][0].numpy()
        expected = np.concatenate([frames.mean(1), frames.std(1)])
        np.testing.assert_allclose(summaries[stage][16], expected, rtol=1e-3, atol=1e-5)
    assert summaries[TOGETHER].shape == (17, sum(summaries[stage].shape[1] for stage in STAGES))


def test_shipping_without_scores_is_refused(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    arguments = ["ship", "distilled", "a", "--folder", str(tmp_path), "--results", str(tmp_path)]
    failed = CliRunner().invoke(app, arguments)
    assert isinstance(failed.exception, FileNotFoundError)
    expected = "run python -m benchmarks default-checkpoint natural-sounds first"
    assert expected in str(failed.exception)


def test_the_default_is_shown_with_its_own_preset() -> None:
    rows = [
        {"model": name, "scene embedding": "default", "esc10-1.0.0-full": "0.850 (0.8 to 0.9)"}
        for name in CONTENDERS[:-1]
    ]
    rows.append({"model": "default", "scene embedding": "paper", "esc10-1.0.0-full": "0.990 (a)"})
    rows.append({"model": "default", "scene embedding": "default", "esc10-1.0.0-full": "0.86 (a)"})
    rows.append({"model": "soundnet", "scene embedding": "paper", "esc10-1.0.0-full": "0.9 (b)"})
    found = {row["measure"]: row for row in contender_rows(None, {"rows": rows[1:]})}
    assert found["ESC-10, 5 folds"]["default"] == "0.860 (a)"
    assert found["ESC-10, 5 folds"]["soundnet"] == "0.900"  # with its best preset
    assert found["ESC-10, 5 folds"]["log-mel mean and std"] == "not measured"
    assert set(found["FSDD speakers"].values()) == {"FSDD speakers", "not measured"}


def test_scores_with_natural_sounds_come_with_their_spread_over_splits() -> None:
    by_split = [[0.5] * 6, [0.5] * 3 + [0.7] * 3]  # means 0.5 and 0.6
    rows = [{"model": name, PRESET: 0.4, **dict.fromkeys(STAGES, 0.3)} for name in CONTENDERS[:-1]]
    document = {
        "rows": [*rows, {"model": "default", PRESET: 0.55}],
        "details": {"scores": {"default": {PRESET: by_split}}},
    }
    assert contender_rows(document, None)[0]["default"] == "0.550 ± 0.071 over splits"


def test_scores_take_their_place_in_a_text(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGINS}old{ENDS}\nafter\n")
    write_brief_table(RESULTS, readme)
    lines = readme.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "\n".join(lines[2:-2]) == brief_table(RESULTS, IN_README)
    readme.write_text("no place\n")
    with pytest.raises(ValueError, match="has no lines <!-- scores -->"):
        write_brief_table(RESULTS, readme)
    assert readme.read_text() == "no place\n"


def test_probes_of_the_eval_kit_are_assigned_by_their_checkpoint() -> None:
    def measured(name: str, key: str, score: float) -> MeasuredModel:
        digest = NAMED[key].hash if key else "none"
        runs = TaskScore("f1", score, np.nan, np.nan, np.array([score]), (), 1, None, "t")
        return MeasuredModel(name, digest, {"onsets": runs})

    probes = [
        measured("benchmarks.hear.logmel", "", 0.1),
        measured("benchmarks.hear.modulation_spectrum", "", 0.2),
        measured("benchmarks.hear.acoustic_description", "", 0.25),
        measured("hear_brainsoundnet (soundnet-untrained)", "untrained", 0.3),
        measured("hear_brainsoundnet preset=paper (soundnet-untrained)", "untrained", 0.35),
        measured("hear_brainsoundnet (soundnet-pretrained)", "pretrained", 0.4),
        measured("hear_brainsoundnet (soundnet-natural-sounds)", "natural-sounds", 0.45),
        measured("hear_brainsoundnet (soundnet)", "soundnet", 0.48),
        measured("hear_brainsoundnet preset=paper (soundnet-default)", DEFAULT, 0.9),
        measured("hear_brainsoundnet preset=default (soundnet-default)", DEFAULT, 0.5),
    ]
    row = contender_rows(None, None, probes)[-1]
    assert row["measure"] == "HEAR eval kit: onsets, f1"
    assert list(row.values())[1:] == [
        *("0.100", "0.200", "0.250", "0.350", "0.400", "0.450", "0.480", "0.500")
    ]


# Of the yardstick that comes with the recordings.
YARDSTICK_SCENE = "conv3:mean,std,max+conv4:mean,std,max+conv5:mean,std,max+conv7"


@pytest.mark.slow
@pytest.mark.realdata
def test_networks_are_compared_as_they_are(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two networks that cannot be confused: random weights predict less than the original."""
    monkeypatch.setitem(PRESETS, "default", replace(PRESETS["default"], scene=YARDSTICK_SCENE))
    named = {"random weights": "untrained", "soundnet": "soundnet"}
    document = measure_natural_sounds(named, data_folder, tmp_path)
    by_model = {row["model"]: row for row in document["rows"]}
    assert list(by_model) == [*BASELINES, OWN_RATE, *named]
    assert by_model["soundnet"][PRESET] > by_model["random weights"][PRESET] + 0.2
    # Measured apart from this code, as the yardstick that comes with the recordings.
    assert by_model["soundnet"][PRESET] == pytest.approx(0.694, abs=0.01)
    splits = np.array(document["details"]["scores"]["soundnet"][PRESET])
    assert np.median(splits, axis=0).mean() == pytest.approx(by_model["soundnet"][PRESET])

"""Pretraining with words and teachers: targets by time, settings, resumption, card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchaudio
from small_corpora import corpus_of, ramp_corpus

import hear_brainsoundnet
from hear_brainsoundnet.checkpoint import read_checkpoint
from training.config import validate
from training.corpus.corpus import Corpus
from training.pretraining.batches import Batches
from training.pretraining.folder import PretrainFolder, write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import PretrainRecipe, TeacherSettings
from training.pretraining.targets import SAMPLE_RATE, Teachers
from training.teachers.building import build_table
from training.teachers.teacher import Teacher

MODULE = "hear_brainsoundnet"  # a HEAR module like any other


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of noises that change over time, two words among them, and a teacher's table."""
    folder = tmp_path_factory.mktemp("taught")
    generator = np.random.default_rng(0)
    sounds = []
    for i in range(10):
        label = f"word{i % 2}" if i >= 6 else ""
        n = round((0.4 if label else 1 + 0.3 * i) * SAMPLE_RATE)
        sound = 0.1 * generator.standard_normal(n) * np.linspace(0.1, 1, n)
        sounds.append((sound, "words" if label else "noise", label))
    build_table(corpus_of(folder, sounds), Teacher(MODULE), folder / "table", kinds=["noise"])
    return folder


def recipe(folder: Path, **changes: Any) -> PretrainRecipe:
    return PretrainRecipe.model_validate(
        {
            "corpus": folder / "corpus",
            "crops": {"seconds": 0.7, "recordings_per_step": 3},
            "words": {"crops_per_step": 2},
            "objectives": {"relations": 1.0},
            "augmentation": {"telephone": 0.5, "room": 0.5},
            "level": 0.07,
            "teachers": {
                "taught": {"table": folder / "table", "statistics": ["mean", "max"]},
            },
            "schedule": {"steps": 4, "calibration_steps": 2},
            "save_every": 2,
            **changes,
        }
    )


def test_targets_of_a_crop_are_the_embeddings_of_its_time(folder: Path) -> None:
    settings = recipe(folder)
    corpus = Corpus.open(settings.corpus)
    batches = Batches(corpus, settings, Teachers(settings.teachers, corpus))
    batches.calibrate()
    targets = batches.batch(0).targets["taught"]
    crops = batches._drawn(0)[1]
    model = hear_brainsoundnet.load_model()  # at 48 kHz, which the teacher is given, too
    resample = torchaudio.transforms.Resample(SAMPLE_RATE, model.sample_rate)
    expected = []
    for recording, start, stop in zip(crops.recordings, crops.start_s, crops.stop_s, strict=True):
        audio = torch.from_numpy(corpus.samples(int(recording)))[None]
        frames, times = hear_brainsoundnet.get_timestamp_embeddings(resample(audio), model)
        within = frames[0][(times[0] >= 1000 * start) & (times[0] < 1000 * stop)]
        expected.append(torch.cat([within.mean(0), within.amax(0)]))
    table = torch.stack(expected)
    assert targets.shape == table.shape
    # Both are the same but for mean and scale of each number, and a limit that few reach.
    a, b = (each - each.mean(0) for each in (targets, table))
    agreement = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp_min(1e-9)
    steady = (targets.abs() < 3.9).all(0) & (b.norm(dim=0) > 1e-2)  # float16 in the table
    assert int(steady.sum()) > 100
    assert float(agreement[steady].min()) > 0.99


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """A pretraining with all objectives, from beginning to end."""
    pretrain(recipe(folder), folder / "whole", progress=False)
    return folder / "whole"


@pytest.mark.slow
def test_interrupted_pretraining_resumes_with_the_same_result(folder: Path, whole: Path) -> None:
    settings, stopped = recipe(folder), folder / "stopped"
    original = Batches.batch

    def batch(self: Batches, step: int) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return original(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "batch", batch)
        with pytest.raises(KeyboardInterrupt):
            pretrain(settings, stopped, progress=False)
    before = PretrainFolder(stopped).read_state()
    assert before is not None
    assert before.step == 2
    pretrain(settings, stopped, resume=True, progress=False)
    states = [PretrainFolder(each).read_state() for each in (whole, stopped)]
    assert states[0] is not None
    assert states[1] is not None
    names = set(states[0].history[-1].losses)
    assert {"words", "word pairs", "relations", "contrast", "taught from conv7"} <= names
    for name, tensor in states[0].learner.items():
        torch.testing.assert_close(states[1].learner[name], tensor, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_card_names_the_teachers(whole: Path, tmp_path: Path) -> None:
    write_pretrained(whole, tmp_path / "taught.safetensors")
    card = read_checkpoint(tmp_path / "taught.safetensors").card
    teacher = card.provenance["teachers"]["taught"]  # type: ignore[index, call-overload]
    assert teacher["module"] == MODULE
    assert teacher["kinds"] == ["noise"]
    assert "without labels" not in card.use
    assert "words by their names and what taught say of it" in card.use


@pytest.fixture(scope="module")
def ramps(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return ramp_corpus(tmp_path_factory.mktemp("ramps") / "audio")


@pytest.fixture(scope="module")
def table(ramps: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "mean"
    build_table(ramps, Teacher("mean_teacher"), folder)
    return folder


def settings(**changes: Any) -> TeacherSettings:
    return validate({"stages": ["conv7"], **changes}, TeacherSettings, (), source="recipe.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": []}, "stages: "),
        ({"stages": ["conv9"]}, r"stages.0: .*'conv7' \(got 'conv9'\)"),
        ({"stages": ["conv5", "conv5"]}, "a stage is given twice"),
        ({"statistics": ["sum"]}, "statistics.0: .*'mean', 'std' or 'max'"),
        ({"weight": -1}, "weight: "),
        ({"checkpoint": "yamnet.tflite"}, "give the module, too"),
        ({"tables": "x"}, "unknown key 'tables'"),
    ],
)
def test_wrong_teacher_settings_are_refused_in_one_line(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^recipe.yaml: .*{message}") as caught:
        settings(table="table", **changes)
    assert "\n" not in str(caught.value)


def test_table_of_another_corpus_or_teacher_is_refused(
    ramps: Corpus, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match="not a table of embeddings"):
        Teachers({"one": settings(table=tmp_path / "none")}, ramps)
    other = ramp_corpus(tmp_path / "other", slope=0.04)
    with pytest.raises(ValueError, match=r"the table .*mean belongs to another corpus"):
        Teachers({"one": settings(table=table)}, other)
    with pytest.raises(ValueError, match=r"another teacher: expected training\.teachers.yamnet"):
        Teachers({"one": settings(table=table, module="training.teachers.yamnet")}, ramps)
    (tmp_path / "weights").write_text("")
    with_weights = settings(table=table, module="mean_teacher", checkpoint=tmp_path / "weights")
    with pytest.raises(ValueError, match=r"another checkpoint of the teacher: .* found none"):
        Teachers({"one": with_weights}, ramps)
    monkeypatch.setattr("mean_teacher.__version__", "4")
    with pytest.raises(ValueError, match="another version of the teacher: expected 4, found 3"):
        Teachers({"one": settings(table=table, module="mean_teacher")}, ramps)

"""Pretraining with teachers: what is asked of a crop is what the teacher said of that moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import torchaudio

import hear_brainsoundnet
from hear_brainsoundnet.checkpoint import read_checkpoint
from training.corpus.build import build
from training.corpus.corpus import Corpus
from training.corpus.source import AudioFile, Source
from training.pretraining.batches import Batches
from training.pretraining.checkpoint import write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import PretrainRecipe
from training.pretraining.run import PretrainFolder
from training.pretraining.targets import SAMPLE_RATE
from training.pretraining.teachers import Teachers
from training.teachers.building import build_table
from training.teachers.teacher import Teacher

MODULE = "hear_brainsoundnet"  # a HEAR module like any other


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of noises that change over time, two words among them, and a teacher's table."""
    folder = tmp_path_factory.mktemp("taught")
    generator = np.random.default_rng(0)
    files = []
    for i in range(10):
        label = f"word{i % 2}" if i >= 6 else ""
        n = round((0.4 if label else 1 + 0.3 * i) * SAMPLE_RATE)
        sound = 0.1 * generator.standard_normal(n) * np.linspace(0.1, 1, n)
        path = folder / f"{i}.wav"
        soundfile.write(path, sound, SAMPLE_RATE)
        files.append(AudioFile(path, path.name, "words" if label else "noise", "CC0-1.0", label))
    build([Source("noises", files=tuple(files))], folder / "corpus")
    corpus = Corpus.open(folder / "corpus")
    build_table(corpus, Teacher(MODULE), folder / "table", kinds=["noise"])
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


def test_a_crop_is_told_what_the_teacher_heard_at_its_time(folder: Path) -> None:
    settings = recipe(folder)
    corpus = Corpus.open(settings.corpus)
    batches = Batches(corpus, settings, Teachers(settings.teachers, corpus))
    batches.calibrate()
    told = batches.batch(0).targets["taught"]
    crops = batches._drawn(0)[1]
    model = hear_brainsoundnet.load_model()  # at 48 kHz, which the teacher is given, too
    resample = torchaudio.transforms.Resample(SAMPLE_RATE, model.sample_rate)
    heard = []
    for recording, start, stop in zip(crops.recordings, crops.start_s, crops.stop_s, strict=True):
        audio = torch.from_numpy(corpus.samples(int(recording)))[None]
        frames, times = hear_brainsoundnet.get_timestamp_embeddings(resample(audio), model)
        within = frames[0][(times[0] >= 1000 * start) & (times[0] < 1000 * stop)]
        heard.append(torch.cat([within.mean(0), within.amax(0)]))
    table = torch.stack(heard)
    assert told.shape == table.shape
    # Both are the same but for mean and scale of each number, and a limit that few reach.
    a, b = (each - each.mean(0) for each in (told, table))
    agreement = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp_min(1e-9)
    steady = (told.abs() < 3.9).all(0) & (b.norm(dim=0) > 1e-2)  # float16 in the table
    assert int(steady.sum()) > 100
    assert float(agreement[steady].min()) > 0.99


@pytest.mark.slow
def test_training_with_all_objectives_goes_on_where_it_stopped(folder: Path) -> None:
    pretrain(recipe(folder), folder / "whole", progress=False)
    first, second = recipe(folder), folder / "second"
    stopped: list[int] = []
    original = Batches.batch

    def batch(self: Batches, step: int) -> Any:
        if step == 3 and not stopped:
            stopped.append(step)
            raise KeyboardInterrupt
        return original(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "batch", batch)
        with pytest.raises(KeyboardInterrupt):
            pretrain(first, second, progress=False)
    pretrain(first, second, resume=True, progress=False)
    states = [PretrainFolder(each).read_state() for each in (folder / "whole", second)]
    assert states[0] is not None
    assert states[1] is not None
    names = set(states[0].history[-1].losses)
    assert {"words", "word pairs", "relations", "taught from conv7"} <= names
    for name, tensor in states[0].learner.items():
        torch.testing.assert_close(states[1].learner[name], tensor, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_card_names_the_teachers(folder: Path, tmp_path: Path) -> None:
    schedule = {"steps": 1, "calibration_steps": 1}
    pretrain(recipe(folder, schedule=schedule), tmp_path / "run", progress=False)
    write_pretrained(tmp_path / "run", tmp_path / "taught.safetensors")
    card = read_checkpoint(tmp_path / "taught.safetensors").card
    told = card.provenance["teachers"]["taught"]  # type: ignore[index, call-overload]
    assert told["module"] == MODULE
    assert told["kinds"] == ["noise"]
    assert "without labels" not in card.use
    assert "words by their names and what taught say of it" in card.use


def test_a_table_of_another_corpus_is_refused_before_the_first_step(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.1, 0.1, 30_000), SAMPLE_RATE)
    source = Source("other", files=(AudioFile(path, path.name, "noise", "CC0-1.0"),))
    build([source], tmp_path / "corpus")
    changed = recipe(folder, corpus=tmp_path / "corpus", crops={"recordings_per_step": 2})
    with pytest.raises(ValueError, match="belongs to another corpus"):
        pretrain(changed, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()

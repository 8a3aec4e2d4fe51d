"""Pretraining end to end on a small corpus, interrupted and not, and its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_corpora import corpus_of

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import read_checkpoint, write_checkpoint
from hear_brainsoundnet.soundnet import LAYERS, Head, Layer, SoundNet
from training.corpus.corpus import Corpus
from training.pretraining import loop
from training.pretraining.batches import augment
from training.pretraining.crops import PairedCrops
from training.pretraining.folder import PretrainFolder, write_pretrained
from training.pretraining.loop import pretrain
from training.pretraining.recipe import AugmentationSettings, CropSettings, PretrainRecipe
from training.pretraining.targets import SAMPLE_RATE

SMALL = {
    "crops": {"seconds": 0.7, "recordings_per_step": 3},
    "schedule": {"steps": 4, "calibration_steps": 2},
    "save_every": 2,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones and noises of 0.4 to 3 s; the pitch identifies the recording."""
    generator = np.random.default_rng(0)
    sounds = []
    for i in range(8):
        time = np.arange(round((0.4 + 0.35 * i) * SAMPLE_RATE)) / SAMPLE_RATE
        sound = 0.3 * np.sin(2 * np.pi * 200 * (i + 1) * time)
        sound += 0.01 * generator.standard_normal(len(time))
        sounds.append((sound, "tones" if i else "rare", ""))
    return corpus_of(tmp_path_factory.mktemp("audio"), sounds).folder


def recipe(corpus: Path, **changes: Any) -> PretrainRecipe:
    return PretrainRecipe.model_validate({"corpus": corpus, **SMALL, **changes})


@pytest.mark.slow
def test_checkpoint_has_its_provenance_and_the_trained_weights(
    corpus: Path, tmp_path: Path
) -> None:
    pretrain(recipe(corpus), tmp_path / "run", progress=False)
    write_pretrained(tmp_path / "run", tmp_path / "one.safetensors", name="one")
    checkpoint = read_checkpoint(tmp_path / "one.safetensors")
    provenance = checkpoint.card.provenance
    assert provenance["corpus"]["sources"][0]["licences"] == ["CC0-1.0"]  # type: ignore[index, call-overload]
    assert provenance["seed"] == 0
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")
    state = PretrainFolder(tmp_path / "run").read_state()
    assert state is not None
    audio = torch.randn(1, SAMPLE_RATE) * 30
    with torch.no_grad():
        expected = state.soundnet()(audio, ["conv7"])["conv7"]
        found = checkpoint.build_soundnet()(audio, ["conv7"])["conv7"]
    assert float((found - expected).abs().max()) < 2e-3 * float(expected.abs().max())


@pytest.mark.slow
def test_start_from_a_checkpoint_continues_from_its_weights(corpus: Path, tmp_path: Path) -> None:
    pretrain(recipe(corpus), tmp_path / "first", progress=False)
    first = write_pretrained(tmp_path / "first", tmp_path / "first.safetensors")
    schedule = {**SMALL["schedule"], "lower_until": 0, "learning_rate": 1e-3}
    further = recipe(corpus, start=tmp_path / "first.safetensors", schedule=schedule, seed=1)
    pretrain(further, tmp_path / "second", progress=False)
    write_pretrained(tmp_path / "second", tmp_path / "second.safetensors")
    card = read_checkpoint(tmp_path / "second.safetensors").card
    assert card.provenance["start"]["hash"] == first  # type: ignore[index, call-overload]
    before, after = (
        read_checkpoint(tmp_path / f"{name}.safetensors").build_soundnet().state_dict()
        for name in ("first", "second")
    )
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"conv3", "conv4", "conv5", "conv6", "conv7"}
    change = (after["conv4.conv.weight"] - before["conv4.conv.weight"]).norm()
    assert change < 0.2 * before["conv4.conv.weight"].norm()


@pytest.mark.parametrize(
    ("layers", "rate", "message"),
    [
        ((Layer("conv1", 64, 2, 32, 8, 8),), 22_050, "layers"),
        (LAYERS, 16_000, "is for 16000 Hz, pretraining needs 22050 Hz"),
    ],
)
def test_unsuitable_start_is_refused(
    corpus: Path, tmp_path: Path, layers: tuple[Layer, ...], rate: int, message: str
) -> None:
    start = tmp_path / "other.safetensors"
    card = Card(name="other", trained=True, input_scale=1.0, layers=layers, sample_rate=rate)
    write_checkpoint(start, card, SoundNet(layers))
    with pytest.raises(ValueError, match=message):
        pretrain(recipe(corpus, start=start), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_start_with_heads_trains_to_its_end(corpus: Path, tmp_path: Path) -> None:
    """The converted original brings its classifiers along, which learn nothing here."""
    torch.manual_seed(0)
    heads = (Head("objects", kernel=8, stride=2, channels=5),)
    card = Card(name="original", trained=True, input_scale=256.0, heads=heads, licence="MIT ...")
    write_checkpoint(tmp_path / "original.safetensors", card, SoundNet(heads=heads))
    schedule = {"steps": 1, "calibration_steps": 1}
    settings = recipe(corpus, start=tmp_path / "original.safetensors", schedule=schedule)
    pretrain(settings, tmp_path / "run", progress=False)
    write_pretrained(tmp_path / "run", tmp_path / "one.safetensors")
    result = read_checkpoint(tmp_path / "one.safetensors")
    assert result.card.heads == ()
    assert result.card.input_scale == 256
    assert result.card.licence == "MIT ..."


@pytest.mark.parametrize("name", ["two\nlines", "n" * 201])
def test_invalid_name_is_refused_before_the_first_step(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(loop, "Learner", None)  # no step without it
    with pytest.raises(ValueError, match=r"the checkpoint of .*run would be invalid: name: "):
        pretrain(recipe(corpus), tmp_path / "run", progress=False, name=name)
    assert not list((tmp_path / "run").glob("*.safetensors"))


@pytest.mark.slow
def test_training_lowers_every_loss(corpus: Path, tmp_path: Path) -> None:
    settings = recipe(corpus, schedule={"steps": 40, "calibration_steps": 4}, save_every=10)
    pretrain(settings, tmp_path / "run", progress=False)
    state = PretrainFolder(tmp_path / "run").read_state()
    assert state is not None
    first, last = state.history[0].losses, state.history[-1].losses
    for name in first:
        assert last[name] < first[name], name


def test_unfinished_run_gives_no_checkpoint(corpus: Path, tmp_path: Path) -> None:
    PretrainFolder(tmp_path / "run").begin(recipe(corpus), resume=False)
    with pytest.raises(ValueError, match="is not finished"):
        write_pretrained(tmp_path / "run", tmp_path / "one.safetensors")
    assert not (tmp_path / "one.safetensors").exists()


def test_crops_are_pairs_of_one_recording(corpus: Path) -> None:
    """Each recording is one tone, so the strongest frequency identifies it."""
    crops = PairedCrops(
        Corpus.open(corpus), CropSettings(seconds=0.5, recordings_per_step=8), speed=0.0
    )
    table = crops.draw(np.random.default_rng(0)).audio
    strongest = np.abs(np.fft.rfft(table, axis=1)).argmax(axis=1) / 0.5
    pitches = (strongest / 200).round()
    np.testing.assert_array_equal(pitches[:8], pitches[8:])
    assert sorted(pitches[:8]) == list(range(1, 9))


def test_speed_moves_both_crops_of_a_pair_by_the_same_factor(corpus: Path) -> None:
    crops = PairedCrops(
        Corpus.open(corpus), CropSettings(seconds=0.5, recordings_per_step=8), speed=0.5
    )
    table = crops.draw(np.random.default_rng(1)).audio
    strongest = np.abs(np.fft.rfft(table, axis=1)).argmax(axis=1) / 0.5
    np.testing.assert_allclose(strongest[:8], strongest[8:], atol=8)
    octaves = np.log2(strongest[:8] / 200)
    off = octaves - np.log2((2**octaves).round())
    assert off.std() > 0.05


def test_kinds_are_drawn_equally_often_if_asked(corpus: Path) -> None:
    settings = CropSettings(seconds=0.5, recordings_per_step=2)
    crops = PairedCrops(Corpus.open(corpus), settings, speed=0.0)
    kinds = crops.corpus.recordings["kind"].to_numpy()
    assert crops.weights[kinds == "rare"].sum() == pytest.approx(0.5)


def test_corpus_smaller_than_a_step_is_refused(corpus: Path) -> None:
    with pytest.raises(ValueError, match=r"the corpus has 8; set crops.recordings_per_step"):
        PairedCrops(Corpus.open(corpus), CropSettings(recordings_per_step=9), speed=0.0)


def test_augmentation_sets_levels_and_the_signal_to_noise_ratio() -> None:
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    tones = torch.sin(2 * torch.pi * 1000 * time).repeat(64, 1)
    settings = AugmentationSettings(filter_db=0, mixing=0, noise=1, quietest_db=-40, loudest_db=-20)
    changed = augment(tones, settings, np.random.default_rng(0))
    decibels = 10 * changed.square().mean(1).log10()
    assert -40.1 < decibels.min() < -35 and -25 < decibels.max() < -19.9  # noqa: PT018
    power = torch.fft.rfft(changed).abs().square()
    tone = power[:, 1000]
    ratio = 10 * (tone / (power.sum(1) - tone)).log10()
    assert 14.5 < ratio.min() < 22 and 50 < ratio.max() < 61.5  # noqa: PT018

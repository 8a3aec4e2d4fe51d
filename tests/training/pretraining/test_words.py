"""Words in crops: their positions and frames, and that they can be learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_corpora import corpus_of

from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import SoundNet
from training.corpus.corpus import Corpus
from training.pretraining.crops import PairedCrops, WordCrops
from training.pretraining.objectives import WORD_STAGES, WordObjective, frames_of_spans
from training.pretraining.recipe import CropSettings, WordSettings
from training.pretraining.targets import SAMPLE_RATE

N_SAMPLES = 2 * SAMPLE_RATE
PITCHES = {"low": 300, "middle": 900, "high": 2700}  # Hz: a tone stands for a word


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three "words" by four "voices" (durations), and three recordings without a label."""
    sounds = []
    for label, pitch in {**PITCHES, "": 100}.items():
        for voice in range(4):
            time = np.arange(round((0.3 + 0.1 * voice) * SAMPLE_RATE)) / SAMPLE_RATE
            tone = (0.3 - 0.02 * voice) * np.sin(2 * np.pi * pitch * time)  # no two are the same
            sounds.append((tone, "words" if label else "tones", label))
    return corpus_of(tmp_path_factory.mktemp("words"), sounds)


def draw(corpus: Corpus, speed: float = 0.2):
    settings = WordSettings(crops_per_step=3, words_per_crop=2)
    crops = WordCrops(corpus, settings, N_SAMPLES, speed)
    return crops, crops.draw(np.random.default_rng(0))


def test_word_fills_its_span_and_the_rest_is_silent(corpus: Corpus) -> None:
    crops, words = draw(corpus)
    assert list(crops.vocabulary) == sorted(PITCHES)
    assert sorted(words.labels.flatten().tolist()) == [0, 0, 1, 1, 2, 2]  # two clips of each
    silent = np.ones(words.audio.shape, bool)
    for crop, labels, spans in zip(words.audio, words.labels, words.spans, strict=True):
        for place, (label, (start, stop)) in enumerate(zip(labels, spans, strict=True)):
            assert place * N_SAMPLES // 2 <= start < stop <= (place + 1) * N_SAMPLES // 2
            word = crop[start:stop]
            loudest = np.abs(np.fft.rfft(word)).argmax() * SAMPLE_RATE / len(word)
            octaves = np.log2(loudest / PITCHES[crops.vocabulary[label]])
            assert abs(octaves) < 0.2 + 0.05  # the change of speed, and the width of a bin
    for row, spans in zip(silent, words.spans, strict=True):
        for start, stop in spans:
            row[start:stop] = False
    assert (words.audio[silent] == 0).all()


def test_words_are_not_drawn_as_recordings(corpus: Corpus) -> None:
    crops = PairedCrops(corpus, CropSettings(recordings_per_step=3, seconds=0.5), speed=0.0)
    drawn = crops.draw(np.random.default_rng(0))
    assert set(corpus.recordings["label"].iloc[drawn.recordings]) == {""}
    with pytest.raises(ValueError, match="the corpus has 4"):
        PairedCrops(corpus, CropSettings(recordings_per_step=5), speed=0.0)


def test_crops_have_their_position_in_the_recording(corpus: Corpus) -> None:
    settings = CropSettings(recordings_per_step=4, seconds=0.5)
    drawn = PairedCrops(corpus, settings, speed=0.25).draw(np.random.default_rng(0))
    lengths = corpus.recordings["n_samples"].to_numpy()[drawn.recordings] / SAMPLE_RATE
    assert (drawn.start_s >= 0).all()
    assert (drawn.stop_s <= lengths + 1e-9).all()
    slower = (drawn.stop_s - drawn.start_s) / 0.5
    whole = np.isclose(drawn.stop_s - drawn.start_s, lengths)
    assert (whole | ((slower > 2**-0.26) & (slower < 2**0.26))).all()


def test_too_few_words_are_refused(corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="takes 4 different words, the corpus has 3"):
        WordCrops(corpus, WordSettings(crops_per_step=4), N_SAMPLES, speed=0.0)


def test_frames_of_a_word_are_those_whose_centre_lies_within_it() -> None:
    stage = stage_geometry()["conv4"]
    spans = np.array([[[3_000, 12_000]], [[20_000, 20_010]]])
    within = frames_of_spans(spans, float(stage.centre), stage.hop, 43)
    centres = float(stage.centre) + stage.hop * np.arange(43)
    assert (within[0, 0] == ((centres >= 3_000) & (centres < 12_000))).all()
    assert within[1, 0].sum() == 1
    assert abs(centres[within[1, 0]] - 20_005) <= stage.hop / 2


def test_objective_depends_on_each_word_alone(corpus: Corpus) -> None:
    """Sound in the other slot of a crop, beyond the receptive field, changes nothing."""
    _, words = draw(corpus, speed=0.0)
    objective = WordObjective(3, 0.2)
    soundnet = SoundNet().eval()
    audio = torch.from_numpy(words.audio) * 256

    def pooled() -> torch.Tensor:
        with torch.no_grad():
            stages = soundnet(audio, WORD_STAGES)
        return torch.cat([objective._pooled(n, stages[n], words) for n in WORD_STAGES], dim=1)

    before = pooled()
    audio[0, 35_000:] = 0  # the end of the second slot of the first crop
    after = pooled()
    assert torch.equal(before[2:], after[2:])
    assert torch.allclose(before[0], after[0], atol=1e-5)


def test_words_can_be_learned_from_the_stages(corpus: Corpus) -> None:
    _, words = draw(corpus, speed=0.0)
    torch.manual_seed(0)
    soundnet, objective = SoundNet().eval(), WordObjective(3, 0.2)
    with torch.no_grad():
        stages = soundnet(torch.from_numpy(words.audio) * 256, WORD_STAGES)
    optimiser = torch.optim.Adam(objective.parameters(), lr=1e-2)
    found = []
    for _ in range(30):
        loss = objective(stages, words)["words"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss))
    assert found[0] > 0.7 * np.log(3)
    assert found[-1] < 0.2

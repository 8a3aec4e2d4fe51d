"""A picture: a sound, its embedding over time, and the auditory cortex that it predicts.

Twelve seconds of synthesised speech, music and noise; the timestamp embeddings of the default
checkpoint; and the six response components of Norman-Haignere, Kanwisher and McDermott (2015) that
ridge regression predicts from scene embeddings of two seconds, fitted to the 165 sounds of the
study.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from benchmarks import espeak
from benchmarks.demo.sounds import RATE, SENTENCES, WORDS_PER_MINUTE
from benchmarks.few_labels.representations import predicted_components, read_brain
from benchmarks.figures import new_figure, png_of
from hear_brainsoundnet import embed_array, load_model
from hear_brainsoundnet.audio import TensorSound
from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.resampling import Resampler
from hear_brainsoundnet.windows import Windows, embed_windows

PART = 4.0  # seconds of speech, of music, of noise
LEVEL = 0.07  # root mean square of each
WINDOW, HOP = 2.0, 0.25  # seconds; the sounds of the study last two
MELODY = (262, 330, 392, 523, 440, 349, 392, 330, 294, 330, 349, 262)  # Hz
NAMES = ("low frequencies", "high frequencies", "environmental", "pitch", "speech", "music")
WIDTH, SHADE = 9.5, 2.5  # inches; standard deviations at full colour

Samples = NDArray[np.float64]


def draw_over_time(data: Path, picture: Path) -> Path:
    """Write the picture, a PNG; `data` has the 165 sounds and their responses."""
    sound = np.concatenate([_levelled(part) for part in (_speech(), _music(), _noise())])
    model = load_model()
    embeddings = embed_array(sound.astype(np.float32), RATE, model, scene=False)
    assert embeddings.timestamps is not None
    assert embeddings.timestamps_ms is not None
    n_windows = int((3 * PART - WINDOW) / HOP) + 1
    clip = TensorSound(torch.from_numpy(sound[None]).float(), RATE)
    scenes = embed_windows(model, clip, Windows(WINDOW, HOP))[:n_windows]
    brain = read_brain("default", data)
    predicted = predicted_components(brain.scene, brain.responses, scenes.double().numpy())
    standard = (predicted - brain.responses.mean(axis=0)) / brain.responses.std(axis=0)
    content = _drawn(
        sound,
        embeddings.timestamps.numpy(),
        embeddings.timestamps_ms.numpy() / 1000,
        standard,
    )
    write_atomically(picture, content)
    return picture


def _drawn(sound: Samples, frames: Samples, seconds: Samples, components: Samples) -> bytes:
    figure = new_figure(WIDTH, 6)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    duration = len(sound) / RATE
    top.specgram(sound, NFFT=2048, Fs=RATE, noverlap=1536, cmap="magma", vmin=-130, vmax=-50)
    top.set_ylim(0, 8_000)
    top.set_yticks([0, 4_000, 8_000], ["0", "4", "8"])
    top.set_ylabel("sound\nkHz")
    for i, name in enumerate(("speech", "music", "noise")):
        top.text((i + 0.5) * PART, 8_200, name, ha="center", va="bottom", fontsize=11)
    frames = frames[:, frames.std(axis=0) > 0]  # some units never respond to these sounds
    table = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    # Units in the order of the times at which they are active.
    active = np.maximum(table, 0)
    order = np.argsort((active * seconds[:, None]).sum(axis=0) / active.sum(axis=0))
    middle.imshow(
        table[:, order].T,
        aspect="auto",
        origin="lower",
        cmap="RdBu_r",
        vmin=-SHADE,
        vmax=SHADE,
        extent=(seconds[0], seconds[-1], 0, table.shape[1]),
    )
    middle.set_yticks([])
    middle.set_ylabel("embedding\nconv3 and conv4")
    half = WINDOW / 2
    bottom.imshow(
        components.T,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-SHADE,
        vmax=SHADE,
        interpolation="nearest",
        extent=(half - HOP / 2, duration - half + HOP / 2, len(NAMES) - 0.5, -0.5),
    )
    bottom.set_yticks(range(len(NAMES)), NAMES, fontsize=8)
    bottom.set_ylabel("predicted\ncortex")
    bottom.set_xlim(0, duration)
    bottom.set_xlabel("seconds")
    for axes in (top, middle, bottom):
        for i in (1, 2):
            axes.axvline(i * PART, color="white" if axes is top else "black", linewidth=0.8)
    return png_of(figure)


def _levelled(part: Samples) -> Samples:
    part = part[: round(PART * RATE)]
    return LEVEL * part / np.sqrt(np.mean(np.square(part)))


def _speech() -> Samples:
    spoken = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (voice, sentence) in list(SENTENCES.items())[:2]:
            path = Path(folder, f"{name}.wav")
            espeak.speak(sentence, path, voice=voice, words_per_minute=WORDS_PER_MINUTE)
            samples, rate = soundfile.read(path, dtype="float32")
            resampler = Resampler(rate, RATE)
            audio = resampler.whole(torch.from_numpy(samples)[None])
            spoken.append(audio[0, : resampler.n_out(len(samples))].double().numpy())
    return np.concatenate(spoken)


def _music() -> Samples:
    """A melody in thirds of a second, each note with its octave below and fifth above."""
    music = np.zeros(round(PART * RATE))
    time = np.arange(round(0.6 * RATE)) / RATE
    for i, pitch in enumerate(MELODY):
        note = np.zeros(len(time))
        for interval in (0.5, 1, 1.5):
            for harmonic in range(1, 9):
                decay = np.exp(-time * (2 + harmonic)) / harmonic
                note += decay * np.sin(2 * np.pi * pitch * interval * harmonic * time)
        start = round(i * PART / len(MELODY) * RATE)
        music[start : start + len(time)] += note[: len(music) - start]
    return music


def _noise() -> Samples:
    """White noise that swells and fades."""
    time = np.arange(round(PART * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    found: Samples = noise * (1 + 0.5 * np.sin(2 * np.pi * 0.7 * time))
    return found

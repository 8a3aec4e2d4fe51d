"""Example sounds, made on the spot: speech by espeak-ng, tones, chords, noises and clicks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile

RATE = 44_100
DURATION = 2.0  # seconds

SENTENCES = {
    "speech-english-high": ("en+f3", "The ear hears what the brain expects."),
    "speech-english-low": ("en+m3", "A network listens to every word we say."),
    "speech-german": ("de", "Das Ohr hört, was das Gehirn erwartet."),
    "speech-spanish": ("es", "El oído escucha lo que espera el cerebro."),
}


def make_sounds(folder: Path, seed: int = 0) -> None:
    """Write the example sounds into `folder`.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed.
    """
    espeak = shutil.which("espeak-ng")
    if espeak is None:
        raise FileNotFoundError(
            "espeak-ng is needed for the example sounds; install it (apt-get install espeak-ng) "
            "or give a folder of your own with --audio"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, (voice, sentence) in SENTENCES.items():
        path = folder / f"{name}.wav"
        subprocess.run([espeak, "-v", voice, "-s", "150", "-w", str(path), sentence], check=True)
    for name, audio in _synthetic(np.random.default_rng(seed)).items():
        peak = np.abs(audio).max()
        soundfile.write(folder / f"{name}.wav", 0.5 * audio / peak, RATE)


def _synthetic(generator: np.random.Generator) -> dict[str, np.ndarray]:
    time = np.arange(int(RATE * DURATION)) / RATE
    decay = np.exp(-3 * (time % 0.5))

    def tone(pitch: float) -> np.ndarray:
        harmonics = [np.sin(2 * np.pi * pitch * h * time) / h for h in range(1, 9)]
        return np.sum(harmonics, axis=0)

    def noise(slope: float) -> np.ndarray:
        spectrum = np.fft.rfft(generator.standard_normal(time.size))
        frequency = np.maximum(np.fft.rfftfreq(time.size, 1 / RATE), 20)
        return np.fft.irfft(spectrum * frequency**-slope, time.size)

    clicks = np.zeros_like(time)
    clicks[:: RATE // 8] = 1
    return {
        "tone-220-hz": tone(220),
        "tone-880-hz": tone(880),
        "chord-major": (tone(262) + tone(330) + tone(392)) * decay,
        "chord-minor": (tone(262) + tone(311) + tone(392)) * decay,
        "noise-white": noise(0.0),
        "noise-pink": noise(0.5),
        "noise-in-waves": noise(0.5) * (1 + np.sin(2 * np.pi * 1.5 * time)),
        "clicks": clicks,
    }

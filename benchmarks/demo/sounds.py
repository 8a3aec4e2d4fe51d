"""Synthetic example recordings: speech by espeak-ng, tones, chords, noises and clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from benchmarks import espeak

RATE = 44_100
DURATION = 2.0  # seconds

SENTENCES = {
    "speech-english-high": ("en+f3", "The ear hears what the brain expects."),
    "speech-english-low": ("en+m3", "A network listens to every word we say."),
    "speech-german": ("de", "Das Ohr hört, was das Gehirn erwartet."),
    "speech-spanish": ("es", "El oído escucha lo que espera el cerebro."),
}
# Texts of the other speakers of many variants, two sentences each.
SAYINGS = (
    "Rain fell on the roof all night, and nobody could sleep.",
    "She opened the window and heard a train far away.",
    "How many people are coming to dinner on Sunday?",
    "The old clock in the kitchen has stopped again.",
    "Two dogs barked while a door slammed downstairs.",
    "I never said that; you must have dreamt it.",
    "Turn left at the bridge and walk along the river.",
    "What a wonderful surprise, thank you so much!",
    "Nine ships left the harbour before the storm.",
    "Please speak slowly, the line is very bad.",
    "Grandmother sang an old song about the sea.",
    "They counted to seven, and then everybody laughed.",
)
WORDS_PER_MINUTE = 150
SPEAKERS = ("f1", "f2", "f3", "f4", "m1", "m2", "m4", "m5", "m7")


def make_sounds(folder: Path, seed: int = 0, n_variants: int = 1) -> None:
    """Write the example recordings into `folder`.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    seed : int
        Seed of the noises, and of the differences between variants.
    n_variants : int
        Number of variants of the twelve recordings, all different: other speakers and texts, tones
        and chords at other pitches, other noises. The first one is always the same.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for variant in range(n_variants):
        suffix = f"-{variant + 1:02}" if n_variants > 1 else ""
        spoken = _other_speakers(generator) if variant else SENTENCES
        transposed = 2 ** generator.uniform(-1, 1) if variant else 1.0
        for name, (voice, sentence) in spoken.items():
            path = folder / f"{name}{suffix}.wav"
            espeak.speak(sentence, path, voice=voice, words_per_minute=WORDS_PER_MINUTE)
        for name, audio in _synthetic(generator, transposed).items():
            peak = np.abs(audio).max()
            soundfile.write(folder / f"{name}{suffix}.wav", 0.5 * audio / peak, RATE)


def _other_speakers(generator: np.random.Generator) -> dict[str, tuple[str, str]]:
    """Four speakers, each with two sentences."""
    speakers = generator.choice(SPEAKERS, len(SENTENCES), replace=False)
    sayings = generator.choice(SAYINGS, (len(SENTENCES), 2), replace=False)
    return {
        f"speech-{speaker}": (f"en+{speaker}", " ".join(said))
        for speaker, said in zip(speakers, sayings, strict=True)
    }


def _synthetic(generator: np.random.Generator, transposed: float) -> dict[str, np.ndarray]:
    time = np.arange(int(RATE * DURATION)) / RATE
    decay = np.exp(-3 * (time % (0.5 / transposed)))

    def tone(pitch: float) -> np.ndarray:
        harmonics = [np.sin(2 * np.pi * transposed * pitch * h * time) / h for h in range(1, 9)]
        return np.sum(harmonics, axis=0)

    def noise(slope: float) -> np.ndarray:
        spectrum = np.fft.rfft(generator.standard_normal(time.size))
        frequency = np.maximum(np.fft.rfftfreq(time.size, 1 / RATE), 20)
        return np.fft.irfft(spectrum * frequency**-slope, time.size)

    clicks = np.zeros_like(time)
    clicks[:: round(RATE / 8 / transposed)] = 1
    return {
        "tone-220-hz": tone(220),
        "tone-880-hz": tone(880),
        "chord-major": (tone(262) + tone(330) + tone(392)) * decay,
        "chord-minor": (tone(262) + tone(311) + tone(392)) * decay,
        "noise-white": noise(0.0),
        "noise-pink": noise(0.5),
        "noise-in-waves": noise(0.5) * (1 + np.sin(2 * np.pi * 1.5 * transposed * time)),
        "clicks": clicks,
    }

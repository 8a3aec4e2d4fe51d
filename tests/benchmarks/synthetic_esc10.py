"""Recordings in the layout of ESC-10 whose true onsets are known: tone bursts and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 44_100
BURST_SECONDS = (1.0, 1.8)  # begin and end of the burst in each recording
CATEGORIES = ("Dog bark", "Baby cry", "Clock tick", "Person sneeze", "Rooster")
BACKGROUNDS = ("Rain", "Sea waves")


def write_synthetic_esc10(data_folder: Path) -> Path:
    """Write one recording for each class and fold; returns `data_folder`."""
    rng = np.random.default_rng(0)
    time = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    burst = (time >= BURST_SECONDS[0]) & (time < BURST_SECONDS[1])
    for number, category in enumerate((*CATEGORIES, *BACKGROUNDS)):
        folder = data_folder / "audio" / "esc10" / f"{number:03d} - {category}"
        folder.mkdir(parents=True)
        for fold in range(1, 6):
            if category in BACKGROUNDS:
                audio = 0.05 * rng.standard_normal(len(time))
            else:
                audio = 0.5 * np.sin(2 * np.pi * (400 + 300 * number) * time) * burst
            soundfile.write(folder / f"{fold}-{1000 + number}-A.ogg", audio, SAMPLE_RATE)
    return data_folder

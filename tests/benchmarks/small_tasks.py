"""A small task folder as HEAR lays it out, and recordings in the layout of ESC-10."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 44_100
BURST_SECONDS = (1.0, 1.8)  # begin and end of the burst in each recording
CATEGORIES = ("Dog bark", "Baby cry", "Clock tick", "Person sneeze", "Rooster")
BACKGROUNDS = ("Rain", "Sea waves")


def write_task(tasks_folder: Path, name: str = "beeps-1.0-full") -> Path:
    """Write a scene task with two splits of one sound each; returns its folder."""
    task = tasks_folder / name
    splits = ["train", "test"]
    metadata = {
        "task_name": "beeps",
        "version": "1.0",
        "embedding_type": "scene",
        "prediction_type": "multiclass",
        "split_mode": "trainvaltest",
        "sample_duration": 1.0,
        "splits": splits,
        "evaluation": ["top1_acc"],
    }
    for split in splits:
        folder = task / str(SAMPLE_RATE) / split
        folder.mkdir(parents=True)
        soundfile.write(folder / f"{split}.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
        (task / f"{split}.json").write_text(json.dumps({f"{split}.wav": ["a"]}))
    (task / "task_metadata.json").write_text(json.dumps(metadata))
    (task / "labelvocabulary.csv").write_text("idx,label\n0,a\n")
    return task


def write_synthetic_esc10(data_folder: Path) -> Path:
    """Tone bursts at known times, and noise: a recording for each class and fold."""
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

"""A small task folder as HEAR lays it out, right in every respect."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 44_100


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

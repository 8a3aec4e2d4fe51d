"""The plugin on real recordings: Ogg Vorbis from ESC-10, 8 kHz speech from FSDD."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hear_brainsoundnet.nearest import similarities

pytestmark = pytest.mark.realdata


def embed(paths, out):
    command = [sys.executable, "-m", "hear_brainsoundnet", "embed", *paths, "-o", out]
    subprocess.run([*command, "--kind", "scene"], check=True, capture_output=True)
    with (out / "files.csv").open(newline="") as file:
        return list(csv.DictReader(file)), np.load(out / "scene.npy")


@pytest.mark.slow
def test_nearest_neighbours_of_other_folds_share_the_class_far_above_chance(data_folder, tmp_path):
    """Even random convolutions tell rain from roosters; wrong audio or mixed rows would not."""
    table, scene = embed([data_folder / "audio" / "esc10"], tmp_path / "out")
    assert len(table) == 400
    assert {row["status"] for row in table} == {"ok"}
    assert np.median([float(row["duration_s"]) for row in table]) == pytest.approx(5, abs=0.02)
    classes = np.array([Path(row["path"]).parent.name for row in table])
    folds = np.array([Path(row["path"]).name[0] for row in table])
    similarity = similarities(scene, scene)
    similarity[folds[:, None] == folds[None, :]] = -2
    right = classes[similarity.argmax(axis=1)] == classes
    assert right.mean() > 0.4  # chance is 0.1


def test_speech_at_8_khz(data_folder, tmp_path):
    recordings = sorted((data_folder / "audio" / "fsdd" / "recordings").glob("0_*_0.wav"))
    table, scene = embed(recordings, tmp_path / "out")
    assert len(table) == len(recordings) == 6  # one for each speaker
    assert {row["status"] for row in table} == {"ok"}
    assert np.isfinite(scene).all()
    assert len(np.unique(scene.round(4), axis=0)) == 6

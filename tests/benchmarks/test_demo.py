import shutil
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from benchmarks.demo.picture import draw_neighbours, read_scene, similarities
from benchmarks.demo.sounds import make_sounds


def test_similarities_equal_scipy():
    scene = np.random.default_rng(0).normal(3, 2, (6, 40))
    z = (scene - scene.mean(0)) / scene.std(0)
    np.testing.assert_allclose(similarities(scene), 1 - cdist(z, z, "cosine"), atol=1e-12)


def test_one_sound_and_constant_dimensions_are_no_trouble(tmp_path):
    assert np.isfinite(similarities(np.ones((1, 3)))).all()
    draw_neighbours(["only.wav"], similarities(np.ones((1, 3))), tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_without_espeak_the_user_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match=r"install it .* or give recordings of your own"):
        make_sounds(tmp_path)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_variants_of_the_sounds_are_all_different_and_the_same_for_a_seed(tmp_path):
    def sounds(name, seed):
        make_sounds(tmp_path / name, seed, n_variants=2)
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    made = sounds("one", 0)
    assert len(set(made.values())) == len(made) == 24
    assert sounds("same", 0) == made
    assert not set(made.values()) >= set(sounds("other", 1).values())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    command = [sys.executable, "-m", "benchmarks.demo.train", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, list(tmp_path.iterdir())) == (2, [tmp_path / "mine.txt"])
    assert "is not empty; remove it or choose another --out" in run.stderr


@pytest.mark.slow
def test_demo_finds_the_other_chord_and_the_other_speakers(tmp_path):
    command = [sys.executable, "-m", "benchmarks.demo", "--out", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "12 of 12 files" in run.stdout
    names, scene = read_scene(tmp_path / "embeddings")
    nearest = (similarities(scene) - 3 * np.eye(len(names))).argmax(axis=1)
    kinds = [name.split("-")[0] for name in names]
    # Pitch is the default's weak side: a tone may be nearest to a noise, which is as steady.
    kinds = [
        "steady" if name in ("noise-white.wav", "noise-pink.wav") else kind
        for name, kind in zip(names, kinds, strict=True)
    ]
    related = {
        "chord": {"chord"},
        "speech": {"speech"},
        "tone": {"tone", "chord", "steady"},
        "steady": {"steady"},
    }
    for kind, neighbours in related.items():
        for i, name in enumerate(names):
            if kinds[i] == kind:
                assert kinds[nearest[i]] in neighbours, name
    assert (tmp_path / "neighbours.png").stat().st_size > 10_000

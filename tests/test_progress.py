"""Folders of results after changed files, other settings, odd names and damage."""

import csv
import json
import logging
import os
import shutil

import numpy as np
import pytest
import soundfile
from result_folders import contents, interrupt_at

from hear_brainsoundnet import batch
from hear_brainsoundnet.batch import embed_files
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.lock import LOCK_FILE
from hear_brainsoundnet.sound_files import Entry, find_audio

RATE = 22_050


@pytest.fixture(scope="module")
def model(untrained):
    return EmbeddingModel(untrained, sample_rate=RATE, scene="conv1", timestamps="conv3")


@pytest.fixture
def write(tmp_path):
    """Write a sound of its own by its seed; returns its path."""

    def call(name, seed=0, n_samples=3_000, folder="sounds"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio = np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples)
        with open(path, "wb") as file:
            soundfile.write(file, audio, RATE, format="WAV")
        return path

    return call


@pytest.fixture
def embed(tmp_path, model):
    def call(out="out", sounds="sounds", **options):
        return embed_files(find_audio([tmp_path / sounds]), tmp_path / out, model, **options)

    return call


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read since."""
    names = []
    original = batch.AudioFile

    def counting(path):
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(batch, "AudioFile", counting)
    return names


def rows(out):
    with (out / "files.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_only_failed_and_changed_files_are_read_again(tmp_path, write, embed, read):
    path, _ = write("a.wav"), write("b.wav", 1)
    (tmp_path / "sounds" / "c.wav").write_bytes(b"")
    embed()
    before = contents(tmp_path / "out")
    read.clear()
    embed()
    assert read == ["c.wav"]
    assert contents(tmp_path / "out") == before
    write("c.wav", 2)
    path.touch()
    read.clear()
    embed()
    assert read == ["a.wav", "c.wav"]
    assert not np.isnan(np.load(tmp_path / "out" / "scene.npy")).any()


@pytest.mark.parametrize("seconds", [-1_000_000, 1_000_000])
def test_a_file_replaced_by_an_older_or_newer_one_is_embedded_again(
    tmp_path, write, embed, read, seconds
):
    path, _ = write("a.wav"), write("b.wav", 1)
    embed()
    time_before = path.stat().st_mtime
    write("a.wav", seed=2)
    os.utime(path, (time_before + seconds, time_before + seconds))
    read.clear()
    embed()
    assert read == ["a.wav"]
    embed("again")
    assert np.array_equal(
        np.load(tmp_path / "out" / "scene.npy"), np.load(tmp_path / "again" / "scene.npy")
    )


def test_another_size_is_noticed_and_other_content_with_check(tmp_path, write, embed, read):
    path = write("a.wav")
    embed()
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    write("a.wav", n_samples=3_001)
    os.utime(path, ns=times)
    read.clear()
    embed()
    assert read == ["a.wav"]
    write("a.wav", seed=7, n_samples=3_001)
    os.utime(path, ns=times)
    read.clear()
    embed()
    assert read == []  # as rsync and make have it, too
    embed(check=True)
    assert read == ["a.wav"]
    read.clear()
    embed(check=True)
    assert read == []


def test_results_of_other_versions_of_libraries_are_kept_with_a_warning(
    tmp_path, write, embed, read, caplog
):
    write("a.wav")
    embed()
    path = tmp_path / "out" / "settings.json"
    settings = json.loads(path.read_text())
    now = dict(settings["versions"])
    settings["versions"] |= {"torch": "2.6.0", "torchaudio": "2.6.0"}
    path.write_text(json.dumps(settings))
    read.clear()
    with caplog.at_level(logging.WARNING):
        embed()
    assert read == []
    assert f"begun with other versions (torch 2.6.0 then, {now['torch']} now)" in caplog.text
    found = json.loads(path.read_text())
    assert found["versions"] == now
    assert found["earlier_versions"] == [settings["versions"]]


def test_results_of_other_settings_are_replaced_only_with_force(tmp_path, write, embed, untrained):
    write("a.wav")
    embed()
    other = EmbeddingModel(untrained, sample_rate=RATE, scene="conv2", level=0.5)
    with pytest.raises(
        ValueError,
        match=r"holds results of other settings \(level is \S+ there, 0\.5 now; "
        r"scene is 'conv1' there, 'conv2' now; timestamps is 'conv3' there, .* now\); use --force",
    ):
        embed_files(find_audio([tmp_path / "sounds"]), tmp_path / "out", other)
    embed_files(find_audio([tmp_path / "sounds"]), tmp_path / "out", other, force=True)
    assert np.load(tmp_path / "out" / "scene.npy").shape == (1, 32)


def test_a_deleted_file_loses_its_row_and_the_others_stay(tmp_path, write, embed, read, caplog):
    for i, name in enumerate(("a.wav", "b.wav", "c.wav")):
        write(name, i)
    embed()
    (tmp_path / "sounds" / "b.wav").unlink()
    read.clear()
    with caplog.at_level(logging.WARNING):
        embed()
    assert read == []
    assert "results of missing files are dropped: b.wav" in caplog.text
    embed("whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_results_of_a_missing_folder_are_not_replaced_by_those_of_another(tmp_path, write, embed):
    write("a.wav")
    embed()
    shutil.rmtree(tmp_path / "sounds")
    write("b.wav")
    with pytest.raises(ValueError, match=r"holds results of other files \(such as a\.wav\)"):
        embed()


def test_a_name_that_no_result_can_have_fails_alone(tmp_path, write, embed):
    long = {n: "n" * (n - 4) + ".wav" for n in (242, 251, 252, 255)}
    names = [*long.values(), "caf\udce9.wav", "carriage\rreturn.wav", "new\nline.wav", "plain.wav"]
    names += ["a.wav", "a.wav.npz/b.wav"]
    for i, name in enumerate(names):
        write(name, i)
    embed(kind="both")
    found = {record.name: record for record in embed(kind="both")}
    assert sorted(found) == sorted(names)
    failed = {name for name, record in found.items() if not record.is_ok}
    assert failed == {long[252], long[255], "a.wav"}
    assert found[long[255]].error.startswith("its result cannot have this name (File name too")
    assert "its result would be named a.wav.npz, as a folder of other" in found["a.wav"].error
    table = rows(tmp_path / "out")
    assert [line["path"].replace("\\xe9", "\udce9") for line in table] == list(found)
    assert (tmp_path / "out" / "timestamps" / "caf\udce9.wav.npz").exists()
    assert all(record.is_ok for record in embed("scenes", kind="scene"))


def test_names_that_are_formulas_in_spreadsheets_still_name_their_files(tmp_path, write, embed):
    names = ["=1+1.wav", "+a.wav", "-b.wav", "@c.wav", "\td.wav"]
    for name in names:
        write(name)
    (tmp_path / "sounds" / "=broken.wav").write_text("words")
    embed()
    for line in rows(tmp_path / "out"):
        assert line["path"].startswith("./")
        assert (tmp_path / "sounds" / line["path"]).exists()
        assert not line["error"].startswith(("=", "+", "-", "@"))
        if line["status"] == "ok":
            assert (tmp_path / "out" / "timestamps" / f"{line['path']}.npz").exists()
    assert len(rows(tmp_path / "out")) == len(names) + 1


def test_an_unexpected_error_is_the_record_of_its_file(tmp_path, write, embed, monkeypatch):
    write("a.wav", n_samples=50_000)
    write("b.wav", n_samples=50_000)
    for i in range(3):
        write(f"short{i}.wav", i)
    whole, together = EmbeddingModel.embed, batch.embed_together

    def spoiled(self, sound, **options):
        if "b.wav" in str(getattr(sound, "path", "")):
            raise RuntimeError("out of memory")
        return whole(self, sound, **options)

    def spoiled_together(model, clips, **options):
        if len(clips) > 1 or float(clips[0].audio.sum()) == sums[1]:
            raise RuntimeError("out of memory")
        return together(model, clips, **options)

    sums = []
    original = batch.read_short

    def reading(model, sound):
        clip = original(model, sound)
        if clip is not None:
            sums.append(float(clip.audio.sum()))
        return clip

    monkeypatch.setattr(EmbeddingModel, "embed", spoiled)
    monkeypatch.setattr(batch, "embed_together", spoiled_together)
    monkeypatch.setattr(batch, "read_short", reading)
    records = {record.name: record for record in embed(jobs=1)}
    failed = {name: record.error for name, record in records.items() if not record.is_ok}
    assert failed == dict.fromkeys(("b.wav", "short1.wav"), "RuntimeError: out of memory")


def test_a_file_that_changes_while_it_is_read_fails(tmp_path, write, embed, monkeypatch):
    path = write("a.wav", n_samples=50_000)
    original = EmbeddingModel.embed

    def changing(self, sound, **options):
        os.utime(path, (1, 1))
        return original(self, sound, **options)

    monkeypatch.setattr(EmbeddingModel, "embed", changing)
    (record,) = embed()
    assert record.error.endswith("a.wav changed while it was read")


def test_an_embedding_that_is_not_finite_fails(tmp_path, write, embed, monkeypatch):
    write("a.wav")
    original = batch.embed_together

    def infinite(*arguments, **options):
        found = original(*arguments, **options)
        found[0].scene[0, 3] = float("inf")
        return found

    monkeypatch.setattr(batch, "embed_together", infinite)
    (record,) = embed()
    assert record.error == "the embedding is not finite; samples are expected within [-1, 1]"
    assert not (tmp_path / "out" / "timestamps" / "a.wav.npz").exists()


def test_rows_of_a_journal_without_its_records_are_ignored(tmp_path, write, embed):
    """What two kills left: the rows of a finished run in another order, and no records."""
    for i, name in enumerate(("a.wav", "b.wav", "c.wav")):
        write(name, i)
    embed("whole", jobs=1)
    embed(jobs=1)
    journal = tmp_path / "out" / ".progress"
    journal.mkdir()
    scene = np.load(tmp_path / "out" / "scene.npy")
    (journal / "scene.f32").write_bytes(scene[::-1].astype("<f4").tobytes())

    with pytest.raises(KeyboardInterrupt):
        embed(jobs=1, on_file=interrupt_at("b.wav"))
    embed(jobs=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["zeros", "swapped", "another", "torn"])
def test_damaged_rows_of_a_journal_are_computed_again(tmp_path, write, embed, damage):
    for i in range(4):
        write(f"{i}.wav", i)
    embed("whole", jobs=1)

    with pytest.raises(KeyboardInterrupt):
        embed(jobs=1, on_file=interrupt_at("3.wav"))
    path = tmp_path / "out" / ".progress" / "scene.f32"
    table = np.fromfile(path, "<f4").reshape(-1, 16)
    match damage:
        case "zeros":  # a power cut that lost the data of a file and kept its length
            table[1:] = 0
        case "swapped":
            table[[0, 1]] = table[[1, 0]]
        case "another":
            table[2] += 1e-3
    path.write_bytes(table.tobytes())
    if damage == "torn":  # another power cut
        for torn in (path, path.with_name("records.jsonl")):
            os.truncate(torn, torn.stat().st_size - 7)
    embed(jobs=1)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", ["scene.npy", "timestamps/a.wav.npz", ".records.jsonl"])
def test_an_empty_or_truncated_result_is_computed_again(tmp_path, write, embed, name):
    write("a.wav")
    write("b.wav", 1)
    embed()
    before = contents(tmp_path / "out")
    path = tmp_path / "out" / name
    for content in (b"", path.read_bytes()[:-5]):
        path.write_bytes(content)
        embed()
        assert contents(tmp_path / "out") == before


def test_damaged_settings_are_an_error(tmp_path, write, embed):
    write("a.wav")
    embed()
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "settings.json").write_bytes(b"")
    with pytest.raises(ValueError, match=r"other settings \(.*settings\.json is damaged\); use"):
        embed()
    embed(force=True)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("leftover", [".settings.json.77.tmp", LOCK_FILE, ".progress.8.tmp/x"])
def test_leftovers_of_a_kill_in_the_first_write_are_no_obstacle(tmp_path, write, embed, leftover):
    write("a.wav")
    path = tmp_path / "out" / leftover
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    embed()
    embed("whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_leftovers_of_a_later_kill_are_removed(tmp_path, write, embed):
    write("deep/a.wav")
    with pytest.raises(KeyboardInterrupt):
        embed(on_file=interrupt_at())
    (tmp_path / "out" / "timestamps" / "deep" / ".a.wav.npz.77.tmp").touch()
    (tmp_path / "out" / ".scene.npy.77.tmp").touch()
    embed()
    embed("whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_second_job_in_the_folder_is_refused(tmp_path, write, embed):
    write("a.wav")

    def second(record):
        embed()

    with pytest.raises(BlockingIOError, match="out: another job is writing here"):
        embed(on_file=second)
    assert embed()[0].is_ok


def test_parquet_holds_what_npy_holds(tmp_path, write, embed):
    import pandas

    for i, name in enumerate(("a.wav", "b.wav")):
        write(name, i)
    (tmp_path / "sounds" / "broken.wav").write_text("words")
    embed(parquet=True)
    table = pandas.read_parquet(tmp_path / "out" / "scene.parquet")
    assert table["path"].tolist() == ["a.wav", "b.wav", "broken.wav"]
    scene = np.load(tmp_path / "out" / "scene.npy")
    np.testing.assert_array_equal(np.stack(table["embedding"].to_list()), scene)
    write("c.wav", 3)
    embed()  # once it is there, it stays up to date
    table = pandas.read_parquet(tmp_path / "out" / "scene.parquet")
    assert len(table) == len(np.load(tmp_path / "out" / "scene.npy")) == 4


def test_missing_files_of_a_list_fail_alone(tmp_path, write, model):
    good = write("a.wav")
    entries = [Entry(good, "a.wav"), Entry(tmp_path / "gone.wav", "gone.wav")]
    records = embed_files(entries, tmp_path / "out", model)
    assert [record.status for record in records] == ["ok", "failed"]

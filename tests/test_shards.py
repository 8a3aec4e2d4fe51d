"""Shards of an embedding command, and their merged results."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest
import soundfile
from result_folders import contents, interrupt_at

from hear_brainsoundnet.batch import embed_files
from hear_brainsoundnet.batch.shards import Shard, merge_shards
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.sound_files import find_audio
from hear_brainsoundnet.windows import Windows


@pytest.fixture(scope="module")
def model(untrained):
    return EmbeddingModel(untrained, sample_rate=22_050, scene="conv4", timestamps="conv4")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Short ones of equal lengths, which share passes, long ones, and two that are no sound."""
    generator = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("sounds")
    for i in range(23):
        path = root / "abc"[i % 3] / f"{i:02}.wav"
        path.parent.mkdir(exist_ok=True)
        n_samples = 40_000 + 1000 * i if i % 8 == 0 else 6000
        soundfile.write(path, generator.uniform(-0.5, 0.5, n_samples), 22_050)
    (root / "b" / "words.wav").write_text("no sound")
    (root / "a" / "empty.wav").write_bytes(b"")
    return root


def shards(entries, folder, model, count, **options):
    outs = []
    for number in range(1, count + 1):
        outs.append(folder / f"shard-{number}")
        embed_files(entries, outs[-1], model, shard=Shard(number, count), **options)
    return outs


@pytest.mark.parametrize(
    ("count", "options"),
    [
        (1, {}),
        (3, {"parquet": True}),
        (7, {"kind": "scene", "windows": Windows(0.7, 0.3), "parquet": True}),
        (4, {"kind": "timestamps"}),
        (40, {"jobs": 2}),  # more than files
    ],
)
def test_merged_shards_have_the_bytes_of_one_command(sounds, tmp_path, model, count, options):
    entries = find_audio([sounds])
    assert len(entries) == 25
    whole = embed_files(entries, tmp_path / "whole", model, **options)
    outs = shards(entries, tmp_path, model, count, **options)
    merged = merge_shards(outs[::-1], tmp_path / "deep" / "merged")
    assert merged == whole
    assert contents(tmp_path / "deep" / "merged") == contents(tmp_path / "whole")


def test_shards_take_every_nth_file():
    names = list(range(100))
    parts = [Shard(number, 40).of(names) for number in range(1, 41)]
    assert parts[2] == [2, 42, 82]
    assert sorted(itertools.chain(*parts)) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/40", "0/40 is out of range: numbers are 1 to 40"),
        ("41/40", "41/40 is out of range: numbers are 1 to 40"),
        ("1/0", "1/0 is out of range"),
        ("3", "expected NUMBER/COUNT, such as 3/40, got '3'"),
        ("-1/4", "expected NUMBER/COUNT"),
        ("a/b", "expected NUMBER/COUNT"),
    ],
)
def test_shards_that_do_not_exist(run, text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Shard.parse(text)
    status, _, error = run("embed", tmp_path, "-o", tmp_path / "out", f"--shard={text}")
    assert status == 2
    assert error.startswith(f"hear-brainsoundnet: --shard {message}")


def test_a_shard_resumes_and_belongs_to_its_list_of_files(sounds, tmp_path, model):
    root = shutil.copytree(sounds, tmp_path / "sounds")
    out, shard = tmp_path / "out", Shard(2, 3)
    with pytest.raises(KeyboardInterrupt):
        embed_files(find_audio([root]), out, model, shard=shard, on_file=interrupt_at(after=3))
    with pytest.raises(ValueError, match="is not finished; start its embed command again"):
        merge_shards([out], tmp_path / "merged")
    embed_files(find_audio([root]), out, model, shard=shard)
    embed_files(find_audio([root]), tmp_path / "whole", model, shard=shard)
    assert contents(out) == contents(tmp_path / "whole")
    shutil.copy(root / "a" / "00.wav", root / "a" / "more.wav")
    with pytest.raises(ValueError, match=r"results of other settings \(shard is "):
        embed_files(find_audio([root]), out, model, shard=shard)


@pytest.fixture(scope="module")
def three(sounds, tmp_path_factory, model):
    return shards(find_audio([sounds]), tmp_path_factory.mktemp("three"), model, 3)


def copied(outs, folder):
    return [shutil.copytree(out, folder / out.name) for out in outs]


def change_settings(out, change):
    settings = json.loads((out / "settings.json").read_text())
    change(settings)
    (out / "settings.json").write_text(json.dumps(settings))


def test_shards_that_do_not_belong_together(sounds, three, tmp_path, model, untrained):
    entries, merged = find_audio([sounds]), tmp_path / "merged"
    other = EmbeddingModel(untrained, sample_rate=22_050, scene="conv5", timestamps="conv4")
    embed_files(entries, tmp_path / "scene", other, shard=Shard(3, 3))
    embed_files(entries, tmp_path / "of-4", model, shard=Shard(3, 4))
    embed_files(entries[:-1], tmp_path / "files", model, shard=Shard(3, 3))
    embed_files(entries[:2], tmp_path / "all", model)
    (tmp_path / "none").mkdir()
    first, second, third = three
    for outs, message in [
        ([first, second, tmp_path / "scene"], "have other settings: scene is 'conv4' and 'conv5'"),
        ([first, second, tmp_path / "of-4"], "is one of 3 shards, .*of-4 one of 4"),
        ([first, second, tmp_path / "files"], "are shards of different lists of files"),
        ([first, third], "of 3 shards these are missing: 2"),
        ([second, first, second, third], "shard-2 and .*shard-2 are the same shard, 2"),
        ([first, second, tmp_path / "all"], "holds the results of all files"),
        ([first, second, tmp_path / "none"], "none holds no results of embed"),
    ]:
        with pytest.raises(ValueError, match=message):
            merge_shards(outs, merged)
        assert not merged.exists()
    with pytest.raises(ValueError, match="is not empty; give a new folder"):
        merge_shards(three, first)


def test_damaged_shards(three, tmp_path):
    merged = tmp_path / "merged"
    damages = {
        "scene": lambda out: np.save(out / "scene.npy", np.load(out / "scene.npy")[::-1]),
        "short": lambda out: (out / "scene.npy").write_bytes(b""),
        "frames": lambda out: os.truncate(next((out / "timestamps").rglob("*.npz")), 100),
        "records": lambda out: os.truncate(out / ".records.jsonl", 300),
    }
    for name, damage in damages.items():
        outs = copied(three, tmp_path / name)
        damage(outs[1])
        with pytest.raises(ValueError, match="shard-2 is damaged; start its embed command again"):
            merge_shards(outs, merged)
        assert sorted(tmp_path.glob(".*")) == []
        assert not merged.exists()


def test_other_versions_of_packages_are_noted(three, tmp_path):
    outs = copied(three, tmp_path)
    change_settings(outs[2], lambda settings: settings["versions"].update(torch="2.0"))
    merge_shards(outs, tmp_path / "merged")
    settings = json.loads((tmp_path / "merged" / "settings.json").read_text())
    assert settings["versions"] == json.loads((outs[0] / "settings.json").read_text())["versions"]
    assert settings["earlier_versions"] == [settings["versions"] | {"torch": "2.0"}]


def test_the_command_line(run, sounds, tmp_path):
    for number in "12":
        words = ("embed", sounds / "a", "-o", tmp_path / number, "--shard", f"{number}/2")
        status, _, _ = run(*words, "--kind", "scene", "--quiet")
        assert status == (number == "1")  # that of the empty file
    merged = tmp_path / "merged"
    status, output, _ = run("merge", tmp_path / "1", tmp_path / "2", "-o", merged)
    assert (status, output) == (0, f"{merged}: 9 files of 2 shards, 1 of them failed\n")
    status, _, error = run("merge", tmp_path / "1", "-o", tmp_path / "again")
    assert (status, error) == (2, "hear-brainsoundnet: of 2 shards these are missing: 2\n")

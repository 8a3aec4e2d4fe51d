"""Small tasks from the data at hand: folds as they should be, nothing learned from is tested."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_tasks import write_synthetic_esc10

from benchmarks.hear.task_folder import TaskFolder, read_task
from benchmarks.hear.tasks.esc10 import make_esc10
from benchmarks.hear.tasks.fsdd import make_fsdd
from benchmarks.hear.tasks.natsound165_categories import list_sounds, make_natsound165
from benchmarks.hear.tasks.speech_commands import SILENCE, UNKNOWN, make_speech_commands
from benchmarks.hear.tasks.spoken_digit import ARCHIVE, TASK_NAME, make_spoken_digit
from benchmarks.hear.tasks.task_writer import (
    SAMPLE_RATE,
    LabelledClip,
    SceneTask,
    fitted,
    make_scene_task,
)

SPEAKERS = ("ann", "bob", "cat", "dan", "eve", "fay")


def _labels(task: TaskFolder) -> dict[str, dict[str, str]]:
    return {split: {n: own[0] for n, own in named.items()} for split, named in task.labels.items()}


def _write_fsdd(data: Path, n_takes: int = 50, digits: str = "01") -> None:
    folder = data / "audio" / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for speaker in SPEAKERS:
        for digit in digits:
            for take in range(0, n_takes, 5):
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", np.zeros(800), 8000)


def _write_speech_commands(data: Path) -> None:
    folder = data / "audio" / "hear_open_small"
    folder.mkdir(parents=True)
    sound, noise = io.BytesIO(), io.BytesIO()
    soundfile.write(sound, np.zeros(16_000), 16_000, format="WAV")
    soundfile.write(noise, np.linspace(-0.5, 0.5, 20 * 16_000), 16_000, format="WAV")
    with zipfile.ZipFile(folder / "speech_commands_v0.02-small.zip", "w") as archive:
        for name in ("yes/a_nohash_0.wav", "no/b_nohash_0.wav", "cat/a_nohash_0.wav"):
            archive.writestr(name, sound.getvalue())
        archive.writestr("dog/c_nohash_1.wav", sound.getvalue())
        archive.writestr("_background_noise_/hum.wav", noise.getvalue())
        archive.writestr("validation_list.txt", "no/b_nohash_0.wav\nother/x.wav\n")
        archive.writestr("testing_list.txt", "dog/c_nohash_1.wav\n")
    with zipfile.ZipFile(folder / "speech_commands_test_set_v0.02-small.zip", "w") as archive:
        archive.writestr("yes/", "")
        for name in ("yes/d_nohash_0.wav", "_unknown_/six_e.wav.wav", "_silence_/7.wav"):
            archive.writestr(name, sound.getvalue())


@pytest.mark.slow
def test_esc10_keeps_its_five_folds(tmp_path: Path) -> None:
    data = write_synthetic_esc10(tmp_path / "data")
    task = read_task(make_esc10(data, tmp_path / "tasks"))
    task.check_audio(SAMPLE_RATE)
    assert list(task.labels) == ["fold00", "fold01", "fold02", "fold03", "fold04"]
    for number, labels in enumerate(_labels(task).values()):
        assert {name[0] for name in labels} == {str(number + 1)}
        assert set(labels.values()) >= {"dog_bark", "rain"}
    assert task.train_seconds == 4 / 5 * 35 * 5.0
    assert "CC BY 3.0" in (task.path / "README.md").read_text()
    assert make_esc10(tmp_path / "not needed", tmp_path / "tasks") == task.path


def test_fsdd_by_speaker_tests_no_speaker_of_the_training(tmp_path: Path) -> None:
    _write_fsdd(tmp_path)
    task = read_task(make_fsdd(tmp_path, tmp_path / "tasks"))
    for speaker, labels in zip(SPEAKERS, _labels(task).values(), strict=True):
        assert {name.split("_")[1] for name in labels} == {speaker}
        assert all(name[0] == label for name, label in labels.items())


def test_fsdd_by_index_tests_other_takes_of_all_speakers(tmp_path: Path) -> None:
    _write_fsdd(tmp_path)
    task = read_task(make_fsdd(tmp_path, tmp_path / "tasks", "speaker", "index"))
    for number, labels in enumerate(_labels(task).values()):
        assert Counter(labels.values()) == dict.fromkeys(SPEAKERS, 4)
        takes = {int(name.removesuffix(".wav").split("_")[2]) for name in labels}
        assert takes == {10 * number, 10 * number + 5}


def test_what_fsdd_cannot_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use folds by index"):
        make_fsdd(tmp_path, tmp_path / "tasks", "speaker", "speaker")
    _write_fsdd(tmp_path, n_takes=56, digits="0")
    with pytest.raises(ValueError, match=r"0_ann_50\.wav.* expected 6 speakers and 50 takes"):
        make_fsdd(tmp_path, tmp_path / "tasks", "digit", "index")


def test_speech_commands_are_split_by_their_lists(tmp_path: Path) -> None:
    _write_speech_commands(tmp_path)
    task = read_task(make_speech_commands(tmp_path, tmp_path / "tasks"))
    task.check_audio(SAMPLE_RATE)
    labels = _labels(task)
    assert labels["train"]["cat-a_nohash_0.wav"] == UNKNOWN
    assert labels["valid"]["no-b_nohash_0.wav"] == "no"
    assert labels["test"] == {
        "_silence_-7.wav": SILENCE,
        "_unknown_-six_e.wav": UNKNOWN,
        "yes-d_nohash_0.wav": "yes",
    }
    assert not any("dog" in name for own in labels.values() for name in own)  # in testing_list.txt
    # Silences do not overlap: the noise is a ramp, so that every second has its own values.
    ranges = []
    for split in ("train", "valid"):
        for name, label in labels[split].items():
            if label == SILENCE:
                audio, _ = soundfile.read(task.path / str(SAMPLE_RATE) / split / name)
                ranges.append((audio[2000], audio[-2000]))
    assert len(ranges) == 10
    assert all(end < start for (_, end), (start, _) in pairwise(ranges))


def test_damaged_or_missing_archives_are_said(tmp_path: Path) -> None:
    folder = tmp_path / "audio" / "hear_open_small"
    folder.mkdir(parents=True)
    (folder / "speech_commands_v0.02-small.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"v0\.02-small\.zip cannot be read"):
        make_speech_commands(tmp_path, tmp_path / "tasks")
    with zipfile.ZipFile(folder / "speech_commands_v0.02-small.zip", "w") as archive:
        archive.writestr("yes/a.wav", b"")
    with pytest.raises(ValueError, match=r"has no validation_list\.txt"):
        make_speech_commands(tmp_path, tmp_path / "tasks")
    assert not (tmp_path / "tasks").exists()


def test_categories_are_dealt_out_evenly(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    categories = {"Music": 11, "Nature": 4, "Song": 5}
    rows = [f"{c}{n},{c}" for c, count in categories.items() for n in range(count)]
    (tmp_path / "category_labels.csv").write_text("\n".join(rows))
    for row in rows:
        (tmp_path / "sounds" / f"{row.partition(',')[0]}.wav").touch()
    clips = list_sounds(tmp_path, seed=0)
    assert set(Counter(clip.split for clip in clips).values()) == {4}
    for category, count in categories.items():
        by_fold = Counter(clip.split for clip in clips if clip.label == category)
        assert max(by_fold.values()) - min([*by_fold.values(), count // 5]) <= 1
    folds = [[clip.split for clip in list_sounds(tmp_path, seed)] for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]
    (tmp_path / "sounds" / "Song0.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"Song0\.wav is missing but listed in category_labels"
    ):
        list_sounds(tmp_path, seed=0)
    (tmp_path / "category_labels.csv").write_text("one column\n")
    with pytest.raises(ValueError, match="expected rows of a sound and its category"):
        list_sounds(tmp_path, seed=0)


def test_clips_are_cut_or_filled_and_keep_their_pitch() -> None:
    rate, seconds = 8000, 1.5
    tone = np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    cut, filled = fitted(tone, rate, 1.0), fitted(tone, rate, 2.0)
    assert len(cut) == SAMPLE_RATE
    assert np.abs(np.fft.rfft(cut)).argmax() == 440  # bins of 1 Hz
    assert not filled[round(1.51 * SAMPLE_RATE) :].any()


def test_a_task_that_fails_leaves_nothing(tmp_path: Path) -> None:
    silent = LabelledClip("a.wav", "x", "fold00", lambda: (np.zeros(10), SAMPLE_RATE))
    task = SceneTask("t-1-full", ("fold00", "fold01"), 1.0, "make", "- Source: none.")
    with pytest.raises(ValueError, match="t-1-full: no recording for fold01"):
        make_scene_task(task, tmp_path, lambda: [silent])
    with pytest.raises(ValueError, match=r"a\.wav is in fold00 twice"):
        make_scene_task(task, tmp_path, lambda: [silent, silent])
    assert not list(tmp_path.iterdir())


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_small_tasks(data_folder: Path, tmp_path: Path) -> None:
    commands = read_task(make_speech_commands(data_folder, tmp_path))
    assert [len(own) for own in commands.labels.values()] == [64, 13, 96]
    assert Counter(_labels(commands)["test"].values()) == dict.fromkeys(
        {label for own in _labels(commands).values() for label in own.values()}, 8
    )
    sounds = read_task(make_natsound165(data_folder, tmp_path))
    assert [len(own) for own in sounds.labels.values()] == [33] * 5
    for task in (commands, sounds):
        task.check_audio(SAMPLE_RATE)


def _write_archive(data_folder: Path, names: list[str]) -> None:
    (data_folder / ARCHIVE).parent.mkdir(parents=True)
    with tarfile.open(data_folder / ARCHIVE, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"{}"))


def test_task_is_unpacked_from_wherever_it_lies_in_the_archive(tmp_path: Path) -> None:
    _write_archive(tmp_path, [f"hear/tasks/{TASK_NAME}/task_metadata.json"])
    task = make_spoken_digit(tmp_path, tmp_path / "tasks")
    assert (task / "task_metadata.json").read_text() == "{}"
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == [TASK_NAME]
    assert make_spoken_digit(tmp_path / "not needed", tmp_path / "tasks") == task


def test_archive_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    _write_archive(tmp_path, ["../../escaped.txt"])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        make_spoken_digit(tmp_path, tmp_path / "tasks")
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not list((tmp_path / "tasks").iterdir())


def test_archive_without_the_task_is_refused(tmp_path: Path) -> None:
    _write_archive(tmp_path, ["hear/tasks/other/task_metadata.json"])
    with pytest.raises(ValueError, match=f"holds 0 folders {TASK_NAME}"):
        make_spoken_digit(tmp_path, tmp_path / "tasks")


def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).parent.mkdir(parents=True)
    (tmp_path / ARCHIVE).write_bytes(b"no archive")
    with pytest.raises(
        ValueError, match=r"cannot be unpacked \(not a gzip file\); fetch the archive again"
    ):
        make_spoken_digit(tmp_path, tmp_path / "tasks")

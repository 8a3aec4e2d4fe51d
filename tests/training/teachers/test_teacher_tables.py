"""Tables of embeddings: true times, look-ups, and nothing lost when their making is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ramp_corpus import SECONDS, SLOPE, ramp_corpus

from training.cli import main
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.teachers import building
from training.teachers.building import build_table, embed_recording
from training.teachers.table import (
    COUNTS_FILE,
    FRAMES_FILE,
    INFO_FILE,
    TIMES_FILE,
    TeacherTable,
)
from training.teachers.teacher import Teacher

LONG = 3  # the recording of 18.5 s
FILES = (FRAMES_FILE, TIMES_FILE, "offsets.npy", "statistics.npy", INFO_FILE)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return ramp_corpus(tmp_path_factory.mktemp("ramps") / "audio")


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher("mean_teacher")


@pytest.fixture(scope="module")
def table(
    corpus: Corpus, teacher: Teacher, tmp_path_factory: pytest.TempPathFactory
) -> TeacherTable:
    return build_table(corpus, teacher, tmp_path_factory.mktemp("table") / "mean")


@pytest.mark.parametrize("scene_seconds", [None, 0.8])
@pytest.mark.parametrize("piece_seconds", [3.0, 60.0])
def test_embeddings_are_labelled_with_the_time_that_they_were_heard_at(
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    piece_seconds: float,
    scene_seconds: float | None,
) -> None:
    """The mean of a rising sound tells the time in its middle."""
    monkeypatch.setattr(building, "PIECE_SECONDS", piece_seconds)
    teacher = Teacher("mean_teacher", scene_seconds=scene_seconds)
    parts = list(embed_recording(teacher, corpus, LONG))
    assert (len(parts) > 1) == (piece_seconds < 60)
    frames, times = (np.concatenate(part) for part in zip(*parts, strict=True))
    inside = (times > 0.5) & (times < 18)  # the resampler and silence reach the ends
    # The gain of the resampler is within 0.05 % of 1.
    np.testing.assert_allclose(frames[inside, 0] / SLOPE, times[inside], rtol=5e-4, atol=2e-3)
    np.testing.assert_allclose(np.diff(times), teacher.hop, atol=1 / SAMPLE_RATE)
    assert len(times) == (185 if scene_seconds is None else 46)  # centres within 18.5 s


def test_look_up_gives_what_lies_between_two_times(table: TeacherTable) -> None:
    frames, times = table.frames(LONG, 1.0, 1.35)
    np.testing.assert_allclose(times, [1.05, 1.15, 1.25], atol=1e-9)
    np.testing.assert_allclose(
        (frames * table.std + table.mean)[:, 0], SLOPE * times, atol=SLOPE * 0.02
    )
    first, _ = table.frames(LONG, 1.15, 1.25)
    np.testing.assert_array_equal(first, frames[1:2])
    assert table.frames(LONG, 20, 30)[0].shape == (0, 3)
    with pytest.raises(IndexError, match="expected a recording from 0 to 4, got 5"):
        table.frames(5, 0, 1)


def test_units_are_standardised_over_the_table_and_a_constant_one_is_zero(
    table: TeacherTable, teacher: Teacher, corpus: Corpus
) -> None:
    every = np.concatenate([table.frames(i, 0, 100)[0] for i in range(len(corpus))])
    assert len(every) == table.n_frames.sum() == 20 + 5 + 2 + 185 + 30
    np.testing.assert_allclose(every[:, :2].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(every[:, :2].std(axis=0), 1, atol=1e-3)
    assert not every[:, 2].any()
    raw = np.concatenate([teacher.embed(corpus.samples(i))[0] for i in range(len(corpus))])
    np.testing.assert_allclose(table.mean, raw.mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(table.std[:2], raw.std(axis=0)[:2], rtol=1e-3)


def test_summary_is_of_the_frames_between_two_times(table: TeacherTable) -> None:
    frames, _ = table.frames(LONG, 2, 4)
    found = table.summary(LONG, 2, 4, ("mean", "std", "max"))
    assert found is not None
    wanted = [frames.mean(axis=0), frames.std(axis=0), frames.max(axis=0)]
    np.testing.assert_allclose(found, np.concatenate(wanted), rtol=1e-6)
    assert table.summary(LONG, 20, 30) is None


def test_only_recordings_of_the_kinds_that_were_asked_for_have_frames(
    corpus: Corpus, teacher: Teacher, tmp_path: Path
) -> None:
    table = build_table(corpus, teacher, tmp_path / "speech", kinds=["speech"], shortest=0.4)
    assert table.n_frames.tolist() == [20, 5, 0, 0, 0]
    assert table.frames(LONG, 0, 100)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="no letters; its kinds are music, speech"):
        build_table(corpus, teacher, tmp_path / "none", kinds=["letters"])
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="no recording of the corpus is 60 s long"):
        build_table(corpus, teacher, tmp_path / "none", kinds=["speech"], shortest=60)


class _Interrupted(Teacher):
    """Ctrl-C when it is to embed for the third time."""

    n_left = 2

    def embed(self, samples: np.ndarray) -> Any:
        if hasattr(self, "hop"):
            self.n_left -= 1
            if self.n_left < 0:
                raise KeyboardInterrupt
        return super().embed(samples)


def test_an_interrupted_table_is_not_taken_for_whole_and_goes_on_where_it_was(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    with pytest.raises(KeyboardInterrupt):
        build_table(corpus, _Interrupted("mean_teacher"), out)
    with pytest.raises(ValueError, match="not complete yet; the command that started it resumes"):
        TeacherTable.of_corpus(out, corpus)
    # What a killed job has appended behind the last whole recording.
    with (out / FRAMES_FILE).open("ab") as file:
        file.write(b"half a frame of the third recording")
    with (out / TIMES_FILE).open("ab") as file, (out / COUNTS_FILE).open("ab") as counts:
        file.write(b"\0" * 11)
        counts.write(b"\0\0\0")
    rest = _Interrupted("mean_teacher")
    rest.n_left = 3
    build_table(corpus, rest, out)
    assert rest.n_left == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (out / name).read_bytes() == (table.folder / name).read_bytes(), name
    never = _Interrupted("mean_teacher")
    never.n_left = 0
    build_table(corpus, never, out)  # whole: nothing is embedded again


def test_after_a_power_cut_only_rows_that_the_disk_has_count(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    with pytest.raises(KeyboardInterrupt):
        build_table(corpus, _Interrupted("mean_teacher"), out)
    with (out / FRAMES_FILE).open("r+b") as file:
        file.truncate(21 * 3 * 2)  # within the second recording
    build_table(corpus, teacher, out)
    for name in FILES:
        assert (out / name).read_bytes() == (table.folder / name).read_bytes(), name


def test_states_between_recordings_change_nothing(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(building, "SECONDS_BETWEEN_STATES", -1.0)
    found = build_table(corpus, teacher, tmp_path / "table")
    for name in FILES:
        assert (found.folder / name).read_bytes() == (table.folder / name).read_bytes(), name


@pytest.mark.parametrize("whole", [True, False])
def test_a_table_of_another_corpus_or_teacher_is_refused(
    corpus: Corpus, teacher: Teacher, tmp_path: Path, monkeypatch: Any, whole: bool
) -> None:
    out = tmp_path / "table"
    if whole:
        build_table(corpus, teacher, out)
    else:
        with pytest.raises(KeyboardInterrupt):
            build_table(corpus, _Interrupted("mean_teacher"), out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = ramp_corpus(tmp_path / "other", slope=0.04)
    with pytest.raises(ValueError, match="belongs to another corpus"):
        build_table(other, teacher, out)
    if whole:
        with pytest.raises(ValueError, match=r"belongs to another corpus: expected .* found"):
            TeacherTable.of_corpus(out, other)
    with pytest.raises(ValueError, match="another choice of kinds: expected speech, found all"):
        build_table(corpus, teacher, out, kinds=["speech"])
    (tmp_path / "weights").write_text("")
    with pytest.raises(ValueError, match="another checkpoint of the teacher"):
        build_table(corpus, Teacher("mean_teacher", tmp_path / "weights"), out)
    monkeypatch.setattr("mean_teacher.__version__", "4")
    with pytest.raises(ValueError, match="version of the teacher: expected 4, found 3"):
        build_table(corpus, Teacher("mean_teacher"), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("name", [*FILES, "cut frames"])
def test_a_damaged_table_is_one_line(
    corpus: Corpus, teacher: Teacher, tmp_path: Path, name: str
) -> None:
    table = build_table(corpus, teacher, tmp_path / "table")
    path = table.folder / (FRAMES_FILE if name == "cut frames" else name)
    path.write_bytes(path.read_bytes()[:-6] if name == "cut frames" else b"?")
    with pytest.raises(ValueError, match=r"is damaged.* rebuild it") as caught:
        TeacherTable(table.folder)
    assert "\n" not in str(caught.value)


def test_a_folder_with_something_else_is_left_alone(
    corpus: Corpus, teacher: Teacher, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty and holds no table"):
        build_table(corpus, teacher, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"not a table of embeddings .* training teach"):
        TeacherTable(tmp_path)


def test_command_says_what_it_made(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["teach", str(corpus.folder), "mean_teacher", "--out", str(tmp_path / "table")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--kind", "speech"])
    assert ended.value.code == 0
    said = f"{tmp_path / 'table'}: 27 embeddings of 3 values, from 3 of 5 recordings\n"
    assert capsys.readouterr().out == said
    with pytest.raises(SystemExit) as ended:
        main([*words, "--kind", "music"])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "another choice of kinds" in error
    assert sum(map(len, SECONDS.values())) == 5

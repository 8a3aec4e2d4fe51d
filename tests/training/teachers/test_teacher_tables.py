"""Tables of embeddings: times, look-ups, resumption, reuse of an earlier table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_corpora import SLOPE, corpus_of, ramp_corpus, ramps

from training.cli import main
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.teachers import building
from training.teachers.building import EarlierTable, build_table, embed_recording
from training.teachers.table import (
    COUNTS_FILE,
    FRAMES_FILE,
    INFO_FILE,
    TIMES_FILE,
    TeacherTable,
)
from training.teachers.teacher import Teacher

LONG = 3  # index of the recording of 18.5 s
FILES = (FRAMES_FILE, TIMES_FILE, "offsets.npy", "statistics.npy", INFO_FILE)


class Counting(Teacher):
    """Counts the clips that it embeds after its trial; Ctrl-C instead of more than `most`."""

    def __init__(self, most: int = 100) -> None:
        self.n_embedded, self.most = 0, most
        super().__init__("mean_teacher")

    def embed(self, samples: np.ndarray) -> Any:
        if hasattr(self, "hop"):
            if self.n_embedded == self.most:
                raise KeyboardInterrupt
            self.n_embedded += 1
        return super().embed(samples)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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
def test_times_are_those_of_the_embedded_sound(
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    piece_seconds: float,
    scene_seconds: float | None,
) -> None:
    """The mean of a rising sound is proportional to the time of its middle."""
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


def test_look_up_by_time(table: TeacherTable) -> None:
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


def test_only_recordings_of_the_chosen_kinds_have_frames(
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


def test_interrupted_table_is_incomplete_and_resumes(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    with pytest.raises(KeyboardInterrupt):
        build_table(corpus, Counting(most=2), out)
    with pytest.raises(ValueError, match="not complete yet; the command that started it resumes"):
        TeacherTable.of_corpus(out, corpus)
    # What a killed job has appended behind the last whole recording.
    with (out / FRAMES_FILE).open("ab") as file:
        file.write(b"half a frame of the third recording")
    with (out / TIMES_FILE).open("ab") as file, (out / COUNTS_FILE).open("ab") as counts:
        file.write(b"\0" * 11)
        counts.write(b"\0\0\0")
    rest = Counting()
    build_table(corpus, rest, out)
    assert rest.n_embedded == 3
    assert sorted(files_of(out)) == sorted(FILES)
    assert files_of(out) == files_of(table.folder)
    build_table(corpus, Counting(most=0), out)  # complete: nothing is embedded again


def test_rows_lost_in_a_power_cut_are_embedded_again(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path
) -> None:
    out = tmp_path / "table"
    with pytest.raises(KeyboardInterrupt):
        build_table(corpus, Counting(most=2), out)
    with (out / FRAMES_FILE).open("r+b") as file:
        file.truncate(21 * 3 * 2)  # within the second recording
    build_table(corpus, teacher, out)
    assert files_of(out) == files_of(table.folder)


def test_states_between_recordings_change_nothing(
    corpus: Corpus, teacher: Teacher, table: TeacherTable, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(building, "SECONDS_BETWEEN_STATES", -1.0)
    found = build_table(corpus, teacher, tmp_path / "table")
    assert files_of(found.folder) == files_of(table.folder)


@pytest.mark.parametrize("whole", [True, False])
def test_a_table_of_another_corpus_or_teacher_is_refused(
    corpus: Corpus, teacher: Teacher, tmp_path: Path, monkeypatch: Any, whole: bool
) -> None:
    out = tmp_path / "table"
    if whole:
        build_table(corpus, teacher, out)
    else:
        with pytest.raises(KeyboardInterrupt):
            build_table(corpus, Counting(most=2), out)
    before = files_of(out)
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
    assert files_of(out) == before


@pytest.mark.parametrize("name", [*FILES, "cut frames"])
def test_damaged_table_is_refused_in_one_line(
    corpus: Corpus, teacher: Teacher, tmp_path: Path, name: str
) -> None:
    table = build_table(corpus, teacher, tmp_path / "table")
    path = table.folder / (FRAMES_FILE if name == "cut frames" else name)
    path.write_bytes(path.read_bytes()[:-6] if name == "cut frames" else b"?")
    with pytest.raises(ValueError, match=r"is damaged.* rebuild it") as caught:
        TeacherTable(table.folder)
    assert "\n" not in str(caught.value)


def test_folder_without_a_table_is_refused(
    corpus: Corpus, teacher: Teacher, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty and holds no table"):
        build_table(corpus, teacher, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"not a table of embeddings .* training teach"):
        TeacherTable(tmp_path)


def test_command_prints_the_numbers_of_embeddings(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["teach", str(corpus.folder), "mean_teacher", "--out", str(tmp_path / "table")]
    with pytest.raises(SystemExit, match="0"):
        main([*words, "--kind", "speech"])
    expected = f"{tmp_path / 'table'}: 27 embeddings of 3 values, from 3 of 5 recordings\n"
    assert capsys.readouterr().out == expected
    with pytest.raises(SystemExit, match="1"):
        main([*words, "--kind", "music"])
    assert capsys.readouterr().err.count("\n") == 1


@dataclass
class Case:
    earlier: EarlierTable
    corpus: Corpus  # the earlier five recordings, and two more
    table: TeacherTable  # made without the earlier one


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("earlier")
    rng = np.random.default_rng(0)
    lengths = (round(seconds * SAMPLE_RATE) for seconds in (1.5, 0.7))
    noises = [(0.1 * rng.standard_normal(n), "noise", "") for n in lengths]
    old = ramp_corpus(folder / "old")
    new = corpus_of(folder / "new", [*ramps(), *noises])
    build_table(old, Teacher("mean_teacher"), folder / "table")
    whole = build_table(new, Teacher("mean_teacher"), folder / "whole")
    return Case(EarlierTable.open(folder / "table", old), new, whole)


def test_only_recordings_after_an_earlier_table_are_embedded(case: Case, tmp_path: Path) -> None:
    teacher = Counting()
    build_table(case.corpus, teacher, tmp_path / "table", earlier=case.earlier)
    assert teacher.n_embedded == 2
    assert files_of(tmp_path / "table") == files_of(case.table.folder)


@pytest.mark.parametrize("most", [0, 1])
def test_interrupted_table_with_an_earlier_one_resumes(
    case: Case, tmp_path: Path, most: int
) -> None:
    out = tmp_path / "table"
    teacher = Counting(most)
    with pytest.raises(KeyboardInterrupt):
        build_table(case.corpus, teacher, out, earlier=case.earlier)
    rest = Counting()
    build_table(case.corpus, rest, out, earlier=case.earlier)
    assert rest.n_embedded == 2 - most
    assert files_of(out) == files_of(case.table.folder)


def test_table_begun_without_the_earlier_one_resumes_with_it(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "table"
    teacher = Counting(most=3)
    with pytest.raises(KeyboardInterrupt):
        build_table(case.corpus, teacher, out)
    assert (out / COUNTS_FILE).stat().st_size == 3 * 8
    rest = Counting()
    build_table(case.corpus, rest, out, earlier=case.earlier)
    assert rest.n_embedded == 2
    assert files_of(out) == files_of(case.table.folder)


def test_kinds_may_differ_in_later_recordings_only(case: Case, tmp_path: Path) -> None:
    """Kinds may differ if they select the same of the earlier recordings."""
    old = build_table(
        case.earlier.corpus, Teacher("mean_teacher"), tmp_path / "old", kinds=["music"]
    )
    earlier = EarlierTable(old, case.earlier.corpus)
    for kinds in (["music"], ["music", "noise"]):
        teacher = Counting()
        out = tmp_path / "-".join(kinds)
        found = build_table(case.corpus, teacher, out, kinds=kinds, earlier=earlier)
        assert teacher.n_embedded == (2 if "noise" in kinds else 0)
        wanted = case.table.n_frames * case.corpus.recordings["kind"].isin(kinds).to_numpy()
        assert found.n_frames.tolist() == wanted.tolist()
    with pytest.raises(ValueError, match=r"other kinds or lengths \(recording 0 of .* same --kind"):
        build_table(case.corpus, Teacher("mean_teacher"), tmp_path / "all", earlier=earlier)
    assert not (tmp_path / "all" / COUNTS_FILE).exists()


def test_earlier_table_of_other_recordings_is_refused(
    case: Case, tmp_path: Path, monkeypatch: Any
) -> None:
    teacher, out = Teacher("mean_teacher"), tmp_path / "table"
    other = ramp_corpus(tmp_path / "other", slope=0.04)
    with pytest.raises(ValueError, match="belongs to another corpus"):
        EarlierTable.open(case.earlier.table.folder, other)
    with pytest.raises(ValueError, match=r"begins with the 5 .* recording 0 is another"):
        build_table(other, teacher, out, earlier=case.earlier)
    whole = EarlierTable.open(case.table.folder, case.corpus)
    with pytest.raises(ValueError, match=r"begins with the 7 .* but it has 5; leave --from out"):
        build_table(case.earlier.corpus, teacher, out, earlier=whole)
    monkeypatch.setattr("mean_teacher.__version__", "4")
    changed = Teacher("mean_teacher")
    with pytest.raises(
        ValueError, match=r"version of the teacher: expected 4, found 3; leave --fr"
    ):
        build_table(case.corpus, changed, out, earlier=case.earlier)
    assert not list(out.glob("*"))


def test_command_takes_an_earlier_table(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "table"
    words = ["teach", str(case.corpus.folder), "mean_teacher", "--out", str(out)]
    earlier = ["--from", str(case.earlier.table.folder)]
    with pytest.raises(SystemExit, match="1"):
        main([*words, *earlier])
    assert "expected --from TABLE and --from-corpus CORPUS, got --from alone" in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit, match="0"):
        main([*words, *earlier, "--from-corpus", str(case.earlier.corpus.folder)])
    assert "from 7 of 7 recordings" in capsys.readouterr().out
    assert files_of(out) == files_of(case.table.folder)

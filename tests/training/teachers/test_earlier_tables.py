"""A table that begins with an earlier one is the same as one of which all was heard."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from ramp_corpus import ramp_corpus

from training.cli import main
from training.corpus.build import build
from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.corpus.source import AudioFile, Source
from training.teachers.building import build_table
from training.teachers.earlier import EarlierTable
from training.teachers.table import COUNTS_FILE, TeacherTable
from training.teachers.teacher import Teacher


class Counting(Teacher):
    """Counts what it hears once it was tried; Ctrl-C behind `most`."""

    n_heard, most = 0, 100

    def embed(self, samples: np.ndarray) -> Any:
        if hasattr(self, "hop"):
            if self.n_heard == self.most:
                raise KeyboardInterrupt
            self.n_heard += 1
        return super().embed(samples)


@dataclass
class Case:
    earlier: EarlierTable
    corpus: Corpus  # the earlier five recordings, and two more
    table: TeacherTable  # of which all was heard


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("earlier")
    old = ramp_corpus(folder / "audio")
    new = longer(folder / "audio", folder / "corpus")
    build_table(old, Teacher("mean_teacher"), folder / "old")
    whole = build_table(new, Teacher("mean_teacher"), folder / "whole")
    return Case(EarlierTable.open(folder / "old", old), new, whole)


def longer(audio: Path, out: Path) -> Corpus:
    """The recordings of :func:`ramp_corpus` in their order, and noise."""
    old = Corpus.open(audio / "corpus").recordings
    files = [AudioFile(audio / row.file, row.file, row.kind, "CC0-1.0") for row in old.itertuples()]
    rng = np.random.default_rng(0)
    for seconds in (1.5, 0.7):
        path = audio / f"noise-{seconds}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * SAMPLE_RATE)), SAMPLE_RATE)
        files.append(AudioFile(path, path.name, "noise", "CC0-1.0"))
    build([Source("longer", files=tuple(files))], out)
    return Corpus.open(out)


def same_files(found: Path, wanted: Path) -> bool:
    found_files, wanted_files = (
        {each.name: each.read_bytes() for each in folder.iterdir()} for folder in (found, wanted)
    )
    return found_files == wanted_files


def test_only_the_rest_is_heard_and_the_table_is_the_same(case: Case, tmp_path: Path) -> None:
    teacher = Counting("mean_teacher")
    build_table(case.corpus, teacher, tmp_path / "table", earlier=case.earlier)
    assert teacher.n_heard == 2
    assert same_files(tmp_path / "table", case.table.folder)


@pytest.mark.parametrize("most", [0, 1])
def test_an_interrupted_one_goes_on_where_it_was(case: Case, tmp_path: Path, most: int) -> None:
    out = tmp_path / "table"
    teacher = Counting("mean_teacher")
    teacher.most = most
    with pytest.raises(KeyboardInterrupt):
        build_table(case.corpus, teacher, out, earlier=case.earlier)
    rest = Counting("mean_teacher")
    build_table(case.corpus, rest, out, earlier=case.earlier)
    assert rest.n_heard == 2 - most
    assert same_files(out, case.table.folder)


def test_a_table_that_was_begun_without_it_goes_on_with_it(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "table"
    teacher = Counting("mean_teacher")
    teacher.most = 3
    with pytest.raises(KeyboardInterrupt):
        build_table(case.corpus, teacher, out)
    assert (out / COUNTS_FILE).stat().st_size == 3 * 8
    rest = Counting("mean_teacher")
    build_table(case.corpus, rest, out, earlier=case.earlier)
    assert rest.n_heard == 2
    assert same_files(out, case.table.folder)


def test_kinds_of_the_rest_may_be_taken_or_not(case: Case, tmp_path: Path) -> None:
    """Other kinds are no hindrance where they take the same of the earlier recordings."""
    old = build_table(
        case.earlier.corpus, Teacher("mean_teacher"), tmp_path / "old", kinds=["music"]
    )
    earlier = EarlierTable(old, case.earlier.corpus)
    for kinds in (["music"], ["music", "noise"]):
        teacher = Counting("mean_teacher")
        out = tmp_path / "-".join(kinds)
        found = build_table(case.corpus, teacher, out, kinds=kinds, earlier=earlier)
        assert teacher.n_heard == (2 if "noise" in kinds else 0)
        wanted = case.table.n_frames * case.corpus.recordings["kind"].isin(kinds).to_numpy()
        assert found.n_frames.tolist() == wanted.tolist()
    with pytest.raises(ValueError, match=r"other kinds or lengths \(recording 0 of .* same --kind"):
        build_table(case.corpus, Teacher("mean_teacher"), tmp_path / "all", earlier=earlier)
    assert not (tmp_path / "all" / COUNTS_FILE).exists()


def test_what_is_no_beginning_is_refused(case: Case, tmp_path: Path, monkeypatch: Any) -> None:
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
    with pytest.raises(SystemExit) as ended:
        main([*words, *earlier])
    assert ended.value.code == 1
    assert "expected --from TABLE and --from-corpus CORPUS, got --from alone" in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit) as ended:
        main([*words, *earlier, "--from-corpus", str(case.earlier.corpus.folder)])
    assert ended.value.code == 0
    assert "from 7 of 7 recordings" in capsys.readouterr().out
    assert same_files(out, case.table.folder)

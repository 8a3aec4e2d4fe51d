"""Matching of runs with stimuli: patterns, tables, folders."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from pydantic import ValidationError

from training.sources.stimuli import StimulusMatch, StimulusTable
from training.sources.stimulus_folder import StimulusFolder

RUN = {"sub": "01", "ses": "003", "task": "s01e02a", "run": "1"}


def folder_with(root: Path, *names: str) -> StimulusFolder:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return StimulusFolder(root)


def table_with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_pattern_finds_a_film_anywhere_below_the_folder(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "friends/s1/friends_s01e02a.mkv", "friends/s1/notes.txt")
    (stimulus,), findings = StimulusMatch(pattern="friends_{task}").assign([RUN], folder)
    assert stimulus is not None
    assert stimulus.name == "friends_s01e02a"
    assert stimulus.path == tmp_path / "friends/s1/friends_s01e02a.mkv"
    assert (stimulus.episode, stimulus.season, stimulus.start) == ("s01e02", "s01", None)
    assert findings == []


@pytest.mark.parametrize(
    ("name", "episode", "season"),
    [
        ("s01e02a", "s01e02", "s01"),
        ("s01e02b", "s01e02", "s01"),
        ("friends_s06e24d", "s06e24", "s06"),
        ("S01E02a", "S01E02", "S01"),
        ("alice_in_wonderland", "alice_in_wonderland", ""),
        ("tests3e4", "tests3e4", ""),
    ],
)
def test_halves_of_an_episode_share_it(name: str, episode: str, season: str) -> None:
    match = StimulusMatch(pattern="{task}")
    assert (match.episode_of(name), match.season_of(name)) == (episode, season)


def test_expressions_of_the_recipe(tmp_path: Path) -> None:
    match = StimulusMatch(pattern="{task}", episode=r"^([a-z]+\d)", season="^([a-z]+)")
    folder = folder_with(tmp_path, "bourne1x.wav", "bourne1y.wav", "01.wav")
    runs = [{"sub": "01", "task": task} for task in ("bourne1x", "bourne1y", "01")]
    stimuli, findings = match.assign(runs, folder)
    assert [s and (s.episode, s.season) for s in stimuli] == [
        ("bourne1", "bourne"),
        ("bourne1", "bourne"),
        ("01", ""),
    ]
    assert sum("finds no episode: 01" in text for text in findings) == 1
    assert sum("finds no season: 01" in text for text in findings) == 1


@pytest.mark.parametrize(
    "pattern", ["{sub.__class__}", "{sub[0]}", "{task!r}", "{task:>999999999}", "{0}", "{}"]
)
def test_pattern_reaches_nothing_but_entities(pattern: str) -> None:
    with pytest.raises(ValidationError, match="only entities in braces"):
        StimulusMatch(pattern=pattern)


def test_pattern_with_an_entity_that_a_run_lacks_names_both(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.wav")
    with pytest.raises(ValueError, match=r"needs 'acq', which the run sub-01.*sub, ses, task"):
        StimulusMatch(pattern="{task}_{acq}").assign([RUN], folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": "{task"}, "pattern"),
        ({}, "either table or pattern"),
        ({"pattern": "{task}", "table": "a.tsv"}, "either table or pattern"),
        ({"pattern": "{task}", "episode": "s(01"}, "not a regular expression"),
        ({"pattern": "{task}", "season": "s01"}, "group in round brackets"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        StimulusMatch.model_validate(settings)


def test_run_without_stimulus_is_a_finding(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "s01e02a.wav")
    runs = [RUN, RUN | {"task": "rest"}]
    stimuli, findings = StimulusMatch(pattern="{task}").assign(runs, folder)
    assert stimuli[1] is None
    assert findings == [
        f"left out, no stimulus 'rest' in {tmp_path}: sub-01_ses-003_task-rest_run-1"
    ]


def test_two_files_of_one_name_are_refused_when_used(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.wav", "film/a.mkv", "b.wav")
    assert folder.get("b") == tmp_path / "b.wav"
    with pytest.raises(ValueError, match=r"2 files for the stimulus a: .*keep one"):
        folder.get("a")
    assert folder.get("film/a.mkv") == tmp_path / "film/a.mkv"


def test_hidden_files_and_rings_of_links_are_left_out(tmp_path: Path) -> None:
    folder_with(tmp_path, ".git/annex/objects/a.mkv", "._b.wav", "c.WAV")
    (tmp_path / "ring").symlink_to(tmp_path)
    (tmp_path / "gone.mkv").symlink_to(tmp_path / "nowhere")
    folder = StimulusFolder(tmp_path)
    assert list(folder.files) == ["c"]
    findings = folder.findings(used=[])
    assert "that belong to no run" in findings[0]
    assert findings[0].endswith(": c")
    assert "links to a folder that is searched already: 1 (ring)" in findings[2]
    assert "left out, links without a target: 1 (gone.mkv)" in findings[3]
    assert "hidden, or made by the system: 1 (._b.wav)" in findings[1]


def test_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder of stimuli"):
        StimulusFolder(tmp_path / "nowhere")
    (tmp_path / "a.mkv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no sound or video.*without a target: 1 \(a\.mkv\)"):
        StimulusFolder(tmp_path)


def test_table_with_start_episode_and_season(tmp_path: Path) -> None:
    path = table_with(
        tmp_path / "runs.tsv",
        "subject\tsession\ttask\trun\tstimulus\tstart\tepisode\tseason\n"
        "sub-01\tses-003\ts01e02a\t01\tfilm\t-1.5\tpilot\tfirst\n"
        "\t\trest\t\tfilm2.wav\t\t\t\n"
        "02\t\ts01e02a\t\tfilm\t\t\t\n",
    )
    folder = folder_with(tmp_path, "film.mkv", "film2.wav")
    runs = [RUN, {"sub": "07", "task": "rest"}, {"sub": "07", "task": "other"}]
    stimuli, findings = StimulusMatch(table=path).assign(runs, folder)
    first, second, third = stimuli
    assert first is not None
    assert second is not None
    assert (first.name, first.start, first.episode, first.season) == (
        "film",
        -1.5,
        "pilot",
        "first",
    )
    assert (second.name, second.start, second.episode) == ("film2", None, "film2")
    assert third is None
    assert f"left out, no row in {path}: sub-07_task-other" in findings
    assert f"rows of {path} that match no run: lines 4" in findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sub\tstimulus\n01\ta\n", "unknown column 'sub'; possible are subject, session"),
        ("subject,stimulus,subject\n01,a,01\n", "a column is repeated"),
        ("stimulus\na\n", "expected stimulus and at least one of subject"),
        ("task,run\na,1\n", "expected stimulus and at least one of subject"),
        ("task,stimulus,start\na,b,soon\n", "line 2: start 'soon' is not a number"),
        ("task,stimulus,start\na,b,nan\n", "line 2: start 'nan' is not a number"),
        ("task,stimulus\na,\n", "line 2: the stimulus is empty"),
        ("task,stimulus\na,b\n\nc\n", "line 4: 1 columns, expected the 2"),
        ("task,stimulus\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_wrong_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StimulusTable(table_with(tmp_path / "runs.csv", text))


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00task")
    with pytest.raises(ValueError, match="not a csv or tsv text file"):
        StimulusTable(path)
    with pytest.raises(FileNotFoundError, match="no such table"):
        StimulusTable(tmp_path / "nowhere.csv")


def test_two_rows_for_one_run_are_refused(tmp_path: Path) -> None:
    path = table_with(tmp_path / "runs.csv", "task;stimulus;run\ns01e02a;a;\ns01e02a;b;1\n")
    with pytest.raises(ValueError, match="lines 2 and 3 both match the run sub-01_ses-003"):
        StimulusTable(path).row_for(RUN)
    assert StimulusTable(path).row_for(RUN | {"run": "2"}).stimulus == "a"


def test_row_with_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = table_with(tmp_path / "runs.csv", "task,stimulus\ns01e02a,film\n")
    folder = folder_with(tmp_path, "other.wav")
    with pytest.raises(ValueError, match=r"runs.csv line 2: there is no stimulus 'film'"):
        StimulusMatch(table=path).assign([RUN], folder)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_equal_however_they_are_encoded(tmp_path: Path, form: str) -> None:
    folder = folder_with(tmp_path, unicodedata.normalize("NFD", "été/café.wav"), "cafe.wav")
    path = folder.get(unicodedata.normalize(form, "café"))
    assert path is not None
    assert unicodedata.normalize("NFC", path.name) == "café.wav"
    assert folder.get(unicodedata.normalize(form, "été/café.wav")) == path


def test_exact_encoding_takes_precedence(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    folder = folder_with(tmp_path, *(f"{name}.wav" for name in names))
    assert [folder.get(name) for name in names] == [tmp_path / f"{name}.wav" for name in names]


def test_unusable_names_are_left_out(tmp_path: Path) -> None:
    folder_with(tmp_path, "a.wav", f"{'b' * 201}.wav", os.fsdecode(b"caf\xe9.wav"))
    folder = StimulusFolder(tmp_path)
    assert list(folder.files) == ["a"]
    findings = folder.findings(used=["a"])
    assert len(findings) == 2
    assert (
        r"names that are not UTF-8, which no table or dataset can hold: 1 (caf\xe9.wav)"
        in (findings[1])
    )
    assert "names of more than 200 bytes: 1 (bbb" in findings[0]
    "".join(findings).encode()


@pytest.mark.parametrize(
    ("run", "file"), [("1", "film_run-01"), ("01", "film_run-1"), ("1", "film_run-1")]
)
def test_leading_zeros_are_ignored(tmp_path: Path, run: str, file: str) -> None:
    folder = folder_with(tmp_path, f"{file}.wav", "film_run-10.wav")
    match = StimulusMatch(pattern="film_run-{run}")
    (stimulus,), findings = match.assign([RUN | {"run": run}], folder)
    assert stimulus is not None
    assert (stimulus.name, findings) == (file, [])

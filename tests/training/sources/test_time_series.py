"""Time courses in plain files, and long recordings cut into runs."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from training.sources.time_series import RunFile, Segment, TimeSeriesSource
from training.sources.time_series_file import read_time_series

TR = 2.0
COURSES = np.random.default_rng(0).normal(100, 5, (60, 3))


@pytest.fixture
def story(tmp_path):
    """A stimulus of 140 s."""
    path = tmp_path / "stimuli" / "story.wav"
    path.parent.mkdir()
    soundfile.write(path, np.zeros(140 * 1_000), 1_000)
    return path


@pytest.fixture
def courses(tmp_path):
    """Three subjects, in text as MATLAB writes it."""
    folder = tmp_path / "6mm"
    folder.mkdir()
    for i in (18, 22, 23):
        np.savetxt(folder / f"s{i}-timecourses.txt", COURSES + i, fmt="%.7e", delimiter="   ")
    return folder


def subjects(courses, story, **settings):
    fields = {
        "tr": TR,
        "stimuli": story,
        "start": 20.0,
        "files": str(courses / "*.txt"),
        "pattern": r"(?P<subject>s\d+)-timecourses",
    }
    return TimeSeriesSource(**(fields | settings))


def test_glob_and_pattern_give_one_run_per_subject(courses, story):
    collection = subjects(courses, story, target_names=("LATL", "RATL", "LPTL")).collect()
    assert [run.subject for run in collection.recordings] == ["s18", "s22", "s23"]
    run = collection.recordings[1]
    assert (run.run, run.stimulus, run.episode) == ("s22-timecourses", "story", "story")
    assert (run.start, run.tr) == (20.0, TR)
    assert run.files == (courses / "s22-timecourses.txt",)
    np.testing.assert_allclose(run.load(), COURSES + 22, rtol=1e-7)
    assert collection.targets.ids == (1, 2, 3)
    assert collection.targets.names == ("LATL", "RATL", "LPTL")
    assert collection.stimuli == {"story": story}
    assert collection.findings == []


def test_segments_are_runs_with_their_own_start(courses, story):
    parts = (Segment(name="first", start=20, stop=60), Segment(name="last", start=80, stop=139))
    collection = subjects(courses, story, segments=parts).collect()
    assert len(collection.recordings) == 6
    first, last = collection.recordings[:2]
    assert (first.run, first.episode, first.start) == ("s18-timecourses_first", "first", 20.0)
    assert (last.run, last.episode, last.start) == ("s18-timecourses_last", "last", 80.0)
    assert first.stimulus == last.stimulus == "story"
    whole = np.loadtxt(first.files[0])
    np.testing.assert_array_equal(first.load(), whole[:20])
    np.testing.assert_array_equal(last.load(), whole[30:59])  # TR 59 would end at 140 s
    assert collection.findings == ["11 of 60 TRs are in no segment in 3 files"]
    assert set(collection.stimuli) == {"story"}


def test_segments_between_tr_onsets_take_whole_trs_only(courses, story):
    parts = (Segment(name="middle", start=40.5, stop=45.9),)
    run = subjects(courses, story, segments=parts).collect().recordings[0]
    assert run.start == 42.0
    assert run.load().shape == (1, 3)


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([("a", 0, 50), ("b", 49, 90)], "segments 'a' and 'b' overlap"),
        ([("b", 64.9, 90), ("a", 0, 50)], r"'a' and 'b' are 14\.9 s apart, expected 15 s, so"),
        ([("a", 0, 50), ("a", 80, 90)], "two segments have the same name"),
        ([("a", 50, 50)], "segment 'a' stops at 50.0 s, not after its start"),
    ],
)
def test_dependent_segments_are_refused(courses, story, segments, message):
    parts = [{"name": name, "start": start, "stop": stop} for name, start, stop in segments]
    with pytest.raises(ValidationError, match=message):
        subjects(courses, story, segments=parts)


def test_close_segments_are_possible_on_request(courses, story):
    parts = (Segment(name="a", start=20, stop=50), Segment(name="b", start=50, stop=90))
    collection = subjects(courses, story, segments=parts, allow_close=True).collect()
    loaded = [run.load() for run in collection.recordings[:2]]
    np.testing.assert_allclose(np.concatenate(loaded), COURSES[:35] + 18, rtol=1e-6)


def test_a_segment_after_the_end_is_refused(courses, story):
    parts = (Segment(name="late", start=300, stop=400),)
    source = subjects(courses, story, segments=parts)
    with pytest.raises(ValueError, match=r"no whole TR in segment 'late'.*lasts from 20 to 140 s"):
        source.collect()


def test_files_listed_one_by_one(tmp_path, story):
    (tmp_path / "stimuli" / "film.wav").write_bytes(story.read_bytes())
    np.savez(tmp_path / "one.npz", X=COURSES.astype(np.float32))
    np.save(tmp_path / "two.npy", COURSES)
    source = TimeSeriesSource(
        tr=TR,
        stimuli=story.parent,
        runs=(
            RunFile(file=tmp_path / "one.npz", subject="sub-01", stimulus="film", start=6.0),
            RunFile(
                file=tmp_path / "two.npy",
                subject="sub-01",
                run="story",
                session="2",
                episode="chapter",
                season="book",
            ),
        ),
    )
    collection = source.collect()
    one, two = collection.recordings
    assert (one.run, one.stimulus, one.episode, one.start) == ("one", "film", "film", 6.0)
    assert (two.run, two.stimulus, two.episode, two.start) == ("story", "story", "chapter", 0.0)
    assert (two.session, two.season) == ("2", "book")
    np.testing.assert_array_equal(one.load(), COURSES.astype(np.float32))
    np.testing.assert_array_equal(two.load(), COURSES)
    assert set(collection.stimuli) == {"film", "story"}


def test_exclusions_are_findings(courses, story):
    np.savetxt(courses / "s33-timecourses.txt", np.full((60, 3), 7.0))
    np.savetxt(courses / "average.txt", COURSES)
    (story.parent / "song.wav").write_bytes(story.read_bytes())
    source = subjects(courses, story.parent, stimulus="story.wav")
    collection = source.collect()
    assert len(collection.recordings) == 3
    findings = " ".join(collection.findings)
    assert re.search(r"left out, not matched by the pattern .*average\.txt", findings)
    assert re.search(r"left out, the values never change: .*s33-timecourses\.txt", findings)
    assert "song" in findings
    assert set(collection.stimuli) == {"story"}


def test_error_without_recordings_has_the_reasons(courses, story):
    source = subjects(courses, story.parent, stimulus="poem")
    with pytest.raises(ValueError, match=r"no recording is left: .*stimulus is not in .*check pat"):
        source.collect()


def test_files_with_other_targets_are_refused(courses, story):
    np.savetxt(courses / "s22-timecourses.txt", COURSES[:, :2])
    source = subjects(courses, story)
    with pytest.raises(ValueError, match=r"s22.* has 2 columns , .*s18.* has 3 .*same targets"):
        source.collect()


def test_one_run_in_two_files_is_refused(courses, story):
    source = subjects(courses, story, pattern=r"(?P<subject>s)(?P<run>\d)")
    with pytest.raises(ValueError, match="are both run '2' of s; let the pattern name the run"):
        source.collect()


def test_target_names_must_be_as_many_as_columns(courses, story):
    source = subjects(courses, story, target_names=("LATL",))
    with pytest.raises(ValueError, match="target_names has 1 names, the files have 3 columns"):
        source.collect()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": r"(s\d+)"}, r"expected the named group \(\?P<subject>\.\.\.\)"),
        ({"pattern": r"(?P<subject>s\d+)(?P<colour>x)"}, "expected the named group"),
        ({"pattern": r"(?P<subject>s"}, "not a regular expression"),
        ({"files": ""}, "give either runs .* or files"),
        ({"runs": ({"file": "a.txt", "subject": "s1"},)}, "give either runs .* or files"),
    ],
)
def test_inconsistent_settings_are_refused(courses, story, settings, message):
    with pytest.raises(ValidationError, match=message):
        subjects(courses, story, **settings)


def test_missing_files_and_stimuli(courses, story, tmp_path):
    source = subjects(courses, story, files=str(courses / "*.csv"))
    with pytest.raises(FileNotFoundError, match="no file matches files: "):
        source.collect()
    run = RunFile(file=tmp_path / "none.txt", subject="s1")
    source = TimeSeriesSource(tr=TR, stimuli=story, runs=(run,))
    with pytest.raises(FileNotFoundError, match="no such file of time courses"):
        source.collect()


# One file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "  1.0e+00   2 \n 3 4\n"),
        ("a.csv", "1,2\n3,4\n"),
        ("a.csv", "1;2\n\n3;4\n"),
        ("a.tsv", "# comment\n1\t2\n3\t4"),
    ],
)
def test_text_in_its_usual_forms(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(read_time_series(tmp_path / name).values, [[1, 2], [3, 4]])


def test_a_column_of_nan_is_a_missing_target(tmp_path):
    (tmp_path / "a.csv").write_text("left,right\n1,nan\n3,nan\n")
    series = read_time_series(tmp_path / "a.csv")
    assert series.names == ("left", "right")
    assert not series.is_constant
    np.testing.assert_array_equal(series.values, [[1, np.nan], [3, np.nan]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"1 2\n3\n", "row 2 is not 2 numbers"),
        ("a.txt", b"1 2\n3 x\n", "row 2 is not 2 numbers but '3 x'; expected one row"),
        ("a.txt", b"", r"float64 of shape \(0, 0\), expected numbers of shape \(n_trs, n_targets"),
        ("a.txt", b"\xff\xfe\x00", "is not text"),
        ("a.csv", b"1,nan\n3,4\n", "column 2 has NaN or infinity in some TRs; fill them"),
        ("a.npy", b"junk", "cannot be read as arrays of numbers"),
        ("a.mat", b"", r"ends in '\.mat', expected one of \.npy"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_time_series(tmp_path / name)


def test_arrays_of_other_shapes_and_keys_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5))
    with pytest.raises(ValueError, match=r"holds float64 of shape \(5,\), expected numbers"):
        read_time_series(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", Y=COURSES, Z=COURSES)
    with pytest.raises(ValueError, match="has no array 'X'; it has Y, Z: set key to one of these"):
        read_time_series(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_time_series(tmp_path / "a.npz", "Z").values, COURSES)
    for n_bytes in (1000, 2000):
        whole = (tmp_path / "a.npz").read_bytes()
        (tmp_path / "cut.npz").write_bytes(whole[:n_bytes])
        with pytest.raises(ValueError, match="cannot be read as arrays of numbers"):
            read_time_series(tmp_path / "cut.npz")


@pytest.mark.realdata
def test_the_subjects_of_alice(data_folder, story):
    """The story's audio is not there: silence stands for it."""
    folder = data_folder / "fmri" / "alice" / "alice_data_shared" / "6mm"
    names = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
    parts = (Segment(name="begin", start=20, stop=500), Segment(name="end", start=515, stop=744))
    source = subjects(folder, story, target_names=names, segments=parts)
    collection = source.collect()
    assert len({run.subject for run in collection.recordings}) == 27  # of 28, s33 is constant
    assert any("s33" in finding and "never change" in finding for finding in collection.findings)
    first, last = collection.recordings[:2]
    assert first.load().shape == (240, 6)
    assert last.load().shape == (114, 6)
    whole = np.loadtxt(folder / "s18-timecourses.txt")
    np.testing.assert_array_equal(last.load(), whole[248:])
    assert last.start == 516.0


def test_entities_choose_among_files(tmp_path, story):
    for name in ("sub-01_task-a_desc-clean", "sub-01_task-a_desc-raw", "sub-02_task-a_desc-clean"):
        np.savetxt(tmp_path / f"{name}_timeseries.txt", COURSES)
    settings = {"files": str(tmp_path / "*.txt"), "pattern": r"(?P<subject>sub-\d+)"}
    source = subjects(tmp_path, story, **settings, entities={"desc": "clean"})
    assert [one.subject for one in source.collect().recordings] == ["sub-01", "sub-02"]
    with pytest.raises(ValueError, match=r"none of 3 files of .* has no desc"):
        subjects(tmp_path, story, **settings, entities={"desc": None}).collect()

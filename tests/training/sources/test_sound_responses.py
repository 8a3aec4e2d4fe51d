"""Tables of responses to sounds: kinds of files, and faults."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import soundfile

from training.sources.sound_responses import SoundResponsesSource

NAMES = ("dog", "bell", "rain")
RESPONSES = np.array([[1.0, 2], [3, 4.5], [-5, 6]])
TARGETS = ("pitch", "speech")
WEIGHTS = np.array([[1.0, 0, 2, 0], [0, 1, -1, 0.5]])


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in NAMES:
        soundfile.write(folder / f"{name}.wav", np.zeros(100), 8_000)
    return folder


def cells(texts):
    array = np.empty((len(texts), 1), dtype=object)
    array[:, 0] = texts
    return array


def write(path, names=NAMES, responses=RESPONSES, **others):
    if path.suffix == ".mat":
        arrays = {"R": responses, "stim_names": cells(names), "component_names": cells(TARGETS)}
        scipy.io.savemat(path, arrays | {"W": WEIGHTS} | others)
    elif path.suffix == ".npz":
        arrays = {"responses": responses, "names": np.array(names), "targets": np.array(TARGETS)}
        np.savez(path, **(arrays | others))
    else:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        rows = [[name, *map(str, row)] for name, row in zip(names, responses.tolist(), strict=True)]
        lines = [delimiter.join(row) for row in [["sound", *TARGETS], *rows]]
        path.write_text("\n".join(lines) + "\n")
    return path


def collect(sounds, table, **settings):
    if table.suffix == ".npz":
        keys = {"responses": "responses", "names": "names", "target_names": "targets"}
        settings = keys | settings
    return SoundResponsesSource(sounds=sounds, table=table, **settings).collect()


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".csv", ".tsv"])
def test_every_kind_of_table_gives_one_row_per_sound(sounds, tmp_path, suffix):
    collection = collect(sounds, write(tmp_path / f"table{suffix}"))
    assert collection.kind == "sound_responses"
    assert collection.targets.ids == (1, 2)
    assert collection.targets.names == TARGETS
    loaded = [recording.load() for recording in collection.recordings]
    assert all(row.shape == (1, 2) for row in loaded)
    np.testing.assert_array_equal(np.concatenate(loaded), RESPONSES)
    assert collection.stimuli == {name: sounds / f"{name}.wav" for name in NAMES}
    for recording, name in zip(collection.recordings, NAMES, strict=True):
        assert (recording.run, recording.stimulus, recording.episode) == (name, name, name)
        assert (recording.subject, recording.tr) == ("group", 0)
    assert collection.findings == []


def test_weights_make_voxels_of_components(sounds, tmp_path):
    collection = collect(sounds, write(tmp_path / "table.mat"), weights="W", subject="sub-01")
    assert collection.targets.names == ("voxel-1", "voxel-2", "voxel-3", "voxel-4")
    voxels = np.concatenate([recording.load() for recording in collection.recordings])
    np.testing.assert_allclose(voxels, RESPONSES @ WEIGHTS)
    assert collection.recordings[0].subject == "sub-01"


def test_names_may_carry_the_suffix_of_the_file(sounds, tmp_path):
    table = write(tmp_path / "table.csv", names=("dog.wav", " bell ", "rain.WAV"))
    assert [recording.run for recording in collect(sounds, table).recordings] == list(NAMES)


def test_targets_without_names_are_numbered(sounds, tmp_path):
    table = write(tmp_path / "table.mat")
    collection = collect(sounds, table, target_names="nothing")
    assert collection.targets.names == ("target-1", "target-2")


def test_loaded_row_is_a_copy(sounds, tmp_path):
    recording = collect(sounds, write(tmp_path / "table.csv")).recordings[0]
    recording.load()[:] = 99
    np.testing.assert_array_equal(recording.load(), RESPONSES[:1])


def test_sound_without_a_row_is_a_finding(sounds, tmp_path):
    table = write(tmp_path / "table.csv", names=NAMES[:2], responses=RESPONSES[:2])
    collection = collect(sounds, table)
    assert collection.findings == [f"stimuli in {sounds} that belong to no run: rain"]
    assert set(collection.stimuli) == {"dog", "bell"}


def test_a_row_without_a_sound_is_refused(sounds, tmp_path):
    (sounds / "bell.wav").unlink()
    table = write(tmp_path / "table.csv")
    with pytest.raises(ValueError, match=r"no audio file for bell of .*add the files"):
        collect(sounds, table)


def test_two_rows_of_one_name_are_refused(sounds, tmp_path):
    table = write(tmp_path / "table.csv", names=("dog", "bell", "dog.wav"))
    with pytest.raises(ValueError, match="names dog more than once; keep one row per sound"):
        collect(sounds, table)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_response_that_is_no_number_is_refused(sounds, tmp_path, value):
    responses = RESPONSES.copy()
    responses[1, 0] = value
    for suffix in (".mat", ".npz", ".csv"):
        table = write(tmp_path / f"table{suffix}", responses=responses)
        with pytest.raises(ValueError, match="responses to bell contain NaN or infinity"):
            collect(sounds, table)


@pytest.mark.parametrize(
    ("others", "settings", "message"),
    [
        ({}, {"responses": "B"}, r"no array 'B'; it has R, W, component_names, stim_names"),
        ({}, {"weights": "V"}, "no array 'V'"),
        ({"R": np.zeros((3, 3))}, {"weights": "W"}, r"R \(3, 3\) and W \(2, 4\) cannot be mult"),
        ({"R": np.zeros((4, 2))}, {}, r"shape \(4, 2\) do not go with 3 names of sounds and 2"),
        ({"R": np.zeros((2, 2, 2))}, {}, r"R is float64 of shape \(2, 2, 2\), expected numbers in"),
        ({}, {"responses": "stim_names"}, r"stim_names is <U\d of shape \(3,\), expected numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_named(sounds, tmp_path, others, settings, message):
    with pytest.raises(ValueError, match=message):
        collect(sounds, write(tmp_path / "table.mat", **others), **settings)


def test_matlab_7_3_is_refused_with_the_remedy(sounds, tmp_path):
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 2024 HDF5 schema 1.00"
    table = tmp_path / "table.mat"
    table.write_bytes(header.ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(400))
    with pytest.raises(ValueError, match=r"version 7\.3 \(HDF5\).*save\(file, \.\.\., '-v7'\)"):
        collect(sounds, table)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.mat", b"not MATLAB at all", r"table\.mat is damaged or cut off"),
        ("table.mat", b"", r"table\.mat is damaged or cut off"),
        ("table.npz", b"PK nothing", "cannot be read as an npz file of plain arrays"),
        ("table.npz", b"", "cannot be read as an npz file"),
        ("table.csv", b"sound,pitch\ndog,high\n", "line 2: 'high' in column pitch is not a number"),
        ("table.csv", b"sound,pitch\ndog,1,2\n", "line 2: 3 columns, expected the 2"),
        ("table.csv", b"sound\ndog\n", "3 names|0 names of targets"),
        ("table.xlsx", b"", r"ends in '\.xlsx', expected one of \.mat, \.npz, \.csv, \.tsv"),
    ],
)
def test_unreadable_tables_are_named(sounds, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        collect(sounds, tmp_path / name)


def test_unsuitable_tables_are_refused(sounds, tmp_path):
    with pytest.raises(ValueError, match="not of objects"):
        collect(sounds, write(tmp_path / "table.npz", names=np.array(NAMES, dtype=object)))
    with pytest.raises(ValueError, match="is text and has no second array"):
        collect(sounds, write(tmp_path / "table.csv"), weights="W")
    with pytest.raises(FileNotFoundError, match="no such table"):
        collect(sounds, tmp_path / "none.csv")


@pytest.mark.realdata
def test_the_165_natural_sounds(data_folder):
    folder = data_folder / "fmri" / "natsound165"
    settings = {"sounds": folder / "sounds", "table": folder / "components.mat"}
    content = scipy.io.loadmat(folder / "components.mat")
    collection = SoundResponsesSource(**settings).collect()
    assert len(collection.recordings) == len(collection.stimuli) == 165
    names = ("lowfreq", "highfreq", "envsounds", "pitch", "speech", "music")
    assert collection.targets.names == names
    assert collection.recordings[0].run == "stim28_big_band_music"
    loaded = np.concatenate([recording.load() for recording in collection.recordings])
    np.testing.assert_array_equal(loaded, content["R"])
    assert collection.findings == []
    voxels = SoundResponsesSource(**settings, weights="W").collect()
    assert len(voxels.targets.ids) == 11_065
    np.testing.assert_allclose(voxels.recordings[7].load()[0], content["R"][7] @ content["W"])

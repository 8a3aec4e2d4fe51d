"""Submissions to Algonauts 2025, read as the challenge reads them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from small_dataset import RATE, known_brain
from small_fits import fitted

from hear_brainsoundnet.checkpoint import read_checkpoint
from training.cli import main
from training.data.prepared import Prepared
from training.evaluation.sample_numbers import read_sample_numbers
from training.evaluation.submission import N_PARCELS

SUBJECTS = ("sub-01", "sub-02")
N_TRS = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("algonauts") / "data"
    return known_brain(folder, subjects=SUBJECTS, n_runs=5, n_trs=N_TRS, n_targets=N_PARCELS)


@pytest.fixture(scope="module")
def fits(data: Path) -> list[Path]:
    return [fitted(data, data.parent / each, subjects=[each]) for each in SUBJECTS]


def opened(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        with archive.open(name) as file:
            assert name == f"{path.stem}.npy"
            return np.load(file, allow_pickle=True).item()


def expected(fit: Path, data: Path, stimulus: str, n_trs: int) -> np.ndarray:
    """The encoder on the whole clip."""
    checkpoint = read_checkpoint(fit / "model.safetensors")
    audio = torch.from_numpy(Prepared(data).audio(stimulus) / np.float32(32768))[None]
    with torch.no_grad():
        audio = audio * checkpoint.card.input_scale
        return np.asarray(checkpoint.build_encoder()(audio, n_trs)[0])


def test_runs_of_prepared_data_are_predicted(
    data: Path, fits: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "friends.zip"
    command = ["submission", *map(str, fits), "--data", str(data), "--out", str(out)]
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--episodes", "s02*"])
    assert "episodes: sub-01 2, sub-02 2" in capsys.readouterr().out
    predictions = opened(out)
    assert list(predictions) == list(SUBJECTS)
    for subject, fit in zip(SUBJECTS, fits, strict=True):
        assert list(predictions[subject]) == ["s02e01a", "s02e02a"]
        for episode, values in predictions[subject].items():
            assert (values.dtype, values.shape) == (np.float32, (N_TRS, N_PARCELS))
            np.testing.assert_allclose(values, expected(fit, data, episode, N_TRS), atol=1e-4)
    first = out.read_bytes()
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--episodes", "s02*"])
    assert out.read_bytes() == first


def test_films_are_predicted_for_the_published_numbers_of_trs(
    data: Path, fits: list[Path], tmp_path: Path
) -> None:
    """Keys as published, films named by their series, other numbers in each subject."""
    stimuli = tmp_path / "friends" / "s7"
    stimuli.mkdir(parents=True)
    soundfile.write(stimuli / "friends_s07e01a.wav", Prepared(data).audio("s01e01a"), RATE)
    samples = []
    for subject, n_trs in zip(SUBJECTS, (20, 26), strict=True):
        samples.append(tmp_path / f"{subject}_friends-s7_fmri_samples.npy")
        np.save(samples[-1], {"s07e01a": n_trs}, allow_pickle=True)  # type: ignore[arg-type]
    out = tmp_path / "fmri_predictions_friends_s7.zip"
    command = ["submission", *map(str, fits), "--stimuli", str(tmp_path), "--out", str(out)]
    with pytest.raises(SystemExit, match="0"):
        main([*command, *(f"--samples={path}" for path in samples)])
    predictions = opened(out)
    for subject, fit, n_trs in zip(SUBJECTS, fits, (20, 26), strict=True):
        values = predictions[subject]["s07e01a"]
        np.testing.assert_allclose(values, expected(fit, data, "s01e01a", n_trs), atol=1e-4)


def test_numbers_are_read_without_unpickling(tmp_path: Path) -> None:
    many = {f"s07e{i:02d}{half}": 400 + 100 * i for i in range(1, 25) for half in "ab"}
    path = tmp_path / "sub-03_friends-s7_fmri_samples.npy"
    np.save(path, many, allow_pickle=True)  # type: ignore[arg-type]
    table = tmp_path / "n.csv"
    table.write_text("subject,episode,n_trs\n5,chaplin1,432\nsub-05,chaplin2,405\n")
    assert read_sample_numbers([path, table]) == {
        "sub-03": many,
        "sub-5": {"chaplin1": 432},
        "sub-05": {"chaplin2": 405},
    }

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "exploded").touch, ())

    for wrong in ({"s07e01a": Bomb()}, {"s07e01a": "ten"}, [1, 2], {}, {"a": 1.5}):
        np.save(path, np.array(wrong, dtype=object), allow_pickle=True)
        with pytest.raises(ValueError, match="does not hold numbers of TRs by episode"):
            read_sample_numbers([path])
    assert not (tmp_path / "exploded").exists()
    np.save(path, {"s07e01a": 0}, allow_pickle=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="s07e01a of sub-03 has 0 TRs"):
        read_sample_numbers([path])
    table.write_text("subject,episode\n5,chaplin1\n")
    with pytest.raises(ValueError, match=r"n.csv has no column n_trs"):
        read_sample_numbers([table])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "{data}"], "no fit predicts sub-02"),
        (["{two}", "{two}", "--data", "{data}"], "sub-02 is predicted by"),
        (["--data", "{data}", "--episodes", "s09*"], "no episode matches 's09*'; there are s01"),
        (["--stimuli", "{data}"], "give either --data, or --stimuli with --samples"),
        (["{small}", "--data", "{data}"], "predicts 4 targets, the challenge takes the 1000"),
    ],
)
def test_what_does_not_fit_is_one_line(
    data: Path,
    fits: list[Path],
    two_subjects: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    places = {"data": data, "two": fits[1], "small": tmp_path / "small"}
    if "{small}" in arguments:
        fitted(two_subjects, tmp_path / "small", subjects=["sub-02"])
    given = [each.format(**places) for each in arguments]
    with pytest.raises(SystemExit):
        main(["submission", str(fits[0]), *given, "--out", str(tmp_path / "out.zip")])
    lines = capsys.readouterr().err.splitlines()
    assert said in lines[-1]
    assert not (tmp_path / "out.zip").exists()

"""ONNX files give in onnxruntime what the model gives in PyTorch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from checkpoints_in_memory import checkpoint_of
from rounding import largest_difference, network_rounding
from typer.testing import CliRunner

from hear_brainsoundnet import get_scene_embeddings, load_model, onnx_export
from hear_brainsoundnet import get_timestamp_embeddings as frames_of
from hear_brainsoundnet.checkpoint import NAMED
from hear_brainsoundnet.cli import app
from hear_brainsoundnet.command_line import WrongCall
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.soundnet import Layer, SoundNet

RATE = 16_000
SMALL = (
    Layer("conv1", kernel=8, stride=2, padding=4, channels=4, pool=4),
    Layer("conv2", kernel=4, stride=2, padding=2, channels=6),
)


def noise(n_sounds: int, n_samples: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(n_sounds, n_samples, generator=generator)


@pytest.fixture(scope="module")
def small() -> EmbeddingModel:
    torch.manual_seed(0)
    checkpoint = checkpoint_of(SoundNet(SMALL).eval(), layers=SMALL, input_scale=16.0)
    return EmbeddingModel(
        checkpoint, sample_rate=RATE, scene="conv1:max+conv2:mean,std", timestamps="conv2"
    )


def run(path: Path, audio: torch.Tensor) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"audio": audio.numpy()}), strict=True))


def assert_same(found: np.ndarray, expected: torch.Tensor) -> None:
    assert largest_difference(torch.from_numpy(found), expected) <= network_rounding()


@pytest.mark.slow
def test_a_small_network_for_any_length_and_for_one(small: EmbeddingModel, tmp_path: Path) -> None:
    onnx_export.export_onnx(small, tmp_path / "any.onnx", kind="both")
    onnx_export.export_onnx(small, tmp_path / "one.onnx", kind="scene", n_samples=4_000)
    for audio in (noise(1, 4_000), noise(3, 9_000), noise(2, 1), noise(1, 100_000)):
        found = run(tmp_path / "any.onnx", audio)
        frames, milliseconds = frames_of(audio, small)
        assert_same(found["scene"], get_scene_embeddings(audio, small))
        assert_same(found["timestamps"], frames)
        assert_same(found["timestamps_ms"], milliseconds)
    found = run(tmp_path / "one.onnx", noise(1, 4_000))
    assert list(found) == ["scene"]
    assert_same(found["scene"], get_scene_embeddings(noise(1, 4_000), small))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_shipped_checkpoint_for_any_length(name: str, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    arguments = ["export-onnx", name, str(out), "--sample-rate", str(RATE), "--kind", "both"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert f"[{NAMED[name].hash[:12]}] for audio at 16000 Hz of any length" in result.output
    model = load_model(name, sample_rate=RATE)
    for audio in (noise(2, 20_000), noise(1, 3_000), noise(1, 50_000)):
        found = run(out, audio)
        assert_same(found["scene"], get_scene_embeddings(audio, model))
        assert_same(found["timestamps"], frames_of(audio, model)[0])
        assert_same(found["timestamps_ms"], frames_of(audio, model)[1])
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    known = session.get_modelmeta().custom_metadata_map
    assert known["checkpoint_hash"] == NAMED[name].hash
    assert known["sample_rate"] == str(RATE)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, small: EmbeddingModel) -> None:
    """Without the exporter, which takes seconds: what comes of it stands in."""
    monkeypatch.setattr(onnx_export, "_exported", lambda *_, **__: b"content")
    monkeypatch.setattr(onnx_export, "_described", lambda content, model: content)


def test_a_file_of_other_outputs_is_not_written(
    written: None, small: EmbeddingModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model.onnx"
    out.write_bytes(b"older")

    class Session:
        def __init__(self, error: float) -> None:
            self.error = error

        def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            audio = torch.from_numpy(inputs["audio"])
            scene = get_scene_embeddings(audio, small)
            return [(scene + self.error * scene.max()).numpy()]

    for error, message in ((1e-3, r"differ by 1\.0e-03"), (float("nan"), "differ by nan")):
        monkeypatch.setattr(onnx_export, "_session", lambda _, error=error: Session(error))
        with pytest.raises(ValueError, match=message):
            onnx_export.export_onnx(small, out)
        assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
        assert out.read_bytes() == b"older"
    monkeypatch.setattr(onnx_export, "_session", lambda _: Session(1e-6))
    assert onnx_export.export_onnx(small, out) < 1e-5
    assert out.read_bytes() == b"content"


def test_the_exporters_own_errors_are_one_line(
    small: EmbeddingModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise RuntimeError("no such operator\nand much more")

    monkeypatch.setattr(onnx_export, "_exported", fails)
    with pytest.raises(ValueError, match=r"cannot write this model as ONNX: no such operator$"):
        onnx_export.export_onnx(small, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["default", "{there}"], "there.onnx exists; use --force to overwrite"),
        (["default", "{folder}/model.pt"], "must be the name of a file that ends in .onnx"),
        (["default", "{new}", "--kind", "all"], "--kind must be one of scene, timestamps, both"),
        (["default", "{new}", "--seconds", "0"], "--seconds must be a length of audio, got 0"),
        (["nothing", "{new}"], "no checkpoint 'nothing'"),
        (["default", "{new}", "--scene", "conv9"], "unknown stage 'conv9'"),
        (["default", "{new}", "--sample-rate", "10"], "sample rate must be a whole number"),
        (["default", "{new}", "--level", "9"], "--level must lie within 0"),
    ],
)
def test_wrong_calls(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "there.onnx").write_bytes(b"older")
    places = {"there": tmp_path / "there.onnx", "new": tmp_path / "new.onnx", "folder": tmp_path}
    filled = [argument.format(**places) for argument in arguments]
    with pytest.raises(WrongCall, match=message):
        app(["export-onnx", *filled], standalone_mode=False)
    assert (tmp_path / "there.onnx").read_bytes() == b"older"


def test_a_missing_library_is_named(
    small: EmbeddingModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "hear-brainsoundnet\[onnx\]"'):
        onnx_export.export_onnx(small, tmp_path / "model.onnx")
    with pytest.raises(WrongCall, match=r"onnxscript is needed to write ONNX files"):
        app(["export-onnx", "default", str(tmp_path / "a.onnx")], standalone_mode=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kind": "all"}, "one of scene, timestamps, both"), ({"n_samples": 0}, "one sample or more")],
)
def test_impossible_requests(
    small: EmbeddingModel, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        onnx_export.export_onnx(small, tmp_path / "model.onnx", **options)

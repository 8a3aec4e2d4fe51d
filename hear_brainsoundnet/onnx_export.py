"""Export of a model to ONNX, for use without PyTorch.

The file takes ``audio`` ``(n_sounds, n_samples)`` at the model's rate and returns ``scene``,
``timestamps`` and ``timestamps_ms``, as the functions of this package do: level normalisation,
resampling and scaling are included. It is written only if onnxruntime matches PyTorch.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.files import write_atomically

KINDS = ("scene", "timestamps", "both")
SAME = 1e-5  # of the range of the output
OPSET = 18
DYNAMIC_SECONDS = (1.0, 0.3, 2.7)  # test lengths for a dynamic file


class OnnxOutputs(nn.Module):
    """The outputs of an ONNX file, as a module."""

    def __init__(self, model: EmbeddingModel, kind: str) -> None:
        super().__init__()
        self.model = model
        self.kind = kind
        self.names = {
            "scene": ("scene",),
            "timestamps": ("timestamps", "timestamps_ms"),
            "both": ("scene", "timestamps", "timestamps_ms"),
        }[kind]

    def forward(self, audio: Tensor) -> tuple[Tensor, ...]:
        found = self.model.embed_tensor(
            audio, scene=self.kind != "timestamps", timestamps=self.kind != "scene"
        )
        return tuple(getattr(found, name) for name in self.names)


def export_onnx(
    model: EmbeddingModel,
    path: str | os.PathLike[str],
    *,
    kind: str = "scene",
    n_samples: int | None = None,
) -> float:
    """Write a model as an ONNX file, verified with onnxruntime.

    Parameters
    ----------
    model : EmbeddingModel
        On the CPU, in float32.
    path : path-like
        File to write.
    kind : str
        {"scene", "timestamps", "both"}: which outputs.
    n_samples : int, optional
        Fixed length of the input, one clip at a time; by default length and batch size are dynamic.

    Returns
    -------
    float
        Largest difference between onnxruntime and PyTorch, as a share of the range of the output.

    Raises
    ------
    ModuleNotFoundError
        If a library is missing.
    ValueError
        For an unknown kind or an impossible length; if the exporter fails, or results differ by
        more than 1e-5 of their range. Nothing is written.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if n_samples is not None and n_samples < 1:
        raise ValueError(f"the length must be one sample or more, got {n_samples}")
    _need_libraries()
    outputs = OnnxOutputs(model, kind)
    if n_samples is None:
        lengths = [round(seconds * model.sample_rate) for seconds in DYNAMIC_SECONDS]
        trials = [_noise(2, lengths[0]), *(_noise(1, length) for length in (*lengths[1:], 1))]
    else:
        trials = [_noise(1, n_samples)]
    try:
        content = _described(_exported(outputs, trials[0], dynamic=n_samples is None), model)
    except RuntimeError as error:  # the exporter's own classes have moved between versions
        raise ValueError(
            f"torch {torch.__version__} cannot write this model as ONNX: "
            f"{str(error).splitlines()[0][:200] if str(error) else type(error).__name__}"
        ) from error
    difference = _largest_difference(content, outputs, trials)
    if not difference <= SAME:
        raise ValueError(
            f"onnxruntime and PyTorch differ by {difference:.1e} of the range, at most {SAME:g} is "
            "accepted; nothing was written"
        )
    write_atomically(Path(path), content)
    return difference


def _need_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{error.name} is needed to write ONNX files: pip install "hear-brainsoundnet[onnx]"',
            name=error.name,
        ) from error


def _noise(n_sounds: int, n_samples: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(n_sounds, n_samples, generator=generator)


def _exported(outputs: OnnxOutputs, audio: Tensor, *, dynamic: bool) -> bytes:
    """Export to the bytes of an ONNX file."""
    shapes = None
    if dynamic:
        shapes = {"audio": {0: torch.export.Dim("n_sounds"), 1: torch.export.Dim("n_samples")}}
    with _quiet(), torch.no_grad(), _any_length():
        program = torch.onnx.export(
            outputs,
            (audio,),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=["audio"],
            output_names=list(outputs.names),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextlib.contextmanager
def _any_length() -> Iterator[None]:
    """Export without guards on lengths: a single frame is not specialised."""
    from torch.fx.experimental import _config

    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's output and warnings."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def _described(content: bytes, model: EmbeddingModel) -> bytes:
    """The same file with the model's provenance in its metadata."""
    import onnx

    proto = onnx.load_from_string(content)
    known = {
        "checkpoint": model.card.name,
        "checkpoint_hash": model.checkpoint_hash,
        "licence": model.card.licence,
        "sample_rate": str(model.sample_rate),
        "scene": model.scene,
        "timestamps": model.timestamps,
        "level": json.dumps(model.level),
    }
    onnx.helper.set_model_props(proto, known)
    described: bytes = proto.SerializeToString()
    return described


def _largest_difference(content: bytes, outputs: OnnxOutputs, trials: list[Tensor]) -> float:
    """Largest difference of onnxruntime from PyTorch, relative to each output's range; NaN if any
    is."""
    session = _session(content)
    largest = 0.0
    for audio in trials:
        with torch.no_grad():
            expected = outputs(audio)
        found = session.run(None, {"audio": audio.numpy()})
        for mine, other in zip(map(torch.from_numpy, found), expected, strict=True):
            if mine.shape != other.shape or not bool(mine.isfinite().all()):
                return float("nan")
            if other.numel():
                extent = float(other.abs().max()) or 1.0
                largest = max(largest, float((mine - other).abs().max()) / extent)
    return largest


def _session(content: bytes) -> Any:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(content)
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

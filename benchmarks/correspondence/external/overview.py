"""Table of the paper's networks, and look-up by name."""

from __future__ import annotations

from pathlib import Path

from benchmarks.correspondence.external.adapter import ExternalModel, ExternalStages
from benchmarks.correspondence.external.cochdnn import COCHCNN9, COCHRESNET50
from benchmarks.correspondence.external.dcase2020 import DCASE2020
from benchmarks.correspondence.external.deepspeech2 import DEEPSPEECH2
from benchmarks.correspondence.external.speechbrain_networks import METRICGAN, SEPFORMER
from benchmarks.correspondence.external.transformer_networks import AST, S2T, WAV2VEC2
from benchmarks.correspondence.external.vggish import VGGISH
from benchmarks.correspondence.external.vq_vae import VQ_VAE

OVERVIEW: tuple[ExternalModel, ...] = (
    AST,
    WAV2VEC2,
    S2T,
    SEPFORMER,
    DEEPSPEECH2,
    DCASE2020,
    VGGISH,
    VQ_VAE,
    METRICGAN,
    *COCHCNN9,
    *COCHRESNET50,
)


def external_model(name: str) -> ExternalModel:
    """A row of the overview.

    Raises
    ------
    ValueError
        If there is none of this name; the message lists the names.

    Examples
    --------
    >>> len(external_model("SepFormer").stages)
    33
    """
    rows = {row.name: row for row in OVERVIEW}
    if name not in rows:
        raise ValueError(f"unknown model {name!r}; the overview has {', '.join(rows)}")
    return rows[name]


def load_external(name: str, weights: Path | str | None = None, *, seed: int = 0) -> ExternalStages:
    """A network of the overview; see :meth:`ExternalModel.load`."""
    return external_model(name).load(weights, seed=seed)


def overview_rows() -> list[dict[str, str | int]]:
    """The overview as a table for a results page.

    Returns
    -------
    list of dict
        One row per network: description, stages, input and weights, and whether it can run here.
        Trained weights are always provided by the user.
    """
    return [
        {
            "model": row.name,
            "trained for": row.task,
            "library": row.library,
            "stages": len(row.stages),
            "rate (Hz)": row.sample_rate,
            "input": row.normalisation,
            "weights": row.weights,
            "stages as read": row.remarks,
            "status": row.missing() or "runs; random weights unless given",
        }
        for row in OVERVIEW
    ]

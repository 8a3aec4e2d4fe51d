"""Table of the paper's networks, by name."""

from __future__ import annotations

from benchmarks.correspondence.external.adapter import ExternalModel
from benchmarks.correspondence.external.cochdnn import COCHCNN9, COCHRESNET50
from benchmarks.correspondence.external.dcase2020 import DCASE2020
from benchmarks.correspondence.external.deepspeech2 import DEEPSPEECH2
from benchmarks.correspondence.external.speechbrain_networks import METRICGAN, SEPFORMER
from benchmarks.correspondence.external.transformer_networks import AST, S2T, WAV2VEC2
from benchmarks.correspondence.external.vggish import VGGISH
from benchmarks.correspondence.external.vq_vae import VQ_VAE

NETWORKS: dict[str, ExternalModel] = {
    row.name: row
    for row in (
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
}


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
        for row in NETWORKS.values()
    ]

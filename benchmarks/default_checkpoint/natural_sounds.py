"""Prediction of responses to 165 natural sounds by networks without fine-tuning."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from benchmarks.correspondence.splits import random_splits
from benchmarks.default_checkpoint.components import (
    PRESET,
    STAGES,
    TOGETHER,
    NaturalSounds,
    natural_sounds,
    squared_correlations,
    stage_summaries,
)
from benchmarks.default_checkpoint.tasks import BASELINES
from benchmarks.hear import logmel
from hear_brainsoundnet.checkpoint import load_checkpoint
from training.data.stimuli import DEFAULT_SAMPLE_RATE

OWN_RATE = "log-mel mean and std, 44.1 kHz"
Scores = dict[str, NDArray[np.float64]]  # by stage or preset, (n_splits, n_components)


def measure_natural_sounds(
    checkpoints: Mapping[str, str], data: Path, work: Path
) -> dict[str, Any]:
    """Checkpoints, by display name, and baselines on the same splits; the page's document."""
    sounds = natural_sounds(data, work)
    found = {
        name: scored({PRESET: scene_embeddings_of(module, sounds.audio)}, sounds)
        for name, module in BASELINES.items()
    }
    found[OWN_RATE] = scored({PRESET: log_mel_at_own_rate(sounds)}, sounds)
    hashes = {}
    for name, path in checkpoints.items():
        checkpoint = load_checkpoint(path)
        hashes[name] = checkpoint.hash
        soundnet, scale = checkpoint.build_soundnet(heads=False), checkpoint.card.input_scale
        found[name] = scored(stage_summaries(soundnet, sounds.audio, scale), sounds)
    return {
        "title": "Responses to 165 natural sounds",
        "seeds": {"splits": list(range(len(random_splits(len(sounds.audio)))))},
        "rows": stage_rows(found),
        "tables": [
            {
                "title": "By component, from the scene embedding of the default preset",
                "rows": component_rows(found, sounds.components),
            }
        ],
        "settings": {"checkpoints": hashes},
        "notes": [
            "Squared correlation on 82 sounds that the read-out did not see; median over splits, "
            "mean over six components. Ridge on mean and standard deviation over time of a "
            "stage's units (equal variance), learned from the other 83. None of these networks was "
            "fitted to the responses.",
            "Splits share sounds: their spread is no standard error.",
            "Log-mel, modulation spectrum and acoustic description: their scene embeddings in "
            "place of the preset's; log-mel at the networks' 22.05 kHz, and at the sounds' own "
            "rate.",
            "All receive the sounds at the level of the default preset.",
        ],
        "details": {
            "scores": {
                name: {stage: table.tolist() for stage, table in scores.items()}
                for name, scores in found.items()
            }
        },
    }


def stage_rows(found: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """A row for each model: its estimate for every stage and the default preset."""
    columns = (*STAGES, TOGETHER, PRESET)
    return [
        {"model": name, **{s: estimate(scores[s]) if s in scores else "" for s in columns}}
        for name, scores in found.items()
    ]


def component_rows(found: Mapping[str, Scores], components: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each model: every component, from the scene embedding of the default preset."""
    rows = []
    for name, scores in found.items():
        table = scores[PRESET]
        row: dict[str, Any] = {"model": name, "r²": estimate(table)}
        row |= {each: float(np.median(table[:, i])) for i, each in enumerate(components)}
        means = table.mean(axis=1)
        row["± over splits"] = float(means.std(ddof=1)) if len(means) > 1 else None
        rows.append(row)
    return rows


def scored(tables: Mapping[str, NDArray[Any]], sounds: NaturalSounds) -> Scores:
    """Squared correlations of every split and component, by stage."""
    splits = random_splits(len(sounds.audio))
    return {
        stage: np.stack([squared_correlations(table, sounds.responses, each) for each in splits])
        for stage, table in tables.items()
    }


def scene_embeddings_of(module: str, audio: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Scene embeddings by a baseline with the HEAR API of sounds of equal length, ``(n_sounds,
    size)``."""
    baseline = importlib.import_module(module)
    model = baseline.load_model(sample_rate=DEFAULT_SAMPLE_RATE)
    scene: torch.Tensor = baseline.get_scene_embeddings(torch.from_numpy(np.stack(audio)), model)
    return scene.double().numpy()


def log_mel_at_own_rate(sounds: NaturalSounds) -> NDArray[np.float64]:
    """Log-mel mean and deviation of the levelled sounds as recorded, ``(n_sounds, size)``.

    The networks receive half of that bandwidth.
    """
    rows = []
    for run in sounds.prepared.runs:
        audio, rate = soundfile.read(sounds.levelled / f"{run.stimulus}.wav", dtype="float32")
        model = logmel.load_model(sample_rate=rate)
        rows.append(logmel.get_scene_embeddings(torch.from_numpy(audio)[None], model)[0])
    return torch.stack(rows).double().numpy()


def estimate(table: NDArray[np.float64]) -> float:
    """Median over splits, mean over components, of ``(n_splits, n_components)``."""
    return float(np.median(table, axis=0).mean())

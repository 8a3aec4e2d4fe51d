"""Tuning of each parcel, and the noise-free responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulation.features import RATE
from training.simulation.parcels import Parcels
from training.simulation.settings import (
    NOISE_ONLY,
    SHARED_KINDS,
    SOUNDNET_KINDS,
    VANISHED,
    SimulationSettings,
)
from training.simulation.signals import (
    HaemodynamicResponse,
    convolve_fine,
    filter_trs,
    unit_variance,
)

Features = Mapping[str, NDArray[np.float64]]  # of one run, by kind: (n_frames, n_channels)

FEW_CHANNELS = 16  # among more channels, those with little variance are not used


@dataclass(frozen=True)
class Parcel:
    """Tuning of one parcel of one subject.

    Attributes
    ----------
    target_id, name : int, str
        Parcel id and name.
    kind : str
        One of the kinds, "deaf" (responds to nothing), or "vanished".
    subject_specific : bool
        Whether its mix is drawn separately for every subject.
    channels, weights : array
        The features it responds to and their weights, ``(n_mixed,)``; empty for "deaf" ones.
    response : HaemodynamicResponse
        Its haemodynamic response.
    explainable_variance : float
        Fraction of its variance explained by the stimulus; 0 for "deaf" ones.
    rho : float
        Autocorrelation of its noise at a lag of one TR.
    """

    target_id: int
    name: str
    kind: str
    subject_specific: bool
    channels: NDArray[np.int64]
    weights: NDArray[np.float64]
    response: HaemodynamicResponse
    explainable_variance: float
    rho: float


def draw_brains(
    parcels: Parcels,
    present: NDArray[np.bool_],
    runs: Sequence[Features],
    subjects: Sequence[str],
    settings: SimulationSettings,
    seed: np.random.SeedSequence,
) -> dict[str, list[Parcel]]:
    """The parcels of every subject, in the order of their ids.

    The parcels nearest to the superior temporal lobes respond; their tuning is random.

    Parameters
    ----------
    parcels : Parcels
        The atlas.
    present : array of bool
        Labels that have voxels, ``(n_targets,)``.
    runs : sequence of Features
        By run; features with little variance are not used.

    Raises
    ------
    ValueError
        If the features of a kind are constant over the stimuli.
    """
    common, *own = seed.spawn(1 + len(subjects))
    generator = np.random.default_rng(common)
    distance = np.where(present, parcels.from_auditory_cortex(), np.inf)
    nearest = np.argsort(distance, kind="stable")[: settings.n_responsive]
    kinds = [kind for kind, n in settings.kinds.items() for _ in range(n)]
    kind_of = {int(i): kind for i, kind in zip(generator.permutation(nearest), kinds, strict=True)}
    mixable = [i for i in kind_of if kind_of[i] not in SHARED_KINDS]
    n_specific = min(round(settings.subject_specific * len(kind_of)), len(mixable))
    specific = set(generator.permutation(mixable)[:n_specific].tolist()) if mixable else set()
    scales = {kind: _channel_scale(kind, runs) for kind in settings.kinds if kind in kinds}
    if settings.n_units:
        for kind, scale in scales.items():
            if kind in SOUNDNET_KINDS:
                others = generator.permutation(np.flatnonzero(scale))[settings.n_units :]
                scale[others] = 0
    shared = {
        i: _draw_mix(scales[kind], settings.n_mixed, generator) for i, kind in kind_of.items()
    }
    brains = {}
    for subject, sequence in zip(subjects, own, strict=True):
        generator = np.random.default_rng(sequence)
        brains[subject] = [
            _draw_parcel(
                int(parcels.ids[i]),
                parcels.names[i],
                kind_of.get(i, NOISE_ONLY if present[i] else VANISHED),
                _draw_mix(scales[kind_of[i]], settings.n_mixed, generator)
                if i in specific
                else shared.get(i),
                i in specific,
                settings,
                generator,
            )
            for i in range(len(parcels.ids))
        ]
    return brains


def respond(
    brain: Sequence[Parcel], features: Features, n_trs: int, tr: float, n_delays: int
) -> NDArray[np.float64]:
    """The noise-free responses of one run, ``(n_trs, n_targets)``; 0 for "deaf" parcels."""
    responses = np.zeros((n_trs, len(brain)))
    for column, parcel in enumerate(brain):
        if not len(parcel.channels):
            continue
        drive = features[parcel.kind][:, parcel.channels] @ parcel.weights
        if parcel.kind in SOUNDNET_KINDS:
            responses[:, column] = filter_trs(drive, parcel.response, n_delays, tr)
        else:
            responses[:, column] = convolve_fine(drive, RATE, parcel.response, n_trs, tr)
    return responses


def scale_over_runs(runs: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Mean 0 and standard deviation 1 over all runs together: a read-out has one gain, too."""
    stops = np.cumsum([len(run) for run in runs])[:-1]
    return np.split(unit_variance(np.concatenate(runs)), stops)


def _channel_scale(kind: str, runs: Sequence[Features]) -> NDArray[np.float64]:
    """Standard deviation per channel, 0 for unused channels."""
    deviation = np.concatenate([features[kind] for features in runs]).std(axis=0)
    if not (deviation > 0).any():
        raise ValueError(
            f"the features of kind {kind} are constant over the stimuli; give other recordings, "
            "or another checkpoint as the hidden network"
        )
    if len(deviation) > FEW_CHANNELS:
        alive = deviation[deviation > 0]
        deviation = np.where(deviation >= np.median(alive), deviation, 0)
    return deviation


def _draw_mix(
    scale: NDArray[np.float64], n_mixed: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Random channels with non-negative weights."""
    usable = np.flatnonzero(scale)
    channels = np.sort(generator.choice(usable, min(n_mixed, len(usable)), replace=False))
    return channels, generator.uniform(0.5, 1.5, len(channels)) / scale[channels]


def _draw_parcel(
    target_id: int,
    name: str,
    kind: str,
    mix: tuple[NDArray[np.int64], NDArray[np.float64]] | None,
    subject_specific: bool,
    settings: SimulationSettings,
    generator: np.random.Generator,
) -> Parcel:
    channels, weights = mix or (np.zeros(0, np.int64), np.zeros(0))
    response = HaemodynamicResponse(
        generator.uniform(*settings.hrf_peak), generator.uniform(*settings.hrf_dispersion)
    )
    explainable = generator.uniform(*settings.explainable_variance)
    rho = np.clip(settings.autocorrelation + 0.1 * generator.standard_normal(), -0.9, 0.9)
    return Parcel(
        target_id,
        name,
        kind,
        subject_specific,
        channels,
        weights,
        response,
        explainable if len(channels) else 0.0,
        float(rho),
    )

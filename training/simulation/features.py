"""Features that parcels respond to, computed from the audio of a run.

The features of envelope, spectrum and modulation are frames of 40 ms; those of a SoundNet are on
the TR grid, interpolated as in :class:`hear_brainsoundnet.encoder.BrainEncoder`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.fitting.untrained import SAMPLE_RATE
from training.simulation.settings import SimulationSettings
from training.sound_features import fluctuations, log_mel, rms

if TYPE_CHECKING:
    from hear_brainsoundnet.checkpoint import Checkpoint
    from hear_brainsoundnet.soundnet import SoundNet

HOP = 882  # samples of a fine frame
RATE = SAMPLE_RATE / HOP  # fine frames per second: 25
STEPS = 9  # the envelope's steps per fine frame: 225 per second carry modulation up to 32 Hz
N_MELS = 12
MODULATION_BANDS = ((2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 32.0))  # Hz
FLOOR = 1e-7  # power of silence
LONGEST_SEGMENT = 2**21  # samples per pass of the network


def envelope(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """RMS of every fine frame, ``(n_frames, 1)``."""
    return _levels(audio, HOP)[:, None]


def spectral(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log energy in mel bands from 50 Hz to 10 kHz above the floor, ``(n_frames, N_MELS)``."""
    centres = (np.arange(len(audio) // HOP) + 0.5) * HOP
    return log_mel(
        audio,
        SAMPLE_RATE,
        centres,
        n_window=HOP,
        n_bands=N_MELS,
        band=(50.0, 10_000.0),
        reference=FLOOR * HOP**2,
    )


def modulation(audio: NDArray[np.float64]) -> NDArray[np.float64]:
    """RMS of the envelope's fluctuations in octave bands, ``(n_frames, 4)``."""
    levels = _levels(audio, HOP // STEPS)[: len(audio) // HOP * STEPS]
    return fluctuations(levels, RATE * STEPS, MODULATION_BANDS, STEPS)


def _levels(audio: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    starts = np.arange(len(audio) // hop) * hop
    return rms(audio, starts, starts + hop)


def soundnet_units(
    soundnet: SoundNet, stage: str, audio: NDArray[np.float64], n_trs: int, tr: float
) -> NDArray[np.float64]:
    """Units of a stage at the onsets of the TRs, ``(n_trs, n_channels)``.

    Parameters
    ----------
    soundnet : SoundNet
        In evaluation mode, at a rate of 22,050 Hz.
    stage : str
        A stage of it.
    audio : array
        Shape ``(n_samples,)``, at the network's input scale.
    """
    import torch

    from hear_brainsoundnet.geometry import frames_at, stage_geometry
    from hear_brainsoundnet.streaming import stream_frames

    geometry = stage_geometry(soundnet.layers)[stage]
    sound = torch.from_numpy(audio.astype(np.float32))[None]
    with torch.no_grad():
        pieces = stream_frames(
            soundnet,
            [geometry],
            len(audio),
            lambda start, stop: sound[:, start:stop],
            LONGEST_SEGMENT,
        )
        frames = torch.cat([found[stage].values[0].T for found in pieces])
    onsets = torch.arange(n_trs, dtype=torch.float64) * tr * SAMPLE_RATE
    return np.asarray(frames_at(frames, geometry, onsets), dtype=np.float64)


class FeatureExtractor:
    """Extractor of the feature kinds of a simulation.

    Parameters
    ----------
    settings : SimulationSettings
        Feature kinds, and the hidden network.
    other_seed : int
        Seed of the other network's weights.

    Attributes
    ----------
    hidden_hash : str
        Hash of the hidden checkpoint; empty if none is used.

    Raises
    ------
    FileNotFoundError
        If there is no such hidden checkpoint.
    ValueError
        If the hidden network has another sample rate, or lacks the stage.
    """

    def __init__(self, settings: SimulationSettings, other_seed: int) -> None:
        self.kinds = [kind for kind, n in settings.kinds.items() if n]
        self.stage = settings.stage
        self.networks: dict[str, tuple[SoundNet, float]] = {}
        self.hidden_hash = ""
        if "soundnet" in self.kinds:
            checkpoint = _hidden_checkpoint(settings.hidden)
            self.hidden_hash = checkpoint.hash
            self.networks["soundnet"] = checkpoint.build_soundnet(), checkpoint.card.input_scale
        if "other_soundnet" in self.kinds:
            from training.fitting.untrained import untrained_soundnet

            self.networks["other_soundnet"] = untrained_soundnet(other_seed), 1.0
        for network, _ in self.networks.values():
            if self.stage not in network.stage_names:
                raise ValueError(
                    f"stage {self.stage!r} is none of the hidden network's: "
                    f"{', '.join(network.stage_names)}"
                )

    def features(
        self, audio: NDArray[np.float64], n_trs: int, tr: float
    ) -> dict[str, NDArray[np.float64]]:
        """By kind: ``(n_frames, n_channels)``, or ``(n_trs, n_channels)`` for a SoundNet."""
        features: dict[str, NDArray[np.float64]] = {}
        for kind in self.kinds:
            if kind in self.networks:
                network, scale = self.networks[kind]
                features[kind] = soundnet_units(network, self.stage, audio * scale, n_trs, tr)
            else:
                features[kind] = FINE_KINDS[kind](audio)
        return features


FINE_KINDS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "envelope": envelope,
    "spectral": spectral,
    "modulation": modulation,
}


def _hidden_checkpoint(name: str) -> Checkpoint:
    """A checkpoint with the stimuli's sample rate."""
    from hear_brainsoundnet.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(name)
    if checkpoint.card.sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"checkpoint {name!r} is for {checkpoint.card.sample_rate} Hz, expected {SAMPLE_RATE} "
            "Hz: the rate of the stimuli; give another hidden checkpoint"
        )
    return checkpoint

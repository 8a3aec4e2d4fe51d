"""The 165 natural sounds with their response components, and prediction of held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from benchmarks.correspondence.ridge import compact_units, fit_ridge
from benchmarks.correspondence.splits import Split
from benchmarks.encoding.natsound165 import prepare_sounds
from benchmarks.hear.tasks.natsound165_categories import FOLDER
from hear_brainsoundnet.features import PRESETS, Term, parse_scene, pooled
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.level import brought_to
from hear_brainsoundnet.soundnet import SoundNet
from training.data.prepared import INT16_SCALE, Prepared

STAGES = ("conv4", "conv5", "pool5", "conv6", "conv7")
TOGETHER = "all of these"
PRESET = "default preset"
SOUNDS_AT_ONCE = 15
QUIETEST = 0.1  # minimal scale of a unit, relative to the root mean square of all


@dataclass(frozen=True)
class NaturalSounds:
    """Sounds at the network's rate and the default preset's level, and responses, in one order.

    Attributes
    ----------
    prepared : Prepared
        The dataset used by fits.
    audio : list of ndarray
        ``(n_samples,)`` within [-1, 1], one for each run of `prepared`.
    responses : ndarray
        ``(n_sounds, n_components)``.
    components : tuple of str
        Their names.
    levelled : Path
        Folder of the sounds at their own sample rate.
    """

    prepared: Prepared
    audio: list[NDArray[np.float32]]
    responses: NDArray[np.float64]
    components: tuple[str, ...]
    levelled: Path


def natural_sounds(data: Path, work: Path) -> NaturalSounds:
    """Prepare them in ``work/prepared``, or read the existing dataset."""
    levelled = work / "levelled"
    levelled.mkdir(parents=True, exist_ok=True)
    for path in sorted((data / FOLDER / "sounds").glob("*.wav")):
        audio, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = torch.from_numpy(audio.mean(axis=1))[None]
        same = brought_to(PRESETS["default"].level, mono, sample_rate)[0].numpy()
        soundfile.write(levelled / path.name, same, sample_rate, "FLOAT")
    prepared = prepare_sounds(data / FOLDER, work / "prepared", levelled)
    scale = np.float32(INT16_SCALE)
    return NaturalSounds(
        prepared,
        [prepared.audio(run.stimulus).astype(np.float32) / scale for run in prepared.runs],
        np.concatenate([prepared.bold(run) for run in prepared.runs]).astype(np.float64),
        tuple(prepared.info.target_names),
        levelled,
    )


@torch.no_grad()
def stage_summaries(
    soundnet: SoundNet, audio: Sequence[NDArray[np.float32]], input_scale: float
) -> dict[str, NDArray[np.float64]]:
    """Mean and standard deviation over time of every stage, of all stages, and the default scene.

    Parameters
    ----------
    soundnet : SoundNet
        In inference mode.
    audio : sequence of ndarray
        Sounds of equal length in [-1, 1].
    input_scale : float
        From the checkpoint's card.

    Returns
    -------
    dict of str to ndarray
        ``(n_sounds, 2 * n_units)`` each, as the scene embedding ``"conv4:mean,std"``; under
        ``PRESET`` the scene embedding of the default preset.
    """
    terms: dict[str, tuple[Term, ...]] = {name: (Term(name, ("mean", "std")),) for name in STAGES}
    terms[TOGETHER] = tuple(term for own in terms.values() for term in own)
    terms[PRESET] = parse_scene(PRESETS["default"].scene, stage_geometry(soundnet.layers))
    stages = dict.fromkeys(term.stage for own in terms.values() for term in own)
    batches: dict[str, list[torch.Tensor]] = {name: [] for name in terms}
    for first in range(0, len(audio), SOUNDS_AT_ONCE):
        sounds = torch.from_numpy(np.stack(audio[first : first + SOUNDS_AT_ONCE]))
        frames = soundnet(sounds * input_scale, stages)
        for name, own in terms.items():
            batches[name].append(torch.cat([pooled(frames[t.stage], None, t) for t in own], dim=1))
    return {name: torch.cat(tables).numpy() for name, tables in batches.items()}


def unit_scales(units: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard deviation of each unit over sounds, at least a tenth of that of all together.

    Nearly silent units would otherwise be scaled up, and the few sounds they respond to dominate.
    """
    deviation = np.asarray(units, np.float64).std(axis=0)
    deviation = np.maximum(deviation, QUIETEST * np.sqrt(np.mean(np.square(deviation))))
    return np.where(deviation > 0, deviation, 1.0)


def squared_correlations(
    units: NDArray[np.floating], responses: NDArray[np.floating], split: Split
) -> NDArray[np.float64]:
    """Squared correlation of predicted and measured responses to the test sounds, by component.

    Ridge regression as in :mod:`benchmarks.correspondence.ridge`, on units scaled to equal variance
    over the training sounds (:func:`unit_scales`). The penalty of each component is selected
    without test sounds.

    Parameters
    ----------
    units : ndarray
        ``(n_sounds, n_units)``.
    responses : ndarray
        ``(n_sounds, n_components)``.
    split : Split
        Training and test sounds.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((20, 3))
    >>> split = Split(np.arange(12), np.arange(12, 20))
    >>> squared_correlations(x, x[:, :1] * 2 + 1, split).round(4).tolist()
    [1.0]
    """
    standard = np.asarray(units, np.float64) / unit_scales(units[split.train])
    fit = fit_ridge(compact_units(standard), responses, split)
    measured = responses[split.test]
    return np.array(
        [
            np.corrcoef(predicted, wanted)[0, 1] ** 2 if predicted.std() > 0 else 0.0
            for predicted, wanted in zip(fit.predicted.T, measured.T, strict=True)
        ]
    )

"""Simulation of a complete experiment."""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import contents, one_job_per_folder
from training.data.prepared import INT16_SCALE
from training.fitting.untrained import SAMPLE_RATE
from training.progress import bar
from training.simulation import truth
from training.simulation.brain import Parcel, draw_brains, respond, scale_over_runs
from training.simulation.features import FeatureExtractor
from training.simulation.layouts import FmriprepLayout, H5Layout
from training.simulation.parcels import (
    ATLAS_FILE,
    LABEL_FILE,
    made_up_parcels,
    read_parcels,
    write_parcels,
)
from training.simulation.settings import SimulationSettings
from training.simulation.signals import autoregressive
from training.simulation.stimuli import films, find_recordings, schedule

logger = logging.getLogger(__name__)

LAYOUTS: dict[str, type[H5Layout] | type[FmriprepLayout]] = {
    "h5": H5Layout,
    "fmriprep": FmriprepLayout,
}
UNFINISHED = ".unfinished-simulation"
RECIPE = "prepare.yaml"
FOLDERS = ("stimuli", "fmri", "derivatives", truth.FOLDER)
FILES = (ATLAS_FILE, LABEL_FILE, RECIPE)
OTHER_SEED = 100_003  # added to the seed for the weights of the other hidden network
DEFAULTS = SimulationSettings()


@one_job_per_folder()
def simulate(
    out: Path,
    audio: Path,
    settings: SimulationSettings = DEFAULTS,
    *,
    progress: bool = True,
) -> None:
    """Write a simulated experiment with known ground truth.

    The folder `out` gets the stimuli, ``atlas.nii.gz`` with ``atlas.csv``, the fMRI files of the
    chosen layout, ``prepare.yaml`` (a recipe for ``python -m training prepare``) and ``truth/``
    (:func:`training.simulation.read_truth`). An interrupted simulation starts from scratch.

    Parameters
    ----------
    out : Path
        Output folder, empty or new.
    audio : Path
        Folder of recordings for the stimuli.
    settings : SimulationSettings
        Everything else; equal settings give equal arrays.
    progress : bool
        Whether to show progress bars on standard error.

    Raises
    ------
    FileNotFoundError
        If the atlas, its table or the hidden checkpoint does not exist.
    ValueError
        If `audio` has too few recordings, `out` is not empty, or a setting does not suit them.
    """
    out = Path(out).resolve()
    _refuse_full(out)
    tr, n_subjects, n_runs = settings.tr, settings.n_subjects, settings.n_runs
    halves = schedule(n_runs)
    recordings = find_recordings(Path(audio))
    for_films, for_atlas, for_brains, for_noise, for_files = np.random.SeedSequence(
        settings.seed
    ).spawn(5)
    if settings.atlas is None:
        parcels = made_up_parcels(settings.n_parcels, for_atlas)
    else:
        parcels = read_parcels(settings.atlas, settings.label_table)
    extractor = FeatureExtractor(settings, OTHER_SEED + settings.seed)
    layout = LAYOUTS[settings.layout](out, parcels, tr, settings)
    n_present = int(layout.present.sum())
    if settings.n_responsive >= n_present:
        raise ValueError(
            f"kinds asks for {settings.n_responsive} responsive parcels of {n_present}; some must "
            "respond to nothing: request fewer or use a finer atlas"
        )
    _start(out)
    write_parcels(out, parcels)

    n_trs = int(settings.run_minutes * 60 / tr)
    features, clips = [], []
    made = films(recordings, halves, settings.run_minutes * 60, for_films)
    for half, sound, played in bar(made, desc="stimuli", total=n_runs, unit="run", shown=progress):
        _write_wav(layout.stimulus_file(half), sound)
        features.append(extractor.features(sound / INT16_SCALE, n_trs, tr))
        clips += [asdict(clip) for clip in played]

    subjects = [f"sub-{i + 1:02}" for i in range(n_subjects)]
    brains = draw_brains(parcels, layout.present, features, subjects, settings, for_brains)
    rows, mixes = [], []
    noise_seeds, file_seeds = for_noise.spawn(n_subjects), for_files.spawn(n_subjects)
    for i, subject in enumerate(bar(subjects, unit="subject", shown=progress)):
        brain = brains[subject]
        signals = [respond(brain, run, n_trs, tr, settings.n_delays) for run in features]
        signals = scale_over_runs(signals)
        best, measured = _measure(brain, signals, noise_seeds[i])
        layout.write_subject(subject, dict(zip(halves, measured, strict=True)), file_seeds[i])
        runs = [half.run for half in halves]
        truth.write_responses(out, subject, brain, dict(zip(runs, best, strict=True)))
        rows += truth.table_rows(subject, brain, *truth.best_scores(best, measured))
        mixes += truth.mix_rows(subject, brain)

    truth.write_table(out, truth.TABLE, rows)
    truth.write_table(out, truth.MIXES, mixes)
    truth.write_table(out, truth.CLIPS, clips)
    recipe = {
        "name": re.sub(r"\W+", "-", out.name).strip("-_") or "simulated",
        "out": str(out / "prepared"),
        "source": layout.source(),
    }
    (out / RECIPE).write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    document = {
        "n_trs": n_trs,
        "audio": str(audio),
        "n_recordings": len(recordings),
        "target_ids": parcels.ids.tolist(),
        "vanished": parcels.ids[~layout.present].tolist(),
        "hidden_hash": extractor.hidden_hash,
        "settings": settings.model_dump(mode="json"),
        "versions": {name: version(name) for name in ("numpy", "scipy", "torch", "nilearn")},
    }
    _finish(out, document)


def _refuse_full(out: Path) -> None:
    """Reject a folder that is neither empty nor left by an unfinished simulation."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, expected a folder to write; choose another name")
    if out.exists() and contents(out) and not (out / UNFINISHED).exists():
        raise ValueError(
            f"{out} is not empty; choose another folder for the simulation, or remove it first"
        )


def _start(out: Path) -> None:
    """An empty folder with a marker that is removed at the end; leftovers are deleted."""
    mark = out / UNFINISHED
    if mark.exists():
        logger.warning("%s holds an unfinished simulation; starting from scratch", out)
        for name in FOLDERS:
            shutil.rmtree(out / name, ignore_errors=True)
        for name in FILES:
            (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    mark.touch()
    (out / truth.FOLDER).mkdir()


def _finish(out: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2) + "\n"
    (out / truth.FOLDER / truth.DOCUMENT).write_text(text, encoding="utf-8")
    (out / UNFINISHED).unlink()


def _write_wav(path: Path, audio: NDArray[np.int16]) -> None:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, audio, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    write_atomically(path, buffer.getvalue())


def _measure(
    brain: Sequence[Parcel], signals: Sequence[NDArray[np.float64]], seed: np.random.SeedSequence
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Best predictions and measured responses of every run, ``(n_trs, n_targets)`` each."""
    generator = np.random.default_rng(seed)
    share = np.array([parcel.explainable_variance for parcel in brain])
    rho = np.array([parcel.rho for parcel in brain])
    best, measured = [], []
    for signal in signals:
        noise = autoregressive(len(signal), rho, generator)
        driven = np.sqrt(share) * signal
        prediction, scored = truth.z_score_like(driven, driven + np.sqrt(1 - share) * noise)
        best.append(prediction)
        measured.append(scored)
    return best, measured

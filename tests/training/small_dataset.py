"""Prepared datasets that tests write by hand, with a brain whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import torch

from hear_brainsoundnet.checkpoint import load_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from training.data.dataset_info import DatasetInfo, write_info
from training.data.prepared import Run
from training.data.prepared_files import files_of
from training.data.prepared_tables import RUN_ATTRIBUTES

RATE = 22_050


def changing_sound(duration: float, seed: int) -> np.ndarray:
    """Tones and noises that change every half a second, int16."""
    generator = np.random.default_rng(seed)
    n = int(duration * RATE)
    time = np.arange(n) / RATE
    sound = np.zeros(n)
    for first in range(0, n, RATE // 2):
        piece = slice(first, first + RATE // 2)
        level = 10 ** generator.uniform(-2, 0)
        if generator.random() < 0.5:
            sound[piece] = level * np.sin(
                2 * np.pi * 100 * 2 ** generator.uniform(0, 6) * time[piece]
            )
        else:
            sound[piece] = level * 0.3 * generator.standard_normal(len(sound[piece]))
    return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)


def write_prepared(
    folder: Path,
    sounds: dict[str, np.ndarray],
    tables: dict[Run, np.ndarray],
    tr: float,
    target_names: tuple[str, ...] = (),
) -> Path:
    """A prepared dataset from sounds (int16) and tables ``(n_trs, n_targets)``."""
    (folder / "audio").mkdir(parents=True)
    (folder / "bold").mkdir()
    for stimulus, sound in sounds.items():
        np.save(folder / "audio" / f"{stimulus}.npy", sound)
    n_targets = next(iter(tables.values())).shape[1]
    for run, table in tables.items():
        with h5py.File(folder / "bold" / f"{run.subject}.h5", "a", track_order=True) as file:
            dataset = file.create_dataset(run.name, data=table.astype(np.float32))
            for key in RUN_ATTRIBUTES:
                dataset.attrs[key] = getattr(run, key)
    info = DatasetInfo(
        name=folder.name,
        kind="time_series" if tr else "sound_responses",
        tr=tr,
        sample_rate=RATE,
        atlas="made up",
        target_ids=tuple(range(1, n_targets + 1)),
        target_names=target_names or tuple(f"parcel_{i}" for i in range(1, n_targets + 1)),
        files=files_of(folder),
    )
    (folder / "dataset.json").write_text(write_info(info), encoding="utf-8")
    return folder


def change_dataset(folder: Path, **changes: object) -> None:
    """Change the description of a dataset, and take its files as they are now."""
    document = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    info = DatasetInfo.model_validate(document | changes | {"files": files_of(folder)})
    (folder / "dataset.json").write_text(write_info(info), encoding="utf-8")


def without_checksums(folder: Path) -> Path:
    """The dataset as earlier versions wrote it."""
    path = folder / "dataset.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for key in ("files", "checksum", "out_of_step"):
        document.pop(key, None)
    path.write_text(json.dumps(document), encoding="utf-8")
    return folder


def known_brain(
    folder: Path,
    *,
    subjects: tuple[str, ...] = ("sub-01",),
    n_runs: int = 4,
    n_trs: int = 50,
    tr: float = 1.49,
    n_targets: int = 4,
    noise: float = 0.0,
    seed: int = 0,
) -> Path:
    """Responses that are a random read-out of the untrained network's conv7, but for the last."""
    generator = np.random.default_rng(seed)
    checkpoint = load_checkpoint("untrained")
    sounds, tables = {}, {}
    for subject in subjects:
        read_out = ReadOut("conv7", 3, tr, "interpolate", tuple(range(n_targets)), (subject,))
        encoder = BrainEncoder(checkpoint.build_soundnet(), read_out).eval()
        mixing = generator.standard_normal(encoder.heads[subject].weight.shape)
        encoder.heads[subject].weight.data = torch.from_numpy(mixing).float()
        for number in range(n_runs):
            stimulus = f"s0{1 + number // 3}e0{1 + number % 3}a"
            if stimulus not in sounds:
                sounds[stimulus] = changing_sound(n_trs * tr, seed=100 * seed + number)
            run = Run(
                subject, f"ses-001_task-{stimulus}", stimulus, "001", stimulus[:6], stimulus[:3],
                0.0, tr, n_trs,
            )  # fmt: skip
            audio = torch.from_numpy(sounds[stimulus] / np.float32(32768))[None]
            with torch.no_grad():
                response = encoder(audio, n_trs)[0].double().numpy()
            response = (response - response.mean(0)) / response.std(0)
            response[:, -1] = 0
            response += max(noise, 1e-6) * generator.standard_normal(response.shape)
            response[:, -1] += generator.standard_normal(n_trs)
            tables[run] = (response - response.mean(0)) / response.std(0)
    return write_prepared(folder, sounds, tables, tr)

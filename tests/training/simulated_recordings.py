"""What simulations of the tests are made from: recordings, and a small atlas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile


def write_recordings(folder: Path) -> Path:
    """Twelve recordings of tones and noises at several rates."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    for i in range(12):
        rate = (8_000, 22_050, 44_100)[i % 3]
        time = np.arange(round((2 + 0.5 * i) * rate)) / rate
        tone = np.sin(2 * np.pi * 150 * (i + 1) * time) * (1 + np.sin(2 * np.pi * (i + 1) * time))
        sound = 0.1 * tone + 0.02 * i * generator.standard_normal(len(time))
        soundfile.write(folder / f"recording-{i:02}.wav", np.clip(sound, -1, 1), rate)
    return folder


def write_atlas(folder: Path, ids: tuple[int, ...] = (3, 7, 20)) -> Path:
    """Blocks in an empty image; the last one is a single voxel of 1 mm."""
    import nibabel

    values = np.zeros((120, 40, 40), np.int16)
    values[10:40, :30], values[60:90, :30], values[100, 20, 20] = ids
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = (-60, -40, -10)
    nibabel.save(nibabel.Nifti1Image(values, affine), folder / "blocks.nii.gz")
    rows = [f"{i};block {i}" for i in ids]
    (folder / "blocks.csv").write_text("\n".join(["roi;label", *rows]) + "\n")
    return folder / "blocks.nii.gz"

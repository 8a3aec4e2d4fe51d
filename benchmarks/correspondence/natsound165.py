"""The 165 natural sounds of Norman-Haignere, Kanwisher & McDermott 2015.

The published file holds six response components (``R``, one value per sound) and the weight of each
in every voxel (``W``): ``R @ W`` reconstructs 11,065 voxels of ten subjects. It is a single
noiseless table, so no noise correction is possible, and it does not assign voxels to subjects, so
all are summarised as one participant.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.correspondence.data import SoundResponses, sound_files
from training.sources.response_table import ResponseKeys, ResponseTable, read_responses

GROUP = "group"
TABLE = "components.mat"


def components(folder: Path) -> SoundResponses:
    """Six components; each is a region and, for equal weighting, a separate participant.

    Parameters
    ----------
    folder : Path
        ``components.mat`` and a folder ``sounds``.
    """
    table = _read(folder, None)
    return _responses("natsound165 components", folder, table, table.targets, table.targets)


def voxels(folder: Path) -> SoundResponses:
    """The rank-6 reconstruction of all voxels."""
    table = _read(folder, "W")
    n_voxels = len(table.targets)
    return _responses(
        "natsound165 voxels, rank 6", folder, table, (GROUP,) * n_voxels, ("",) * n_voxels
    )


def _read(folder: Path, weights: str | None) -> ResponseTable:
    return read_responses(
        folder / TABLE, ResponseKeys("R", "stim_names", "component_names", weights)
    )


def _responses(
    name: str,
    folder: Path,
    table: ResponseTable,
    participants: tuple[str, ...],
    regions: tuple[str, ...],
) -> SoundResponses:
    return SoundResponses(
        name=name,
        sounds=table.names,
        responses=table.responses[None],
        participants=participants,
        regions=regions,
        read=sound_files(folder / "sounds", table.names, TABLE),
    )

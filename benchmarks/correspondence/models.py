"""Models by name, for the command line."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from benchmarks.correspondence.baselines.cochleagram import Cochleagram
from benchmarks.correspondence.baselines.log_mel import LogMel, ModulationSpectrum
from benchmarks.correspondence.baselines.spectrotemporal import SpectroTemporal
from benchmarks.correspondence.soundnet_stages import SoundNetStages, permuted_checkpoint
from benchmarks.correspondence.stages import StagedModel
from hear_brainsoundnet import load_checkpoint

SOUNDNET, PERMUTED = "soundnet", "permuted"
BASELINES: dict[str, Callable[[], StagedModel]] = {
    "cochleagram": Cochleagram,
    "spectrotemporal": SpectroTemporal,
    "log-mel": LogMel,
    "modulation-spectrum": ModulationSpectrum,
}
PERMUTATION_SEED = 0


def build_model(name: str, checkpoint: str = "") -> StagedModel:
    """A model by its name.

    Parameters
    ----------
    name : str
        "soundnet" or "permuted" (a checkpoint of this project and the same with permuted weights),
        one of :data:`BASELINES`, a network of :mod:`benchmarks.correspondence.external` by its name
        in the overview, or the import name of any module with the HEAR API.
    checkpoint : str
        Weights by path or by a name known to the model; "" for its default.

    Raises
    ------
    ValueError
        If there is no such model, or a baseline is given weights.

    Examples
    --------
    >>> build_model("log-mel").stages
    ('mean and std',)
    """
    if name in BASELINES:
        if checkpoint:
            raise ValueError(f"{name} has no weights, got {checkpoint!r}; leave --checkpoint out")
        return BASELINES[name]()
    if name == SOUNDNET:
        return SoundNetStages(load_checkpoint(checkpoint))
    if name == PERMUTED:
        whole = load_checkpoint(checkpoint)
        permuted = permuted_checkpoint(whole, PERMUTATION_SEED)
        return SoundNetStages(permuted, f"{whole.card.name}, weights permuted")
    from benchmarks.correspondence.external.overview import OVERVIEW

    external = {row.name: row for row in OVERVIEW}
    if name in external:
        return external[name].load(checkpoint or None)
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        known = ", ".join([SOUNDNET, PERMUTED, *BASELINES, *external])
        raise ValueError(
            f"no model {name!r}: there are {known}, and any installed module with the HEAR API"
        )
    from benchmarks.correspondence.hear_stages import HearStages

    return HearStages(name, checkpoint)

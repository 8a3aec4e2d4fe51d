"""What a row of the overview knows of a network, and the model that comes of it."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.correspondence.hooks import HookedModule, Tap

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A network that is built, and where its stages are read.

    Attributes
    ----------
    module : nn.Module
        In its published shape.
    taps : mapping of str to Tap
        By the name of the stage, from sound to output.
    prepare : callable
        From audio ``(n_sounds, n_samples)`` to the module's input.
    batch_size : int
        Sounds in one forward pass.
    """

    module: nn.Module
    taps: Mapping[str, Tap]
    prepare: Callable[[Tensor], Any]
    batch_size: int = 1


class ExternalStages(HookedModule):
    """Stages of a network of the overview; a `StagedModel`.

    Attributes
    ----------
    trained : bool
        Whether its weights came from a file; random otherwise.
    n_units : mapping of str to int
        Units of each stage, as the overview declares them.
    """

    def __init__(self, row: ExternalModel, network: Network, *, trained: bool) -> None:
        super().__init__(
            network.module,
            network.taps,
            sample_rate=row.sample_rate,
            name=row.name if trained else f"{row.name} (random weights)",
            prepare=network.prepare,
            batch_size=network.batch_size,
            version=f"{row.name}: {row.normalisation}",
        )
        self.trained = trained
        self.n_units = row.n_units

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """Activations averaged over time, of the declared sizes.

        Raises
        ------
        ValueError
            If a stage has another number of units than the overview declares, as happens with the
            weights of a smaller or larger model of the same family.
        """
        activations = super().activations(audio)
        for stage, n_units in self.n_units.items():
            if activations[stage].shape[1] != n_units:
                raise ValueError(
                    f"{self.name}, stage {stage}: expected {n_units} units, got "
                    f"{activations[stage].shape[1]}; give the weights of the model that the "
                    "overview names"
                )
        return activations


@dataclass(frozen=True)
class ExternalModel:
    """A row of the overview.

    Attributes
    ----------
    name : str
        As in the paper's figures.
    task : str
        What it was trained to do.
    library : str
        What carries the network; "this project" where it is written here from its description.
    sample_rate : int
        Of its input, in Hz.
    normalisation : str
        What is done with the level of the sound or of its spectrogram.
    n_units : mapping of str to int
        By stage, from sound to output: how many units it has after averaging over time.
    weights : str
        Which published weights, and the form in which `load` takes them.
    remarks : str
        How the stages are read, and what is not certain.
    build : callable
        Makes the network with weights from a path, or with random ones.
    package : str, optional
        What has to be installed for it to run.
    """

    name: str
    task: str
    library: str
    sample_rate: int
    normalisation: str
    n_units: Mapping[str, int]
    weights: str
    remarks: str
    build: Callable[[Path | None], Network]
    package: str | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """From sound to output."""
        return tuple(self.n_units)

    def missing(self) -> str:
        """What has to be installed before it runs; empty if nothing."""
        if self.package is None or importlib.util.find_spec(self.package) is not None:
            return ""
        return f"{self.name} needs {self.package}: pip install {self.package}"

    def load(self, weights: Path | str | None = None, *, seed: int = 0) -> ExternalStages:
        """Build the network.

        Parameters
        ----------
        weights : path, optional
            File or folder, in the form that the row describes. Not given, the weights are random,
            which is said once in the log.
        seed : int
            Of the random weights.

        Raises
        ------
        ValueError
            If its library is not installed, or the weights are not those of this network.
        FileNotFoundError
            If there is nothing at `weights`.
        """
        if reason := self.missing():
            raise ValueError(reason)
        path = None if weights is None else Path(weights)
        if path is not None and not path.exists():
            raise FileNotFoundError(
                f"no weights of {self.name} at {path}; expected {self.weights}, which is not "
                "downloaded here: fetch it first"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self.build(path)
        if path is None:
            logger.warning(
                "%s runs with random weights (seed %d), in its true shape; for trained ones give "
                "%s",
                self.name,
                seed,
                self.weights,
            )
        return ExternalStages(self, network, trained=path is not None)

"""Rows of the overview of networks, and the models built from them."""

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
    """A built network, and its stages.

    Attributes
    ----------
    module : nn.Module
        In its published architecture.
    taps : mapping of str to Tap
        By the name of the stage, from input to output.
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
            If a stage has another number of units than declared in the overview, as with the
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
        Training task.
    library : str
        Library that provides the network; "this project" if it is implemented here.
    sample_rate : int
        Of its input, in Hz.
    normalisation : str
        Normalisation of the level of the sound or of its spectrogram.
    n_units : mapping of str to int
        Number of units by stage, from input to output, after averaging over time.
    weights : str
        The published weights, and their format for `load`.
    remarks : str
        Reading of the stages, and uncertainties.
    build : callable
        Builds the network with weights from a path, or with random ones.
    package : str, optional
        Package required to run it.
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
        """From input to output."""
        return tuple(self.n_units)

    def missing(self) -> str:
        """Requirement that is not installed; empty if nothing is missing."""
        if self.package is None or importlib.util.find_spec(self.package) is not None:
            return ""
        return f"{self.name} needs {self.package}: pip install {self.package}"

    def load(self, weights: Path | str | None = None, *, seed: int = 0) -> ExternalStages:
        """Build the network.

        Parameters
        ----------
        weights : path, optional
            File or folder, in the format described in the row. By default the weights are random,
            with one log message.
        seed : int
            Seed of the random weights.

        Raises
        ------
        ValueError
            If its library is not installed, or the weights are not those of this network.
        FileNotFoundError
            If `weights` does not exist.
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

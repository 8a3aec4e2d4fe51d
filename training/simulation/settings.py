"""Settings of a simulated experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from training.config import Settings

Kind = Literal["envelope", "spectral", "modulation", "soundnet", "other_soundnet"]
KINDS: tuple[Kind, ...] = ("envelope", "spectral", "modulation", "soundnet", "other_soundnet")
SOUNDNET_KINDS = frozenset({"soundnet", "other_soundnet"})
SHARED_KINDS = frozenset({"envelope"})  # a single channel: no mix
NOISE_ONLY = "deaf"  # in files: a parcel that responds to nothing
VANISHED = "vanished"  # a label of the atlas without a voxel on the grid of the images

Range = tuple[float, float]


class SimulationSettings(Settings):
    """Settings of a simulated experiment.

    Attributes
    ----------
    n_subjects, n_runs : int
        Number of subjects; runs of each. All subjects have the same stimuli.
    tr : float
        Repetition time in seconds.
    seed : int
        Seed of all random draws.
    layout : str
        {"h5", "fmriprep"}: denoised parcels, or images with confounds as fMRIPrep writes them.
    atlas : Path or None
        Image of labels in MNI space; None for a synthetic atlas.
    label_table : Path or None
        Names of its labels: columns ``roi`` and ``label``.
    run_minutes : float
        Length of every run in minutes.
    n_parcels : int
        Parcels of the synthetic atlas; ignored if an atlas is given.
    voxel_mm : int
        Edge of the voxels of the images in mm.
    kinds : dict
        Number of parcels by feature kind; all others respond to nothing. "envelope" is the level,
        "spectral" the log energy in mel bands, "modulation" the energy of amplitude modulation in
        octave bands, "soundnet" units of the hidden network, "other_soundnet" units of another one.
    subject_specific : float
        Fraction of the responsive parcels whose mix of features is drawn separately for every
        subject; the others have the same mix in all subjects. "envelope" is a single feature and
        always shared.
    n_mixed : int
        Number of features in the mix of a parcel.
    n_units : int
        Number of a network's units shared by the parcels of a SoundNet kind, so that their
        responses are low-dimensional; 0 for all units.
    explainable_variance : (float, float)
        Range of the fraction of a parcel's variance explained by the stimulus.
    hrf_peak, hrf_dispersion : (float, float)
        Ranges of the haemodynamic response's delay to peak in seconds and of its dispersion.
    n_delays : int
        Number of TRs that a parcel of the SoundNet kinds depends on, its own included.
    autocorrelation : float
        Mean autocorrelation of the noise at a lag of one TR.
    hidden : str
        Name or path of the checkpoint of the hidden network.
    stage : str
        The stage whose units drive the SoundNet kinds.
    drift, motion, physiology : float
        Standard deviations of slow drift, motion and white-matter and CSF signals relative to that
        of the clean signal; in the fMRIPrep layout only.
    """

    n_subjects: Annotated[int, Field(ge=1)] = 2
    n_runs: Annotated[int, Field(ge=2)] = 6
    tr: Annotated[float, Field(ge=0.2, le=10)] = 1.49
    seed: Annotated[int, Field(ge=0)] = 0
    layout: Literal["h5", "fmriprep"] = "h5"
    atlas: Path | None = None
    label_table: Path | None = None
    run_minutes: Annotated[float, Field(gt=0.5, le=120)] = 10.0
    n_parcels: Annotated[int, Field(ge=2, le=1000)] = 60
    voxel_mm: Annotated[int, Field(ge=2, le=12)] = 8
    kinds: dict[Kind, Annotated[int, Field(ge=0)]] = Field(
        default={
            "envelope": 2,
            "spectral": 2,
            "modulation": 2,
            "soundnet": 4,
            "other_soundnet": 2,
        }
    )
    subject_specific: Annotated[float, Field(ge=0, le=1)] = 0.5
    n_mixed: Annotated[int, Field(ge=1, le=64)] = 4
    n_units: Annotated[int, Field(ge=0)] = 0
    explainable_variance: Range = (0.3, 0.6)
    hrf_peak: Range = (4.5, 6.5)
    hrf_dispersion: Range = (0.8, 1.2)
    n_delays: Annotated[int, Field(ge=2, le=20)] = 6
    autocorrelation: Annotated[float, Field(ge=0, le=0.8)] = 0.4
    hidden: str = "untrained"
    stage: str = "conv7"
    drift: Annotated[float, Field(ge=0)] = 1.0
    motion: Annotated[float, Field(ge=0)] = 1.0
    physiology: Annotated[float, Field(ge=0)] = 0.5

    @field_validator("explainable_variance", "hrf_peak", "hrf_dispersion")
    @classmethod
    def _ascending(cls, value: Range) -> Range:
        if not 0 < value[0] <= value[1]:
            raise ValueError("expected two ascending positive numbers")
        return value

    @model_validator(mode="after")
    def _possible(self) -> SimulationSettings:
        if self.explainable_variance[1] >= 1:
            raise ValueError(
                f"explainable_variance reaches {self.explainable_variance[1]}; it is a share of "
                "the variance, expected below 1"
            )
        if self.n_responsive == 0:
            raise ValueError("kinds names no responsive parcel; give at least one")
        if self.label_table is not None and self.atlas is None:
            raise ValueError("label_table names the labels of atlas, which is not given")
        return self

    @property
    def n_responsive(self) -> int:
        """Number of parcels that respond to sound."""
        return sum(self.kinds.values())

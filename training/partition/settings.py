"""Settings of a partition, and their description."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, field_validator

from training.config import Settings
from training.fitting.ridge import N_FOLDS
from training.partition.banded_ridge import N_MIXTURES, STRENGTHS
from training.partition.spaces import (
    FRAMES_PER_SECOND,
    N_BANDS,
    N_CHANNELS,
    RATES_HZ,
    SPACES,
    WINDOW_S,
    Space,
)

DESCRIPTIONS = {
    "envelope": f"the sound's envelope (RMS of {1000 // FRAMES_PER_SECOND} ms frames)",
    "spectrogram": f"its log-mel spectrogram ({N_BANDS} bands)",
    "modulation": f"its modulation spectrum ({N_CHANNELS} channels: two-dimensional Fourier "
    f"transforms of the log-mel spectrogram in windows of {WINDOW_S:g} s, rates of "
    f"{RATES_HZ[0][0]} to {RATES_HZ[-1][1]} Hz)",
}


class PartitionSettings(Settings):
    """Settings of a partition.

    Attributes
    ----------
    models : tuple of str
        Models of the evaluation; empty for all.
    spaces : tuple of str
        Some of {"envelope", "spectrogram", "modulation"}.
    n_delays : int or None
        K: number of TRs that predictions depend on, their own included; None: as in the model's
        read-out. Sound responses have no delays.
    n_components : int
        A wider space is reduced to this many principal components.
    n_mixtures : int
        Number of random weights of spaces to try, besides all subsets.
    seed : int
        Seed of the random weights.
    """

    models: tuple[str, ...] = ()
    spaces: Annotated[tuple[Space, ...], Field(min_length=1)] = SPACES
    n_delays: Annotated[int, Field(ge=1)] | None = None
    n_components: Annotated[int, Field(ge=1)] = 200
    n_mixtures: Annotated[int, Field(ge=0)] = N_MIXTURES
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("spaces")
    @classmethod
    def _each_once(cls, spaces: tuple[Space, ...]) -> tuple[Space, ...]:
        if len(set(spaces)) < len(spaces):
            raise ValueError(f"a space is given twice: {', '.join(spaces)}")
        return spaces

    def recorded(self) -> dict[str, JsonValue]:
        """Settings for provenance."""
        return {
            "n_delays": self.n_delays or "as the model's read-out",
            "n_components": self.n_components,
            "n_mixtures": self.n_mixtures,
            "smallest_strength": float(STRENGTHS[0]),
            "largest_strength": float(STRENGTHS[-1]),
            "n_strengths": len(STRENGTHS),
            "n_folds": N_FOLDS,
        }

    def methods(self, *, kind: str, pooling: str) -> str:
        """Methods paragraph.

        Parameters
        ----------
        kind : str
            {"time_series", "sound_responses"}.
        pooling : str
            {"mean", "fisher_z", "concatenated"}.

        Examples
        --------
        >>> settings = PartitionSettings(spaces=["envelope"])
        >>> settings.methods(kind="sound_responses", pooling="mean")[62:135]
        "together with the sound's envelope (RMS of 10 ms frames), averaged over e"
        """
        delays = f"{self.n_delays} TRs" if self.n_delays else "the TRs of the model's read-out"
        pooled = "over all rows together" if pooling == "concatenated" else "averaged over runs"
        rows = f"averaged over each TR and delayed within runs (finite impulse response, {delays})"
        if kind == "sound_responses":
            rows, pooled = "averaged over each sound", "over all sounds together"
        named = ", ".join(DESCRIPTIONS[space] for space in self.spaces)
        return (
            f"Responses were predicted from what the model's read-out reads together with {named}, "
            f"{rows}. Channels were standardised with statistics of the training runs; spaces of "
            f"more than {self.n_components} channels were reduced to as many principal components "
            "of these runs. Banded ridge regressions were fitted to the training runs "
            "of the model's split, with a regularisation for each space and target: every subset "
            f"of the spaces and {self.n_mixtures} random mixtures of them, each with "
            f"{len(STRENGTHS)} strengths, were tried in cross-validation over up to {N_FOLDS} "
            "folds of training episodes. The unique R² of a space is the R² of all spaces minus "
            "the R² of all others, fitted separately, on runs that no regression and no model was "
            f"fitted to, {pooled}; the shared R² is the R² of all spaces minus all unique parts. "
            "Negative values occur and were kept."
        )

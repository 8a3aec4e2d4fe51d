"""Settings of a partition, and their description."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from training.fitting.ridge import N_FOLDS
from training.partition.banded_ridge import N_MIXTURES, STRENGTHS
from training.partition.low_level import FRAMES_PER_SECOND, N_BANDS, SPACES
from training.partition.modulation import N_CHANNELS, RATES_HZ, WINDOW_S

N_COMPONENTS = 200

DESCRIPTIONS = {
    "envelope": f"the sound's envelope (RMS of {1000 // FRAMES_PER_SECOND} ms frames)",
    "spectrogram": f"its log-mel spectrogram ({N_BANDS} bands)",
    "modulation": f"its modulation spectrum ({N_CHANNELS} channels: two-dimensional Fourier "
    f"transforms of the log-mel spectrogram in windows of {WINDOW_S:g} s, rates of "
    f"{RATES_HZ[0][0]} to {RATES_HZ[-1][1]} Hz)",
}


@dataclass(frozen=True)
class Choices:
    """All settings of a partition other than models and data.

    Attributes
    ----------
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

    Raises
    ------
    ValueError
        If a space is unknown or repeated, or a number is too small.
    """

    spaces: tuple[str, ...] = SPACES
    n_delays: int | None = None
    n_components: int = N_COMPONENTS
    n_mixtures: int = N_MIXTURES
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.spaces:
            raise ValueError(f"expected low-level spaces, some of {', '.join(SPACES)}; got none")
        for space in self.spaces:
            if space not in SPACES:
                raise ValueError(f"no low-level space {space!r}; there are {', '.join(SPACES)}")
        if len(set(self.spaces)) < len(self.spaces):
            raise ValueError(f"a space is given twice: {', '.join(self.spaces)}")
        for name, least in (("n_delays", 1), ("n_components", 1), ("n_mixtures", 0), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"expected {name} of {least} or more, got {value}")

    def options(self) -> list[str]:
        """Non-default settings, as command-line options.

        Examples
        --------
        >>> Choices(("envelope",), n_delays=4).options()
        ['--space', 'envelope', '--delays', '4']
        """
        usual = Choices()
        words = []
        if self.spaces != usual.spaces:
            words += [word for space in self.spaces for word in ("--space", space)]
        for name in ("n_delays", "n_components", "n_mixtures", "seed"):
            if getattr(self, name) != getattr(usual, name):
                words += [f"--{name.removeprefix('n_')}", str(getattr(self, name))]
        return words

    def settings(self) -> dict[str, JsonValue]:
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
        >>> text = Choices(("envelope",)).methods(kind="sound_responses", pooling="mean")
        >>> text[62:135]
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

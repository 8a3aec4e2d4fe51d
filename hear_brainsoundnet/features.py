"""Expressions for embeddings: stages, and poolings over time.

Both kinds of embeddings are given as short expressions:

- scene: ``"conv4+conv7"`` takes the mean over time of each stage;
  ``"conv4:mean,std+conv7:max"`` names the poolings. The embedding is the concatenation in the
  order written. Besides mean, std (population) and max there is change1, change2, ...: the root
  mean square of the difference between frames that are 1, 2, ... frames apart, which measures
  how fast a stage's activations vary. (Several of them sample the structure function, which
  is equivalent to the modulation spectrum.)
- timestamps: ``"conv4"`` or ``"conv4+conv7"``. The frames are those of the stage with the
  smallest hop; slower stages are interpolated linearly to its times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hear_brainsoundnet.geometry import StageGeometry

POOLINGS = ("mean", "std", "max")
_CHANGE = re.compile(r"change([1-9][0-9]{0,2})")


@dataclass(frozen=True)
class Preset:
    """A named pair of expressions, with a target level.

    Attributes
    ----------
    scene, timestamps : str
        See above.
    level : float
        Target of the moving normalisation (:mod:`hear_brainsoundnet.level`); 0 disables it.
    """

    scene: str
    timestamps: str
    level: float


PRESETS = {
    # The published choice (Freteault et al. 2025): conv7 averaged over time, conv4 frames.
    "paper": Preset(scene="conv7", timestamps="conv4", level=0),
    # Chosen on development tasks, not on reported ones: benchmarks/default_checkpoint/results.md.
    # Frames of conv2 are 1.45 ms apart, so that its changes span lags of 1.45 to 93 ms: pitch and
    # roughness. The level is 23 decibels below full scale, that of broadcasts (EBU R 128) and
    # typical of the checkpoint's training data.
    "default": Preset(
        scene="conv2:mean,std,max,change1,change2,change4,change8,change16,change32,change64"
        "+conv3:mean,std,max,change1+conv4:mean,std,max,change1+conv5:mean,std",
        timestamps="conv3+conv4",
        level=0.07,
    ),
}


@dataclass(frozen=True)
class Term:
    """One stage of an expression with its poolings (none for timestamps)."""

    stage: str
    poolings: tuple[str, ...] = ()


def lag_of(pooling: str) -> int:
    """Lag in frames of a change pooling; 0 for the other poolings.

    Examples
    --------
    >>> lag_of("change16"), lag_of("mean")
    (16, 0)
    """
    match = _CHANGE.fullmatch(pooling)
    return int(match[1]) if match else 0


def find_preset(name: str) -> Preset:
    """The preset called `name`.

    Raises
    ------
    ValueError
        If there is no preset of that name.

    Examples
    --------
    >>> find_preset("paper").scene
    'conv7'
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; choose one of {', '.join(map(repr, PRESETS))}")
    return PRESETS[name]


def parse_scene(expression: str, stages: Mapping[str, StageGeometry]) -> tuple[Term, ...]:
    """Parse a scene expression.

    Parameters
    ----------
    expression : str
        ``stage[:pooling[,pooling...]]`` joined by ``+``; poolings are {"mean", "std", "max",
        "change1" to "change999"}, "mean" by default.
    stages : mapping of str to StageGeometry
        The network's stages.

    Raises
    ------
    ValueError
        For an unknown stage or pooling, an empty term, or a stage or pooling named twice.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> parse_scene("conv4:mean,std+conv7", stage_geometry())
    (Term(stage='conv4', poolings=('mean', 'std')), Term(stage='conv7', poolings=('mean',)))
    """
    terms = []
    for text in _split(expression, "+", "scene"):
        stage, colon, poolings_text = text.partition(":")
        poolings = _split(poolings_text, ",", "scene") if colon else ["mean"]
        for pooling in poolings:
            if pooling not in POOLINGS and not lag_of(pooling):
                raise ValueError(
                    f"unknown pooling {pooling!r} in scene={expression!r}; "
                    f"choose from {', '.join(POOLINGS)}, change1 to change999"
                )
        _check_unique(poolings, expression, "scene")
        terms.append(Term(stage.strip(), tuple(poolings)))
    _check_stages([term.stage for term in terms], stages, expression, "scene")
    return tuple(terms)


def parse_timestamps(expression: str, stages: Mapping[str, StageGeometry]) -> tuple[Term, ...]:
    """Parse a timestamps expression: stage names joined by ``+``.

    Raises
    ------
    ValueError
        For an unknown stage, a pooling (frames are not pooled), an empty term, or a stage named
        twice.

    Examples
    --------
    >>> from hear_brainsoundnet.geometry import stage_geometry
    >>> [term.stage for term in parse_timestamps("conv4+conv5", stage_geometry())]
    ['conv4', 'conv5']
    """
    names = _split(expression, "+", "timestamps")
    for name in names:
        if ":" in name:
            raise ValueError(
                f"timestamps={expression!r} names a pooling; frames are not pooled, "
                f"write {name.partition(':')[0]!r}"
            )
    _check_stages(names, stages, expression, "timestamps")
    return tuple(Term(name) for name in names)


def _split(text: str, separator: str, argument: str) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(
            f"{argument} must be a string such as 'conv4+conv7', got {type(text).__name__}"
        )
    parts = [part.strip() for part in text.split(separator)]
    if not all(parts):
        raise ValueError(
            f"{argument}={text!r} has an empty part; write stages joined by '+', "
            f"such as 'conv4+conv7'"
        )
    return parts


def _check_stages(
    names: list[str], stages: Mapping[str, StageGeometry], expression: str, argument: str
) -> None:
    for name in names:
        if name not in stages:
            raise ValueError(
                f"unknown stage {name!r} in {argument}={expression!r}; "
                f"choose from {', '.join(stages)}"
            )
    _check_unique(names, expression, argument)


def _check_unique(names: list[str], expression: str, argument: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{argument}={expression!r} names {', '.join(repeated)} more than once")

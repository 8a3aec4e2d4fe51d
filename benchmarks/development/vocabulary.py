"""Words that synthesisers speak, and by which voices: learned from some, tested on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.corpus import reserved_voices

# None is a word of Speech Commands or a digit.
WORDS = (
    "back", "bread", "call", "chair", "fast", "green", "home", "king",
    "light", "map", "moon", "paper", "sing", "take", "wall", "young",
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """A voice of a synthesiser.

    Attributes
    ----------
    program : str
        {"espeak-ng", "flite"}.
    name : str
        As the program calls it.
    """

    program: Literal["espeak-ng", "flite"]
    name: str


_ESPEAK = (
    "en-us+m1", "en-us+f1", "en-us+m3", "en-us+f3", "en-gb+m2", "en-gb+f2", "en-gb+m7",
    "en-gb-scotland+m4", "en-029+f4", "en-gb-x-rp+m5", "en-gb-x-gbcwmd+m6",
)  # fmt: skip
_TESTED_LANGUAGES = ("en-us", "en-gb")  # in turn

LEARNED = (
    *(Voice("espeak-ng", name) for name in _ESPEAK),
    *(Voice("flite", name) for name in ("awb", "kal16")),
)
TESTED = (
    *(Voice("flite", name) for name in reserved_voices.FLITE),
    *(
        Voice("espeak-ng", f"{_TESTED_LANGUAGES[i % len(_TESTED_LANGUAGES)]}+{variant}")
        for i, variant in enumerate(reserved_voices.ESPEAK_VARIANTS)
    ),
)

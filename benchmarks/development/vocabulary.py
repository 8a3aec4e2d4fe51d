"""Words that synthesisers speak, and by which voices: learned from some, tested on others.

What is learned from comes from one synthesiser, a third of what is tested from another: as with
recordings, voices that are tested differ by more than their pitch. The variants of espeak-ng that
are tested are in no corpus; the voices of flite speak other words there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# None is a word of Speech Commands, a digit, or among the frequent words that corpora have spoken.
WORDS = (
    "crab", "fern", "glove", "grape", "hawk", "knob", "moss", "pearl",
    "plum", "quilt", "shrimp", "soup", "sponge", "thorn", "twig", "yolk",
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
    "en-gb-scotland+m4", "en-029+f4", "en-gb-x-rp+m5", "en-gb-x-gbcwmd+m6", "en-us+m6",
)  # fmt: skip
TESTED_VARIANTS = ("Alicia", "Andrea", "Denis", "victor")  # of espeak-ng
_TESTED_LANGUAGES = ("en-us", "en-gb")  # in turn

LEARNED = tuple(Voice("espeak-ng", name) for name in _ESPEAK)
TESTED = (
    *(Voice("flite", name) for name in ("rms", "slt")),
    *(
        Voice("espeak-ng", f"{_TESTED_LANGUAGES[i % len(_TESTED_LANGUAGES)]}+{variant}")
        for i, variant in enumerate(TESTED_VARIANTS)
    ),
)

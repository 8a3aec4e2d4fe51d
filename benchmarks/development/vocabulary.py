"""Vocabulary and voices of synthesised words: separate voices for training and test.

Training clips come from one synthesiser, a third of the test clips from another: as with
recordings, test voices differ by more than their pitch. The tested variants of espeak-ng are in no
corpus; the voices of flite speak other words there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# None is a word of Speech Commands, a digit, or among the frequent words in the corpora.
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
        Name in the program.
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

"""Synthetic voices that speak no word of a corpus: they are kept for tests of isolated words."""

FLITE = ("rms", "slt")
ESPEAK_VARIANTS = ("f5", "m8", "Gene", "linda")

"""Word list for synthesis: frequent, short, distinguishable, without words of the evaluation sets.

The words come from the smallest list of SCOWL, the most frequent English words. Half of them form
minimal pairs that differ in one phoneme (*cap*, *cup*), the others are drawn at random.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

PACKAGE = "scowl"
LICENCE = "SCOWL"
LISTS = ("usr/share/dict/scowl/english-words.10",)
LETTERS = (3, 9)
MOST_SYLLABLES = 3

# Words of the evaluation sets: digits (Free Spoken Digit Dataset), Speech Commands version 2.
_EVALUATED = """
    zero one two three four five six seven eight nine o oh
    backward bed bird cat dog down follow forward go happy house learn left marvin no off on
    right sheila stop tree up visual wow yes unknown silence
"""
EVALUATED = tuple(_EVALUATED.split())
# Irregular forms of these, and homophones in some accent.
_FORMS = """
    went gone goes going first once second twice third thirteen thirty twelfth twelve twenty
    fifth fifty ninth learnt leave leaves leaving noes ups upped nil none unhappy
    for fore won to too ate know knows write writes rite
"""
_ENDINGS = """
    s es ed d ing ings er ers est r ly ness th teen ty y
"""
_VOWEL = re.compile("[aeiouæɐɑɒɔəɚɛɜɪʊʌᵻ]+")
_STRESS = re.compile("[ˈˌ\\s]")


def read_words(folder: Path) -> list[str]:
    """The words of the package unpacked in `folder`, in order, without inflected forms.

    Raises
    ------
    ValueError
        If a list is missing.
    """
    words: set[str] = set()
    for name in LISTS:
        if not (folder / name).is_file():
            raise ValueError(f"{PACKAGE} holds no {name}; check where its lists are")
        words |= set((folder / name).read_text("latin-1").split())
    kept = {word for word in words if re.fullmatch("[a-z]+", word)}
    return sorted(
        word
        for word in kept
        if LETTERS[0] <= len(word) <= LETTERS[1] and not _is_inflected(word, kept)
    )


def is_evaluated(word: str) -> bool:
    """Whether the evaluation sets contain a word, or a form of it.

    Examples
    --------
    >>> [is_evaluated(word) for word in ("houses", "happier", "stopped", "seventeen", "horse")]
    [True, True, True, True, False]
    """
    return word in _FORMS.split() or any(_is_form(word, base) for base in EVALUATED)


def choose_words(phonemes: Mapping[str, str], n: int, seed: int) -> list[str]:
    """Choose `n` words with distinct pronunciations, half of them in pairs that differ in one
    phoneme.

    Parameters
    ----------
    phonemes : mapping
        From words to espeak-ng's pronunciation in the International Phonetic Alphabet; including
        the evaluation words, so that their homophones are left out.
    n, seed : int

    Returns
    -------
    list of str
        In alphabetical order.

    Raises
    ------
    ValueError
        If there are too few.

    Examples
    --------
    >>> spoken = {"cap": "kˈæp", "cup": "kˈʌp", "for": "fˈoːɹ", "four": "fˈoːɹ", "song": "sˈɔŋ"}
    >>> choose_words(spoken, 3, seed=0)
    ['cap', 'cup', 'song']
    """
    sounds = {word: _STRESS.sub("", spoken) for word, spoken in phonemes.items()}
    taken = {sound for word, sound in sounds.items() if is_evaluated(word)}
    candidates: dict[str, str] = {}  # from pronunciations to the word
    for word in sorted(sounds, key=lambda word: (len(word), word)):
        sound = sounds[word]
        n_syllables = len(_VOWEL.findall(sound.replace("ː", "")))
        if sound not in taken and 1 <= n_syllables <= MOST_SYLLABLES:
            candidates.setdefault(sound, word)
    if len(candidates) < n:
        raise ValueError(f"expected {n} words to choose from, found {len(candidates)}")
    order = np.random.default_rng(seed).permutation(len(candidates)).tolist()
    drawn = [list(candidates)[place] for place in order]
    chosen: dict[str, None] = {}
    near = _neighbours(drawn)
    for sound in drawn:
        if len(chosen) + 2 > n // 2:
            break
        others = [each for each in near[sound] if each not in chosen]
        if sound not in chosen and others:
            chosen |= {sound: None, others[0]: None}
    for sound in drawn:
        if len(chosen) < n:
            chosen[sound] = None
    return sorted(candidates[sound] for sound in chosen)


def _is_form(word: str, base: str) -> bool:
    stems = {base, base + base[-1]}  # doubled consonant, as in stopped
    if base.endswith(("e", "y")):
        stems |= {base[:-1], base[:-1] + "i"}
    return word == base or (
        len(base) > 2
        and any(word == stem + ending for stem in stems for ending in _ENDINGS.split())
    )


def _is_inflected(word: str, words: set[str]) -> bool:
    """Whether it is another word of the list with a regular ending."""
    for ending in ("s", "es", "ed", "d", "ing", "ly", "er", "est"):
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < 3:
            continue
        bases = {stem, stem + "e"}
        if stem[-1] == stem[-2]:
            bases.add(stem[:-1])
        if stem[-1] == "i":
            bases.add(stem[:-1] + "y")
        if bases & words:
            return True
    return False


def _neighbours(sounds: Sequence[str]) -> dict[str, list[str]]:
    """For each pronunciation, those of equal length that differ in one phonetic symbol."""
    by_gap: dict[str, list[str]] = {}
    for each in sounds:
        for place in range(len(each)):
            by_gap.setdefault(f"{each[:place]}_{each[place + 1 :]}", []).append(each)
    near: dict[str, list[str]] = {each: [] for each in sounds}
    for group in by_gap.values():
        for each in group:
            near[each] += [other for other in group if other != each]
    return near

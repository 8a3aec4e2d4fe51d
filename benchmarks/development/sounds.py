"""Sound classification, tested on other packages than those used in training.

``kind``: the kind of a recording in the package catalogue (speech, music, effects, ...). ``event``:
the event in a short recording, by words in its file name. File names are noisy labels, and files of
one name differ between packages; that lowers all scores alike.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.development.excerpts import (
    SEED,
    Excerpt,
    clip_of,
    draw_balanced,
    folds_of_groups,
    named_recordings,
    scene_task,
)
from benchmarks.hear.tasks.task_writer import fold_names, make_scene_task
from training.corpus.corpus import Corpus

N_FOLDS = 4
N_PACKAGES = 3  # minimal number per class
N_FEWEST = 12  # minimal number of clips per class
SHORTEST = 0.4  # seconds
SECONDS = {"kind": 3.0, "event": 2.0}
N_PER_CLASS = {"kind": 64, "event": 48}

# Words in file names. A file belongs to a class if it has words of only that class.
EVENTS: Mapping[str, tuple[str, ...]] = {
    "bird": ("bird", "chicken", "crow", "duck", "eagle", "gull", "owl", "rooster", "seagull"),
    "canine": ("bark", "dog", "growl", "howl", "wolf"),
    "livestock": ("cow", "donkey", "goat", "horse", "pig", "sheep"),
    "explosion": ("bomb", "boom", "expl", "explode", "explosion", "exploxion"),
    "footstep": ("footstep", "footsteps", "step", "steps", "walk"),
    "water": ("bubble", "drip", "ocean", "rain", "river", "sea", "splash", "swim", "water"),
    "metal": ("anvil", "armor", "metal", "steel", "sword"),
    "wood": ("axe", "chop", "lumber", "saw", "tree", "wood", "woodcutting"),
    "bell": ("bell", "bells", "chime", "gong"),
    "door": ("chest", "door", "gate"),
    "bow": ("arrow", "bow", "crossbow", "sling"),
    "scream": ("death", "die", "hurt", "pain", "scream"),
    "wind": ("breeze", "storm", "wind"),
}
EVENT_KINDS = frozenset({"ambience", "animals", "effects", "human"})


def make_kind(corpus: Corpus, tasks_folder: Path) -> Path:
    """Make the task of kinds, unless it exists; returns its folder.

    Raises
    ------
    ValueError
        If fewer than two kinds come from enough packages.
    """
    excerpts = [
        Excerpt(i, name, kind, name.partition("/")[0])
        for i, name, kind in named_recordings(corpus, SHORTEST)
    ]
    return _make(corpus, tasks_folder, "kind", excerpts)


def make_event(corpus: Corpus, tasks_folder: Path) -> Path:
    """Make the task of events, as :func:`make_kind`."""
    return _make(corpus, tasks_folder, "event", list(_events(corpus)))


def event_of(name: str) -> str:
    """The class of a file name; "" if it has words of no class or of several.

    Examples
    --------
    >>> event_of("sounds/dogBark_02.ogg"), event_of("wooden_door.wav"), event_of("wood-door.wav")
    ('canine', 'door', '')
    """
    stem = re.sub(r"([a-z])([A-Z])", r"\1 \2", Path(name).stem).lower()
    words = set(re.findall("[a-z]+", stem))
    found = [label for label, own in EVENTS.items() if words & set(own)]
    return found[0] if len(found) == 1 else ""


def _events(corpus: Corpus) -> Iterator[Excerpt]:
    for i, name, kind in named_recordings(corpus, SHORTEST):
        if kind in EVENT_KINDS and (label := event_of(name)):
            yield Excerpt(i, name, label, name.partition("/")[0])


def _make(corpus: Corpus, tasks_folder: Path, what: str, excerpts: list[Excerpt]) -> Path:
    packages = defaultdict(set)
    for each in excerpts:
        packages[each.label].add(each.group)
    counts = Counter(each.label for each in excerpts)
    frequent = {
        label
        for label, own in packages.items()
        if len(own) >= N_PACKAGES and counts[label] >= N_FEWEST
    }
    if len(frequent) < 2:
        raise ValueError(
            f"{corpus.folder}: expected recordings of several {what}s, {N_FEWEST} or more of each "
            f"from {N_PACKAGES} packages or more, found {len(frequent)} such; build a corpus of "
            "more packages"
        )
    chosen = [each for each in excerpts if each.label in frequent]
    drawn = draw_balanced(chosen, N_PER_CLASS[what], SEED)
    folds = folds_of_groups(drawn, N_FOLDS)
    names = fold_names(N_FOLDS)
    contents = [
        f"{name}: {', '.join(sorted(group for group in folds if folds[group] == number))}"
        for number, name in enumerate(names)
    ]
    task = scene_task(
        what,
        names,
        SECONDS[what],
        f"""
- Source: the corpus {corpus.folder.name}, {len(folds)} packages under free licences that its \
manifest lists.
- Label: the {what} of a sound, as catalogue and file names have it.
- Folds: packages. {"; ".join(contents)}.""",
    )
    return make_scene_task(
        task,
        tasks_folder,
        lambda: [clip_of(corpus, each, names[folds[each.group]], task.seconds) for each in drawn],
    )

"""Music synthesised by fluidsynth: random scores for every instrument of General MIDI.

Each of the 128 programs plays single notes, a melody and chords; in addition there are drums, and
ensembles of a melody, chords, a bass and drums. A score lasts half a minute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.corpus.packages import Package, find_package, unpacked
from training.corpus.programs import run_program, write_once
from training.corpus.source import AudioFile, Source

SOUNDFONT_PACKAGE = "fluid-soundfont-gm"
SOUNDFONT_LICENCE = "MIT"
SEED = 0
DURATION_S = 30.0
N_PROGRAMS = 128
SOLO_STYLES = ("notes", "melody", "chords")
N_DRUMS = 32
N_ENSEMBLES = 96
N_SCORES = len(SOLO_STYLES) * N_PROGRAMS + N_DRUMS + N_ENSEMBLES

_DRUM_CHANNEL = 9
_DRUM_KEYS = (35, 82)  # General MIDI percussion, end excluded
_TICKS_PER_BEAT, _BEATS_PER_SECOND = 480, 2  # MIDI's default tempo
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
    (0, 1, 3, 5, 7, 8, 10),
    tuple(range(12)),
)


@dataclass(frozen=True)
class Note:
    """A note: onset and duration in seconds, MIDI channel from 0, key and velocity from 1 to
    127."""

    start: float
    end: float
    channel: int
    key: int
    velocity: int


@dataclass(frozen=True)
class Score:
    """Notes, the program of each channel, and kind of the result: notes, drums or music."""

    name: str
    kind: str
    programs: tuple[int, ...]
    notes: tuple[Note, ...]


def draw_score(seed: int, i: int) -> Score:
    """Draw score `i` of ``N_SCORES``; it depends only on the seed and `i`.

    Examples
    --------
    >>> draw_score(seed=0, i=5).name, draw_score(seed=0, i=N_SCORES - 1).kind
    ('program005-notes', 'music')
    """
    rng = np.random.default_rng([seed, i])
    n_solos = len(SOLO_STYLES) * N_PROGRAMS
    if i < n_solos:
        style, program = SOLO_STYLES[i // N_PROGRAMS], i % N_PROGRAMS
        draw = {"notes": _single_notes, "melody": _melody, "chords": _chords}[style]
        notes = tuple(draw(rng, 0, _key(rng), _scale(rng)))
        return Score(f"program{program:03}-{style}", "notes", (program,), notes)
    if i < n_solos + N_DRUMS:
        return Score(f"drums{i - n_solos:03}", "drums", (), tuple(_drums(rng)))
    key, scale = _key(rng), _scale(rng)
    parts = (
        *_melody(rng, 0, key + 12, scale),
        *_chords(rng, 1, key, scale),
        *_melody(rng, 2, key - 24, scale),
        *(_drums(rng) if rng.random() < 0.6 else ()),
    )
    programs = (*rng.integers(N_PROGRAMS, size=2).tolist(), int(rng.integers(32, 40)))  # a bass
    return Score(f"ensemble{i - n_solos - N_DRUMS:03}", "music", programs, parts)


def music_source(cache: Path, n_scores: int = N_SCORES, seed: int = SEED) -> Source:
    """Synthesise the scores missing in the cache; a smaller number is spread over all scores.

    Raises
    ------
    OSError
        If fluidsynth is missing, or its soundfont cannot be downloaded.
    """
    version = run_program(["fluidsynth", "--version"]).splitlines()[0].split()[-1]
    package = find_package([SOUNDFONT_PACKAGE])
    soundfont = soundfont_of(package, cache)
    key = hashlib.sha256(repr((version, package, seed)).encode()).hexdigest()[:8]
    folder = cache / "synthesised" / f"fluidsynth-{key}"
    files = []
    for i in np.linspace(0, N_SCORES - 1, n_scores).round().astype(int).tolist():
        score = draw_score(seed, i)
        path = folder / f"{score.name}.wav"
        play(score, soundfont, path)
        files.append(AudioFile(path, path.name, score.kind, SOUNDFONT_LICENCE))
    made_with = {
        "fluidsynth": version,
        "soundfont": f"{package.name} {package.version}",
        "soundfont_sha256": package.sha256,
        "seed": str(seed),
    }
    return Source("fluidsynth", tuple(files), version, made_with=made_with)


def soundfont_of(package: Package, cache: Path) -> Path:
    """The soundfont in its package, downloaded and unpacked unless it is there.

    Raises
    ------
    OSError
        If it cannot be downloaded.
    """
    return next(unpacked(package, cache).rglob("FluidR3_GM.sf2"))


def play(score: Score, soundfont: Path, path: Path, settings: Sequence[str] = ()) -> None:
    """Synthesise a score to a WAV file unless it exists; its MIDI file is written beside it.

    Parameters
    ----------
    score : Score
    soundfont : Path
        The soundfont.
    path : Path
        The WAV file: 16 bits, two channels at 44,100 Hz.
    settings : sequence of str
        Additional options of fluidsynth.

    Raises
    ------
    OSError
        If fluidsynth is missing or fails.
    """
    if path.is_file():
        return
    midi = path.with_suffix(".mid")
    write_midi(score, midi)
    own = ["-r", "44100", "-g", "0.6", "-T", "wav", "-O", "s16", *settings]
    write_once(
        path,
        ["fluidsynth", "-n", "-i", "-q", *own, "-F", "{out}", str(soundfont), str(midi)],
    )


def write_midi(score: Score, path: Path) -> None:
    """Write a score as a MIDI file of one track, at MIDI's default tempo."""
    import mido

    ticks_per_second = _TICKS_PER_BEAT * _BEATS_PER_SECOND
    events = []
    for note in score.notes:
        at = {"channel": note.channel, "note": note.key}
        on = mido.Message("note_on", velocity=note.velocity, **at)
        events.append((round(note.start * ticks_per_second), 1, on))
        # At equal ticks, note-offs come before note-ons, so that a key can be struck again.
        events.append((round(note.end * ticks_per_second), 0, mido.Message("note_off", **at)))
    track = mido.MidiTrack(
        mido.Message("program_change", channel=channel, program=program)
        for channel, program in enumerate(score.programs)
    )
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(ticks_per_beat=_TICKS_PER_BEAT, tracks=[track]).save(path)


def _key(rng: np.random.Generator) -> int:
    """The lowest key of a part."""
    return int(rng.integers(42, 67))


def _scale(rng: np.random.Generator) -> tuple[int, ...]:
    return _SCALES[rng.integers(len(_SCALES))]


def _degree(key: int, scale: tuple[int, ...], degree: int) -> int:
    octave, step = divmod(degree, len(scale))
    return int(np.clip(key + 12 * octave + scale[step], 1, 127))


def _velocity(rng: np.random.Generator) -> int:
    return int(rng.integers(45, 120))


def _single_notes(
    rng: np.random.Generator, channel: int, key: int, scale: tuple[int, ...]
) -> Iterator[Note]:
    """Notes far apart, over three octaves."""
    now = 0.0
    while now < DURATION_S - 3:
        length = float(rng.uniform(0.1, 2.0))
        played = int(np.clip(key + rng.integers(-12, 25), 1, 127))
        yield Note(now, now + length, channel, played, _velocity(rng))
        now += length + float(rng.uniform(0.1, 0.8))


def _melody(
    rng: np.random.Generator, channel: int, key: int, scale: tuple[int, ...]
) -> Iterator[Note]:
    """A random walk over the scale, in multiples of a short note value."""
    beat = float(rng.uniform(0.12, 0.4))
    degree, now = int(rng.integers(8)), 0.0
    while now < DURATION_S - 2:
        length = beat * float(rng.choice([1, 1, 1, 2, 2, 3, 4]))
        if rng.random() > 0.12:  # else a rest
            sounding = length * float(rng.uniform(0.4, 1.0))
            yield Note(now, now + sounding, channel, _degree(key, scale, degree), _velocity(rng))
        degree = int(np.clip(degree + rng.integers(-3, 4), -4, 14))
        now += length


def _chords(
    rng: np.random.Generator, channel: int, key: int, scale: tuple[int, ...]
) -> Iterator[Note]:
    """Three to five tones of the scale at a time, simultaneous or arpeggiated."""
    now, arpeggio = 0.0, float(rng.choice([0.0, 0.0, 0.03, 0.12]))
    while now < DURATION_S - 3:
        length = float(rng.uniform(0.4, 2.5))
        root, velocity = int(rng.integers(7)), _velocity(rng)
        for tone in range(int(rng.integers(3, 6))):
            struck = _degree(key, scale, root + 2 * tone)
            yield Note(now + arpeggio * tone, now + length + 0.4, channel, struck, velocity)
        now += length + 0.45 + float(rng.choice([0.0, 0.3]))


def _drums(rng: np.random.Generator) -> Iterator[Note]:
    """A pattern of sixteen steps for a few drums, repeated with changes."""
    step = float(rng.uniform(0.09, 0.2))
    drums = rng.integers(*_DRUM_KEYS, size=rng.integers(2, 7))
    pattern = rng.random((len(drums), 16)) < rng.uniform(0.1, 0.5, size=(len(drums), 1))
    for n in range(int((DURATION_S - 2) / step)):
        for drum, steps in zip(drums, pattern, strict=True):
            if steps[n % 16] != (rng.random() < 0.05):
                start = n * step
                yield Note(start, start + step * 0.9, _DRUM_CHANNEL, int(drum), _velocity(rng))

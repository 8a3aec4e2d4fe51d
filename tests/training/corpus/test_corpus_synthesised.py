"""Synthesised speech and music: draws by seed, coverage, files."""

from __future__ import annotations

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from training.corpus.debian import debian_sources
from training.corpus.music import (
    DURATION_S,
    N_PROGRAMS,
    N_SCORES,
    SOLO_STYLES,
    draw_score,
    music_source,
    write_midi,
)
from training.corpus.packages import Package
from training.corpus.programs import write_once
from training.corpus.speech import draw_utterance, read_texts, speech_source

PASSAGES = {"de": ["ein Satz mit vielen Wörtern"] * 5, "fr-fr": ["un", "deux", "trois", "quatre"]}


def test_every_instrument_plays_in_every_style() -> None:
    scores = [draw_score(0, i) for i in range(N_SCORES)]
    for style in SOLO_STYLES:
        programs = [each.programs[0] for each in scores if each.name.endswith(style)]
        assert programs == list(range(N_PROGRAMS))
    assert {each.kind for each in scores} == {"notes", "drums", "music"}
    assert len({each.name for each in scores}) == N_SCORES
    for score in scores:
        assert score.notes
        ends = [note.end for note in score.notes]
        assert DURATION_S / 2 < max(ends) < DURATION_S + 2, score.name
        assert all(note.start < note.end for note in score.notes)
        assert all(1 <= note.key <= 127 for note in score.notes), score.name
        if score.kind == "drums":
            assert {note.channel for note in score.notes} == {9}


def test_equal_seeds_draw_equal_scores_and_utterances() -> None:
    for i in (0, 200, 390, N_SCORES - 1):
        assert draw_score(3, i) == draw_score(3, i)
        assert draw_score(3, i) != draw_score(4, i)
    drawn = [draw_utterance(PASSAGES, 0, i) for i in range(40)]
    assert drawn == [draw_utterance(PASSAGES, 0, i) for i in range(40)]
    assert drawn != [draw_utterance(PASSAGES, 1, i) for i in range(40)]


def test_utterances_use_all_languages_and_join_single_words() -> None:
    drawn = [draw_utterance(PASSAGES, 0, i) for i in range(60)]
    languages = {each.voice.split("+")[0] for each in drawn}
    assert languages == {"de", "fr-fr"}
    assert len({each.voice for each in drawn}) > 20
    for each in drawn:
        if each.voice.startswith("fr-fr"):
            assert 8 <= len(each.text.split()) <= 25
            assert set(each.text.split()) <= set(PASSAGES["fr-fr"])
        else:
            assert each.text == PASSAGES["de"][0]


def test_midi_file_has_the_notes_of_the_score(tmp_path: Path) -> None:
    """Read back with mido, at its own reckoning of time."""
    score = draw_score(0, 2 * N_PROGRAMS + 5)
    write_midi(score, tmp_path / "score.mid")
    now, struck, programs = 0.0, [], []
    for message in mido.MidiFile(tmp_path / "score.mid"):
        now += message.time
        if message.type == "note_on":
            struck.append((now, message.channel, message.note, message.velocity))
        elif message.type == "program_change":
            programs.append(message.program)
    wanted = sorted((note.start, note.channel, note.key, note.velocity) for note in score.notes)
    assert programs == list(score.programs)
    assert len(struck) == len(wanted)
    np.testing.assert_allclose(
        [each[0] for each in struck], [each[0] for each in wanted], atol=2e-3
    )
    assert sorted(each[1:] for each in struck) == sorted(each[1:] for each in wanted)


def test_missing_program_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match=r"espeak-ng is missing; install it \(apt-get install"):
        list(debian_sources(tmp_path, ["espeak-ng"]))
    with pytest.raises(OSError, match=r"fluidsynth is missing; install it"):
        music_source(tmp_path)


def test_failed_program_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"sh failed \(broken\)"):
        write_once(tmp_path / "a.wav", ["sh", "-c", "echo broken >&2; touch $0; exit 3", "{out}"])
    assert not list(tmp_path.iterdir())


def test_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("whole")
    write_once(tmp_path / "a.wav", ["false"])
    assert (tmp_path / "a.wav").read_text() == "whole"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_speech_is_synthesised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = (each for each in read_texts() if each.names == ("fortunes-de",))
    sayings = tmp_path / "usr/share/games/fortunes/de"
    sayings.mkdir(parents=True)
    (sayings / "eins").write_text("Guten Morgen, wie geht es Ihnen heute an diesem schönen Tag?\n")
    monkeypatch.setattr("training.corpus.speech.read_texts", lambda: [entry])
    package = Package("fortunes-de", "1", "all", "")
    monkeypatch.setattr("training.corpus.speech.find_package", lambda _: package)
    monkeypatch.setattr("training.corpus.speech.unpacked", lambda *_: tmp_path)
    source = speech_source(tmp_path / "cache", n_recordings=3)
    assert len(source.files) == 3
    assert source.made_with["texts"] == "fortunes-de 1"
    for file in source.files:
        sound, rate = soundfile.read(file.path)
        assert 1 < len(sound) / rate < 12
        assert np.abs(sound).max() > 0.05
        assert file.kind == "speech"
        assert file.licence == "GPL-3+ (voices); GPL-2+ (texts)"

"""No damaged sound file crashes, hangs or fills the memory; each is read or refused in one line."""

import pytest
from sound_mutations import outcomes, sound_files

KINDS = ("wav", "float wav", "adpcm wav", "aiff", "caf", "flac", "vorbis", "opus", "mp3")


@pytest.fixture(scope="module")
def sounds():
    pytest.importorskip("av")
    return sound_files()


@pytest.mark.parametrize("kind", ["wav", "vorbis", "mp3"])
def test_a_few_damaged_sounds(sounds, kind):
    assert set(outcomes(sounds[kind], n=8, seed=0)) <= {"read", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "m4a", "webm", "mkv"])
def test_many_damaged_sounds(sounds, kind):
    counts = outcomes(sounds[kind], n=50, seed=1)
    assert set(counts) <= {"read", "refused"}, counts
    assert counts.total() == 50

import random

import pytest

from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.streaming import segments

STAGES = stage_geometry()


@pytest.mark.parametrize(
    "names", [["conv4"], ["conv7"], ["conv1", "pool5"], ["pool1", "conv3", "conv7"], list(STAGES)]
)
def test_segments_tile_the_frames_and_keep_none_that_reaches_over_a_cut(names):
    stages = [STAGES[name] for name in names]
    shortest = max(stage.shortest_input() for stage in stages)
    generator = random.Random(0)
    for _ in range(60):
        n_samples = generator.randrange(shortest, 3_000_000)
        longest = generator.choice([1, 50_000, 200_000, 2**19, 2**20])
        next_frame = dict.fromkeys(names, 0)
        for segment in segments(n_samples, stages, longest):
            assert 0 <= segment.start < segment.stop <= n_samples
            for stage in stages:
                kept = segment.kept[stage.name]
                assert segment.start % stage.hop == 0
                assert segment.position[stage.name] == next_frame[stage.name]
                n_kept = kept.stop - kept.start
                next_frame[stage.name] += n_kept
                if n_kept == 0:
                    continue
                assert kept.start >= 0
                assert kept.stop <= stage.n_frames(segment.stop - segment.start)
                first, last = next_frame[stage.name] - n_kept, next_frame[stage.name] - 1
                assert first == segment.start // stage.hop + kept.start
                assert segment.start == 0 or stage.field_start(first) >= segment.start
                assert segment.stop == n_samples or stage.field_stop(last) <= segment.stop
        assert next_frame == {stage.name: stage.n_frames(n_samples) for stage in stages}


def test_a_short_clip_is_one_segment():
    (segment,) = segments(100_000, [STAGES["conv7"]], longest=100_000)
    assert (segment.start, segment.stop) == (0, 100_000)


def test_length_of_segments_does_not_grow_with_the_clip():
    stages = [STAGES["conv7"]]
    for n_samples in (10**6, 10**7, 10**8):
        longest = max(s.stop - s.start for s in segments(n_samples, stages, 2**20))
        assert longest <= 2**20

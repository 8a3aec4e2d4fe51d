"""Long recordings in chunks, for bounded memory.

Each chunk is embedded with some seconds of context before and after it, and only embeddings with
times within the chunk are kept. Chunks begin at multiples of the teacher's hop: the times are those
of the whole recording.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from training.corpus.corpus import SAMPLE_RATE, Corpus
from training.teachers.teacher import Frames, Teacher

PIECE_SECONDS = 60.0
MARGIN_SECONDS = 2.5  # more than half the receptive field of the included teachers


def embed_recording(teacher: Teacher, corpus: Corpus, recording: int) -> Iterator[Frames]:
    """Embeddings of a recording and their times in seconds, in chunks.

    Raises
    ------
    ValueError
        If the teacher fails; the message gives the number of the recording.
    """
    n_samples = int(corpus.recordings["n_samples"].iloc[recording])
    margin_seconds = max(MARGIN_SECONDS, (teacher.scene_seconds or 0) / 2)
    step, margin = (
        math.ceil(seconds / teacher.hop) * teacher.hop
        for seconds in (PIECE_SECONDS, margin_seconds)
    )
    duration = n_samples / SAMPLE_RATE
    n_pieces = max(1, math.ceil((duration - margin) / step))
    for i in range(n_pieces):
        begin = i * step if i > 0 else -math.inf
        end = (i + 1) * step if i + 1 < n_pieces else math.inf
        first = round(max(0.0, begin - margin) * SAMPLE_RATE)
        stop = round(min(duration, end + margin) * SAMPLE_RATE)
        try:
            frames, times = teacher.embed(corpus.samples(recording, first, stop - first))
        except ValueError as error:
            raise ValueError(f"recording {recording}, {duration:.1f} s long: {error}") from error
        times = times + first / SAMPLE_RATE
        # Half a sample of tolerance: times at a joint are sums with different rounding.
        shift = 0.5 / SAMPLE_RATE
        kept = (times >= begin - shift) & (times < end - shift)
        yield frames[kept], np.asarray(times[kept])

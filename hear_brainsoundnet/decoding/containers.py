"""Audio tracks of videos and of containers (.m4a, .webm, .aac), decoded by PyAV.

Time 0 is the start of the container, which for videos is their first picture; an audio track that
begins later is preceded by silence, and gaps in its time stamps become silence, so that times in
the result are times in the video.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.decoding.reader import BLOCK, Block, Reader, check_channels, one_line
from hear_brainsoundnet.sound_files import printable

# Time stamps are often rounded to milliseconds; a larger difference is a real gap.
_GAP_S = 0.05
_OVERLAP_S = 0.5
_LONGEST_GAP_S = 3600.0
_SHORTAGE_S = 1.0
_ESTIMATED = ("aac", "mp3")  # formats whose length is estimated
_NO_PROGRAMME = re.compile(r"comment|descri|director|isolated", re.IGNORECASE)  # titles


class ContainerReader(Reader):
    """One audio track of a video or container.

    `audio_stream` is the index of the track, from 0; by default the one marked as default, or the
    first, among those that are not a commentary or description. A ValueError if PyAV is missing or
    does not know the format, there is no audio or no such track, or too many channels.
    """

    def __init__(self, path: Path, audio_stream: int | None = None) -> None:
        super().__init__(path)
        av = _import_av(self.name)
        try:
            with path.open("rb"):  # a clearer error than PyAV's for an unreadable file
                self._container: Any = av.open(str(path), metadata_errors="replace")
        except av.FFmpegError as error:
            raise ValueError(
                f"{self.name} cannot be read as audio or film ({one_line(error)}); it is damaged, "
                "truncated or of another kind: copy it again or convert it with ffmpeg"
            ) from error
        try:
            self._stream = self._choose(audio_stream)
            if self._stream.codec_context is None or not self._stream.rate:
                raise ValueError(
                    f"{self.name}: its sound track is of an unknown kind; convert it with ffmpeg"
                )
            check_channels(self.name, self._stream.channels)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self.sample_rate = int(self._stream.rate)

    def close(self) -> None:
        self._container.close()

    def blocks(self) -> Iterator[Block]:
        import av

        rate, container = self.sample_rate, self._container
        zero = max(container.start_time or 0, 0) / av.time_base
        held: list[NDArray[np.float32]] = []
        n_samples = n_held = 0
        try:
            for frame in container.decode(self._stream):
                late = self._checked(frame, zero + n_samples / rate)
                channels = _as_float(frame)
                is_gap = late > (_GAP_S if n_samples else 0.5 / rate)
                if held and (is_gap or len(channels) != len(held[0]) or n_held >= BLOCK):
                    yield self._mono(np.concatenate(held, axis=1).T, 1)
                    held, n_held = [], 0
                if is_gap:
                    n_missing = round(late * rate)
                    n_samples += n_missing
                    for start in range(0, n_missing, BLOCK):
                        yield np.zeros(min(BLOCK, n_missing - start), dtype=np.float32)
                held.append(channels)
                n_held += channels.shape[1]
                n_samples += channels.shape[1]
        except av.FFmpegError as error:
            raise ValueError(
                f"{self.name} is damaged after {n_samples / rate:.1f} s ({one_line(error)}); copy "
                "it again"
            ) from error
        if held:
            yield self._mono(np.concatenate(held, axis=1).T, 1)
        self._check_end(zero + n_samples / rate)

    def _choose(self, audio_stream: int | None) -> Any:
        streams = self._container.streams.audio
        if not streams:
            raise ValueError(f"{self.name} has no audio stream; give a file with sound")
        if len(streams) == 1:
            return streams[0]
        if audio_stream is not None and audio_stream >= len(streams):
            raise ValueError(
                f"{self.name} has {len(streams)} sound tracks, there is no audio_stream "
                f"{audio_stream}; they are {_listed(streams)}"
            )
        chosen = _programme(streams) if audio_stream is None else audio_stream
        if audio_stream is None:
            self.notes.append(
                f"of {len(streams)} sound tracks number {chosen} is taken: {_listed(streams)}; "
                "audio_stream: chooses another one"
            )
        return streams[chosen]

    def _checked(self, frame: Any, now: float) -> float:
        """Gap in seconds between `now` and the start of a frame."""
        if frame.sample_rate != self.sample_rate:
            raise ValueError(
                f"{self.name} changes from {self.sample_rate} to {frame.sample_rate} Hz; convert "
                "it with ffmpeg"
            )
        late = 0.0 if frame.time is None else frame.time - now
        if late < -_OVERLAP_S:
            raise ValueError(
                f"{self.name}: its time stamps go back by {-late:.2f} s at {frame.time:.2f} s; "
                "convert it with ffmpeg"
            )
        if late > _LONGEST_GAP_S:
            raise ValueError(
                f"{self.name}: its time stamps jump by {late:.0f} s at {now:.2f} s, which no film "
                "does; convert it with ffmpeg"
            )
        return late

    def _check_end(self, sound_end: float) -> None:
        """Reject a container whose packets, pictures included, end before its declared duration."""
        import av

        container = self._container
        if container.duration is None or container.format.name in _ESTIMATED:
            return
        expected = (max(container.start_time or 0, 0) + container.duration) / av.time_base
        if sound_end >= expected - _SHORTAGE_S:
            return
        last = sound_end
        with av.open(str(self.path), metadata_errors="replace") as again:
            for packet in again.demux():
                if packet.pts is not None and packet.time_base is not None:
                    end = (packet.pts + (packet.duration or 0)) * packet.time_base
                    last = max(last, float(end))
        if last < expected - _SHORTAGE_S:
            raise ValueError(
                f"{self.name} is truncated: it ends after {last:.1f} of {expected:.1f} s; copy it "
                "again"
            )


def _import_av(name: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise ValueError(
            f"{name} cannot be read as audio by libsndfile; films, .m4a, .webm and .aac need PyAV, "
            "which is not installed: pip install av"
        ) from error
    return av


def _programme(streams: Any) -> int:
    """The main audio track of a video with several."""
    import av

    flags = av.stream.Disposition
    others = flags.comment | flags.visual_impaired | flags.karaoke | flags.lyrics
    numbers = range(len(streams))
    programme = [
        i
        for i in numbers
        if not streams[i].disposition & others and not _NO_PROGRAMME.search(_title(streams[i]))
    ] or list(numbers)
    marked = [i for i in programme if streams[i].disposition & flags.default]
    return (marked or programme)[0]


def _listed(streams: Any) -> str:
    return ", ".join(
        f"{i} ({', '.join(filter(None, (each.metadata.get('language', ''), _title(each))))})"
        if each.metadata.get("language") or _title(each)
        else f"{i}"
        for i, each in enumerate(streams)
    )


def _title(stream: Any) -> str:
    return printable(stream.metadata.get("title", ""))[:60]


def _as_float(frame: Any) -> NDArray[np.float32]:
    """The samples of a frame within [-1, 1], ``(n_channels, n_samples)``."""
    samples: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    scaled = samples.astype(np.float32)
    if samples.dtype == np.uint8:
        scaled -= 128
    scaled /= 2 ** (8 * samples.dtype.itemsize - 1)
    return scaled

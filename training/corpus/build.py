"""Building of a corpus: every file of every source is decoded and appended.

Workers decode while this process writes. The corpus is written into a temporary folder and
renamed at the end, so that an interrupted build leaves no incomplete corpus.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.sound_files import printable
from training.corpus.corpus import (
    AUDIO_FILE,
    MANIFEST_FILE,
    RECORDING_COLUMNS,
    SAMPLE_RATE,
    TABLE_FILE,
    LeftOut,
    Manifest,
    SourceEntry,
)
from training.corpus.held_out import HeldOut
from training.corpus.source import CONVERSION, AudioFile, Recording, Source, decode
from training.data.prepared import INT16_SCALE
from training.progress import bar

_log = logging.getLogger(__name__)

SECONDS_PER_HOUR = 3600


def build(
    sources: Iterable[Source],
    out: Path,
    *,
    held_out: HeldOut | None = None,
    workers: int = 1,
    progress: bool = False,
) -> Manifest:
    """Write a corpus of all recordings of `sources`, in order.

    Of recordings with identical samples the first is kept. Files that cannot be decoded, are
    truncated, shorter than 0.2 s, or silent are left out and listed in the manifest.

    Parameters
    ----------
    sources : iterable of Source
    out : Path
        Must not exist.
    held_out : HeldOut, optional
        Recordings that contain one of these evaluation recordings are left out, with a warning.
    workers : int
        Decoding processes; with 1, this process decodes. The result does not depend on it.
    progress : bool
        Show progress bars.

    Raises
    ------
    FileExistsError
        If `out` exists.
    ValueError
        If no recording can be used.
    OSError
        If it cannot be written.
    """
    if out.exists():
        raise FileExistsError(f"{out} already exists; give another --out, or remove it")
    with whole_folder(out) as folder:
        with (folder / AUDIO_FILE).open("wb") as audio, mapping(workers) as mapped:
            writer = _Writer(audio, held_out)
            entries = []
            for source in sources:
                files = source.files
                results = bar(
                    mapped(_decoded, files),
                    total=len(files),
                    desc=source.name,
                    shown=progress,
                    leave=False,
                )
                entries.append(writer.append(source, zip(files, results, strict=True)))
        if not writer.rows:
            raise ValueError("no recording of the sources could be used; there is no corpus")
        manifest = Manifest(
            sample_rate=SAMPLE_RATE,
            conversion=CONVERSION,
            hours=round(sum(entry.hours for entry in entries), 4),
            n_held_out_sounds=len(held_out.names) if held_out else 0,
            sources=entries,
        )
        write_tables(folder, writer.rows, manifest)
    return manifest


class _Writer:
    """Writer of recordings and of the rows of their table."""

    def __init__(self, audio: IO[bytes], held_out: HeldOut | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._audio = audio
        self._held_out = held_out
        self._known: set[str] = set()
        self._n_samples = 0

    def append(
        self, source: Source, decoded: Iterable[tuple[AudioFile, Recording | str]]
    ) -> SourceEntry:
        """Append the usable recordings of a source."""
        left_out = list(source.left_out)
        kinds: dict[str, float] = defaultdict(float)
        licences = set()
        n_recordings = n_duplicates = 0
        for file, recording in decoded:
            if isinstance(recording, str):
                left_out.append(LeftOut(file=file.name, reason=recording))
            elif recording.samples_sha256 in self._known:
                n_duplicates += 1
            elif reason := self._reason_against(recording):
                _log.warning("%s, %s is left out; %s", source.name, file.name, reason)
                left_out.append(LeftOut(file=file.name, reason=reason))
            else:
                self._write(source, file, recording)
                n_recordings += 1
                licences.add(file.licence)
                kinds[file.kind] += len(recording.samples) / SAMPLE_RATE / SECONDS_PER_HOUR
        return SourceEntry(
            name=source.name,
            version=source.version,
            sha256=source.sha256,
            licences=sorted(licences),
            kinds={kind: round(hours, 4) for kind, hours in sorted(kinds.items())},
            hours=round(sum(kinds.values()), 4),
            n_recordings=n_recordings,
            n_duplicates=n_duplicates,
            made_with=dict(source.made_with),
            left_out=left_out,
        )

    def _reason_against(self, recording: Recording) -> str:
        if self._held_out is None:
            return ""
        samples = recording.samples.astype(np.float32) / np.float32(INT16_SCALE)
        return self._held_out.reason_against(samples, recording.sha256, recording.samples_sha256)

    def _write(self, source: Source, file: AudioFile, recording: Recording) -> None:
        self._audio.write(recording.samples.tobytes())
        row = {
            "start_sample": self._n_samples,
            "n_samples": len(recording.samples),
            "source": source.name,
            "file": file.name,
            "sha256": recording.sha256,
            "samples_sha256": recording.samples_sha256,
            "kind": file.kind,
            "licence": file.licence,
            "label": file.label,
        }
        self.rows.append(row)
        self._known.add(recording.samples_sha256)
        self._n_samples += len(recording.samples)


def write_tables(folder: Path, rows: list[dict[str, Any]], manifest: Manifest) -> None:
    """The table of recordings and the manifest of a corpus."""
    import pandas

    table = pandas.DataFrame(rows).astype(RECORDING_COLUMNS)
    table.to_parquet(folder / TABLE_FILE, index=False)
    write_atomically(folder / MANIFEST_FILE, (manifest.model_dump_json(indent=1) + "\n").encode())


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out`, renamed to it at the end, or removed."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        os.replace(temporary, out)
    except OSError as error:
        if error.strerror is None:
            raise
        raise OSError(
            error.errno,
            f"{out} cannot be written ({error.strerror}); make room, or choose another folder, "
            "and start again",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def mapping(
    workers: int,
) -> Iterator[Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]]:
    """A ``map`` in worker processes, results in order; with 1 worker in this process."""
    if workers == 1:
        yield map
        return
    # Forked workers would inherit locks held by threads of numpy and torch.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts) as pool:

        def mapped(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            # Only a few results are buffered, so that memory does not grow.
            remaining = iter(items)
            waiting = [pool.submit(function, item) for item in islice(remaining, 4 * workers)]
            while waiting:
                result = waiting.pop(0).result()
                waiting += [pool.submit(function, item) for item in islice(remaining, 1)]
                yield result

        try:
            yield mapped
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process ends its workers


def _decoded(file: AudioFile) -> Recording | str:
    try:
        return decode(file.path)
    except ValueError as error:
        return str(error).replace(printable(file.path), "the file")

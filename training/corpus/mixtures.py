"""A corpus extended by mixtures of its recordings.

Mixtures contain only recordings of the corpus, from which evaluation recordings were excluded when
it was built.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.corpus.build import (
    SECONDS_PER_HOUR,
    leave_interrupts,
    whole_folder,
    write_tables,
)
from training.corpus.corpus import AUDIO_FILE, RECORDING_COLUMNS, Corpus, corpus_sha256
from training.corpus.manifest import SourceEntry
from training.corpus.mixing import KIND, SECONDS, Mixer, Mixture

HOURS = 6.0
SEED = 0
_HASH_LENGTH = 16  # of the corpus SHA-256 in the manifest
_AT_A_TIME = 16  # mixtures per task of a worker


def add_mixtures(
    corpus: Corpus,
    out: Path,
    *,
    hours: float = HOURS,
    seed: int = SEED,
    workers: int = 1,
    progress: bool = False,
) -> Corpus:
    """Write the corpus `out`: the recordings of `corpus`, unchanged, and mixtures of them.

    Parameters
    ----------
    corpus : Corpus
    out : Path
        Must not exist.
    hours : float
        Total duration of the mixtures.
    seed : int
    workers : int
        Mixing processes; with 1, this process mixes. The result does not depend on it.
    progress : bool
        Show a progress bar.

    Raises
    ------
    FileExistsError
        If `out` exists.
    ValueError
        If the corpus already has mixtures or lacks a required kind, or `hours` is too short.
    OSError
        If it cannot be written.
    """
    if out.exists():
        raise FileExistsError(f"{out} already exists; give another --out, or remove it")
    if KIND in {*corpus.recordings["kind"], *corpus.recordings["source"]}:
        raise ValueError(f"{corpus.folder} already has mixtures; give the corpus without them")
    n = round(hours * SECONDS_PER_HOUR / SECONDS)
    if n < 1:
        raise ValueError(f"expected hours for at least one mixture of {SECONDS:g} s, got {hours:g}")
    mixer = Mixer(corpus, seed)  # fails before anything is written
    with whole_folder(out) as folder:
        shutil.copyfile(corpus.folder / AUDIO_FILE, folder / AUDIO_FILE)
        rows = corpus.recordings[list(RECORDING_COLUMNS)].to_dict("records")
        licences: set[str] = set()
        of_recording = corpus.recordings["licence"].tolist()
        with (
            (folder / AUDIO_FILE).open("ab") as audio,
            _mixtures(mixer, corpus.folder, seed, n, workers) as mixtures,
        ):
            for mixture in _shown(mixtures, n, progress):
                audio.write(mixture.samples.tobytes())
                found = {of_recording[part] for part in mixture.parts}
                rows.append(_row(mixture, found, rows[-1]))
                licences |= found
        added = n * SECONDS / SECONDS_PER_HOUR
        entry = SourceEntry(
            name=KIND,
            licences=sorted(licences),
            kinds={KIND: round(added, 4)},
            hours=round(added, 4),
            n_recordings=n,
            made_with={"seed": str(seed), "corpus": corpus_sha256(corpus)[:_HASH_LENGTH]},
        )
        manifest = corpus.manifest.model_copy(
            update={
                "hours": round(corpus.manifest.hours + entry.hours, 4),
                "sources": [*corpus.manifest.sources, entry],
            }
        )
        write_tables(folder, rows, manifest)
    return Corpus.open(out)


def _row(mixture: Mixture, licences: set[str], previous: dict[str, Any]) -> dict[str, Any]:
    sha256 = hashlib.sha256(mixture.samples.tobytes()).hexdigest()
    return {
        "start_sample": previous["start_sample"] + previous["n_samples"],
        "n_samples": len(mixture.samples),
        "source": KIND,
        "file": mixture.text,
        "sha256": sha256,  # there is no source file
        "samples_sha256": sha256,
        "kind": KIND,
        "licence": "; ".join(sorted(licences)),
        "label": "",
    }


@contextmanager
def _mixtures(
    mixer: Mixer, folder: Path, seed: int, n: int, workers: int
) -> Iterator[Iterator[Mixture]]:
    """The first `n` mixtures, in order; workers open the corpus in `folder` themselves."""
    if workers == 1:
        yield map(mixer.mixture, range(n))
        return
    # Forked workers would inherit locks held by threads of numpy and torch.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start, initargs=(folder, seed)
    ) as pool:
        try:
            yield pool.map(_mixed, range(n), chunksize=_AT_A_TIME)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_mixer: Mixer | None = None  # per worker


def _start(folder: Path, seed: int) -> None:
    global _mixer
    leave_interrupts()
    _mixer = Mixer(Corpus.open(folder), seed)


def _mixed(number: int) -> Mixture:
    assert _mixer is not None
    return _mixer.mixture(number)


def _shown(mixtures: Iterator[Mixture], n: int, progress: bool) -> Iterator[Mixture]:
    from training.progress import bar

    shown: Iterator[Mixture] = bar(mixtures, total=n, desc=KIND, shown=progress, leave=False)
    return shown

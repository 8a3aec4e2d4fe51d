"""Runs of a subject: loading, checks, z-scoring and writing, skipping finished ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.data.dataset_info import FORMAT_VERSION
from training.data.findings import BETWEEN
from training.data.prepared import Run
from training.data.prepared_writer import DoneRun, RunParts, SubjectWriter
from training.data.stimuli import PreparedSound
from training.prepare.collection_checks import label, listed
from training.prepare.run_checks import Extent, RunRules, check_table, fit_to_stimulus, z_score
from training.prepare.workers import in_processes
from training.sources.source import Recording, Targets

# Settings that do not affect the runs.
_ELSEWHERE = {"name", "out", "exclude"}


class RunPreparation:
    """Data common to the runs of all subjects.

    Parameters
    ----------
    targets : Targets
        The columns.
    kind : str
        {"time_series", "sound_responses"}.
    rules : RunRules
        Rejection rules. All its fields, also of a derived recipe, are part of every fingerprint.
    sounds : mapping
        Metadata of each prepared stimulus.
    """

    def __init__(
        self,
        targets: Targets,
        kind: Literal["time_series", "sound_responses"],
        rules: RunRules,
        sounds: Mapping[str, PreparedSound],
    ) -> None:
        self.targets = targets
        self.rules = rules
        self.sounds = sounds
        settings = rules.model_dump(mode="json", exclude=_ELSEWHERE)
        self._settings = [FORMAT_VERSION, kind, list(targets.ids), settings]
        self._is_series = kind == "time_series"

    def prepare_subjects(
        self,
        writers: Mapping[str, SubjectWriter],
        recordings: Mapping[str, list[Recording]],
        n_workers: int,
        tick: Callable[[], object],
    ) -> dict[str, list[DoneRun]]:
        """Update the files of all subjects.

        Parameters
        ----------
        writers, recordings : mapping
            Of each subject.
        n_workers : int
            Number of processes for the runs of time series.
        tick : callable
            Called after every run.
        """
        if not self._is_series:
            return {
                subject: self._sound_responses(writers[subject], own, tick)
                for subject, own in recordings.items()
            }
        # Run by run: each process holds one of them in memory.
        done: dict[str, dict[str, DoneRun]] = {subject: {} for subject in recordings}
        calls: list[tuple[RunParts, Recording, bool, str]] = []
        for subject, own in recordings.items():
            for recording, is_last in zip(own, are_last(own), strict=True):
                fingerprint = self._fingerprint(recording, is_last=is_last)
                known = writers[subject].done(recording.run, fingerprint)
                if known is None:
                    calls.append((writers[subject].parts, recording, is_last, fingerprint))
                else:
                    done[subject][recording.run] = known
                    tick()
        open_subjects = set(recordings)

        def finish() -> None:
            """Write the file of each subject whose runs are complete."""
            for subject in sorted(open_subjects):
                own = recordings[subject]
                if len(done[subject]) == len(own):
                    writers[subject].finish([done[subject][each.run] for each in own])
                    open_subjects.remove(subject)

        finish()
        for i, run in in_processes(self._prepare_run, calls, n_workers):
            done[calls[i][1].subject][run.run.name] = run
            tick()
            finish()
        return {
            subject: [done[subject][each.run] for each in own]
            for subject, own in recordings.items()
        }

    def _prepare_run(
        self, parts: RunParts, recording: Recording, is_last: bool, fingerprint: str
    ) -> DoneRun:
        """Load a run, check and z-score it, and write it as a part."""
        table = check_table(recording.load(), recording, self.targets)
        duration = self.sounds[recording.stimulus].duration
        extent = Extent(recording, len(table), duration, is_last)
        table, cut = fit_to_stimulus(table, extent, self.rules)
        n_dropped = extent.n_dropped(self.rules)
        rows = [f"TR {n_dropped + i}" for i in range(len(table))]
        name = f"run {label(recording)}"
        scores, constant = z_score(table, name, rows, self.targets, self.rules)
        run = run_of(recording, len(scores), n_dropped)
        done = DoneRun(run, fingerprint, (*cut, *constant))
        parts.add(done, scores)
        return done

    def _sound_responses(
        self, writer: SubjectWriter, recordings: list[Recording], tick: Callable[[], object]
    ) -> list[DoneRun]:
        """All sounds of a subject at once, since z-scoring is over sounds."""
        together = "".join(self._fingerprint(recording) for recording in recordings)
        fingerprint = hashlib.sha256(together.encode()).hexdigest()
        runs = [writer.done(recording.run, fingerprint) for recording in recordings]
        known = [done for done in runs if done is not None]
        if len(known) == len(recordings):
            writer.finish(known)
            for _ in recordings:
                tick()
            return known
        rows = []
        for recording in recordings:
            row = check_table(recording.load(), recording, self.targets)
            if len(row) != 1:
                raise ValueError(
                    f"run {label(recording)}: expected one response per sound, got {len(row)} "
                    "rows; average the repetitions"
                )
            rows.append(row)
            tick()
        names = [f"sound {recording.run}" for recording in recordings]
        table = np.concatenate(rows)
        scores, findings = z_score(
            table, f"subject {writer.subject}", names, self.targets, self.rules
        )
        new = [
            DoneRun(run_of(recording, 1), fingerprint, tuple(findings) if i == 0 else ())
            for i, recording in enumerate(recordings)
        ]
        writer.write((done, partial(_row, scores, i)) for i, done in enumerate(new))
        return new

    def _fingerprint(self, recording: Recording, *, is_last: bool = True) -> str:
        """Hash of everything that affects the data or findings of a run."""
        states = [(str(file), Path(file).stat()) for file in recording.files]
        files = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
        run = vars(run_of(recording, 0))
        n_samples = self.sounds[recording.stimulus].n_samples
        document = json.dumps([*self._settings, run, is_last, n_samples, files], sort_keys=True)
        return hashlib.sha256(document.encode()).hexdigest()


def run_of(recording: Recording, n_trs: int, n_dropped: int = 0) -> Run:
    """The run of a recording, without its first TRs."""
    return Run(
        subject=recording.subject,
        name=recording.run,
        stimulus=recording.stimulus,
        session=recording.session,
        episode=recording.episode or recording.stimulus,
        season=recording.season,
        start=float(recording.start) + n_dropped * float(recording.tr),
        tr=float(recording.tr),
        n_trs=n_trs,
    )


def are_last(recordings: Sequence[Recording]) -> list[bool]:
    """Which runs should last as long as their stimulus: the latest per subject and stimulus."""
    latest: dict[tuple[str, str], float] = {}
    for each in recordings:
        key = each.subject, each.stimulus
        latest[key] = max(each.start, latest.get(key, each.start))
    return [each.start == latest[each.subject, each.stimulus] for each in recordings]


def missing_targets(path: Path, targets: Targets) -> list[str]:
    """Findings on targets missing in a subject's file, judged by the first row of each run."""
    import h5py

    with h5py.File(path, "r") as file:
        missing = np.array([np.isnan(table[0]) for table in file.values()])
    findings = []
    for columns, where in (
        (missing.all(axis=0), "targets that a subject lacks and that are NaN"),
        (
            missing.any(axis=0) & ~missing.all(axis=0),
            "targets that a subject lacks in some runs and that are NaN there",
        ),
    ):
        absent = [
            f"{targets.ids[column]} {targets.names[column]}".replace(BETWEEN, ", ")
            for column in np.flatnonzero(columns)
        ]
        if absent:
            n = f"{len(absent)} of {len(targets.ids)}"
            findings.append(f"{where}: {path.stem} ({n}, {listed(absent)})")
    return findings


def _row(scores: NDArray[np.float32], i: int) -> NDArray[np.float32]:
    return scores[i : i + 1]

"""Checks before any large file is read: names, columns, repetition times, repeats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hear_brainsoundnet.encoder import READ_OUT_NAME
from hear_brainsoundnet.sound_files import shown
from training.data.prepared import fault_of_name
from training.sources.source import Collection, Recording, is_excluded

# Headers round: 1.49 s is 1.4900000095 in NIfTI. Larger differences mean different sequences.
_TR_TOLERANCE_S = 1e-5


def label(recording: Recording) -> str:
    """Name of a run in messages and in `exclude`."""
    return f"{recording.subject}/{recording.run}"


def leave_out(collection: Collection, exclude: Sequence[str]) -> Collection:
    """The collection without the runs matched by `exclude`, which are listed in its findings.

    Parameters
    ----------
    collection : Collection
        Collection found by a source.
    exclude : sequence of str
        Patterns with ``*``, ``?`` and ``[...]``: of a subject (``"sub-03"``) or, with a slash, of a
        subject and a run (``"sub-03/ses-001_task-*"``).

    Raises
    ------
    ValueError
        If a pattern matches nothing, or nothing is left.
    """
    findings = list(collection.findings)
    for pattern in exclude:
        gone = [
            label(each)
            for each in collection.recordings
            if is_excluded(each.subject, each.run, [pattern])
        ]
        if not gone:
            subjects = sorted({each.subject for each in collection.recordings})
            raise ValueError(
                f"exclude: {pattern!r} matches no run; subjects are {listed(subjects)}, runs are "
                f"named like {shown([label(each) for each in collection.recordings], most=1)}"
            )
        findings.append(f"excluded as {pattern}: {listed(gone)}")
    kept = [
        each for each in collection.recordings if not is_excluded(each.subject, each.run, exclude)
    ]
    if not kept:
        reason = (
            "every run is excluded; see 'exclude' in the recipe"
            if exclude
            else ("the source offers none")
        )
        raise ValueError(f"no run is left: {reason}")
    used = {each.stimulus for each in kept}
    stimuli = {name: path for name, path in collection.stimuli.items() if name in used}
    return replace(collection, recordings=kept, stimuli=stimuli, findings=findings)


def check_collection(collection: Collection) -> Collection:
    """The collection itself, with the same TR in all runs.

    Raises
    ------
    ValueError
        If target ids do not ascend, a name is not valid for a file, a run occurs twice, a stimulus
        has no file, or repetition times differ.
    """
    ids, names = collection.targets.ids, collection.targets.names
    if not ids or list(ids) != sorted(set(ids)) or len(names) != len(ids):
        raise ValueError(
            f"expected ascending target ids with one name each, got {len(ids)} ids "
            f"({listed(ids)}) and {len(names)} names"
        )
    for recording in collection.recordings:
        for kind in ("subject", "run", "stimulus"):
            _check_name(kind, getattr(recording, kind))
    counts = Counter(label(each) for each in collection.recordings)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(
            f"runs that occur more than once: {listed(repeated)}; give each a unique name or "
            "leave the repeats out"
        )
    silent = sorted({each.stimulus for each in collection.recordings} - collection.stimuli.keys())
    if silent:
        raise ValueError(f"stimuli without a file: {listed(silent)}; add the files")
    if collection.kind == "sound_responses":
        return replace(
            collection, recordings=[replace(each, tr=0.0) for each in collection.recordings]
        )
    return replace(collection, recordings=_with_one_tr(collection.recordings))


def _with_one_tr(recordings: Sequence[Recording]) -> list[Recording]:
    by_tr: dict[float, list[str]] = {}
    for each in recordings:
        by_tr.setdefault(each.tr, []).append(label(each))
    usual = max(by_tr, key=lambda tr: len(by_tr[tr]))
    if usual <= 0:
        raise ValueError(f"expected a TR above 0 s, got {usual} s in {listed(by_tr[usual])}")
    if any(abs(tr - usual) > _TR_TOLERANCE_S for tr in by_tr):
        groups = "; ".join(f"{tr} s in {listed(runs)}" for tr, runs in sorted(by_tr.items()))
        raise ValueError(
            f"expected the same TR in all runs, got {groups}; prepare them as separate datasets, "
            "or exclude some"
        )
    return [replace(each, tr=usual) for each in recordings]


def _check_name(kind: str, name: str) -> None:
    if fault := fault_of_name(name):
        raise ValueError(f"the {kind} {name!r} cannot name a file: it {fault}; rename it")
    if kind == "subject" and not READ_OUT_NAME.fullmatch(name):
        raise ValueError(
            f"the subject {name!r} cannot name weights of a checkpoint, expected letters, digits, "
            "hyphens and underscores; rename it"
        )


def listed(values: Sequence[object]) -> str:
    """Values separated by commas, up to a readable number."""
    return shown(values, most=1000)

"""Record of the stimuli that weights were fitted to, kept in the cards of checkpoints.

A score on a stimulus is one of a held-out stimulus only if neither the fit nor any network that it
started from was fitted to it. So each fit records the stimuli of its training and validation runs,
by name and checksum and with the presented intervals, and the records of its start travel along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from training.data.prepared import Prepared, Run

KEY = "fitted_to"  # in the provenance of a card
LENGTH = 16  # hexadecimal digits kept of a checksum
# Its card is older than these records.
NATURAL_SOUNDS = "47a7e25588db2890fbe3639f6bc19fe17054d364cf6754ae0a992cd897071742"


class Stimulus(BaseModel):
    """A stimulus that weights were fitted to.

    Attributes
    ----------
    checksum : str
        First digits of the checksum of its prepared audio; "" if unknown.
    seconds : tuple of (float, float)
        Intervals of it that were presented in the runs; empty for all of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    checksum: str = ""
    seconds: tuple[tuple[float, float], ...] = ()

    def contains_part_of(self, run: Run) -> bool:
        """Whether a run of this stimulus presents some of it."""
        if not self.seconds or run.tr == 0:
            return True
        stop = run.start + run.n_trs * run.tr
        return any(run.start < other_stop and start < stop for start, other_stop in self.seconds)


class FittedTo(BaseModel):
    """Stimuli of one dataset that weights were fitted to.

    Attributes
    ----------
    dataset : str
        Name of the dataset.
    stimuli : dict of str to Stimulus
        By name; empty if all stimuli of the dataset were used.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    stimuli: dict[str, Stimulus] = {}

    def includes(self, dataset: str, run: Run, checksum: str = "") -> bool:
        """Whether a run of a dataset presents some of these stimuli: the same by name or checksum.

        Examples
        --------
        >>> one = Stimulus(checksum="12ab", seconds=[(0, 100)])
        >>> record = FittedTo(dataset="stories", stimuli={"one": one})
        >>> run = Run("sub-01", "a", "one", "", "a", "", 90.0, 2.0, 10)
        >>> record.includes("stories", run), record.includes("other", run, checksum="12ab")
        (True, True)
        >>> later = Run("sub-01", "a", "one", "", "a", "", 100.0, 2.0, 10)
        >>> record.includes("stories", later), record.includes("other", run)
        (False, False)
        """
        known = [each for each in self.stimuli.values() if checksum and each.checksum == checksum]
        if dataset == self.dataset:
            if not self.stimuli:
                return True
            known += [self.stimuli[run.stimulus]] if run.stimulus in self.stimuli else []
        return any(each.contains_part_of(run) for each in known)


def record(prepared: Prepared, runs: Iterable[Run]) -> FittedTo:
    """The record of a fit to these runs."""
    intervals: dict[str, set[tuple[float, float]]] = {}
    for run in runs:
        own = intervals.setdefault(run.stimulus, set())
        if run.tr:
            own.add((round(run.start, 3), round(run.start + run.n_trs * run.tr, 3)))
    return FittedTo(
        dataset=prepared.info.name,
        stimuli={
            name: Stimulus(checksum=_checksum(prepared, name), seconds=tuple(sorted(own)))
            for name, own in sorted(intervals.items())
        },
    )


def _checksum(prepared: Prepared, stimulus: str) -> str:
    state = prepared.info.files.get(f"audio/{stimulus}.npy")
    return "" if state is None else state.checksum.rpartition(":")[2][:LENGTH]


def records_of(provenance: Mapping[str, JsonValue], checkpoint_hash: str = "") -> list[FittedTo]:
    """All records in a card's provenance, those of parents included.

    Parameters
    ----------
    provenance : mapping
        Of the card.
    checkpoint_hash : str
        Hash of the checkpoint.

    Raises
    ------
    ValueError
        If one is not such a record.

    Examples
    --------
    >>> parent = {"fitted_to": [{"dataset": "stories"}]}
    >>> [each.dataset for each in records_of({"seed": 1, "start": parent})]
    ['stories']
    """
    try:
        found = [FittedTo.model_validate(each) for each in _documents(provenance)]
    except ValidationError as error:
        raise ValueError(
            f"the card's record of what the weights were fitted to ({KEY}) is damaged: "
            f"{error.errors()[0]['msg']}"
        ) from error
    hashes = {checkpoint_hash, *_hashes(provenance)}
    if NATURAL_SOUNDS in hashes:
        found.append(FittedTo(dataset="natsound165"))
    return found


def overlap(records: Sequence[FittedTo], prepared: Prepared, runs: Iterable[Run]) -> dict[Run, str]:
    """The runs that present stimuli that weights were fitted to, with the dataset of the record."""
    return {
        run: each.dataset
        for run in runs
        for each in records
        if each.includes(prepared.info.name, run, _checksum(prepared, run.stimulus))
    }


def _documents(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[JsonValue]:
    if isinstance(value, Mapping):
        for key, own in value.items():
            if key == KEY:
                yield from own if isinstance(own, list) else [own]
            else:
                yield from _documents(own)
    elif isinstance(value, list):
        for each in value:
            yield from _documents(each)


def _hashes(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, own in value.items():
            if key == "hash" and isinstance(own, str):
                yield own
            yield from _hashes(own)

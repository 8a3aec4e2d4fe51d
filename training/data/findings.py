"""Findings: remarks of a preparation, one sentence for each kind.

A finding is ``KIND: WHAT``. Findings of one kind are merged into ``KIND (3): WHAT; WHAT; WHAT``.
Terminal output is truncated; ``dataset.json`` and the summary page have the full text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from training.data.dataset_info import INFO_FILE

logger = logging.getLogger(__name__)

BETWEEN = "; "
N_SHOWN = 5


class Findings:
    """Collector of findings; those added together are logged in short, one line per kind.

    Parameters
    ----------
    known : iterable of str
        Findings that were logged before.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._all = list(known)

    def extend(self, findings: Iterable[str]) -> None:
        """Add findings."""
        new = list(findings)
        self._all += new
        for finding in grouped(new):
            logger.warning("%s", shortened(finding))

    def grouped(self) -> tuple[str, ...]:
        """All findings, in full."""
        return tuple(grouped(self._all))


def grouped(findings: Iterable[str]) -> list[str]:
    """One finding per kind, in the order of first appearance, without duplicates.

    Examples
    --------
    >>> grouped(["clipped: a (3 samples)", "unused: x", "clipped: b (1 sample)"])
    ['clipped (2): a (3 samples); b (1 sample)', 'unused: x']
    >>> grouped(["clipped (2): a; b", "clipped: c"])
    ['clipped (3): a; b; c']
    """
    kinds: dict[str, dict[str, None]] = {}
    for finding in findings:
        kind, _, what = finding.partition(": ")
        name, n = _without_count(kind)
        items = what.split(BETWEEN) if n and what.count(BETWEEN) == n - 1 else [what]
        kinds.setdefault(name if len(items) > 1 else kind, {}).update(dict.fromkeys(items))
    sentences = []
    for kind, whats in kinds.items():
        count = f" ({len(whats)})" if len(whats) > 1 else ""
        what = BETWEEN.join(whats)
        sentences.append(f"{kind}{count}: {what}" if what else kind)
    return sentences


def shortened(finding: str) -> str:
    """A finding shortened for the terminal, with the number of omitted items.

    Examples
    --------
    >>> shortened("clipped (7): a; b; c; d; e; f; g")
    'clipped (7): a; b; c; d; e and 2 more (all in dataset.json)'
    """
    kind, colon, what = finding.partition(": ")
    for between in (BETWEEN, ", "):
        items = what.split(between)
        if len(items) > N_SHOWN:
            n_more = len(items) - N_SHOWN
            what = f"{between.join(items[:N_SHOWN])} and {n_more} more (all in {INFO_FILE})"
            break
    return kind + colon + what


def _without_count(kind: str) -> tuple[str, int]:
    match = re.fullmatch(r"(.*) \((\d+)\)", kind)
    return (match.group(1), int(match.group(2))) if match else (kind, 0)

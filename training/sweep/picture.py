"""Picture of a sweep: validation R² against each varied setting."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from training.sweep.grid import in_words
from training.sweep.table import Row, best_rows

MOST_PANELS = 4  # in a row of the picture
LONGEST = 14  # letters of a value under an axis


def draw_sweep(rows: Sequence[Row]) -> bytes:
    """PNG with a panel for each key that has several values.

    Each dot is a finished fit; a line joins the best of each value, a star marks the best of all.
    Groups that predict other responses have colours of their own.
    """
    from matplotlib.figure import Figure

    groups = [row.group for row in best_rows(rows)] or [{}]
    keys = [key for key in _varied(rows) if key not in rows[0].group] or _varied(rows) or [""]
    n_columns = min(len(keys), MOST_PANELS)
    n_rows = math.ceil(len(keys) / n_columns)
    figure = Figure(figsize=(3.4 * n_columns + 0.6, 3.2 * n_rows + 0.4), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for panel, key in zip(panels.flat, keys, strict=False):
        values = list(dict.fromkeys(row.combination.get(key, "") for row in rows))
        for number, group in enumerate(groups):
            own = [row for row in rows if row.group == group and math.isfinite(row.r2)]
            places = [values.index(row.combination.get(key, "")) for row in own]
            scores = [row.r2 for row in own]
            colour = f"C{number}"
            panel.scatter(places, scores, s=16, color=colour, alpha=0.5, linewidths=0)
            highest = {at: max(s for p, s in zip(places, scores, strict=True) if p == at)
                       for at in sorted(set(places))}  # fmt: skip
            label = in_words(group) if group else None
            panel.plot(list(highest), list(highest.values()), color=colour, label=label)
            if own:
                top = max(range(len(own)), key=scores.__getitem__)
                panel.scatter(places[top], scores[top], s=110, marker="*", color=colour, zorder=3)
        panel.set_xticks(range(len(values)), [_short(value) for value in values])
        panel.set_xlim(-0.5, len(values) - 0.5)
        panel.set_xlabel(key)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels.flat[len(keys) :]:
        panel.set_visible(False)
    for first in panels[:, 0]:
        first.set_ylabel("validation R², mean\nover runs and targets")
    if groups != [{}]:
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper left",
                      ncols=n_columns, frameon=False)  # fmt: skip
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _varied(rows: Sequence[Row]) -> list[str]:
    """Keys with several values."""
    return [key for key in rows[0].combination if len({row.combination[key] for row in rows}) > 1]


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"

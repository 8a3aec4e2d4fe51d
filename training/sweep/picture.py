"""Picture of a sweep: validation R² against each varied setting."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from training.sweep.grid import in_words
from training.sweep.table import Row, best_rows

MOST_PANELS = 4  # side by side
LONGEST = 14  # letters of a value under an axis


def draw_sweep(rows: Sequence[Row]) -> bytes:
    """PNG with a panel for each key that has several values.

    Each dot is a finished fit; a line joins the best of each value, a star marks the best of all.
    Groups that predict other responses have colours of their own.
    """
    from matplotlib.figure import Figure

    groups = [row.group for row in best_rows(rows)] or [{}]
    varied = [key for key in rows[0].combination if len({row.combination[key] for row in rows}) > 1]
    keys = [key for key in varied if key not in rows[0].group] or varied or [""]
    n_columns = min(len(keys), MOST_PANELS)
    n_lines = math.ceil(len(keys) / n_columns)
    figure = Figure(figsize=(3.4 * n_columns + 0.6, 3.2 * n_lines + 0.4), layout="constrained")
    panels = figure.subplots(n_lines, n_columns, squeeze=False, sharey=True)
    for panel, key in zip(panels.flat, keys, strict=False):
        values = list(dict.fromkeys(row.combination.get(key, "") for row in rows))
        for number, group in enumerate(groups):
            points = [
                (values.index(row.combination.get(key, "")), row.r2)
                for row in rows
                if row.group == group and math.isfinite(row.r2)
            ]
            if not points:
                continue
            highest = dict(sorted(points))  # of equal values the last, hence the highest score
            star = max(points, key=lambda point: point[1])
            style = {"color": f"C{number}", "linewidths": 0}
            panel.scatter(*zip(*points, strict=True), s=16, alpha=0.5, **style)
            panel.scatter(*star, s=110, marker="*", zorder=3, **style)
            label = in_words(group) if group else None
            panel.plot(list(highest), list(highest.values()), color=f"C{number}", label=label)
        letters = [value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in values]
        panel.set_xticks(range(len(values)), letters)
        panel.set_xlim(-0.5, len(values) - 0.5)
        panel.set_xlabel(key)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels.flat[len(keys) :]:
        panel.set_visible(False)
    for first in panels[:, 0]:
        first.set_ylabel("validation R², mean\nover runs and targets")
    if groups != [{}]:
        entries = panels[0, 0].get_legend_handles_labels()
        figure.legend(*entries, loc="outside upper left", ncols=n_columns, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()

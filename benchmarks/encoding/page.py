"""The page of the encoding experiments, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.figures import bars_of, colour_of, draw_bars, new_figure, png_of
from benchmarks.page import ResultsPage


def draw_models(document: Mapping[str, Any]) -> bytes:
    """Correlation of each model with each region or component, and its interval or spread."""
    rows = document["rows"]
    label = "region" if "region" in rows[0] else "component"
    spread = {"ends": ("from", "to")} if "from" in rows[0] else {"spread": "± over splits"}
    models = {
        model: bars_of([row for row in rows if row["model"] == model], label, "r", **spread)
        for model in dict.fromkeys(row["model"] for row in rows)
    }
    return draw_bars(list(next(iter(models.values()))), models, "Pearson's r")


def draw_parcels(document: Mapping[str, Any]) -> bytes:
    """Correlation of the model with simulated parcels beside the best possible one."""
    rows = document["rows"]
    columns = {"best possible": "best r", "frozen network, ridge": "frozen, ridge: r"}
    series = {name: bars_of(rows, "parcels", column) for name, column in columns.items()}
    return draw_bars([row["parcels"] for row in rows], series, "Pearson's r, held-out episodes")


def draw_over_minutes(document: Mapping[str, Any]) -> bytes:
    """R² over minutes of training data, a panel for each group of parcels."""
    rows = document["rows"]
    name = list(rows[0])[2]  # of the column after parcels and minutes
    groups = list(dict.fromkeys(row["parcels"] for row in rows))
    figure = new_figure(4.2 * len(groups) + 1.8, 3.0)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for axes, parcels in zip(panels, groups, strict=True):
        own = [row for row in rows if row["parcels"] == parcels]
        for number, series in enumerate(dict.fromkeys(row[name] for row in own)):
            of_series = [row for row in own if row[name] == series]
            columns = (
                np.array([row[column] for row in of_series], dtype=float)
                for column in ("minutes", "R²", "± over seeds")
            )
            colour = colour_of(number)
            axes.errorbar(*columns, fmt="o-", capsize=3, color=colour, label=series)
        axes.axhline(own[0]["best R²"], color="k", linestyle=":", linewidth=1)
        axes.set_title(parcels, fontsize=9)
        axes.set_xlabel("minutes of training data")
    panels[0].set_ylabel("held-out R² (dotted: best possible)")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8, title=name
    )
    return png_of(figure)


MODELS = ("Correlation of every model with the responses", draw_models)
PARCELS = ("Correlation with simulated parcels, and the best possible one", draw_parcels)
OVER_MINUTES = ("R² over minutes of training data", draw_over_minutes)
PAGE = ResultsPage(
    "encoding",
    "Brain encoding",
    "Predicted responses to sounds that were held out, on published recordings and on simulated "
    "brains whose truth is known, all by the commands of `python -m training`.",
    {
        "natsound165": [MODELS],
        "alice": [MODELS],
        "simulated": [PARCELS],
        "simulated-natural-sounds": [PARCELS],
        "responses": [OVER_MINUTES],
        "new-subject": [OVER_MINUTES],
    },
)

"""The page of the encoding experiments, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import bars_of, draw_bars
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


MODELS = ("Correlation of every model with the responses", draw_models)
PARCELS = ("Correlation with simulated parcels, and the best possible one", draw_parcels)
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
    },
)

"""Variance partitions: variance explained by the model beyond low-level sound features."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.target_scores import ALL
from training.report import elements
from training.report.elements import brain, number
from training.report.pictures import COLOURS, GREY, drawing, plain
from training.report.results import Partition, Results

N_BEST = 15
SHARED = "#c5ccd3"


def partitions(results: Results) -> str:
    """Stacked bars and means, per partition and model."""
    parts = []
    for partition in results.partitions:
        if partition.info.methods:
            parts.append(elements.paragraph(partition.info.methods))
        parts.append(_means(partition))
        for model, rows in partition.targets.groupby("model", sort=False):
            subjects = list(dict.fromkeys(rows["subject"]))
            subject = ALL if ALL in subjects else subjects[0]
            parts.append(_bars(partition, model, subject, rows[rows["subject"] == subject]))
    return elements.section("Beyond simple features of the sound", "partition", parts)


def _columns(partition: Partition) -> list[str]:
    return [*(f"unique_{space}" for space in partition.info.spaces), "shared"]


def _means(partition: Partition) -> str:
    columns = ["r2_full", *_columns(partition)]
    rows = [
        [model, brain(subject), len(table), *(number(v) for v in table[columns].mean())]
        for (model, subject), table in partition.targets.groupby(["model", "subject"], sort=False)
    ]
    unique = [f"#unique: {space}" for space in partition.info.spaces]
    head = ["model", "brain", "#targets", "#R² of all", *unique, "#shared"]
    return elements.table(head, rows, "Means over targets of R² on held-out runs.")


def _bars(partition: Partition, model: str, subject: str, rows: Any) -> str:
    best = rows[rows["r2_full"].notna()].sort_values("r2_full", ascending=False).head(N_BEST)
    if not len(best):
        return ""
    places = np.arange(len(best))[::-1]
    with drawing(1.1 + 0.24 * len(best), width=5.6) as picture:
        axes = picture.figure.subplots()
        # Estimates on held-out runs can be negative: those are stacked to the left.
        ends = {sign: np.zeros(len(best)) for sign in (1, -1)}
        colours = [COLOURS[i % len(COLOURS)] for i in range(len(partition.info.spaces))]
        for column, colour in zip(_columns(partition), [*colours, SHARED], strict=True):
            values = np.nan_to_num(best[column].to_numpy(dtype=float))
            label = "shared" if column == "shared" else f"unique: {column.removeprefix('unique_')}"
            for sign, left in ends.items():
                part = np.where(np.sign(values) == sign, values, 0)
                axes.barh(places, part, left=left, height=0.72, color=colour,
                          label=plain(label) if sign == 1 else None)  # fmt: skip
                left += part
        axes.plot(best["r2_full"], places, "|", color="black", markersize=10, label="R² of all")
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(places, [plain(name) for name in best["target_name"]])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("R²")
        picture.figure.legend(loc="outside lower center", ncols=3)
    caption = (
        f"{model}, {brain(subject)}: the {len(best)} targets of the highest R² of all spaces "
        "together. Unique is what is lost without a space; shared is the rest."
    )
    return elements.figure(
        picture.svg, f"Unique and shared R² of the best targets of {model}", caption
    )

"""Plots of models against responses, drawn from their JSON documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.figures import new_figure, png_of

BLUE, ORANGE, GREY = "#3b6fb6", "#d9822b", "0.6"

Details = Sequence[Mapping[str, Any]]


def draw_models(details: Details) -> bytes:
    """A bar for each model's best stage, a panel for each set of responses and for similarity."""
    names = [each["model"] for each in details]
    panels = {
        name: ("noise-corrected R²" if scores["noise_corrected"] else "r²", name)
        for name, scores in details[0]["regression"].items()
    }
    figure = new_figure(3.1 * (len(panels) + 1) + 1.2, 0.34 * len(names) + 1.3)
    axes_of = figure.subplots(1, len(panels) + 1, sharey=True)
    for axes, (name, (label, title)) in zip(axes_of, panels.items(), strict=False):
        values = [each["regression"][name]["best"] for each in details]
        axes.barh(range(len(names)), values, color=BLUE)
        axes.set_xlabel(f"{label}, best stage")
        axes.set_title(title, fontsize=9)
    last = axes_of[-1]
    last.barh(range(len(names)), [each["similarity"]["best"] for each in details], color=ORANGE)
    last.set_xlabel("Spearman's r, best stage")
    last.set_title(f"similarity,\n{details[0]['similarity']['on']}", fontsize=9)
    agreement = details[0]["similarity"].get("between_participants")
    if agreement is not None:
        last.axvline(agreement, color="k", linestyle=":", linewidth=1, label="between participants")
        last.legend(fontsize=7, frameon=False)
    axes_of[0].set_yticks(range(len(names)), names)
    axes_of[0].invert_yaxis()
    return png_of(figure)


def draw_profiles(details: Details) -> bytes:
    """Score of every stage in every region, one heat map for each model with several stages."""
    found = [
        (each["model"], each["stages"], scores["profiles"])
        for each in details
        for scores in each["regression"].values()
        if scores["profiles"] and len(each["stages"]) > 1
    ]
    if not found:
        return b""
    most = max(float(np.max(list(profiles.values()))) for _, _, profiles in found)
    figure = new_figure(8.5, sum(0.26 * len(profiles) + 0.9 for _, _, profiles in found) + 0.4)
    heights = [len(profiles) for _, _, profiles in found]
    axes_of = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (model, stages, profiles) in zip(axes_of, found, strict=True):
        table = np.array(list(profiles.values()))
        image = axes.imshow(table, vmin=0, vmax=most, cmap="viridis", aspect="auto")
        axes.set_yticks(range(len(profiles)), list(profiles), fontsize=8)
        axes.set_xticks(range(len(stages)), stages, fontsize=7, rotation=90 * (len(stages) > 14))
        for row, values in enumerate(table):
            axes.plot(values.argmax(), row, "o", color="w", markeredgecolor="k", markersize=5)
        axes.set_title(model, fontsize=9)
        axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=list(axes_of), label="score of the stage (dot: the best)", shrink=0.8)
    return png_of(figure)


def draw_similarity(details: Details) -> bytes:
    """Similarity of every stage against its position; a horizontal line for a model with one
    stage."""
    figure = new_figure(8.5, 3.6)
    axes = figure.subplots()
    singles = 0
    for each in details:
        values = each["similarity"]["stages"]
        if len(values) > 1:
            axes.plot(np.linspace(0, 1, len(values)), values, ".-", label=each["model"])
        else:
            style = ("--", ":", "-.", (0, (6, 2)))[singles % 4]
            axes.axhline(values[0], color=GREY, linestyle=style, linewidth=1.2, label=each["model"])
            singles += 1
    agreement = details[0]["similarity"].get("between_participants")
    if agreement is not None:
        axes.axhline(agreement, color="k", linewidth=1, label="between participants")
    axes.set_xlabel("position of the stage (0: first, 1: last)")
    axes.set_ylabel("Spearman's r of distances")
    axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return png_of(figure)

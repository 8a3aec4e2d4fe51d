"""Paired comparisons: distribution of the differences over targets, and the largest ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.target_scores import ALL
from training.maps.target_maps import colour_limit
from training.report import elements
from training.report.brain import Atlas
from training.report.elements import (
    ACCENT,
    at_level,
    brain,
    drawing,
    interval,
    number,
    p_value,
    plain,
)
from training.report.headline import in_words
from training.report.results import Comparison, Results, p_column

N_LARGEST = 10


def comparisons(results: Results) -> str:
    """The section of comparisons; all maps are on one scale."""
    values = [each.map_values() for each in results.comparisons]
    limit = colour_limit(*values)
    parts = []
    for comparison, significant in zip(results.comparisons, values, strict=True):
        info = comparison.info
        parts += [
            elements.heading(f"{info.a} minus {info.b}"),
            elements.paragraph(in_words(comparison)),
            _per_subject(comparison),
            _histogram(comparison),
            _map(results, comparison, significant, limit),
            _largest(comparison),
        ]
    return elements.section("Comparisons", "comparisons", parts)


def _per_subject(comparison: Comparison) -> str:
    """Numbers of better and worse targets in each subject, if there are several."""
    rows = []
    for subject, table in comparison.targets.groupby("subject", sort=False):
        better, worse = _split(table)
        mean = float(table["difference"].astype(float).mean())
        rows.append([brain(subject), len(table), int(better.sum()), int(worse.sum()), number(mean)])
    if len(rows) < 2:
        return ""
    return elements.table(["brain", "#targets", "#better", "#worse", "#mean difference"], rows)


def _split(table: Any) -> tuple[Any, Any]:
    """Rows that are significantly better, and worse."""
    significant = table["significant"].fillna(False).astype(bool)
    difference = table["difference"].astype(float)
    return significant & (difference > 0), significant & (difference < 0)


def _histogram(comparison: Comparison) -> str:
    info = comparison.info
    rows = comparison.rows(comparison.shown_subject)
    known = rows[rows["difference"].notna()]
    if not len(known):
        return elements.paragraph("No target has a difference.")
    differences = known["difference"].to_numpy(dtype=float)
    is_significant = known["significant"].fillna(False).to_numpy(dtype=bool)
    reach = float(np.abs(differences).max()) or 1.0
    bins = np.linspace(-reach, reach, 32)  # zero lies in the middle of a bin
    with drawing(2.5, width=5.6) as picture:
        axes = picture.figure.subplots()
        axes.hist(
            [differences[is_significant], differences[~is_significant]],
            bins=bins, stacked=True, color=[ACCENT, "#cfd6dc"],
            label=["significant", "not significant"],
        )  # fmt: skip
        axes.axvline(0, color="#5a6673", linewidth=0.8)
        axes.set_xlabel(plain(f"difference: {info.a} minus {info.b}", 70))
        axes.set_ylabel("targets")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    caption = f"{len(known)} targets, {brain(comparison.shown_subject)}; {at_level(info)}."
    return elements.figure(picture.svg, "How differences spread over targets", caption)


def _map(
    results: Results, comparison: Comparison, significant: dict[int, float], limit: float
) -> str:
    image = results.image_of(comparison.info.a_evaluation)
    if image is None:
        return elements.paragraph(
            "No map: the evaluation that it was made from has no image of its targets, or is not "
            "where it was.", "note",
        )  # fmt: skip
    if not significant:
        return elements.paragraph("No map: no target differs significantly.", "note")
    atlas = Atlas(image, results.mesh)
    if atlas.unknown:
        return elements.paragraph(f"No map: {atlas.unknown}.", "note")
    caption = (
        f"The {len(significant)} significant differences, {brain(comparison.shown_subject)}. All "
        f"comparisons are on one scale, from {number(-limit, 2)} to {number(limit, 2)}."
    )
    label = f"difference of {'R²' if comparison.info.score == 'r2' else 'r'}"
    return atlas.figure(significant, label, limit, "Significant differences on the brain", caption)


def _largest(comparison: Comparison) -> str:
    info = comparison.info
    rows = comparison.rows(comparison.shown_subject)
    order = rows["difference"].astype(float).abs().sort_values(ascending=False, kind="stable")
    p = p_column(info.correction)
    cells = [
        [
            row["target_name"],
            target,
            number(row["a"]),
            number(row["b"]),
            number(row["difference"]),
            interval(row["low"], row["high"]),
            number(row["effect_size"], 2),
            p_value(row[p]),
        ]
        for target, row in rows.loc[order.dropna().index[:N_LARGEST]].iterrows()
    ]
    head = [
        *("target", "#id", f"#{info.a}", f"#{info.b}", "#difference", "#95 % interval"),
        *("#effect size", "#p" if info.correction == "none" else "#corrected p"),
    ]
    unit = "subjects" if comparison.shown_subject == ALL else "runs"
    n_units = int(rows["n_runs"].max()) if len(rows) else 0
    caption = (
        f"The largest differences, {brain(comparison.shown_subject)}, {n_units} {unit}; the "
        f"smallest p that so many allow is {p_value(info.smallest_p)} before correction."
    )
    return elements.table(head, cells, caption)

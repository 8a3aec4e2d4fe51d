"""The best targets by name, as a plot and tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.report import elements
from training.report.elements import CORRECTIONS, brain, interval, number, p_value, percent
from training.report.evaluated import Evaluation
from training.report.pictures import ACCENT, COLOURS, GREY, drawing, plain
from training.report.results import Results

N_BEST = 15
MOST_TABLES = 10
REFERENCES = {"ceiling_r": "noise ceiling", "inter_subject_r": "inter-subject correlation"}


def parcels(results: Results) -> str:
    """The best targets of the model with the highest mean; those of other models folded."""
    parts = []
    for evaluation in results.evaluations:
        featured = evaluation.featured
        if featured is None:
            continue
        parts += [results.heading(evaluation), _featured(evaluation, featured)]
        others = [m for m in evaluation.info.models if m != featured]
        for model in [m for m in others if evaluation.shown_subject(m)][:MOST_TABLES]:
            title = f"{model.name}, {brain(evaluation.shown_subject(model))}"
            parts.append(elements.folded(title, _table(evaluation, model)))
    return elements.section("Best targets", "targets", parts)


def best_rows(evaluation: Evaluation, model: ModelInfo, n: int = N_BEST) -> Any:
    """Rows of the targets with the highest scores, in order; indexed by target id."""
    rows = evaluation.rows(model)
    column = evaluation.info.score
    return rows[rows[column].notna()].sort_values(column, ascending=False, kind="stable").head(n)


def _featured(evaluation: Evaluation, model: ModelInfo) -> str:
    rows = best_rows(evaluation, model)
    if not len(rows):
        return elements.paragraph(f"{model.name} has no scores.")
    column = evaluation.info.score
    with drawing(0.75 + 0.24 * len(rows), width=5.6) as picture:
        axes = picture.figure.subplots()
        places = np.arange(len(rows))[::-1]
        scores = rows[column].to_numpy(dtype=float)
        ends = rows[[f"{column}_low", f"{column}_high"]].to_numpy(dtype=float)
        axes.hlines(places, *ends.T, color=ACCENT, linewidth=1.6, alpha=0.5)
        axes.plot(scores, places, "o", color=ACCENT, markersize=5, label=plain(model.name))
        shown = _references(rows) if column == "r" else {}
        for name, (mark, colour) in shown.items():
            axes.plot(rows[name].astype(float), places, mark, color=colour, markersize=9,
                      markeredgewidth=2, label=REFERENCES[name])  # fmt: skip
        if shown:
            picture.figure.legend(loc="outside lower center", ncols=1 + len(shown))
        axes.set_yticks(places, [plain(name) for name in rows["target_name"]])
        axes.set_xlabel(evaluation.score_name)
        axes.grid(axis="x", color="#e7ebee", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.axvline(0, color=GREY, linewidth=0.8)
    caption = (
        f"The {len(rows)} targets that {model.name} predicts best, "
        f"{brain(evaluation.shown_subject(model))}, with 95 % intervals. They were chosen for "
        "their scores, which makes these a little too high."
    )
    description = f"Scores and intervals of the {len(rows)} best targets of {model.name}"
    drawn = elements.figure(picture.svg, description, caption)
    return drawn + _table(evaluation, model)


def _references(rows: Any) -> dict[str, tuple[str, str]]:
    """Columns of reference values that contain numbers, with marker and colour."""
    marks = {"ceiling_r": ("|", GREY), "inter_subject_r": ("x", COLOURS[1])}
    return {name: mark for name, mark in marks.items() if rows[name].notna().any()}


def _table(evaluation: Evaluation, model: ModelInfo) -> str:
    info = evaluation.info
    column = info.score
    head = ["target", "#id", f"#{evaluation.score_name}", "#95 % interval"]
    rows = best_rows(evaluation, model)
    references = _references(rows)
    if evaluation.has_p:
        head.append("#p" if info.correction == "none" else "#corrected p")
    if "ceiling_r" in references:
        head += ["#ceiling r", "#r of ceiling"]
    if "inter_subject_r" in references:
        head.append("#inter-subject r")
    cells = []
    for target, row in rows.iterrows():
        cell = [row["target_name"], target, number(row[column])]
        cell.append(interval(row[f"{column}_low"], row[f"{column}_high"]))
        if evaluation.has_p:
            cell.append(p_value(row[evaluation.corrected_p]))
        if "ceiling_r" in references:
            cell += [number(row["ceiling_r"]), percent(row["r_fraction"])]
        if "inter_subject_r" in references:
            cell.append(number(row["inter_subject_r"]))
        cells.append(cell)
    caption = f"{model.name}, {brain(evaluation.shown_subject(model))}."
    if evaluation.has_p:
        caption += (
            f" Correction: {CORRECTIONS[info.correction]}. The smallest p that "
            f"{info.n_permutations:,} permutations allow is {p_value(info.smallest_p)} before "
            "correction."
        )
    return elements.table(head, cells, caption)

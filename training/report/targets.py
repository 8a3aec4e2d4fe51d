"""Sections on single targets: the best ones by score, and their variance partition."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.folders import ModelInfo
from training.evaluation.target_scores import ALL
from training.report import elements
from training.report.elements import (
    ACCENT,
    COLOURS,
    CORRECTIONS,
    GREY,
    brain,
    drawing,
    interval,
    number,
    p_value,
    percent,
    plain,
)
from training.report.results import Evaluation, Partition, Results

N_BEST = 15
MOST_TABLES = 10
REFERENCES = {"ceiling_r": "noise ceiling", "inter_subject_r": "inter-subject correlation"}
SHARED = "#c5ccd3"


def parcels(results: Results) -> str:
    """The best targets of the model with the highest mean; those of other models folded."""
    return results.section("Best targets", "targets", _best)


def _best(evaluation: Evaluation) -> str:
    featured = evaluation.featured
    if featured is None:
        return ""
    parts = [_featured(evaluation, featured)]
    for model in [each for each in evaluation.scored if each != featured][:MOST_TABLES]:
        title = f"{model.name}, {brain(evaluation.shown_subject(model))}"
        parts.append(elements.folded(title, _table(evaluation, model)))
    return "\n".join(parts)


def _best_rows(evaluation: Evaluation, model: ModelInfo) -> Any:
    """Rows of the targets with the highest scores, in order; indexed by target id."""
    rows = evaluation.rows(model)
    column = evaluation.info.score
    return (
        rows[rows[column].notna()].sort_values(column, ascending=False, kind="stable").head(N_BEST)
    )


def _featured(evaluation: Evaluation, model: ModelInfo) -> str:
    rows = _best_rows(evaluation, model)
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
    rows = _best_rows(evaluation, model)
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

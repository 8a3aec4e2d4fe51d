"""The page of all models: a section for each set of responses, with its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import page as pages
from benchmarks.figures import BLUE, GREY, ORANGE, new_figure, png_of
from benchmarks.page import Picture, Section, format_table, one_document, read_documents, written_by
from benchmarks.results import Document

YARDSTICKS, SPEED = "yardsticks", "speed"
INTRO = (
    "How well the stages of networks and simple features predict responses of auditory cortex to "
    "the same sounds; the method is that of Tuckute, Feather, Boebinger & McDermott 2023 (PLoS "
    "Biology 21, e3002366)."
)
NOTES = [
    "Best stage, and single components or regions: half of the splits choose the stage of each "
    "target, the other half score it; mean over ten such choices. Components: mean over the six; "
    "voxels: median within participants, mean over participants.",
    "r² without noise correction where there is a single measurement per sound (components, and "
    "voxels reconstructed from them); noise-corrected where there are three scans.",
    "Similarity: Spearman's correlation of distances between sounds (1 - Pearson's r), stage "
    "chosen by 83 sounds and scored by 82, median over splits. Dimensionality: of the stage with "
    "the smallest and of the one with the largest.",
    "Voxels of natsound165 are the published rank-6 reconstruction, not measurements: without "
    "noise, and easier to predict than voxels.",
    "Weights permuted: within each tensor, BatchNorm included; running means and variances of a "
    "layer are permuted alike. Units of all models keep their own variances, as in the paper.",
    "modulation spectrum: its definition was searched for on these very sounds and splits (see the "
    "yardsticks), so that its scores are flattering. The level, and objectives of the pretrained "
    "network, were chosen in part by scores on these sounds; the default and its preset were "
    "chosen by development tasks that do not include them.",
    "soundnet-untrained has random weights. soundnet-pretrained learned from sounds alone. "
    "soundnet-natural-sounds was fitted to these responses to natsound165 and has no row here: its "
    "scores on sounds that it was not fitted to are in "
    "[default_checkpoint](../default_checkpoint/results.md).",
    "Level: all sounds are brought to it first, as the default preset does; other rows use them as "
    "they are.",
]


def write_page(results: Path, page: Path) -> Path:
    """Write the page, its pictures and tables from the JSON files in the folder `results`.

    Raises
    ------
    FileNotFoundError
        If there are no results.
    """
    names = sorted(path.stem for path in results.glob("*.json"))
    documents = read_documents(results, names, "correspondence")
    models = [each for each in documents.values() if "on" in each.get("details", {})]
    sections = []
    for on in dict.fromkeys(each["details"]["on"] for each in models):
        own = [each for each in models if each["details"]["on"] == on]
        of_sounds = [each for each in own if "regression" in each["details"]]
        sections += [_of_models(on, of_sounds)] if of_sounds else []
        courses = [each for each in own if each not in of_sounds]
        sections += [Section(f"{on}-{i}", each) for i, each in enumerate(courses, 1)]
    sections += [
        Section(name, documents[name]) for name in (YARDSTICKS, SPEED) if name in documents
    ]
    intro = [INTRO, "", written_by("correspondence page")]
    return pages.write_page(page, "Model-brain correspondence", intro, sections, _overview())


def _of_models(on: str, documents: Sequence[Document]) -> Section:
    """All models of one set of responses to sounds, best first."""
    first = next(iter(documents[0]["details"]["regression"]))
    documents = sorted(
        documents, key=lambda each: -float(each["details"]["regression"][first]["best"])
    )
    details = [each["details"] for each in documents]
    stages = [
        {"model": each["details"]["model"], **row} for each in documents for row in each["rows"]
    ]
    document = {
        **one_document(documents),
        "title": on,
        "rows": [_row(each) for each in details],
        "tables": [{"title": "Every stage", "rows": stages}],
        "notes": NOTES,
        "seeds": documents[0].get("seeds", {}),
        "details": {"models": details},
    }
    pictures: list[Picture] = [("Best stage of every model", draw_models)]
    if any(len(each["stages"]) > 1 and _profiles(each) for each in details):
        pictures.append(("Every stage by region or component", draw_profiles))
    pictures.append(("Representational similarity of every stage", draw_similarity))
    return Section(on, document, pictures)


def _profiles(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Score of each stage by region, for each set of responses that has regions."""
    regressions = details["regression"].values()
    return [scores["profiles"] for scores in regressions if scores["profiles"]]


def _row(details: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"model": details["model"], "stages": len(details["stages"])}
    for name, scores in details["regression"].items():
        row[f"{name}: best stage"] = scores["best"]
        row |= scores["best_of_regions"]
    row["similarity"] = details["similarity"]["best"]
    if details["similarity"].get("between_participants") is not None:
        row["between participants"] = details["similarity"]["between_participants"]
    sizes = [size for size in details["dimensionality"]["demeaned"] if size is not None]
    row["dimensionality"] = " to ".join(dict.fromkeys(f"{f(sizes):.1f}" for f in (min, max)))
    return row


def draw_models(document: Mapping[str, Any]) -> bytes:
    """A bar for each model's best stage, a panel for each set of responses and for similarity."""
    details = document["details"]["models"]
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


def draw_profiles(document: Mapping[str, Any]) -> bytes:
    """Score of every stage in every region, one heat map for each model with several stages."""
    details = document["details"]["models"]
    found = [
        (each["model"], each["stages"], profiles)
        for each in details
        if len(each["stages"]) > 1
        for profiles in _profiles(each)
    ]
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


def draw_similarity(document: Mapping[str, Any]) -> bytes:
    """Similarity of every stage against its position; a horizontal line for a model with one
    stage."""
    details = document["details"]["models"]
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


def _overview() -> list[str]:
    """The networks of the paper that can run here with the user's weights."""
    from benchmarks.correspondence.external.overview import overview_rows

    return [
        "",
        "## External models",
        "",
        "Networks of the paper as `run NAME --checkpoint WEIGHTS` takes them. Nothing is "
        "downloaded: without weights they run in their true shape with random ones and say so.",
        "",
        *format_table(overview_rows()),
    ]

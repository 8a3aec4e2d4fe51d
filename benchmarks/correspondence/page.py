"""Results page: a section for each set of responses, with models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.correspondence.pictures import draw_models, draw_profiles, draw_similarity
from benchmarks.results import Document, read_result
from benchmarks.results_page import format_experiment, format_table, page_path
from hear_brainsoundnet.files import write_atomically

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).with_name("results.md")
YARDSTICKS, SPEED = "yardsticks", "speed"
HEADING = [
    "# Model-brain correspondence",
    "",
    "Written by `python -m benchmarks correspondence page`; not to be edited. All numbers: the "
    "JSON files in the folder `results`. The method is that of Tuckute, Feather, Boebinger & "
    "McDermott 2023 (PLoS Biology 21, e3002366).",
]
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
    "yardsticks), so that its scores are flattering. No other model was chosen by its scores.",
    "soundnet-untrained has random weights. soundnet-pretrained learned from sounds alone. "
    "soundnet-natural-sounds was fitted to these responses to natsound165 and has no row here: its "
    "scores on sounds that it was not fitted to are in "
    "[default_checkpoint](../default_checkpoint/results.md).",
    "Level: all sounds are brought to it first, as the default preset does; other rows hear them "
    "as they are.",
]


def write_page(results: Path, page: Path) -> Path:
    """Write the page and its plots from the JSON files.

    Parameters
    ----------
    results : Path
        Folder of the JSON files.
    page : Path
        The page; plots are written beside it.

    Raises
    ------
    FileNotFoundError
        If there are no results.
    """
    page = page_path(page)
    names = sorted(path.stem for path in results.glob("*.json"))
    read = {name: read_result(results, name) for name in names}
    documents = {name: document for name, document in read.items() if document is not None}
    if not documents:
        raise FileNotFoundError(
            f"no results in {results}; run first: python -m benchmarks correspondence --help"
        )
    lines = list(HEADING)
    models = [each for each in documents.values() if "on" in each.get("details", {})]
    for on in dict.fromkeys(each["details"]["on"] for each in models):
        own = [each for each in models if each["details"]["on"] == on]
        lines += _section(on, own, page)
    for name in (YARDSTICKS, SPEED):
        if name in documents:
            lines += ["", *format_experiment(documents[name])]
    lines += _overview()
    write_atomically(page, ("\n".join(lines) + "\n").encode())
    return page


def _section(on: str, documents: Sequence[Document], page: Path) -> list[str]:
    """Models of one set of responses, best first, with plots; then each in full."""
    lines = ["", f"## {on}", ""]
    of_sounds = [each for each in documents if "regression" in each["details"]]
    if of_sounds:
        first = next(iter(of_sounds[0]["details"]["regression"]))
        of_sounds.sort(key=lambda each: -each["details"]["regression"][first]["best"])
        lines += format_table([_row(each["details"]) for each in of_sounds])
        lines += ["", *(f"- {note}" for note in NOTES)]
        details = [each["details"] for each in of_sounds]
        for kind, title, draw in (
            ("models", "Best stage of every model", draw_models),
            ("stages", "Every stage by region or component", draw_profiles),
            ("similarity", "Representational similarity of every stage", draw_similarity),
        ):
            picture = page.with_name(f"{page.stem}-{on}-{kind}.png")
            drawn = draw(details)
            if drawn:
                write_atomically(picture, drawn)
                lines += ["", f"![{title}]({picture.name})"]
    for document in (*of_sounds, *(each for each in documents if each not in of_sounds)):
        lines += [
            "",
            *(
                "#" + line if line.startswith("##") else line
                for line in format_experiment(document)
            ),
        ]
    return lines


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

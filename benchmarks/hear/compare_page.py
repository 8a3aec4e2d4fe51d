"""Page of a comparison: ``PAGE.md``, its pictures, and its numbers in the folder ``PAGE``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.hear.compare import choose_baseline, scores_document
from benchmarks.hear.compare_ranks import ranks_document, sizes_document
from benchmarks.hear.leaderboard import read_leaderboard
from benchmarks.hear.model_scores import read_models
from benchmarks.hear.pictures import draw_rank_changes, draw_scores, draw_sizes
from benchmarks.page import Picture, Section, page_path, write_page, written_by
from benchmarks.results import read_result, write_result

PICTURES: dict[str, Picture] = {
    "scores": ("Scores with their intervals", draw_scores),
    "ranks": ("Places gained on the leaderboard", draw_rank_changes),
    "sizes": ("Scores and gains by size of the training set", draw_sizes),
}


def write_comparison(
    results: Sequence[Path], leaderboard: Path, page: Path, baseline: str = ""
) -> Path:
    """Compare models with each other and with published ones, and write the page.

    Parameters
    ----------
    results : sequence of Path
        Output folders of ``run``, or folders of raw scores.
    leaderboard : Path
        See :func:`benchmarks.hear.leaderboard.read_leaderboard`.
    page : Path
        For example ``comparison.md``; see :func:`~benchmarks.page.page_path`.
    baseline : str
        Name, or start of the checkpoint's hash, of the model without alignment; "" for the first.

    Returns
    -------
    Path
        The page.
    """
    page = page_path(page)
    published = read_leaderboard(leaderboard)
    models = read_models(results)
    chosen = choose_baseline(models, baseline)
    words = ["python", "-m", "benchmarks", "hear", "compare", *(place.name for place in results)]
    words += ["--leaderboard", leaderboard.name, "--out", page.name]
    words += ["--baseline", baseline] if baseline else []
    documents = {
        "scores": scores_document(models),
        "ranks": ranks_document(models, published, chosen),
        "sizes": sizes_document(models, published, chosen),
    }
    numbers = page.with_suffix("")
    sections = []
    for name, document in documents.items():
        (numbers / f"{name}.json").unlink(missing_ok=True)  # from an earlier comparison
        if document["rows"]:
            write_result(numbers, name, {**document, "command": shlex.join(words)})
            written = read_result(numbers, name)
            assert written is not None
            sections.append(Section(name, written, [PICTURES[name]]))
    absent = [document["title"] for document in documents.values() if not document["rows"]]
    more = ["", f"No measured task has what this needs: {', '.join(absent)}."] if absent else []
    intro = [written_by("hear compare", numbers.name)]
    return write_page(page, "Models compared on HEAR tasks", intro, sections, more)

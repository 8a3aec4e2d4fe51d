"""The report page, from the folders to the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from training.progress import bar
from training.report.brain import maps
from training.report.comparing import comparisons
from training.report.headline import headline
from training.report.learning import learning
from training.report.methods import excluded, methods, redo
from training.report.models import matrix, profile
from training.report.page import page
from training.report.parcels import parcels
from training.report.partitioning import partitions
from training.report.results import Results, read_results
from training.report.strips import strips

PAGE_FILE = "index.html"

# In the order of the page; sections without content are empty.
SECTIONS = (
    headline,
    maps,
    parcels,
    comparisons,
    matrix,
    profile,
    strips,
    partitions,
    learning,
    excluded,
    methods,
)


@one_job_per_folder()
def write_report(
    folders: Sequence[Path], out: Path, *, title: str = "", progress: bool = False
) -> Path:
    """Write one page about evaluations, comparisons and partitions.

    The page is self-contained: pictures, style and scripts are inside it.

    Parameters
    ----------
    folders : sequence of Path
        Folders of ``python -m training evaluate``, ``compare`` and ``partition``, in any order.
    out : Path
        Folder of the page; an existing page is replaced.
    title : str
        Heading; by default the names of the datasets.
    progress : bool
        Show a progress bar on standard error; maps take a few seconds each.

    Returns
    -------
    Path
        The page, ``OUT/index.html``.

    Raises
    ------
    FileNotFoundError
        If a folder holds no result.
    ValueError
        If there are no folders, or one is damaged.
    """
    results = read_results(folders)
    out = Path(out)
    shown = bar(SECTIONS, desc="report", shown=progress)
    sections = [*(section(results) for section in shown), redo(results)]
    path = out / PAGE_FILE
    write_atomically(path, page(title or _title(results), _lead(results), sections).encode())
    return path


def _title(results: Results) -> str:
    names = dict.fromkeys(each.info.dataset for each in results.evaluations)
    return f"Brain encoding: {', '.join(names)}" if names else "Brain encoding"


def _lead(results: Results) -> str:
    kinds = [
        (len(results.evaluations), "evaluation"),
        (len(results.comparisons), "comparison"),
        (len(results.partitions), "variance partition"),
    ]
    return ", ".join(f"{n} {kind}{'s' * (n > 1)}" for n, kind in kinds if n) + "."

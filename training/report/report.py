"""The report page, from the folders to the file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path

from hear_brainsoundnet.files import write_atomically
from hear_brainsoundnet.lock import one_job_per_folder
from training.progress import bar
from training.report.brain import maps
from training.report.comparing import comparisons
from training.report.headline import headline
from training.report.methods import excluded, methods, redo
from training.report.models import learning, matrix, profile, strips
from training.report.results import Results, read_results
from training.report.targets import parcels, partitions

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

STYLE = """
:root { --ink: #1d2733; --soft: #5a6673; --line: #dfe4e8; --faint: #f5f7f8; --accent: #0b6e8f; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: #fff; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .75rem; }
h3 { font-size: 1.02rem; margin: 1.75rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
ul { padding-left: 1.2rem; max-width: 46rem; } li { margin: .2rem 0; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1.5rem; }
nav { margin: 1rem 0 0; font-size: .9rem; }
nav a { color: var(--accent); text-decoration: none; margin-right: 1.1rem; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
.lead { color: var(--soft); } .note, figcaption { font-size: .86rem; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .75rem;
  margin: 1rem 0; }
.cards > div { background: var(--faint); border-radius: .5rem; padding: .8rem 1rem; }
.cards strong { display: block; font-size: 1.55rem; line-height: 1.25; color: var(--accent);
  font-variant-numeric: tabular-nums; }
.cards span { display: block; font-size: .9rem; } .cards small { color: var(--soft); }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .86rem; overflow-wrap: normal; }
th, td { padding: .3rem 1rem .3rem 0; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; } tbody tr:hover { background: var(--faint); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figcaption { max-width: 46rem; margin-top: .3rem; }
img { max-width: 100%; height: auto; display: block; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  gap: 0 1.5rem; align-items: start; }
.turning { max-width: 46rem; border: 1px solid var(--line); border-radius: .5rem;
  overflow: hidden; }
/* As high as nilearn's drawing, which is 3 to 2, and the menu below it. */
iframe { display: block; width: 100%; height: calc(min(46rem, 100vw - 2rem) * 2 / 3 + 2.5rem);
  border: 0; }
pre { background: var(--faint); border-radius: .5rem; padding: .7rem 1rem; font-size: .84rem;
  white-space: pre-wrap; }
details { margin: .75rem 0; } summary { cursor: pointer; color: var(--accent); font-size: .93rem; }
@media (max-width: 40rem) { body { padding-top: 1rem; }
  td:not(.n) { white-space: normal; min-width: 10rem; overflow-wrap: anywhere; }
  .wide-picture .picture { overflow-x: auto; }
  .wide-picture img { max-width: none; width: 40rem; } }
@media print { body { max-width: none; font-size: 10pt; padding: 0; }
  nav, .turning, .turn { display: none; }
  section { margin-top: 1.2rem; padding-top: .8rem; } .wide { overflow: visible; }
  table { font-size: 7.5pt; } th, td { white-space: normal; padding-right: .5rem; }
  tr, figure, .cards > div { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""
# A script or a frame with its quotes, as written by ``elements``.
_SECTION = re.compile(r'<section id="([^"]*)">\s*<h2>(.*?)</h2>')
_FRAME = re.compile(r"<iframe[^>]* srcdoc='([^']*)'>")
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


@one_job_per_folder()
def write_report(
    folders: Sequence[Path],
    out: Path,
    *,
    title: str = "",
    mesh: Sequence[Path] = (),
    progress: bool = False,
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
    mesh : sequence of Path
        Surfaces of the left and the right hemisphere to draw on, see
        :func:`training.maps.surfaces.load_cortex`.
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
    results = read_results(folders, mesh)
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


def page(title: str, lead: str, sections: Sequence[str]) -> str:
    """The whole page.

    A content security policy forbids loading anything, and running any script except those of its
    frames, identified by their checksums.

    Parameters
    ----------
    title, lead : str
        Heading, and the line under it; plain text.
    sections : sequence of str
        HTML; empty ones are left out.
    """
    content = "\n".join(section for section in sections if section)
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in _SECTION.findall(content))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(content))}">'
        f"<title>{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n<header><h1>{escape(title)}</h1>"
        f'<p class="lead">{escape(lead)}</p><nav aria-label="Sections">{links}</nav></header>\n'
        f"<main>\n{content}\n</main>\n</body></html>\n"
    )


def policy(content: str) -> str:
    """Content security policy: no external resources, and only the scripts in its frames.

    Frames inherit the policy of the containing page. Their drawing library compiles functions from
    text, hence "unsafe-eval"; without frames no script runs at all.

    Examples
    --------
    >>> policy("<p>text</p>").split("; ")[:2]
    ["default-src 'none'", "script-src 'none'"]
    """
    checksums = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for frame in _FRAME.findall(content)
        for script in _SCRIPT.findall(unescape(frame))
    }
    scripts = " ".join(f"'sha256-{checksum}'" for checksum in sorted(checksums))
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {scripts} 'unsafe-eval'" if scripts else "script-src 'none'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )

"""``summary.html``: a summary of a prepared dataset for people, with plots.

One file, no network, no script.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hear_brainsoundnet.files import write_atomically
from training.data.findings import BETWEEN
from training.data.prepared import Prepared, Run
from training.prepare.synchrony import (
    AUDITORY_SHARE,
    CHANCE,
    LATE_S,
    MAX_LAG_S,
    WEAK_R,
    Synchrony,
)
from training.progress import bar

Motion = Mapping[tuple[str, str], Callable[[], NDArray[np.float64]] | None]

_MANY = 10  # items of a finding shown unfolded

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 64rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
img { max-width: 100%; height: auto; }
figure { margin: 0; } figcaption, .note { font-size: .875rem; color: #444; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8125rem; overflow-wrap: normal; }
.wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: #fff; }
.wide tr.look td:first-child { background: #fff0d9; }
th, td { padding: .2rem .6rem .2rem 0; text-align: left; white-space: nowrap;
         border-bottom: 1px solid #ddd; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.look td { background: #fff0d9; font-weight: 600; }
@media print { body { max-width: none; font-size: 10pt; padding: 0; } .wide { overflow: visible; }
  table { font-size: 7pt; } td, th { white-space: normal; } tr, figure { break-inside: avoid; } }
"""
_WIDTH = 7.2  # inches: fits a printed page and is readable on a phone
MAX_DRAWN = 12
_EXPECTED, _MEASURED = "#b0b0b0", "#b34700"


@dataclass(frozen=True)
class _Line:
    """A run in the table."""

    run: Run
    sound_s: float
    motion: tuple[float, float] | None  # mean and largest framewise displacement in mm
    synchrony: Synchrony | None

    @property
    def is_late(self) -> bool:
        return self.synchrony is not None and self.synchrony.is_out_of_step(self.run.tr)


def write_summary(
    dataset: Prepared,
    path: Path,
    motion: Motion | None = None,
    synchrony: Mapping[Run, Synchrony] | None = None,
    *,
    progress: bool = False,
) -> None:
    """Write the page; reads one run at a time.

    Parameters
    ----------
    dataset : Prepared
        The dataset to summarise.
    path : Path
        The output file.
    motion : mapping, optional
        ``(subject, run)`` to a function that returns the framewise displacement in mm,
        ``(n_trs,)``.
    synchrony : mapping, optional
        Result of :func:`training.prepare.synchrony.synchrony_of_dataset`.
    progress : bool
        Whether to show a progress bar on standard error.
    """
    lines: list[_Line] = []
    missing: dict[str, int] = {}
    for subject in bar(dataset.subjects, desc="summary", shown=progress):
        runs = [run for run in dataset.runs if run.subject == subject]
        absent = np.ones(dataset.n_targets, dtype=bool)
        for run in runs:
            absent &= np.isnan(dataset.bold(run)[0])
            seconds = len(dataset.audio(run.stimulus)) / dataset.info.sample_rate
            displacement = _motion((motion or {}).get((run.subject, run.name)))
            lines.append(_Line(run, seconds, displacement, (synchrony or {}).get(run)))
        missing[subject] = int(absent.sum())
    content = "\n".join(
        [
            _overview(dataset, missing, lines),
            _findings(dataset),
            _alignment(lines) if dataset.info.kind == "time_series" else _responses(dataset),
            _run_tables(dataset, lines),
            _sources(dataset),
        ]
    )
    title = escape(f"{dataset.info.name}: prepared dataset")
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{content}\n</body></html>\n"
    )
    write_atomically(path, page.encode())


def _overview(dataset: Prepared, missing: Mapping[str, int], lines: Sequence[_Line]) -> str:
    info = dataset.info
    is_series = info.kind == "time_series"
    atlas = f" of {escape(info.atlas)}" if info.atlas else ""
    facts = f"{len(missing)} subjects, {len(lines)} {'runs' if is_series else 'responses'}, "
    if is_series:
        hours = sum(line.run.n_trs * line.run.tr for line in lines) / 3600
        facts += f"{hours:.2f} hours, TR {info.tr:g} s, "
    facts += f"{dataset.n_targets} targets{atlas}, audio at {info.sample_rate} Hz."
    rows = []
    for subject, n_missing in missing.items():
        own = [line for line in lines if line.run.subject == subject]
        minutes = sum(line.run.n_trs * line.run.tr for line in own) / 60
        displacement = [line.motion[0] for line in own if line.motion]
        rows.append(
            [
                subject,
                len(own),
                f"{minutes:.1f}" if is_series else "–",
                n_missing,
                f"{np.mean(displacement):.2f}" if displacement else "–",
            ]
        )
    head = ["subject", "#runs", "#minutes", "#targets missing", "#mean displacement, mm"]
    return f"<p>{facts}</p>\n" + _table(head, rows)


def _findings(dataset: Prepared) -> str:
    items = "".join(f"<li>{_finding(finding)}</li>" for finding in dataset.info.findings)
    return "<h2>Findings</h2>\n" + (f"<ul>{items}</ul>" if items else "<p>None.</p>")


def _finding(finding: str) -> str:
    """A finding; a long list is foldable."""
    kind, colon, what = finding.partition(": ")
    items = what.split(BETWEEN)
    if len(items) <= _MANY:
        return escape(finding)
    rows = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<details><summary>{escape(kind + colon.strip())}</summary><ul>{rows}</ul></details>"


def _drawn(lines: Sequence[_Line]) -> list[tuple[Run, Synchrony]]:
    """The runs in the plot: early and late ones first, the largest lags before the others."""
    known = [(line, line.synchrony) for line in lines if line.synchrony is not None]
    late = sorted(
        ((line, synchrony) for line, synchrony in known if line.is_late),
        key=lambda each: -abs(each[1].lag),
    )
    others = [each for each in known if not each[0].is_late]
    shown = late[: max(MAX_DRAWN // 2, MAX_DRAWN - len(others))]
    shown += [others[i] for i in spread(len(others), MAX_DRAWN - len(shown))]
    return [(line.run, synchrony) for line, synchrony in shown]


def _alignment(lines: Sequence[_Line]) -> str:
    drawn = _drawn(lines)
    if not drawn:
        return ""
    late = [line for line in lines if line.is_late]
    picture = draw_synchrony([run for run, _ in drawn], [each for _, each in drawn])
    verdict = (
        f"In {len(late)} of {len(lines)} runs the signal is more than {LATE_S:g} s early or late: "
        "check their stimulus and its onset (shaded in the table below)."
        if late
        else f"No run correlates best at a lag beyond {LATE_S:g} s."
    )
    caption = (
        f"{len(drawn)} of {len(lines)} runs, early and late ones first. Expected: the sound's "
        "loudness (root mean square per TR) convolved with the canonical double-gamma haemodynamic "
        f"response. Measured: the mean of the auditory targets, which are the {AUDITORY_SHARE:.0%} "
        "of a subject's targets that correlate best with the expected signal over all runs (at "
        "one lag for all). Both z-scored. Lag: where both correlate best within "
        f"±{MAX_LAG_S:g} s, positive where the measured signal is late; with r below {WEAK_R:g} "
        f"(in short runs, below {CHANCE:g} / √TRs) it means little."
    )
    return f"<h2>Sound and signal</h2>\n<p>{verdict}</p>\n" + _figure(
        picture, "Expected and measured signal over time, one row per run", caption
    )


def _responses(dataset: Prepared) -> str:
    drawn = [dataset.subjects[i] for i in spread(len(dataset.subjects))]
    caption = (
        f"{len(drawn)} of {len(dataset.subjects)} subjects. Bars: the responses to each sound from "
        "the 5th to the 95th percentile of targets, z-scored over sounds; dots: their median."
    )
    return "<h2>Responses to sounds</h2>\n" + _figure(
        draw_responses(dataset, drawn), "Range of responses per sound, one row per subject", caption
    )


def _run_tables(dataset: Prepared, lines: Sequence[_Line]) -> str:
    if dataset.info.kind == "sound_responses":
        rows = [
            [each.run.subject, each.run.name, each.run.stimulus, f"{each.sound_s:.2f}"]
            for each in lines
        ]
        return "<h2>Sounds</h2>\n" + _table(["subject", "sound", "stimulus", "#seconds"], rows)
    parts = ["<h2>Runs</h2>"]
    head = [
        *("run", "#lag, s", "#r", "session", "stimulus", "#start, s", "#TRs", "#minutes"),
        *("#stimulus, min", "#displacement mean, mm", "#largest"),
    ]
    for subject in dataset.subjects:
        own = [line for line in lines if line.run.subject == subject]
        late = {i for i, line in enumerate(own) if line.is_late}
        parts.append(f"<h3>{escape(subject)}</h3>")
        parts.append(_table(head, [_row(line) for line in own], late))
    return "\n".join(parts)


def _row(line: _Line) -> list[object]:
    run, synchrony = line.run, line.synchrony
    motion = [f"{value:.2f}" for value in line.motion] if line.motion else ["–", "–"]
    lag = [f"{synchrony.lag:+.1f}", f"{synchrony.r:.2f}"] if synchrony else ["–", "–"]
    minutes = [f"{run.n_trs * run.tr / 60:.1f}", f"{line.sound_s / 60:.1f}"]
    start = f"{run.start:g}"
    return [run.name, *lag, run.session, run.stimulus, start, run.n_trs, *minutes, *motion]


def _sources(dataset: Prepared) -> str:
    rows = [
        [source.path, f"{source.n_bytes:,}", source.checksum[:28]]
        for source in dataset.info.sources
    ]
    versions = ", ".join(f"{name} {number}" for name, number in dataset.info.versions.items())
    return (
        "<h2>Sources</h2>\n"
        + _table(["file", "#bytes", "checksum begins with"], rows)
        + f'\n<p class="note">Prepared with {escape(versions)}. The whole recipe and all checksums '
        "stand in dataset.json.</p>"
    )


def _table(
    head: Sequence[str], rows: Sequence[Sequence[object]], shaded: set[int] | None = None
) -> str:
    """A table; columns whose heading starts with ``#`` are numbers."""
    kinds = [' class="n"' if name.startswith("#") else "" for name in head]
    cells = "".join(
        f"<th{kind}>{escape(name.removeprefix('#'))}</th>"
        for kind, name in zip(kinds, head, strict=True)
    )
    parts = [f'<div class="wide" tabindex="0"><table><thead><tr>{cells}</tr></thead><tbody>']
    for i, row in enumerate(rows):
        look = ' class="look"' if shaded and i in shaded else ""
        cells = "".join(
            f"<td{kind}>{escape(str(value))}</td>" for kind, value in zip(kinds, row, strict=True)
        )
        parts.append(f"<tr{look}>{cells}</tr>")
    return "\n".join(parts) + "</tbody></table></div>"


def _figure(picture: bytes, description: str, caption: str) -> str:
    data = base64.b64encode(picture).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(description)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _motion(load: Callable[[], NDArray[np.float64]] | None) -> tuple[float, float] | None:
    """Mean and largest framewise displacement in mm; undefined for the first TR."""
    if load is None:
        return None
    displacement = np.asarray(load(), dtype=np.float64)
    displacement = displacement[np.isfinite(displacement)]
    if len(displacement) == 0:
        return None
    return float(displacement.mean()), float(displacement.max())


def spread(n: int, at_most: int = MAX_DRAWN) -> list[int]:
    """Indices of the items to draw out of `n`: all, or equally spaced ones, including first and
    last.

    Examples
    --------
    >>> spread(3), spread(100, at_most=3)
    ([0, 1, 2], [0, 50, 99])
    """
    if n <= at_most:
        return list(range(n))
    return [int(i) for i in np.linspace(0, n - 1, at_most).round()]


def draw_synchrony(runs: Sequence[Run], synchrony: Sequence[Synchrony]) -> bytes:
    """Expected and measured signal over time, one row per run."""
    figure = _drawing(0.7 + 1.25 * len(runs))
    axes = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for axis, run, each in zip(axes, runs, synchrony, strict=True):
        minutes = (run.start + run.tr * np.arange(run.n_trs)) / 60
        axis.plot(minutes, each.expected, color=_EXPECTED, linewidth=2, label="expected")
        axis.plot(minutes, each.auditory, color=_MEASURED, linewidth=0.9, label="measured")
        axis.set_title(
            f"{run.subject}  {run.name}   lag {each.lag:+.1f} s, r {each.r:.2f}",
            loc="left",
            fontsize=8,
            parse_math=False,
        )
        axis.margins(x=0)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("minutes of the stimulus", fontsize=8)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper right",
        ncols=2,
        fontsize=8,
        frameon=False,
    )
    return _png(figure)


def draw_responses(dataset: Prepared, subjects: Sequence[str]) -> bytes:
    """The range of responses to each sound over targets, one row per subject."""
    figure = _drawing(0.7 + 1.6 * len(subjects))
    axes = figure.subplots(len(subjects), 1, squeeze=False)[:, 0]
    for axis, subject in zip(axes, subjects, strict=True):
        runs = [run for run in dataset.runs if run.subject == subject]
        quantiles = np.array(
            [np.nanpercentile(dataset.bold(run)[0], (5, 50, 95)) for run in runs], dtype=float
        )
        sounds = np.arange(1, len(runs) + 1)
        low, middle, high = quantiles.T
        axis.bar(sounds, high - low, bottom=low, width=0.9, color="#d9a27a")
        axis.plot(sounds, middle, ".", color="black", markersize=2)
        axis.axhline(0, color=_EXPECTED, linewidth=0.6)
        axis.set_title(subject, loc="left", fontsize=8, parse_math=False)
        axis.set_ylabel("z", fontsize=8)
        axis.margins(x=0.01)
        axis.xaxis.get_major_locator().set_params(integer=True)  # integer counts
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("sound, in the order of the table", fontsize=8)
    return _png(figure)


def _drawing(height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(_WIDTH, height), layout="constrained", dpi=130)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()

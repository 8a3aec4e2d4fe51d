"""Real BOLD and real sound responses with the command line only, up to the report.

The experiments of :mod:`benchmarks.encoding.alice` and :mod:`benchmarks.encoding.natsound165` by
``fit``, ``evaluate``, ``compare``, ``partition`` and ``report`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.encoding.alice_data import (
    list_files,
    prepare_story,
    speak_story,
    without_drifts,
)
from benchmarks.encoding.commands import Commands
from benchmarks.encoding.natsound165_models import (
    LEARNED_EPOCHS,
    LEARNED_PATIENCE,
    LEARNED_RATE,
    MAX_EPOCHS,
    N_TEST,
    N_VALIDATION,
    PATIENCE,
    SOUNDS_PER_STEP,
    prepare_sounds,
)
from training.evaluation.folders import (
    ComparisonInfo,
    EvaluationInfo,
    PartitionInfo,
    read_info,
    read_table,
)

START = "untrained"
STAGE = "pool5"  # selected by validation on alice, see alice.py
EVERYBODY = "all"
N_SPLITS = 10
TUNED_RATE = 3e-4


def run_alice_commands(data: Path, out: Path, *, n_listeners: int | None = None) -> dict[str, Any]:
    """Group, multi-subject and leave-one-listener-out models of the story.

    Parameters
    ----------
    data : Path
        Folder of the real recordings.
    out : Path
        Folder for the output of all commands; existing output is reused.
    n_listeners : int, optional
        Use only the first ones.
    """
    folder, story = data / "fmri" / "alice", out / "story" / "alice.flac"
    speak_story(folder, story)
    files = [without_drifts(file, out / "bold" / file.name) for file in list_files(folder, None)]
    prepared = prepare_story(files[:n_listeners], story, out / "prepared")
    recipe = out / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(_story_recipe(prepared.folder)))
    commands = Commands({"DATA": data, "WORK": out})

    def fit(name: str, *changes: str) -> Path:
        run = out / "runs" / name
        commands.run("fit", recipe, *changes, "--out", run, "--resume", makes=run / "scores.csv")
        return run

    models = [fit("group", "model=group"), fit("multi-subject", "model=multi_subject")]
    evaluation = out / "eval"
    commands.run(
        *("evaluate", *models, "--untrained", "1", "--inter-subject"),
        *("--permutations", "1000", "--out", evaluation),
        makes=evaluation / "evaluation.json",
    )
    left_out = []
    for listener in prepared.subjects:
        others = ",".join(name for name in prepared.subjects if name != listener)
        run = fit(f"without-{listener}", "model=group", f"subjects=[{others}]")
        folder_of = out / "eval-left-out" / listener
        commands.run(
            *("evaluate", run, "--subject", listener, "--name", "leave-one-out"),
            *("--out", folder_of),
            makes=folder_of / "evaluation.json",
        )
        left_out.append(folder_of)
    comparisons = []
    for a, b in (("multi-subject", "group"), ("group", "untrained-0")):
        folder_of = out / f"compare-{a}-{b}"
        commands.run(
            *("compare", f"{evaluation}:{a}", f"{evaluation}:{b}", "--out", folder_of),
            makes=folder_of / "comparison.json",
        )
        comparisons.append(folder_of)
    partition = out / "partition"
    commands.run(
        *("partition", evaluation, "--model", "group", "--out", partition),
        makes=partition / "partition.json",
    )
    report = out / "report"
    commands.run(
        *("report", evaluation, *comparisons, partition, "--out", report),
        makes=report / "index.html",
    )
    return {
        "title": f"alice by the command line: {len(prepared.subjects)} listeners",
        "command": "python -m benchmarks encoding alice-commands --data DATA --out WORK",
        "seeds": {"fits": [0], "permutations": [0]},
        "rows": [*_rows(evaluation), *_left_out_rows(left_out)],
        "tables": [
            {"title": "Comparisons, over listeners", "rows": _comparison_rows(comparisons)},
            {
                "title": "Beyond sound level, spectrogram and modulation spectrum",
                "rows": _partition_rows(partition),
            },
        ],
        "notes": [
            "Frozen untrained SoundNet, ridge read-out of pool5 over five TRs. Group: one read-out "
            "for all listeners. Multi-subject: one for each. Leave-one-out: a group model of all "
            "other listeners. All are scored on the last four minutes of the story, which no model "
            "has heard.",
            "BOLD without drifts; the audio is espeak-ng's, as in alice.",
            "r: mean over listeners with a bootstrap interval over them; p: all 113 circular "
            "shifts of the prediction, the same one for all listeners. Inter-subject r: of a "
            "listener with the mean of the others; no noise ceiling.",
            "untrained-0: a network of the same shape whose read-out is random, too.",
            *_excluded(read_info(evaluation, EvaluationInfo).excluded),
        ],
        "details": {"commands": _short(commands.done)},
    }


def run_natsound165_commands(
    data: Path, out: Path, *, n_splits: int = N_SPLITS, max_epochs: int | None = None
) -> dict[str, Any]:
    """Ten splits of the 165 sounds, frozen and fine-tuned.

    Parameters
    ----------
    data, out
        As for :func:`run_alice_commands`.
    n_splits : int
        Number of splits.
    max_epochs : int, optional
        For every fit, instead of those of the models.
    """
    prepared = prepare_sounds(data / "fmri" / "natsound165", out / "prepared")
    recipe = out / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(_sounds_recipe(prepared.folder)))
    commands = Commands({"DATA": data, "WORK": out})
    models = {
        "frozen": _optimiser("none", LEARNED_RATE, LEARNED_EPOCHS, LEARNED_PATIENCE),
        "tuned": _optimiser("conv4", TUNED_RATE, MAX_EPOCHS, PATIENCE),
    }
    runs = []
    for name, changes in models.items():
        for split in range(n_splits):
            run = out / "runs" / f"{name}-{split}"
            seeds = (f"split.seed={split}", f"seed={split}")
            fewer = [f"optimiser.max_epochs={max_epochs}"] if max_epochs is not None else []
            commands.run(
                *("fit", recipe, *changes, *fewer, *seeds, "--out", run, "--resume"),
                makes=run / "scores.csv",
            )
            runs.append(run)
    evaluation, comparison, report = out / "eval", out / "compare", out / "report"
    commands.run(
        *("evaluate", *runs, "--runs", "own", "--out", evaluation),
        makes=evaluation / "evaluation.json",
    )
    commands.run(
        *("compare", f"{evaluation}:tuned-*", f"{evaluation}:frozen-*", "--out", comparison),
        makes=comparison / "comparison.json",
    )
    commands.run(*("report", evaluation, comparison, "--out", report), makes=report / "index.html")
    return {
        "title": "natsound165 by the command line: six components, ten splits",
        "command": "python -m benchmarks encoding natsound165-commands --data DATA --out WORK",
        "seeds": {"splits": list(range(n_splits)), "fits": list(range(n_splits))},
        "rows": _split_rows(evaluation, tuple(models)),
        "tables": [
            {"title": "tuned - frozen, over splits", "rows": _comparison_rows([comparison])}
        ],
        "notes": [
            "Untrained SoundNet read at conv7, a read-out learned from zero by gradient descent; "
            "tuned: the network from conv4 upwards learns, too.",
            "r of each split's 82 test sounds; p: sounds shuffled 1,000 times in each split, the "
            "largest and the median over splits are given. Splits share sounds: the p of the "
            "comparison is smaller than it would be with independent ones.",
        ],
        "details": {"commands": _short(commands.done)},
    }


def _story_recipe(prepared: Path) -> dict[str, Any]:
    return {
        "data": str(prepared),
        "start": START,
        "train_from": "none",
        "read_out": {"stage": STAGE, "n_delays": 5, "initial": "ridge"},
        "windows": {"n_trs": 60},
        "split": {"test": {"episodes": ["test"]}, "validation": {"episodes": ["validation"]}},
        "optimiser": {"max_epochs": 0},
    }


def _sounds_recipe(prepared: Path) -> dict[str, Any]:
    return {
        "data": str(prepared),
        "start": START,
        "read_out": {"stage": "conv7", "initial": "zero"},
        "windows": {"batch_size": SOUNDS_PER_STEP},
        "split": {"test": {"count": N_TEST}, "validation": {"count": N_VALIDATION}},
    }


def _optimiser(train_from: str, rate: float, max_epochs: int, patience: int) -> tuple[str, ...]:
    """Changes to the recipe."""
    settings = {"learning_rate": rate, "max_epochs": max_epochs, "patience": patience}
    return (f"train_from={train_from}", *(f"optimiser.{k}={v}" for k, v in settings.items()))


def _rows(evaluation: Path) -> list[dict[str, Any]]:
    """One row per model and region, all listeners together."""
    table = read_table(evaluation, "targets")
    table = table[table.subject == EVERYBODY]
    return [
        {
            "model": row.model,
            "region": row.target_name,
            "r": row.r,
            "from": row.r_low,
            "to": row.r_high,
            "p": row.p,
            "p (BY)": row.p_by,
            "inter-subject r": row.inter_subject_r,
        }
        for row in table.itertuples()
    ]


def _left_out_rows(evaluations: Sequence[Path]) -> list[dict[str, Any]]:
    """Scores of each listener by the model of the others: mean over listeners."""
    from training.statistics import bootstrap_interval

    tables = [
        read_table(folder, "targets").set_index("target_id").sort_index() for folder in evaluations
    ]
    names = tables[0].target_name
    r = np.stack([table.r.reindex(names.index).to_numpy() for table in tables])
    interval = bootstrap_interval(r)
    return [
        {
            "model": "leave-one-out",
            "region": name,
            "r": interval.estimate[i],
            "from": interval.low[i],
            "to": interval.high[i],
        }
        for i, name in enumerate(names)
    ]


def _split_rows(evaluation: Path, models: Sequence[str]) -> list[dict[str, Any]]:
    table = read_table(evaluation, "targets")
    rows = []
    for model in models:
        of_model = table[table.model.str.startswith(model + "-") & (table.subject != EVERYBODY)]
        for name, of_target in of_model.groupby("target_name", sort=False):
            rows.append(
                {
                    "model": model,
                    "component": name,
                    "r": of_target.r.mean(),
                    "± over splits": of_target.r.std(),
                    "R²": of_target.r2.median(),
                    "p, median": of_target.p.median(),
                    "p, largest": of_target.p.max(),
                }
            )
    return rows


def _comparison_rows(folders: Sequence[Path]) -> list[dict[str, Any]]:
    rows = []
    for folder in folders:
        info, table = read_info(folder, ComparisonInfo), read_table(folder, "targets")
        if EVERYBODY in set(table.subject):
            table = table[table.subject == EVERYBODY]
        rows += [
            {
                "comparison": f"{info.a} - {info.b}",
                "target": row.target_name,
                "r difference": row.difference,
                "from": row.low,
                "to": row.high,
                "effect size": row.effect_size,
                "p": row.p,
                "p (BY)": row.p_by,
                "n": row.n_runs,
            }
            for row in table.itertuples()
        ]
    return rows


def _partition_rows(folder: Path) -> list[dict[str, Any]]:
    """Means over listeners."""
    info, table = read_info(folder, PartitionInfo), read_table(folder, "targets")
    columns = ["r2_full", *(f"unique_{space}" for space in info.spaces), "shared"]
    means = table.groupby("target_name", sort=False)[columns].mean()
    return [{"region": name, **row} for name, row in means.to_dict("index").items()]


def _excluded(sentences: Sequence[str]) -> list[str]:
    return [f"Excluded: {sentence}" for sentence in sentences]


def _short(commands: Sequence[str], n_shown: int = 6) -> list[str]:
    """The first and last commands; those between are similar."""
    if len(commands) <= 2 * n_shown:
        return list(commands)
    return [*commands[:n_shown], "...", *commands[-n_shown:]]

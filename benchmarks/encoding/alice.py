"""Twelve minutes of *Alice in Wonderland*, 27 subjects, six regions (Brennan et al. 2016).

The story's audio is not available. The stimulus is a stand-in: each word synthesised by espeak-ng
at its onset in the published TextGrid, see :mod:`benchmarks.encoding.story`; scores are limited by
that. TR 0 of the files is 20 s into the padded story.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.encoding.fits import EVERYBODY, Commands, comparison_rows
from benchmarks.encoding.story import read_tier, write_story
from training.data.prepared import Prepared
from training.evaluation.folders import EvaluationInfo, PartitionInfo, read_info, read_table
from training.prepare.preparation import PrepareRecipe, prepare

TR, START_S = 2.0, 20.0
REGIONS = ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG")
# Seconds of the padded story; at least 15 s apart for delays and receptive fields.
SEGMENTS = {"train": (20.0, 390.0), "validation": (405.0, 500.0), "test": (515.0, 744.0)}
HIGH_PASS_S = 128.0
RECIPE = {
    "start": "untrained",
    "train_from": "none",
    "read_out": {"stage": "pool5", "n_delays": 5, "initial": "ridge"},  # ten seconds
    "windows": {"n_trs": 60},
    "split": {"test": {"episodes": ["test"]}, "validation": {"episodes": ["validation"]}},
    "optimiser": {"max_epochs": 0},
}


def run_alice(data: Path, out: Path, *, n_subjects: int | None = None) -> dict[str, Any]:
    """Group, multi-subject and leave-one-subject-out models of the story.

    Output of all commands in `out` is reused. With `n_subjects` only the first ones are used.
    """
    folder, story = data / "fmri" / "alice", out / "story" / "alice.flac"
    speak_story(folder, story)
    files = [without_drifts(file, out / "bold" / file.name) for file in list_files(folder)]
    prepared = prepare_story(files[:n_subjects], story, out / "prepared")
    recipe = out / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"data": str(prepared.folder), **RECIPE}))
    commands = Commands({"DATA": data, "WORK": out})

    def fit(name: str, *changes: str) -> Path:
        run = out / "runs" / name
        commands.run("fit", recipe, *changes, "--out", run, "--resume", makes=run / "scores.csv")
        return run

    models = [fit("group", "model=group"), fit("multi-subject", "model=multi_subject")]
    evaluation = out / "eval"
    commands.run(
        *("evaluate", *models, "untrained=1", "inter_subject=true", "--out", evaluation),
        makes=evaluation / "evaluation.json",
    )
    left_out = []
    for subject in prepared.subjects:
        others = ",".join(name for name in prepared.subjects if name != subject)
        run = fit(f"without-{subject}", "model=group", f"subjects=[{others}]")
        folder_of = out / "eval-left-out" / subject
        commands.run(
            *("evaluate", run, f"subjects=[{subject}]", "--name", "leave-one-out"),
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
        *("partition", evaluation, "models=[group]", "--out", partition),
        makes=partition / "partition.json",
    )
    report = out / "report"
    commands.run(
        *("report", evaluation, *comparisons, partition, "--out", report),
        makes=report / "index.html",
    )
    return {
        "title": f"A story: six regions of {len(prepared.subjects)} subjects",
        "seeds": {"fits": [0], "permutations": [0]},
        "rows": [*_rows(evaluation), *_left_out_rows(left_out)],
        "tables": [
            {"title": "Comparisons, over subjects", "rows": comparison_rows(comparisons)},
            {
                "title": "Beyond sound level, spectrogram and modulation spectrum",
                "rows": _partition_rows(partition),
            },
        ],
        "notes": [
            "Six regions of subjects who listened to twelve minutes of Alice in Wonderland "
            "(Brennan et al. 2016), predicted from a frozen untrained SoundNet by a ridge read- "
            "out of pool5 over five TRs. Group: one read-out for all subjects. Multi-subject: "
            "one for each. Leave-one-out: a group model of all other subjects. All are scored "
            "on the last four minutes of the story, on which no model was trained.",
            "The story's audio is not at hand: each word was synthesised by espeak-ng at its "
            "published onset, which limits all scores. BOLD without drifts: cosines slower than "
            "128 s are regressed out of each part separately.",
            "r: mean over subjects with a bootstrap interval over them; p: all 113 circular "
            "shifts of the prediction, the same one for all subjects. Inter-subject r: of a "
            "subject with the mean of the others; no noise ceiling.",
            "untrained-0: a network of the same shape whose read-out is random as well.",
            *(f"Excluded: {each}" for each in read_info(evaluation, EvaluationInfo).excluded),
        ],
        "details": {"commands": commands.shortened()},
    }


def speak_story(folder: Path, path: Path) -> None:
    """Write the stand-in for the story's audio."""
    (grid,) = sorted((folder / "alice_stim_shared").glob("*.TextGrid"))
    write_story(read_tier(grid, "word"), path, progress=False)


def list_files(folder: Path) -> list[Path]:
    """Time courses, one file per subject.

    Raises
    ------
    FileNotFoundError
        If there are none.
    """
    files = sorted((folder / "alice_data_shared" / "6mm").glob("s*-timecourses.txt"))
    if not files:
        raise FileNotFoundError(f"no time courses in {folder / 'alice_data_shared' / '6mm'}")
    return files


def without_drifts(file: Path, out: Path) -> Path:
    """A high-pass filtered copy (128 s), each segment separately.

    Within each segment the cosines below the cutoff are regressed out, like SPM's high-pass filter,
    so that the test segment does not affect the others.
    """
    values = np.loadtxt(file)
    if not np.ptp(values):
        return file  # corrupt: left to the source's error
    onsets = START_S + np.arange(len(values)) * TR
    for start, stop in SEGMENTS.values():
        inside = (onsets >= start) & (onsets + TR <= stop)
        n = int(inside.sum())
        n_cosines = int(2 * n * TR / HIGH_PASS_S)
        phase = np.pi * (np.arange(n) + 0.5) / n
        cosines = np.cos(phase[:, None] * np.arange(1, n_cosines + 1))
        part = values[inside]
        mean = part.mean(axis=0)
        fit, *_ = np.linalg.lstsq(cosines, part - mean, rcond=None)
        values[inside] = part - cosines @ fit
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(out, values)
    return out


def prepare_story(files: Sequence[Path], story: Path, out: Path) -> Prepared:
    """All subjects, each cut into the three segments."""
    segments = [
        {"name": name, "start": start, "stop": stop} for name, (start, stop) in SEGMENTS.items()
    ]
    runs = [{"file": file, "subject": subject_of(file)} for file in files]
    source = {
        "kind": "time_series",
        "tr": TR,
        "start": START_S,
        "stimuli": story,
        "runs": runs,
        "target_names": REGIONS,
        "segments": segments,
    }
    recipe = {"name": "alice", "out": out, "source": source}
    return prepare(PrepareRecipe.model_validate(recipe), progress=False)


def subject_of(file: Path) -> str:
    """``s17-timecourses.txt`` is of subject ``s17``."""
    match = re.match(r"s\d+", file.name)
    if match is None:
        raise ValueError(f"{file} does not begin with a subject's number such as s17")
    return match.group()


def _rows(evaluation: Path) -> list[dict[str, Any]]:
    """One row per model and region, all subjects together."""
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
    """Scores of each subject by the model of the others: mean over subjects."""
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


def _partition_rows(folder: Path) -> list[dict[str, Any]]:
    """Means over subjects."""
    info, table = read_info(folder, PartitionInfo), read_table(folder, "targets")
    columns = ["r2_full", *(f"unique_{space}" for space in info.spaces), "shared"]
    means = table.groupby("target_name", sort=False)[columns].mean()
    return [{"region": name, **row} for name, row in means.to_dict("index").items()]

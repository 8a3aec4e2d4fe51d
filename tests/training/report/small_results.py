"""Made-up folders of evaluations, comparisons and partitions, in the layout of ``folders.py``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas

from training.evaluation.folders import (
    MODELS_FOLDER,
    CeilingInfo,
    ComparisonInfo,
    EvaluationInfo,
    ModelInfo,
    PartitionInfo,
    write_info,
    write_table,
)
from training.statistics import benjamini_hochberg, benjamini_yekutieli, bootstrap_interval

N_PERMUTATIONS = 1000
SMALLEST_P = 1 / (1 + N_PERMUTATIONS)


def model_info(name: str, train_from: str = "none", **changes: object) -> ModelInfo:
    """An individual model of sub-01, unless said otherwise."""
    known: dict[str, object] = {
        "name": name, "fit": f"fits/{name}", "kind": "individual", "subjects": ("sub-01",),
        "train_from": train_from, "stage": "conv7", "start": "voxceleb", "best_epoch": 6,
        "n_epochs": 11,
    }  # fmt: skip
    return ModelInfo(**(known | changes))  # type: ignore[arg-type]


def write_evaluation(
    folder: Path,
    truth: np.ndarray,
    models: Sequence[tuple[ModelInfo, float]] = (),
    *,
    names: Sequence[str] = (),
    subjects: Sequence[str] = ("sub-01",),
    n_runs: int = 6,
    image: Path | None = None,
    noise: float = 0.06,
    seed: int = 0,
    **changes: object,
) -> Path:
    """An evaluation whose scores are `truth` times a model's factor, plus noise over runs.

    Own subjects get the whole factor, others two thirds of it. With several subjects there are
    rows of all together. p values are of a normal null of the same noise.

    Parameters
    ----------
    truth : ndarray
        Score of each target, ``(n_targets,)``.
    models : sequence
        Each with its factor; by default one of factor 1.
    changes
        Of the document.
    """
    from scipy.stats import norm

    generator = np.random.default_rng(seed)
    models = list(models) or [(model_info("tuned", "conv4"), 1.0)]
    ids = np.arange(1, len(truth) + 1)
    names = list(names) or [f"parcel_{i}" for i in ids]
    score_rows, target_rows = [], []
    ceiling = np.sqrt(np.clip(truth, 0, 1)) * 0.9
    ceiling[ceiling < 0.15] = np.nan
    for model, factor in models:
        per_subject = []
        for subject in subjects:
            share = factor * (1.0 if subject in model.subjects else 2 / 3)
            r = np.clip(
                share * truth + noise * generator.standard_normal((n_runs, len(ids))), -1, 1
            )
            per_subject.append(r)
            score_rows += [
                (
                    model.name,
                    subject,
                    f"run-{run}",
                    f"film-{run}",
                    target,
                    name,
                    120,
                    value,
                    value**2,
                )
                for run in range(n_runs)
                for target, name, value in zip(ids, names, r[run], strict=True)
            ]
        blocks = list(zip(subjects, per_subject, strict=True))
        if len(subjects) > 1:
            blocks.append(("all", np.stack([r.mean(axis=0) for r in per_subject])))
        for subject, r in blocks:
            found = bootstrap_interval(r)
            n = n_runs * len(subjects) if subject == "all" else n_runs
            z = r.mean(axis=0) / (noise / np.sqrt(n))
            p = np.maximum(norm.sf(z), SMALLEST_P)
            p_by = benjamini_yekutieli(p)
            target_rows.append(
                pandas.DataFrame(
                    {
                        "model": model.name, "subject": subject, "target_id": ids,
                        "target_name": names, "n_runs": len(r), "r": found.estimate,
                        "r_low": found.low, "r_high": found.high, "r2": found.estimate**2,
                        "r2_low": np.nan, "r2_high": np.nan, "p": p, "p_bh": benjamini_hochberg(p),
                        "p_by": p_by, "p_fwe": np.minimum(1, p * len(ids)),
                        "significant": p_by <= 0.05,
                        "ceiling_r": ceiling,
                        "r_fraction": found.estimate / ceiling,
                        "inter_subject_r": np.nan,
                    }
                )
            )  # fmt: skip
        _write_curves(folder / MODELS_FOLDER / model.name, factor, model, generator)
    columns = [
        "model",
        "subject",
        "run",
        "stimulus",
        "target_id",
        "target_name",
        "n_trs",
        "r",
        "r2",
    ]
    write_table(folder, "scores", pandas.DataFrame(score_rows, columns=columns))
    write_table(folder, "targets", pandas.concat(target_rows, ignore_index=True))
    if image is not None:
        (folder / "targets.nii.gz").write_bytes(Path(image).read_bytes())
    known: dict[str, object] = {
        "command": "python -m training evaluate fits/frozen fits/tuned --on prepared/made-up --out "
        + folder.name,
        "dataset": "made-up",
        "dataset_folder": "prepared/made-up",
        "kind": "time_series",
        "atlas": "made up",
        "tr": 1.49,
        "split": "test",
        "target_ids": tuple(ids.tolist()),
        "target_names": tuple(names),
        "models": tuple(model for model, _ in models),
        "subjects": tuple(subjects),
        "score": "r",
        "pooling": "mean",
        "null": "circular_shift",
        "null_settings": {"min_shift": 10},
        "n_permutations": N_PERMUTATIONS,
        "smallest_p": SMALLEST_P,
        "correction": "by",
        "alpha": 0.05,
        "interval": "95 %, studentised bootstrap over runs",
        "ceiling": CeilingInfo(
            method="repeats", floor=0.15, description="from two repeats of one film per subject"
        ),
        "git_revision": "0123abc",
        "versions": {"torch": "2.11.0", "numpy": "2.4.0"},
    }
    write_info(folder, EvaluationInfo(**(known | changes)))  # type: ignore[arg-type]
    return folder


def write_comparison(
    folder: Path, evaluation: Path, difference: np.ndarray, *, a: str = "tuned", b: str = "frozen",
    names: Sequence[str] = (), seed: int = 0, **changes: object,
) -> Path:  # fmt: skip
    """A comparison with these differences, those beyond 0.03 significant."""
    generator = np.random.default_rng(seed)
    ids = np.arange(1, len(difference) + 1)
    significant = np.abs(difference) > 0.03
    base = generator.uniform(0, 0.3, len(ids))
    p = np.where(significant, 0.004, generator.uniform(0.1, 1, len(ids)))
    table = pandas.DataFrame(
        {
            "subject": "sub-01", "target_id": ids,
            "target_name": list(names) or [f"parcel_{i}" for i in ids], "n_runs": 12,
            "a": base + difference, "b": base, "difference": difference,
            "low": difference - 0.02, "high": difference + 0.02,
            "effect_size": np.clip(difference * 12, -1, 1), "statistic": 3.0, "p": p, "p_bh": p,
            "p_by": p, "significant": significant,
        }
    )  # fmt: skip
    write_table(folder, "targets", table)
    known: dict[str, object] = {
        "command": f"python -m training compare {evaluation}:{a} {evaluation}:{b}",
        "a": a, "b": b, "a_evaluation": str(evaluation), "b_evaluation": str(evaluation),
        "score": "r", "pooling": "mean",
        "test": "Wilcoxon's signed-rank test over runs, two-sided, per target",
        "correction": "by", "alpha": 0.05, "smallest_p": 2 / 2**12,
        "interval": "95 %, studentised bootstrap of the mean difference over runs",
        "n_better": int((significant & (difference > 0)).sum()),
        "n_worse": int((significant & (difference < 0)).sum()),
    }  # fmt: skip
    write_info(folder, ComparisonInfo(**(known | changes)))  # type: ignore[arg-type]
    return folder


def write_partition(
    folder: Path, evaluation: Path, truth: np.ndarray, *, names: Sequence[str] = (),
    **changes: object,
) -> Path:  # fmt: skip
    """A partition of R² into three spaces, most of it shared."""
    ids = np.arange(1, len(truth) + 1)
    full = truth**2
    spaces = ("model", "envelope", "modulation")
    shares = {"model": 0.4, "envelope": -0.02, "modulation": 0.1}
    table = pandas.DataFrame(
        {
            "model": "tuned", "subject": "sub-01", "target_id": ids,
            "target_name": list(names) or [f"parcel_{i}" for i in ids],
            "r2_full": full, "shared": full * (1 - sum(shares.values())),
            **{f"alone_{space}": full * 0.6 for space in spaces},
            **{f"unique_{space}": full * share for space, share in shares.items()},
        }
    )  # fmt: skip
    write_table(folder, "targets", table)
    known: dict[str, object] = {
        "command": f"python -m training partition {evaluation} --out {folder.name}",
        "evaluation": str(evaluation),
        "spaces": spaces,
        "methods": "Banded ridge regression with one penalty for each feature space.",
    }
    write_info(folder, PartitionInfo(**(known | changes)))  # type: ignore[arg-type]
    return folder


def _write_curves(
    folder: Path, factor: float, model: ModelInfo, generator: np.random.Generator
) -> None:
    epochs = np.arange(model.n_epochs)
    gained = 1 - np.exp(-epochs / 3)
    folder.mkdir(parents=True)
    pandas.DataFrame(
        {
            "epoch": epochs,
            "train_loss": 1 - 0.12 * factor * gained - 0.004 * epochs,
            "validation_loss": 1 - 0.1 * factor * gained + 0.0007 * epochs**2,
            "validation_r": factor * (0.1 + 0.06 * gained)
            + 0.002 * generator.standard_normal(len(epochs)),
            "validation_r2": factor * 0.05 * gained,
            "learning_rate": 1e-4,
        }
    ).to_csv(folder / "metrics.csv", index=False)

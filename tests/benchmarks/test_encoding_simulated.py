from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding.simulated import (
    SUBJECTS,
    Size,
    fit_frozen,
    held_out_scores,
    rows_by_kind,
    rows_by_model,
    simulated_dataset,
)

SMALL = Size(
    n_recordings=300,
    n_runs=9,
    run_minutes=4.0,
    explainable_variance=(0.8, 0.95),
    kinds=(("soundnet", 8), ("envelope", 2)),
)


@pytest.mark.slow
def test_a_simulated_brain_is_predicted_as_well_as_its_truth_allows(tmp_path: Path):
    prepared, truth = simulated_dataset(tmp_path, SMALL)
    frozen = {subject: fit_frozen(prepared, subject, tmp_path, SMALL) for subject in SUBJECTS}
    own = held_out_scores(frozen["sub-01"], "sub-01")
    rows = {row["parcels"]: row for row in rows_by_kind(truth, own, own)}
    # Where the truth lies in the features, the read-out finds it.
    assert rows["soundnet"]["frozen / best"] > 0.8
    # Deaf parcels stay within their null: r of unrelated series of this length has a standard
    # deviation of about (1 + rho) / sqrt(n), here over three runs.
    n_trs = int(SMALL.run_minutes * 60 / 1.49) * 3
    assert rows["deaf"]["largest |frozen r|"] < 4 * 1.4 / np.sqrt(n_trs)
    # One's own model is better where brains differ, and no better where they do not.
    specific, shared = rows_by_model(truth, frozen)
    for brain in SUBJECTS:
        own_r, other_r = (specific[f"{brain}, {whose} model"] for whose in ("own", "other's"))
        assert own_r > other_r + 0.05
        own_r, other_r = (shared[f"{brain}, {whose} model"] for whose in ("own", "other's"))
        assert abs(own_r - other_r) < 0.1

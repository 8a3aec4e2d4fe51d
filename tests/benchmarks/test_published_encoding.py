from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.stats import wilcoxon

from benchmarks.published.encoding import (
    FINAL_SETTINGS,
    PUBLISHED,
    STG_BEST,
    TABLE,
    at_final_settings,
    cell,
    depths,
    figures,
    gains,
    is_reproduced,
    paired,
    pairs,
    read_runs,
    run_encoding,
)
from benchmarks.results import read_result, write_result

RESULTS = Path(__file__).parents[2] / "benchmarks" / "published" / "results"
STAGES = ("no", "conv7", "conv6", "conv5", "conv4")


def made_up_runs() -> pandas.DataFrame:
    """All subjects at their final settings, sub-05 without fine-tuned runs, and one other row."""
    generator = np.random.default_rng(0)
    rows = []
    for scale, subjects in FINAL_SETTINGS.items():
        for subject, (window_trs, n_delays) in subjects.items():
            row = {"scale": scale, "sub": subject, "bs": window_trs, "ks": n_delays}
            for stage in STAGES:
                there = stage == "no" or subject != 5
                row[f"{stage}_n"] = 5 if there else 0
                for name in ("max", "maxbest", "mean", "meanbest"):
                    row[f"{stage}_{name}"] = round(generator.random(), 4) if there else np.nan
            rows.append(row)
    return pandas.DataFrame([*rows, {**rows[0], "bs": 10}])


def test_one_row_is_chosen_for_each_scale_and_subject():
    runs = at_final_settings(made_up_runs())
    assert len(runs) == 12
    assert (runs["bs"] != 10).all()
    with pytest.raises(ValueError, match=r"one row of MIST_ROI for subject 3 .* got 0"):
        at_final_settings(made_up_runs().query("not (scale == 'MIST_ROI' and sub == 3)"))


def test_gains_over_subjects_are_those_of_scipy():
    runs = at_final_settings(made_up_runs())
    both = pairs(runs, STG_BEST, "best")
    assert len(both) == 5  # sub-05 has no fine-tuned runs
    (row,) = (row for row in paired(runs, "best") if row["measure"] == STG_BEST.name)
    assert row["p (Wilcoxon)"] == pytest.approx(wilcoxon(both[:, 0], both[:, 1]).pvalue)
    assert row["mean gain"] == pytest.approx(np.mean(both[:, 0] - both[:, 1]))
    by_depth = {row["fine-tuned from"]: row[STG_BEST.name] for row in depths(runs)}
    means = [
        cell(runs, STG_BEST, subject, "conv6").mean - cell(runs, STG_BEST, subject, "no").mean
        for subject in (1, 2, 3, 4, 6)
    ]
    assert by_depth["conv6"] == pytest.approx(np.mean(means))


def test_what_was_not_logged_is_shown_as_such():
    rows = gains(at_final_settings(made_up_runs()), "mean")
    assert len(rows) == 24
    fifth = [row for row in rows if row["subject"] == "sub-05"]
    assert {row["conv4 redone"] for row in fifth} == {"not logged"}
    assert {row["gain redone"] + row["difference"] for row in fifth} == {""}


def test_every_measure_has_six_subjects_of_whom_the_fifth_has_no_gain():
    for subjects in PUBLISHED.values():
        assert list(subjects) == [1, 2, 3, 4, 5, 6]
        assert [n for n, (_, conv4) in subjects.items() if conv4.mean is None] == [5]


def test_a_table_without_the_columns_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="is missing; the folder of the data"):
        read_runs(tmp_path / TABLE)
    made_up_runs().drop(columns=["conv4_max"]).to_csv(tmp_path / TABLE)
    with pytest.raises(ValueError, match="has no columns conv4_max"):
        read_runs(tmp_path / TABLE)


@pytest.mark.realdata
def test_every_listed_figure_is_reproduced(data_folder: Path, tmp_path: Path):
    runs = at_final_settings(read_runs(data_folder / "hear_results" / TABLE))
    listed = list(figures(runs))
    assert len(listed) == 80
    for each in listed:
        assert is_reproduced(each["published"], each["redone"]), each
    document = run_encoding(data_folder)
    assert any(note.startswith("80 of 80 listed") for note in document["notes"])
    write_result(tmp_path, "encoding", {**document, "command": ""})
    found, committed = read_result(tmp_path, "encoding"), read_result(RESULTS, "encoding")
    assert found is not None
    assert committed is not None
    for key in ("rows", "tables", "notes", "details"):
        assert found[key] == committed[key]

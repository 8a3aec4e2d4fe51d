from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.speed.cli import app
from benchmarks.speed.noise_dataset import SUBJECT
from benchmarks.speed.season import (
    RUN_TRS,
    Size,
    Use,
    measure_season,
    merged,
    recipe,
    season_document,
    write_season,
)
from benchmarks.speed.timing import Machine
from training.data.prepared import Prepared
from training.data.splits import split_runs


def test_data_of_a_season_are_whole_and_split_by_side(tmp_path: Path):
    import yaml

    from training.fitting.recipe import FitRecipe

    write_season(tmp_path / "season", Size(4800, 3))
    prepared = Prepared(tmp_path / "season")
    settings = FitRecipe.model_validate(yaml.safe_load(recipe(tmp_path / "season")))
    splits = split_runs(prepared.runs, settings.split)
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [8, 2, 2]
    assert prepared.bold(splits.test[0]).shape == (RUN_TRS, 3)
    assert prepared.subjects == [SUBJECT]


def test_the_table_says_what_each_command_took():
    use = Use(Size(87_000, 210), "fit", 90.0, 120.0, 3_210_000_000)
    document = season_document([use], Machine("Pentium", 2, 0.1))
    assert document["rows"] == [
        {
            "TRs": 87_000,
            "targets": 210,
            "command": "fit",
            "minutes": "1.5",
            "CPU minutes": "2.0",
            "load": "0.0",
            "peak memory (GB)": "3.2",
        }
    ]


def test_measurements_take_the_place_of_earlier_ones():
    size = Size(960, 3)
    fit, again = Use(size, "fit", 1.0, 1.0, 1), Use(size, "fit", 2.0, 2.0, 2)
    ridge = Use(size, "ridge start", 1.0, 1.0, 1)
    document = None
    for use in (fit, ridge):
        document = season_document(merged(document, use), Machine("Pentium", 2, 0.1))
    assert merged(document, again) == [ridge, again]


def test_an_unknown_size_is_one_line():
    result = CliRunner().invoke(app, ["season", "--size", "many"])
    assert result.exit_code != 0


@pytest.mark.slow
def test_memory_of_every_command_follows_the_tables_and_nothing_larger(tmp_path: Path):
    """Tables of all runs are 29 MB here; what would hold alphas or surrogates times them, 0.4 GB.

    A process with torch and pandas takes 0.5 to 0.8 GB before any data.
    """
    size = Size(2_400, 3_000)
    tables = size.n_trs * size.n_targets * 4
    commands = ("fit", "export", "evaluate", "compare", "map")
    for use in measure_season(size, tmp_path, commands):
        head = 5 * 1024 * size.n_targets * 4  # the read-out; AdamW's moments and two copies of it
        assert use.peak < 1_000_000_000 + 6 * head + 4 * tables, use

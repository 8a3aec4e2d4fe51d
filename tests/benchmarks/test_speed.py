""""""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from benchmarks.speed.epoch import (
    OurTraining,
    earlier_training,
    measure_epoch,
    recipe,
    write_dataset,
)
from benchmarks.speed.noise_dataset import SUBJECT
from benchmarks.speed.preparation import measure_preparation
from benchmarks.speed.season import (
    RUN_TRS,
    Size,
    Use,
    measure_season,
    merged,
    season_document,
    write_season,
)
from benchmarks.speed.season import recipe as recipe_of_season
from benchmarks.speed.timing import Comparison, Machine, machine, take_turns
from training.data.prepared import Prepared
from training.data.splits import split_runs
from training.fitting.recipe import FitRecipe
from training.fitting.windows import Window


def test_ratios_are_those_of_one_round():
    comparison = Comparison((1.0, 9.0, 3.0), (2.0, 3.0, 4.0), (1.0, 1.0, 1.0), (4.0, 2.0, 2.0))
    row = comparison.row("work")
    assert (row["ratio"], row["from"], row["to"], row["plain seconds"]) == (0.75, 0.5, 3.0, 3.0)
    assert (row["CPU ratio"], row["CPU from"], row["CPU to"]) == (0.5, 0.25, 0.5)


def test_contenders_take_turns_after_a_round_that_does_not_count():
    order: list[str] = []
    works = {name: (lambda name=name: order.append(name)) for name in ("plain", "a", "b")}
    plain = works.pop("plain")
    compared = take_turns(plain, works, n_rounds=2)
    assert order == ["plain", "a", "b"] * 2 + ["b", "a", "plain"]
    assert list(compared) == ["a", "b"]
    assert {len(each.seconds) for each in compared.values()} == {2}
    assert compared["a"].plain_seconds == compared["b"].plain_seconds
    with pytest.raises(ValueError, match="expected one round or more, got 0"):
        take_turns(plain, works, n_rounds=0)


def test_time_of_the_processor_is_not_time_of_waiting():
    import time

    wait = take_turns(lambda: time.sleep(0.02), {"wait": lambda: time.sleep(0.04)}, 1)["wait"]
    assert wait.seconds[0] >= 0.04 > 0.02 > wait.cpu_seconds[0]


def test_the_machine_is_known():
    here = machine()
    assert here.note().startswith(f"Machine: {here.n_cores} cores (")
    assert Machine("Pentium", 4, None).note() == "Machine: 4 cores (Pentium)."


@pytest.fixture(scope="module")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speed")
    write_dataset(folder / "noise", n_runs=1, minutes=0.5, n_targets=6, seed=0)
    return folder / "noise"


@pytest.mark.slow
def test_both_recipes_predict_the_same_from_the_same_weights(small_dataset: Path):
    """In evaluation mode, that is, and where our windows are cut as theirs."""
    ours = OurTraining(recipe(small_dataset, 10, "crop"))
    earlier = earlier_training(ours.parts)
    head = ours.parts.encoder.heads["sub-01"]
    earlier.network.read_out.load_state_dict(
        {"weight": head.weight.detach()[..., None], "bias": head.bias.detach()}
    )
    window = Window(ours.parts.splits.train[0], 4, 10)
    sound, bold = earlier.batch(window)
    earlier.network.eval()
    ours.parts.encoder.eval()
    with torch.no_grad():
        expected = earlier.network(sound, 10)
        (prediction,) = ours.predictor.predict([window])
    torch.testing.assert_close(prediction.predicted[0], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(prediction.measured[0], bold)


@pytest.mark.slow
@pytest.mark.parametrize("tr_sampling", ["interpolate", "crop"])
def test_losses_of_the_epoch_are_those_of_a_plain_computation(
    small_dataset: Path, tr_sampling: str
):
    ours = OurTraining(recipe(small_dataset, 10, tr_sampling))
    run = ours.parts.splits.train[0]
    window = Window(run, 6, 10)
    audio = torch.from_numpy(ours.parts.prepared.audio(run.stimulus) / np.float32(32768))
    encoder = ours.parts.encoder.eval()
    with torch.no_grad():
        if tr_sampling == "crop":
            per_tr = int(22_050 * run.tr)
            predicted = encoder(audio[None, 6 * per_tr : 16 * per_tr], 10)[0]
        else:
            predicted = encoder(audio[None], run.n_trs)[0, 6:16]
    bold = ours.parts.prepared.bold(run)[6:16]
    expected = np.mean((predicted.numpy().astype(float) - bold) ** 2)
    before, after = ours.epoch([window, window])
    assert before == pytest.approx(expected, rel=1e-5)
    assert after < before
    ours.forget_frames()
    assert ours.epoch([window])[0] < after


@pytest.mark.slow
def test_earlier_recipe_learns_without_touching_what_is_frozen(small_dataset: Path):
    ours = OurTraining(recipe(small_dataset, 10, "interpolate"))
    earlier = earlier_training(ours.parts)
    frozen = {name: each.clone() for name, each in earlier.network.frozen.named_parameters()}
    window = Window(ours.parts.splits.train[0], 3, 10)
    first, second = earlier.epoch([window, window])
    assert second < first
    for name, parameter in earlier.network.frozen.named_parameters():
        assert torch.equal(parameter, frozen[name])
    # What this package does not repeat: the statistics of frozen stages move.
    assert earlier.network.frozen[0][1].running_mean.abs().max() > 0


@pytest.mark.slow
def test_measurements_have_a_time_for_each_round():
    n_threads = torch.get_num_threads()
    speed = measure_epoch(1, 0.5, n_trs=10, n_targets=6, n_rounds=3, n_threads=1)
    assert torch.get_num_threads() == n_threads
    assert (speed.n_windows, speed.n_threads) == (2, 1)
    for comparison in (speed.first, speed.later, speed.crop):
        assert len(comparison.ratios) == len(comparison.cpu_ratios) == 3
        assert min(comparison.seconds + comparison.cpu_seconds) > 0
    assert np.median(speed.later.cpu_ratios) < np.median(speed.first.cpu_ratios)
    prepared = measure_preparation(0.1, n_rounds=3)
    assert [len(each.ratios) for each in prepared.values()] == [3, 3]


def test_files_without_duration_are_refused():
    with pytest.raises(ValueError, match="minutes above 0"):
        measure_preparation(0.0, 3)


def test_data_of_a_season_are_whole_and_split_by_side(tmp_path: Path):
    write_season(tmp_path / "season", Size(4800, 3))
    prepared = Prepared(tmp_path / "season")
    settings = FitRecipe.model_validate(yaml.safe_load(recipe_of_season(tmp_path / "season")))
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

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from training.data.prepared import Run
from training.data.splits import Selection, SplitSettings, folds_of, split_runs


def friends(subject: str = "sub-01", n_seasons: int = 4, n_episodes: int = 6) -> list[Run]:
    names = [
        f"s{season:02}e{episode:02}{half}"
        for season in range(1, n_seasons + 1)
        for episode in range(1, n_episodes + 1)
        for half in "ab"
    ]
    return [
        Run(subject, f"ses-001_task-{name}", name, "001", name[:6], name[:3], 0.0, 1.49, 480)
        for name in names
    ]


def test_halves_of_an_episode_are_never_parted():
    runs = friends() + friends("sub-02")
    for seed in range(20):
        splits = split_runs(runs, SplitSettings(test=Selection(fraction=0.2), seed=seed))
        episodes = [
            {run.episode for run in split}
            for split in (splits.train, splits.validation, splits.test)
        ]
        assert not episodes[0] & episodes[1]
        assert not episodes[0] & episodes[2]
        assert not episodes[1] & episodes[2]
        assert sum(map(len, (splits.train, splits.validation, splits.test))) == len(runs)


def test_a_whole_season_is_held_out():
    splits = split_runs(friends(), SplitSettings(test=Selection(seasons=("s04",))))
    assert {run.season for run in splits.test} == {"s04"}
    assert "s04" not in {run.season for run in (*splits.train, *splits.validation)}
    assert len(splits.validation) == 2 * round(0.25 * 18)


def test_equal_seeds_split_equally_and_others_do_not():
    def validation(seed: int) -> tuple[Run, ...]:
        return split_runs(friends(), SplitSettings(seed=seed)).validation

    assert validation(1) == validation(1)
    assert validation(1) != validation(2)


def test_a_count_of_episodes_is_held_out():
    splits = split_runs(friends(), SplitSettings(test=Selection(count=5)))
    assert len({run.episode for run in splits.test}) == 5


def test_a_split_through_an_episode_is_refused():
    settings = SplitSettings(validation=Selection(runs=("*s01e01a",)))
    with pytest.raises(ValueError, match=r"would leak.*s01e01b.*s01e01a.*same episode 's01e01'"):
        split_runs(friends(), settings)


def test_the_same_part_of_a_stimulus_in_two_splits_is_refused():
    first, second = friends()[0], replace(friends()[2], stimulus="s01e01a")
    settings = SplitSettings(validation=Selection(episodes=(second.episode,)))
    with pytest.raises(ValueError, match=r"would leak.*same part of stimulus 's01e01a'"):
        split_runs([first, second], settings)
    later = replace(second, start=first.n_trs * first.tr)
    assert len(split_runs([first, later], settings).validation) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SplitSettings(test=Selection(seasons=("s09",))), "no run has season 's09' for test.*s01"),
        (SplitSettings(test=Selection(runs=("*s07*",))), r"no run matches '\*s07\*' for test"),
        (
            SplitSettings(test=Selection(count=99)),
            "99 episodes were requested for test, 24 are left",
        ),
        (SplitSettings(validation=Selection()), "no validation runs"),
        (SplitSettings(validation=Selection(count=24)), "nothing to train on"),
    ],
)
def test_impossible_splits_say_why(settings: SplitSettings, message: str):
    with pytest.raises(ValueError, match=message):
        split_runs(friends(), settings)


@pytest.mark.parametrize("unit", ["episode", "season"])
def test_folds_test_every_run_once_and_keep_groups_whole(unit: str):
    runs = friends() + friends("sub-02")
    tested = []
    for fold in (1, 2, 3, 4):
        splits = split_runs(runs, SplitSettings(n_folds=4, fold=fold, fold_unit=unit, seed=fold))
        groups = [
            {getattr(run, unit) for run in split} for split in (splits.test, splits.validation)
        ]
        groups.append({getattr(run, unit) for run in splits.train})
        assert not groups[0] & (groups[1] | groups[2])
        tested += splits.test
    assert sorted(tested, key=str) == sorted(runs, key=str)


def test_folds_are_those_of_scikit_learn():
    """Its order of equally long groups depends on the processor: here all lengths differ."""
    generator = np.random.default_rng(0)
    lengths = generator.permutation(np.arange(300, 324))
    runs = [
        replace(run, n_trs=int(length), episode=run.stimulus)
        for run, length in zip(friends(n_seasons=2), lengths, strict=True)
    ]
    for n_folds in (2, 5, 7):
        rows = np.repeat([run.episode for run in runs], lengths)
        ours = folds_of(runs, n_folds, "episode")
        theirs = {
            frozenset(rows[held_out].tolist())
            for _, held_out in GroupKFold(n_folds).split(rows, groups=rows)
        }
        found = {
            frozenset(run.episode for run in runs if ours[run] == fold)
            for fold in range(1, n_folds + 1)
        }
        assert found == theirs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_folds": 1, "fold": 1}, "greater than or equal to 2"),
        ({"n_folds": 5}, "n_folds and fold need each other; fit --folds sets both"),
        ({"n_folds": 5, "fold": 6}, "fold 6 is beyond the last of 5 folds"),
        ({"n_folds": 5, "fold": 1, "test": {"seasons": ["s01"]}}, "both choose the test runs"),
    ],
)
def test_impossible_folds_are_refused(settings: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        SplitSettings.model_validate(settings)


def test_folds_that_the_runs_do_not_give_are_refused():
    runs = friends()
    with pytest.raises(ValueError, match="5 folds need as many seasons, there are 4: s01, s02"):
        split_runs(runs, SplitSettings(n_folds=5, fold=1, fold_unit="season"))
    with pytest.raises(ValueError, match="would leak"):  # the halves of an episode
        split_runs(runs, SplitSettings(n_folds=5, fold=1, fold_unit="run"))
    runs[3] = replace(runs[3], session="")
    with pytest.raises(ValueError, match=r"fold_unit=session, but run .*s01e02b has no session"):
        split_runs(runs, SplitSettings(n_folds=2, fold=1, fold_unit="session"))

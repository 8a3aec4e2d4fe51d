from dataclasses import replace

import pytest

from training.data.prepared import Run
from training.data.splits import Selection, SplitSettings, split_runs


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
        split = split_runs(runs, SplitSettings(test=Selection(fraction=0.2), seed=seed))
        sides = [
            {run.episode for run in side} for side in (split.train, split.validation, split.test)
        ]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]
        assert sum(map(len, (split.train, split.validation, split.test))) == len(runs)


def test_a_whole_season_is_held_out():
    split = split_runs(friends(), SplitSettings(test=Selection(seasons=("s04",))))
    assert {run.season for run in split.test} == {"s04"}
    assert "s04" not in {run.season for run in (*split.train, *split.validation)}
    assert len(split.validation) == 2 * round(0.25 * 18)


def test_equal_seeds_split_equally_and_others_do_not():
    def validation(seed: int) -> tuple[Run, ...]:
        return split_runs(friends(), SplitSettings(seed=seed)).validation

    assert validation(1) == validation(1)
    assert validation(1) != validation(2)


def test_a_count_of_episodes_is_held_out():
    split = split_runs(friends(), SplitSettings(test=Selection(count=5)))
    assert len({run.episode for run in split.test}) == 5


def test_a_split_through_an_episode_is_refused():
    settings = SplitSettings(validation=Selection(runs=("*s01e01a",)))
    with pytest.raises(ValueError, match=r"would leak.*s01e01b.*s01e01a.*same episode 's01e01'"):
        split_runs(friends(), settings)


def test_the_same_part_of_a_stimulus_on_two_sides_is_refused():
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

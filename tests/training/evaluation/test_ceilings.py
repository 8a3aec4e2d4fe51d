import numpy as np
import pytest
from scipy.stats import pearsonr
from small_dataset import write_prepared

from training.data.prepared import Prepared, Run
from training.evaluation.ceilings import (
    ceilings_of,
    inter_subject_of,
    refuse_missing_repeats,
    refuse_subjects_alone,
)
from training.evaluation.measured import Measured
from training.evaluation.repeats import common_parts
from training.evaluation.settings import EvaluationSettings

N_TRS = 60


def presented(subject: str, name: str, stimulus: str, n_trs: int = N_TRS) -> Run:
    return Run(subject, name, stimulus, "", stimulus, "", 0.0, 1.49, n_trs)


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Three subjects of two films, the first film twice; the third scan stopped early once."""
    generator = np.random.default_rng(0)
    film = {name: generator.standard_normal((N_TRS, 3)) for name in ("a", "b")}
    tables = {}
    for subject in ("sub-01", "sub-02", "sub-03"):
        for name, stimulus in (("first", "a"), ("second", "b"), ("third", "a")):
            n_trs = 50 if (subject, name) == ("sub-03", "second") else N_TRS
            response = film[stimulus] + generator.standard_normal((N_TRS, 3))
            tables[presented(subject, name, stimulus, n_trs)] = response[:n_trs]
    sounds = {name: np.ones(10, dtype=np.int16) for name in film}
    folder = tmp_path_factory.mktemp("ceilings") / "subjects"
    return Prepared(write_prepared(folder, sounds, tables, 1.49))


def runs_of(prepared: Prepared) -> dict[str, list[Run]]:
    return {s: [run for run in prepared.runs if run.subject == s] for s in prepared.subjects}


def r(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.array([pearsonr(a, b).statistic for a, b in zip(one.T, other.T, strict=True)])


def test_ceiling_from_repeats_is_the_root_of_their_correlation(subjects: Prepared):
    settings = EvaluationSettings(ceiling="repeats")
    found = ceilings_of(Measured(subjects, (1, 3)), runs_of(subjects), settings)
    for subject, runs in runs_of(subjects).items():
        first, _, third = (subjects.bold(run)[:, [0, 2]] for run in runs)
        assert found[subject] == pytest.approx(np.sqrt(r(first, third)), abs=1e-5)


def test_inter_subject_correlation_is_r_with_the_mean_of_the_others(subjects: Prepared):
    """Presentation by presentation, cut to what all were presented, pooled over runs."""
    settings = EvaluationSettings(inter_subject=True)
    runs = runs_of(subjects)
    found = inter_subject_of(Measured(subjects, (1, 2, 3)), runs, settings)
    for subject, own in runs.items():
        expected = []
        for number, n_trs in ((0, N_TRS), (1, 50), (2, N_TRS)):
            others = [runs[other][number] for other in runs if other != subject]
            mean = np.mean([subjects.bold(run)[:n_trs] for run in others], axis=0)
            expected.append(r(subjects.bold(own[number])[:n_trs], mean))
        assert found[subject] == pytest.approx(np.mean(expected, axis=0), abs=1e-5)


def test_a_subject_without_repeats_is_refused(subjects: Prepared):
    runs = {s: own[:2] if s == "sub-02" else own for s, own in runs_of(subjects).items()}
    settings = EvaluationSettings(ceiling="repeats")
    with pytest.raises(ValueError, match=r"^sub-02 had no stimulus twice in the test split"):
        refuse_missing_repeats(runs, settings)
    refuse_missing_repeats(runs_of(subjects), settings)


def test_a_subject_alone_has_no_inter_subject_correlation(subjects: Prepared):
    runs = runs_of(subjects)
    runs["sub-04"] = [presented("sub-04", "own", "c")]
    settings = EvaluationSettings(inter_subject=True)
    with pytest.raises(ValueError, match="nobody else had the stimuli of sub-04"):
        refuse_subjects_alone(runs, settings)
    with pytest.raises(ValueError, match="nobody else had the stimuli of sub-01"):
        refuse_subjects_alone({"sub-01": runs["sub-01"]}, settings)
    refuse_subjects_alone(runs, EvaluationSettings())


def test_common_parts_are_the_same_sounds_in_the_same_order():
    runs = {
        "sub-01": [
            presented("sub-01", "1", "a"),
            presented("sub-01", "2", "b"),
            presented("sub-01", "3", "a"),
        ],
        "sub-02": [presented("sub-02", "x", "b", 40), presented("sub-02", "y", "a")],
    }
    parts = common_parts(runs)
    assert [part.run for part in parts["sub-01"]] == ["1", "2"]
    assert [part.run for part in parts["sub-02"]] == ["y", "x"]
    for own in parts.values():
        assert [len(part.rows) for part in own] == [N_TRS, 40]
    assert [part.is_whole for part in parts["sub-01"]] == [True, False]


def test_common_sounds_are_rows_in_the_same_order():
    def sounds(subject: str, names: str) -> list[Run]:
        return [Run(subject, name, name, "", name, "", 0.0, 0.0, 1) for name in names]

    parts = common_parts({"sub-01": sounds("sub-01", "abcd"), "sub-02": sounds("sub-02", "dxab")})
    (one,), (two,) = parts["sub-01"], parts["sub-02"]
    assert one.rows.tolist() == [0, 1, 3]
    assert two.rows.tolist() == [2, 3, 0]
    assert not one.is_whole
    assert common_parts({"sub-01": sounds("sub-01", "a"), "sub-02": sounds("sub-02", "b")}) == {
        "sub-01": [],
        "sub-02": [],
    }

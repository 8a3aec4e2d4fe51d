"""Content of the report, and refused folders."""

import json
import re

import numpy as np
import pandas
import pytest
from small_results import model_info, write_comparison, write_evaluation, write_partition

from training.evaluation.folders import EvaluationInfo, read_info, read_table, write_table
from training.report import write_report
from training.report.elements import number
from training.report.headline import estimate, headline
from training.report.methods import evaluation_sentences, excluded
from training.report.models import _by_stage, matrix, profile, strips
from training.report.report import page, policy
from training.report.results import read_results
from training.report.targets import parcels

TRUTH = np.linspace(0.3, -0.02, 12)
HOSTILE = "<script>alert(1)</script>&\"'$x_1$"


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """A frozen and a tuned model on six runs of one subject; no image."""
    models = [(model_info("frozen"), 0.5), (model_info("tuned", "conv4"), 1.0)]
    return write_evaluation(tmp_path_factory.mktemp("results") / "EVAL", TRUTH, models)


@pytest.fixture(scope="module")
def whole_page(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    comparison = write_comparison(folder / "COMPARISON", evaluation, 0.3 * TRUTH)
    partition = write_partition(folder / "PARTITION", evaluation, TRUTH)
    return write_report([evaluation, comparison, partition], folder / "out").read_text("utf-8")


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def copy_of(folder, evaluation, **changes):
    """The same evaluation with another document."""
    folder.mkdir()
    for name in ("scores.parquet", "targets.parquet"):
        (folder / name).write_bytes((evaluation / name).read_bytes())
    document = json.loads((evaluation / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps(document | changes))
    return folder


def test_means_and_intervals_are_those_of_the_runs(evaluation):
    from scipy.stats import t

    (loaded,) = read_results([evaluation]).evaluations
    scores = read_table(evaluation, "scores")
    runs = scores[scores["model"] == "tuned"].groupby("run")["r"].mean().to_numpy()
    found = estimate(loaded, loaded.info.models[1])
    assert found.mean == pytest.approx(runs.mean())
    # Six runs: Student's interval.
    half = t.ppf(0.975, 5) * runs.std(ddof=1) / np.sqrt(6)
    assert (found.low, found.high) == pytest.approx((runs.mean() - half, runs.mean() + half))
    shown = text_of(headline(read_results([evaluation])))
    assert f"{number(found.mean)} mean Pearson r over 12 targets" in shown
    assert f"95 % interval [{number(found.low)}, {number(found.high)}] over 6 runs" in shown
    targets = read_table(evaluation, "targets")
    n_significant = int(targets[targets["model"] == "tuned"]["significant"].sum())
    assert f"{n_significant} of 12 targets significant" in shown


def test_sections_without_data_are_left_out(evaluation):
    """One subject: no matrix. One evaluation: no comparison, no partition."""
    results = read_results([evaluation])
    assert matrix(results) == ""
    assert "frozen" in text_of(profile(results))
    single = write_evaluation(evaluation.parent / "single", TRUTH, n_runs=1)
    results = read_results([single])
    assert profile(results) == ""
    assert strips(results) == ""
    assert "one run, hence no interval" in text_of(headline(results))


@pytest.mark.slow
def test_page_has_all_sections_and_no_empty_ones(whole_page):
    titles = re.findall(r"<h2>(.*?)</h2>", whole_page)
    assert titles == [
        *("Headline numbers", "Maps", "Best targets", "Comparisons", "Which stages were trained"),
        *("Run by run", "Beyond simple features of the sound", "Learning curves"),
        *("What was left out", "Methods", "To do it again"),
    ]
    assert re.findall(r'<a href="#(.*?)"', whole_page) == re.findall(
        r'<section id="(.*?)"', whole_page
    )
    assert "There are no maps: the evaluation has no image of its targets" in whole_page
    assert "Nothing was left out." in whole_page
    assert "python -m training evaluate fits/frozen" in whole_page


@pytest.mark.slow
def test_page_is_self_contained(whole_page):
    """Each picture has an alternative text."""
    links = re.findall(r'(?:src|href|data|action)="([^"]*)"', whole_page)
    assert {link.partition(":")[0] for link in links if not link.startswith("#")} == {"data"}
    assert "script-src &#x27;none&#x27;" in whole_page
    assert "<script" not in whole_page
    pictures = re.findall(r"<img [^>]*>", whole_page)
    assert len(pictures) >= 8
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)


@pytest.mark.slow
def test_equal_results_give_equal_pages(evaluation, tmp_path):
    first, second = (write_report([evaluation], tmp_path / "out").read_bytes() for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_hostile_names_are_text(tmp_path):
    models = [(model_info("a b", start=HOSTILE), 1.0), (model_info("plain", "conv2"), 0.8)]
    folder = write_evaluation(
        tmp_path / "EVAL", TRUTH, models, names=[f"{HOSTILE}{i}" for i in range(12)],
        dataset=HOSTILE, excluded=(HOSTILE,), notes=(HOSTILE,), command=HOSTILE, atlas=HOSTILE,
        null=HOSTILE, null_settings={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE},
    )  # fmt: skip
    html = write_report([folder], tmp_path / "out", title=HOSTILE).read_text("utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20


def test_models_of_a_curve_differ_in_the_trained_stage_alone(tmp_path):
    """Controls and models from other weights are not on one curve."""
    depths = ("none", "conv6", "conv4")
    models = [(model_info(f"from-{depth}", depth), 1.0) for depth in depths]
    models += [
        (model_info("untrained-0", fit="", start="f00d", control="untrained"), 0.1),
        (model_info("untrained-1", fit="", start="cafe"), 0.1),  # as earlier evaluations have it
        (model_info("permuted", "conv4", control="permuted_brain"), 0.1),
        (model_info("other", "conv4", start="music"), 0.9),
        (model_info("random-0", "conv4", start="aaaa", recipe={"start": "random"}), 0.9),
        (model_info("random-1", "conv2", start="bbbb", recipe={"start": "random"}), 0.9),
    ]
    folder = write_evaluation(tmp_path / "EVAL", TRUTH, models)
    results = read_results([folder])
    curves = {
        name: [model.name for own in stages.values() for model in own]
        for name, stages in _by_stage(results.evaluations[0]).items()
    }
    assert curves == {
        "sub-01, from voxceleb": ["from-none", "from-conv6", "from-conv4"],
        "sub-01, from music": ["other"],
        "sub-01, from random": ["random-0", "random-1"],
    }
    assert "controls are left out" in text_of(profile(results))
    # Two starts at one depth each are no curve at all.
    pair = [models[0], models[6]]
    assert profile(read_results([write_evaluation(tmp_path / "pair", TRUTH, pair)])) == ""


def test_inter_subject_correlation_is_no_ceiling(tmp_path):
    """Scores above it are what a good model has: they were once called 121 % of the ceiling."""
    folder = write_evaluation(tmp_path / "EVAL", TRUTH, ceiling=None, inter_subject="of 2 subjects")
    targets = read_table(folder, "targets")
    shared = (targets["r"] / 1.21).to_numpy()
    nothing = {"ceiling_r": np.nan, "r_fraction": np.nan}
    write_table(folder, "targets", targets.assign(inter_subject_r=shared, **nothing))
    results = read_results([folder])
    shown = text_of(headline(results))
    assert f"{number(float(np.median(shared)))} inter-subject correlation" in shown
    for section in (shown, text_of(parcels(results))):
        assert "121" not in section
        assert "noise ceiling" not in section
    sentences = " ".join(evaluation_sentences(results.evaluations[0].info))
    assert (
        "Noise ceilings were not estimated. Inter-subject correlation: of 2 subjects." in sentences
    )


def test_matrix_of_models_and_subjects(tmp_path):
    subjects = ("sub-01", "sub-02")
    models = [(model_info(f"of {s}", "conv4", subjects=(s,)), 1.0) for s in subjects]
    models.append((model_info("group", "conv4", kind="group", subjects=subjects), 0.8))
    folder = write_evaluation(tmp_path / "EVAL", TRUTH, models, subjects=subjects)
    results = read_results([folder])
    shown = text_of(matrix(results))
    scores = read_table(folder, "scores")
    for (model, subject), mean in scores.groupby(["model", "subject"])["r"].mean().items():
        assert number(mean) in shown, (model, subject)
    (loaded,) = results.evaluations
    assert [loaded.shown_subject(model) for model, _ in models] == ["sub-01", "sub-02", "all"]
    assert estimate(loaded, models[2][0]).unit == "subject"
    assert estimate(loaded, models[2][0]).n_units == 2


def test_methods_state_the_choices(evaluation):
    info = read_info(evaluation, EvaluationInfo)
    sentences = " ".join(evaluation_sentences(info))
    for words in (
        "2 models predicted 12 targets of made up in 1 subject of made-up (TR 1.49 s)",
        "Pearson correlations",
        "averaged over runs",
        "1,000 predictions shifted circularly within their runs (min shift: 10)",
        "The smallest p that so many allow is 0.001.",
        "Benjamini-Yekutieli",
        "corrected p ≤ 0.05",
        "studentised bootstrap over runs",
        "from two repeats of one film per subject",
        "below 0.15",
        "The seed of all random draws is 0.",
    ):
        assert words in sentences
    without = info.model_copy(update={"n_permutations": 0, "ceiling": None, "score": "r2"})
    sentences = " ".join(evaluation_sentences(without))
    assert "No p values were made." in sentences
    assert "Noise ceilings were not estimated." in sentences
    assert "coefficients of determination" in sentences


def test_exclusions_are_listed(evaluation, tmp_path):
    few = copy_of(tmp_path / "few", evaluation, excluded=["run-9: too short."], notes=["Coarse."])
    shown = excluded(read_results([few]))
    assert "run-9: too short." in shown
    assert "Coarse." in shown
    assert "<details>" not in shown
    many = copy_of(tmp_path / "many", evaluation, excluded=[f"run-{i}: short" for i in range(50)])
    assert "<details><summary>Left out: many (50)" in excluded(read_results([many]))


def test_scripts_of_frames_are_allowed_by_checksum():
    import base64
    import hashlib

    script = "let a = '&amp;' && \"x\""
    frame = f"<script>{script}</script>".replace("&", "&amp;").replace("'", "&#39;")
    content = f"<iframe sandbox=\"allow-scripts\" srcdoc='{frame}'></iframe>"
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{checksum}' 'unsafe-eval'" in policy(content)
    assert "default-src 'none'" in page("title", "lead", [content]).replace("&#x27;", "'")


def test_damaged_folders_are_refused_in_one_line(evaluation, tmp_path):
    with pytest.raises(ValueError, match="expected at least one folder of an evaluation, got none"):
        write_report([], tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="is not an evaluation, comparison or partition"):
        write_report([tmp_path], tmp_path / "out")
    folder = copy_of(tmp_path / "levels", evaluation, alpha=7)
    with pytest.raises(ValueError, match=r"evaluation.json: its alpha is wrong"):
        write_report([folder], tmp_path / "out")
    folder = copy_of(tmp_path / "bytes", evaluation)
    (folder / "targets.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match=r"targets.parquet is damaged"):
        write_report([folder], tmp_path / "out")
    folder = copy_of(tmp_path / "columns", evaluation)
    read_table(folder, "targets").drop(columns="p_by").to_parquet(folder / "targets.parquet")
    with pytest.raises(ValueError, match=r"damaged \(it lacks the columns p_by\); recreate"):
        write_report([folder], tmp_path / "out")
    folder = copy_of(tmp_path / "rows", evaluation)
    read_table(folder, "scores").head(0).to_parquet(folder / "scores.parquet")
    with pytest.raises(ValueError, match=r"scores.parquet is damaged \(it has no rows\)"):
        write_report([folder], tmp_path / "out")
    folder = copy_of(tmp_path / "curves", evaluation)
    (folder / "models" / "tuned").mkdir(parents=True)
    (folder / "models" / "tuned" / "metrics.csv").write_text("epoch\n1\n")
    (loaded,) = read_results([folder]).evaluations
    with pytest.raises(ValueError, match=r"metrics.csv is damaged"):
        loaded.curves(loaded.info.models[1])
    assert not (tmp_path / "out").exists()


def test_without_p_values_nothing_is_called_significant(evaluation, tmp_path):
    folder = copy_of(tmp_path / "no_p", evaluation, n_permutations=0, null="none", smallest_p=1.0)
    targets = read_table(folder, "targets")
    targets[["p", "p_bh", "p_by", "p_fwe"]] = np.nan
    targets["significant"] = pandas.array([None] * len(targets), dtype="boolean")
    targets.to_parquet(folder / "targets.parquet")
    results = read_results([folder])
    assert "targets significant" not in text_of(headline(results))
    (loaded,) = results.evaluations
    assert len(loaded.map_values(loaded.info.models[0])) == 12  # all are drawn, and it is sentences

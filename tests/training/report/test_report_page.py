"""Content of the report, and refused folders."""

import re

import numpy as np
import pandas
import pytest
from results_of_fits import changed, compared_and_partitioned, with_models

from training.evaluation.folders import CeilingInfo, EvaluationInfo, read_info, read_table
from training.report import write_report
from training.report.elements import number
from training.report.headline import estimate, headline
from training.report.methods import evaluation_sentences, excluded
from training.report.models import _by_stage, matrix, profile, strips
from training.report.report import page, policy
from training.report.results import Results, read_results
from training.report.targets import parcels

HOSTILE = "<script>alert(1)</script>&\"'$x_1$"


@pytest.fixture(scope="module")
def whole_page(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    folders = compared_and_partitioned(evaluation, folder)
    return write_report(folders, folder / "out").read_text("utf-8")


def text_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_means_and_intervals_are_those_of_the_runs(evaluation):
    """Model one is shown for its own subject, in two runs."""
    from scipy.stats import t

    results = read_results([evaluation])
    (loaded,) = results.evaluations
    scores = read_table(evaluation, "scores")
    own = scores[(scores["model"] == "one") & (scores["subject"] == "sub-01")]
    runs = own.groupby("run")["r"].mean().to_numpy()
    found = estimate(loaded, loaded.info.models[0])
    assert found.mean == pytest.approx(runs.mean())
    half = t.ppf(0.975, 1) * runs.std(ddof=1) / np.sqrt(2)  # Student's interval of two
    assert (found.low, found.high) == pytest.approx((runs.mean() - half, runs.mean() + half))
    best = loaded.featured
    found = estimate(loaded, best)
    shown = text_of(headline(results))
    assert f"{number(found.mean)} mean Pearson r over 4 targets" in shown
    assert f"95 % interval [{number(found.low)}, {number(found.high)}] over 2 runs" in shown
    n_significant = int(loaded.rows(best)["significant"].sum())
    assert f"{n_significant} of 4 targets significant" in shown


def test_sections_without_data_are_left_out(evaluation, tmp_path):
    """One model on one subject and run: no matrix, no curve over stages, no interval."""

    def first(table):
        rows = table[(table["model"] == "one") & (table["subject"] == "sub-01")]
        return rows[rows["run"] == rows["run"].iloc[0]] if "run" in rows else rows

    (model, _) = read_info(evaluation, EvaluationInfo).models
    results = read_results([changed(evaluation, tmp_path / "one", first, first, models=(model,))])
    assert matrix(results) == profile(results) == strips(results) == ""
    assert "one run, hence no interval" in text_of(headline(results))


@pytest.mark.slow
def test_page_has_all_sections_and_no_empty_ones(whole_page):
    titles = re.findall(r"<h2>(.*?)</h2>", whole_page)
    assert titles == [
        *("Headline numbers", "Maps", "Best targets", "Comparisons", "Models by subjects"),
        *("Run by run", "Beyond simple features of the sound", "Learning curves"),
        *("What was left out", "Methods", "To do it again"),
    ]
    assert re.findall(r'<a href="#(.*?)"', whole_page) == re.findall(
        r'<section id="(.*?)"', whole_page
    )
    assert "There are no maps: the evaluation has no image of its targets" in whole_page


@pytest.mark.slow
def test_page_is_self_contained(whole_page):
    """Each picture has an alternative text."""
    links = re.findall(r'(?:src|href|data|action)="([^"]*)"', whole_page)
    assert {link.partition(":")[0] for link in links if not link.startswith("#")} == {"data"}
    assert "script-src &#x27;none&#x27;" in whole_page
    assert "<script" not in whole_page
    pictures = re.findall(r"<img [^>]*>", whole_page)
    assert len(pictures) >= 7
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)


@pytest.mark.slow
def test_equal_results_give_equal_pages(evaluation, tmp_path):
    first, second = (write_report([evaluation], tmp_path / "out").read_bytes() for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_hostile_names_are_text(evaluation, tmp_path):
    def hostile(table):
        return table.assign(target_name=[f"{HOSTILE}{i}" for i in table["target_id"]])

    models = tuple(
        model.model_copy(update={"start": HOSTILE})
        for model in read_info(evaluation, EvaluationInfo).models
    )
    folder = changed(
        evaluation, tmp_path / "EVAL", hostile, hostile, models=models, dataset=HOSTILE,
        excluded=(HOSTILE,), notes=(HOSTILE,), command=HOSTILE, atlas=HOSTILE, null=HOSTILE,
        null_settings={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE},
    )  # fmt: skip
    html = write_report([folder], tmp_path / "out", title=HOSTILE).read_text("utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20


def test_models_of_a_curve_differ_in_the_trained_stage_alone(evaluation):
    """Controls and models from other weights are not on one curve."""
    (loaded,) = read_results([evaluation]).evaluations
    known = {"start": "voxceleb"}
    models = {
        "from-none": {"train_from": "none", **known},
        "from-conv6": {"train_from": "conv6", **known},
        "from-conv4": {"train_from": "conv4", **known},
        "untrained-0": {"fit": "", "start": "f00d", "control": "untrained"},
        "untrained-1": {"fit": "", "start": "cafe"},  # as in earlier evaluations
        "permuted": {"train_from": "conv4", "control": "permuted_brain", **known},
        "other": {"train_from": "conv4", "start": "music"},
        "random-0": {"train_from": "conv4", "start": "aaaa", "recipe": {"start": "random"}},
        "random-1": {"train_from": "conv2", "start": "bbbb", "recipe": {"start": "random"}},
    }
    variants = with_models(loaded, models)
    curves = {
        name: [model.name for own in stages.values() for model in own]
        for name, stages in _by_stage(variants).items()
    }
    assert curves == {
        "sub-01, from voxceleb": ["from-none", "from-conv6", "from-conv4"],
        "sub-01, from music": ["other"],
        "sub-01, from random": ["random-0", "random-1"],
    }
    assert "controls are left out" in text_of(profile(Results((variants,), (), ())))
    # Two starts at one stage each are no curve.
    pair = with_models(loaded, {name: models[name] for name in ("from-none", "other")})
    assert profile(Results((pair,), (), ())) == ""


def test_inter_subject_correlation_is_no_ceiling(evaluation, tmp_path):
    """Scores above it are what a good model has: they were once called 121 % of the ceiling."""

    def shared(table):
        nothing = {"ceiling_r": np.nan, "r_fraction": np.nan}
        return table.assign(inter_subject_r=table["r"] / 1.21, **nothing)

    folder = changed(evaluation, tmp_path / "EVAL", targets=shared, inter_subject="of 2 subjects")
    results = read_results([folder])
    (loaded,) = results.evaluations
    shown = text_of(headline(results))
    median = float(loaded.rows(loaded.featured)["inter_subject_r"].median())
    assert f"{number(median)} inter-subject correlation" in shown
    for section in (shown, text_of(parcels(results))):
        assert "121" not in section
        assert "noise ceiling" not in section
    sentences = " ".join(evaluation_sentences(loaded.info))
    assert "Noise ceilings were not estimated. Inter-subject correlation: of 2 sub" in sentences


def test_matrix_of_models_and_subjects(evaluation):
    results = read_results([evaluation])
    shown = text_of(matrix(results))
    scores = read_table(evaluation, "targets")
    scores = scores[scores["subject"] != "all"]
    for (model, subject), mean in scores.groupby(["model", "subject"])["r"].mean().items():
        assert number(mean) in shown, (model, subject)
    (loaded,) = results.evaluations
    assert [loaded.shown_subject(model) for model in loaded.info.models] == ["sub-01", "sub-02"]
    group = with_models(loaded, {"group": {"kind": "group", "subjects": ("sub-01", "sub-02")}})
    (model,) = group.info.models
    assert group.shown_subject(model) == "all"
    found = estimate(group, model)
    assert (found.unit, found.n_units) == ("subject", 2)


def test_methods_state_the_choices(evaluation):
    info = read_info(evaluation, EvaluationInfo)
    ceiling = CeilingInfo(method="repeats", floor=0.15, description="from two repeats of one film")
    changes = {"n_permutations": 1000, "smallest_p": 0.000999, "null_settings": {"min_shift": 10}}
    changes |= {"ceiling": ceiling, "interval": "95 %, studentised bootstrap over runs"}
    sentences = " ".join(evaluation_sentences(info.model_copy(update=changes)))
    for words in (
        "2 models predicted 4 targets of made up in 2 subjects of known (TR 1.49 s)",
        "Pearson correlations",
        "averaged over runs",
        "1,000 predictions shifted circularly within their runs (min shift: 10)",
        "The smallest p that so many allow is 0.001.",
        "Benjamini-Yekutieli",
        "corrected p ≤ 0.05",
        "studentised bootstrap",
        "from two repeats of one film",
        "below 0.15",
        "The seed of all random draws is 0.",
    ):
        assert words in sentences
    without = info.model_copy(update={"n_permutations": 0, "score": "r2"})
    sentences = " ".join(evaluation_sentences(without))
    assert "No p values were made." in sentences
    assert "Noise ceilings were not estimated." in sentences
    assert "coefficients of determination" in sentences


def test_exclusions_are_listed(evaluation, tmp_path):
    assert "Nothing was left out." in excluded(
        read_results([changed(evaluation, tmp_path / "none", excluded=(), notes=())])
    )
    few = changed(evaluation, tmp_path / "few", excluded=("run-9: short.",), notes=("Coarse.",))
    shown = excluded(read_results([few]))
    assert "run-9: short." in shown
    assert "Coarse." in shown
    assert "<details>" not in shown
    runs = tuple(f"run-{i}: short" for i in range(50))
    many = changed(evaluation, tmp_path / "many", excluded=runs)
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
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="expected at least one folder of an evaluation, got none"):
        write_report([], out)
    with pytest.raises(FileNotFoundError, match="is not an evaluation, comparison or partition"):
        write_report([tmp_path], out)
    folder = changed(evaluation, tmp_path / "alpha")
    document = folder / "evaluation.json"
    document.write_text(document.read_text().replace('"alpha": 0.05', '"alpha": 7'))
    with pytest.raises(ValueError, match=r"evaluation.json: its alpha is wrong"):
        write_report([folder], out)
    folder = changed(evaluation, tmp_path / "bytes")
    (folder / "targets.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match=r"targets.parquet is damaged"):
        write_report([folder], out)
    folder = changed(evaluation, tmp_path / "columns", targets=lambda t: t.drop(columns="p_by"))
    with pytest.raises(ValueError, match=r"damaged \(it lacks the columns p_by\); recreate"):
        write_report([folder], out)
    folder = changed(evaluation, tmp_path / "rows", scores=lambda table: table.head(0))
    with pytest.raises(ValueError, match=r"scores.parquet is damaged \(it has no rows\)"):
        write_report([folder], out)
    folder = changed(evaluation, tmp_path / "curves")
    (folder / "models" / "two" / "metrics.csv").write_text("epoch\n1\n")
    (loaded,) = read_results([folder]).evaluations
    with pytest.raises(ValueError, match=r"metrics.csv is damaged"):
        loaded.curves(loaded.info.models[1])
    assert not out.exists()


def test_without_p_values_nothing_is_called_significant(evaluation, tmp_path):
    def without(table):
        nothing = dict.fromkeys(("p", "p_bh", "p_by", "p_fwe"), np.nan)
        return table.assign(**nothing, significant=pandas.array([None] * len(table), "boolean"))

    settings = {"n_permutations": 0, "null": "none", "smallest_p": 1.0}
    results = read_results([changed(evaluation, tmp_path / "no_p", targets=without, **settings)])
    assert "targets significant" not in text_of(headline(results))
    (loaded,) = results.evaluations
    assert len(loaded.map_values(loaded.info.models[0])) == 4  # all are drawn, with a remark

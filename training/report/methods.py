"""Methods paragraph, exclusions, and the commands to reproduce the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.evaluation.folders import ComparisonInfo, EvaluationInfo, PartitionInfo
from training.provenance import typed_command
from training.report import elements
from training.report.elements import CORRECTIONS, NOTHING, p_value
from training.report.headline import trained
from training.report.results import Results

MOST_OPEN = 12  # longer lists are folded

SCORE_SENTENCES = {
    "r": "Scores are Pearson correlations of predicted and measured responses, per target and run",
    "r2": "Scores are coefficients of determination (R², below 0 where a prediction is worse than "
    "the mean) of predicted against measured responses, per target and run",
}
POOLING = {
    "mean": "averaged over runs",
    "fisher_z": "averaged over runs after Fisher's z transform and transformed back",
    "concatenated": "computed over the runs strung together",
}
NULLS = {
    "circular_shift": "predictions shifted circularly within their runs",
    "block_permutation": "predictions whose blocks were permuted within their runs",
    "phase_randomised": "surrogates of the predictions with random phases and the same spectrum",
    "shuffle": "predictions shuffled over sounds",
}


def methods(results: Results) -> str:
    """Methods paragraphs, a table of the models, and software versions."""
    parts = []
    for evaluation in results.evaluations:
        info = evaluation.info
        parts += [
            results.heading(evaluation),
            elements.paragraph(" ".join(evaluation_sentences(info))),
            _models(info),
        ]
    parts += [
        elements.paragraph(" ".join(comparison_sentences(each.info)))
        for each in results.comparisons
    ]
    parts += [
        elements.paragraph(" ".join(_programs(each.info)), "note")
        for each in results.everything
        if each.info.versions or each.info.git_revision
    ][:1]
    return elements.section("Methods", "methods", parts)


def evaluation_sentences(info: EvaluationInfo) -> list[str]:
    """Methods of an evaluation."""
    material = "responses to sounds" if info.kind == "sound_responses" else f"TR {info.tr:g} s"
    atlas = f" of {info.atlas}" if info.atlas else ""
    sentences = [
        f"{_count(len(info.models), 'model')} predicted {_count(len(info.target_ids), 'target')}"
        f"{atlas} in {_count(len(info.subjects), 'subject')} of {info.dataset} ({material}), on "
        f"the {info.split} split of the data.",
        f"{SCORE_SENTENCES[info.score]}, {POOLING[info.pooling]}.",
    ]
    if info.n_permutations:
        sentences += [
            f"The p values are one-sided: the share, the prediction itself included, of "
            f"{info.n_permutations:,} {NULLS.get(info.null, info.null)}"
            f"{_settings(info.null_settings)} that score at least as well.",
            f"The smallest p that so many allow is {p_value(info.smallest_p)}.",
            _correction(info),
        ]
    else:
        sentences.append("No p values were made.")
    if info.interval:
        sentences.append(f"Intervals of targets: {_sentence(info.interval)}")
    sentences.append(
        "Intervals of means over targets are 95 % intervals over runs (over subjects where all "
        "subjects are shown together): studentised bootstrap for eight and more, Student's t for "
        "fewer."
    )
    if info.ceiling:
        sentences += [
            f"Noise ceilings: {_sentence(info.ceiling.description)}",
            f"Where a ceiling is below {info.ceiling.floor:g}, no fraction of it is given.",
        ]
    else:
        sentences.append("Noise ceilings were not estimated.")
    if info.inter_subject:
        sentences.append(f"Inter-subject correlation: {_sentence(info.inter_subject)}")
    sentences.append(f"The seed of all random draws is {info.seed}.")
    return sentences


def comparison_sentences(info: ComparisonInfo) -> list[str]:
    """Methods of a comparison."""
    sentences = [
        f"Comparison of {info.a} and {info.b}: {_sentence(info.test)}",
        f"The smallest p that the number of runs allows is {p_value(info.smallest_p)}.",
        _correction(info),
    ]
    if info.interval:
        sentences.append(f"Intervals: {_sentence(info.interval)}")
    return sentences


def excluded(results: Results) -> str:
    """Exclusions with reasons, and further notes."""
    parts = []
    for each in results.everything:
        lists = [("Left out", each.info.excluded), ("Notes", each.info.notes)]
        for title, sentences in lists:
            if sentences:
                parts.append(_list(f"{title}: {each.folder.name}", sentences))
    if not parts:
        parts = [elements.paragraph("Nothing was left out.")]
    return elements.section("What was left out", "excluded", parts)


def redo(results: Results) -> str:
    """The commands of all folders, and that of the page."""
    commands = dict.fromkeys([*(each.info.command for each in results.everything), typed_command()])
    return elements.section("To do it again", "redo", map(elements.command, commands))


def _list(title: str, sentences: Sequence[str]) -> str:
    shown = elements.bullets(sentences)
    if len(sentences) > MOST_OPEN:
        return elements.folded(f"{title} ({len(sentences)})", shown)
    return elements.heading(title) + shown


def _models(info: EvaluationInfo) -> str:
    head = [
        *("model", "kind", "fitted to", "trained from", "stage read", "started from", "#seed"),
        *("#epochs", "#kept epoch", "run"),
    ]
    rows = []
    for model in info.models:
        fitted = ", ".join(model.subjects)
        if len(model.subjects) > 4:
            fitted = f"{len(model.subjects)} subjects"
        rows.append(
            [
                model.name,
                model.kind.replace("_", " "),
                fitted or NOTHING,
                trained(model),
                model.stage,
                model.start or NOTHING,
                model.seed,
                model.n_epochs,
                model.best_epoch,
                model.fit,
            ]
        )
    return elements.table(head, rows)


def _programs(info: EvaluationInfo | ComparisonInfo | PartitionInfo) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in info.versions.items())
    sentences = [f"Made with {versions}."] if versions else []
    if info.git_revision:
        sentences.append(f"Revision of the program: {info.git_revision}.")
    return sentences


def _correction(info: EvaluationInfo | ComparisonInfo) -> str:
    if info.correction == "none":
        return f"The p values were not corrected; p ≤ {info.alpha:g} is called significant."
    name = CORRECTIONS[info.correction]
    return (
        f"The p values were corrected over targets ({name}), and targets at a corrected "
        f"p ≤ {info.alpha:g} are called significant."
    )


def _settings(settings: Mapping[str, object]) -> str:
    """Settings in parentheses.

    Examples
    --------
    >>> _settings({"min_shift": 10}), _settings({})
    (' (min shift: 10)', '')
    """
    words = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in settings.items())
    return f" ({words})" if words else ""


def _sentence(text: str) -> str:
    """Add a full stop if missing."""
    return text if text.rstrip().endswith((".", "!", "?")) else f"{text.rstrip()}."


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"

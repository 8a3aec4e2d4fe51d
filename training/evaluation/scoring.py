"""Tables of an evaluation: scores of runs, and targets pooled over runs and over subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.prepared import Run
from training.evaluation.folders import PREDICTIONS_FILE, RUN_COLUMNS, SCORE_COLUMNS
from training.evaluation.measured import Measured
from training.evaluation.notes import Notes
from training.evaluation.predictions import read_prediction
from training.evaluation.repeats import common_parts, repeated
from training.evaluation.selection import Selection
from training.evaluation.settings import EvaluationSettings
from training.evaluation.target_scores import (
    ALL,
    SCORES,
    SubjectsTogether,
    TargetScores,
    joined,
    score_subject,
    scores_of_run,
    target_rows,
)
from training.fitting.predicting import compared_together
from training.progress import bar
from training.statistics import ScoreName
from training.statistics.pooling import mean_over_runs

Table = NDArray[np.floating]  # (n_trs, n_targets)
Values = NDArray[np.float64]


@dataclass(frozen=True)
class _ModelScores:
    """Scores of all targets: of each subject's run, and pooled of each subject and of all."""

    runs: dict[tuple[str, str], dict[ScoreName, Values]]
    targets: dict[str, TargetScores]


class Scoring:
    """Scorer of predictions, one model and one block of targets at a time.

    Responses, predictions and surrogates of a block alone are in memory, so that it does not grow
    with targets times TRs, nor with targets times permutations.

    Parameters
    ----------
    folder : Path
        Folder with the predictions.
    selection : Selection
        Models, runs and targets to score.
    measured : Measured
        The responses.
    references : mapping
        Reference values by column of the table of targets ("ceiling_r", "inter_subject_r"): for
        each subject ``(n_targets,)``; empty if not requested.
    settings : EvaluationSettings
        Settings.
    notes : Notes
        Collects remarks for the reader.
    """

    def __init__(
        self,
        folder: Path,
        selection: Selection,
        measured: Measured,
        references: Mapping[str, Mapping[str, Values]],
        settings: EvaluationSettings,
        notes: Notes,
    ) -> None:
        self.folder = folder
        self.selection = selection
        self.measured = measured
        self.references = references
        self.settings = settings
        self.notes = notes
        self.common = {
            model: common_parts(of_subjects)
            for model, of_subjects in selection.runs.items()
            if len(of_subjects) > 1 and set(of_subjects) == set(selection.subjects)
        }
        self.together = {model for model, parts in self.common.items() if all(parts.values())}
        self.blocks = measured.blocks()
        self._say_what_is_common()

    def tables(self, *, progress: bool = True) -> dict[str, Any]:
        """Tables "scores", "targets" and "runs" (pandas), models in the order of the command."""
        import pandas

        tables: dict[str, list[Any]] = {"scores": [], "targets": [], "runs": []}
        total = len(self.selection.runs) * len(self.blocks)
        with bar(total=total, desc="scores", shown=progress) as advance:
            for model in self.selection.runs:
                scores = self._scores_of_model(model, advance.update)
                for subject, runs in self.selection.runs[model].items():
                    for _, name, members in compared_together(runs):
                        of_run = scores.runs[subject, name]
                        tables["scores"].append(
                            self._score_rows(model, subject, name, members, of_run)
                        )
                        tables["runs"].append(_run_rows(model, subject, name, members))
                    self._note_runs(subject, runs, scores)
                for subject, result in scores.targets.items():
                    tables["targets"].append(self._target_rows(model, subject, result))
        return {name: pandas.concat(own, ignore_index=True) for name, own in tables.items()}

    def _scores_of_model(self, model: str, advance: Callable[[], object]) -> _ModelScores:
        """Scores of a model, from one block of targets at a time; `advance` follows each."""
        of_subjects = self.selection.runs[model]
        units = {subject: compared_together(runs) for subject, runs in of_subjects.items()}
        of_runs: dict[tuple[str, str], list[dict[ScoreName, Values]]] = {}
        of_targets: dict[str, list[TargetScores]] = {}
        for targets in self.blocks:
            together = SubjectsTogether(self.settings) if model in self.together else None
            for subject, of_subject in units.items():
                runs = {
                    name: (
                        self.measured.together(members, targets),
                        read_prediction(
                            self.folder / PREDICTIONS_FILE, model, subject, name, targets
                        ),
                    )
                    for _, name, members in of_subject
                }
                for name, run in runs.items():
                    of_runs.setdefault((subject, name), []).append(scores_of_run(*run))
                result = self._score(runs)
                of_targets.setdefault(subject, []).append(result.without_null())
                if together is not None:
                    parts = self.common[model][subject]
                    if [p.run for p in parts] != list(runs) or not all(p.is_whole for p in parts):
                        result = self._score({p.run: _rows(runs[p.run], p.rows) for p in parts})
                    together.add(result)
            if together is not None:
                of_targets.setdefault(ALL, []).append(together.result().without_null())
            advance()
        return _ModelScores(
            {
                key: {score: np.concatenate([each[score] for each in blocks]) for score in SCORES}
                for key, blocks in of_runs.items()
            },
            {subject: joined(blocks) for subject, blocks in of_targets.items()},
        )

    def _score(self, runs: Mapping[str, tuple[Table, Table]]) -> TargetScores:
        are_sounds = self.measured.prepared.info.kind == "sound_responses"
        return score_subject(list(runs.values()), self.settings, are_sounds=are_sounds)

    def _note_runs(self, subject: str, own: Sequence[Run], scores: _ModelScores) -> None:
        of_runs = [values["r2"] for (each, _), values in scores.runs.items() if each == subject]
        self.notes.responses(subject, self.selection.target_ids, of_runs)
        if own[0].tr != 0 and repeated(own):
            self.notes.say(
                "Runs of one sound in one subject got surrogates of their own; where its repeats "
                "share more than what is predicted, p is too small."
            )

    def _target_rows(self, model: str, subject: str, result: TargetScores) -> Any:
        self.notes.test(model, subject, result)
        references = {
            column: mean_over_runs(np.stack([own[each] for each in self.selection.subjects]))
            if subject == ALL
            else own[subject]
            for column, own in self.references.items()
            if own
        }
        key = {"model": model, "subject": subject, **self._target_columns()}
        return target_rows(result, references, self.settings, key)

    def _score_rows(
        self,
        model: str,
        subject: str,
        name: str,
        members: Sequence[Run],
        scores: Mapping[ScoreName, Values],
    ) -> Any:
        import pandas

        columns: dict[str, Any] = {
            "model": model,
            "subject": subject,
            "run": name,
            "stimulus": members[0].stimulus if members[0].tr else "",
            **self._target_columns(),
            "n_trs": sum(run.n_trs for run in members),
            **{str(key): value for key, value in scores.items()},
        }
        return pandas.DataFrame(columns)[list(SCORE_COLUMNS)]

    def _target_columns(self) -> dict[str, list[int] | list[str]]:
        return {
            "target_id": list(self.selection.target_ids),
            "target_name": list(self.selection.target_names),
        }

    def _say_what_is_common(self) -> None:
        """Note what subjects do not share and is left out of their mean."""
        for model, of_subjects in self.common.items():
            if model not in self.together:
                self.notes.exclude(
                    f"{model} has no scores of all subjects together, who share no stimulus."
                )
                continue
            for subject, parts in of_subjects.items():
                n_rows = sum(run.n_trs for run in self.selection.runs[model][subject])
                n_shared = sum(len(part.rows) for part in parts)
                if n_shared < n_rows:
                    unit = "sounds" if parts[0].members[0].tr == 0 else "TRs"
                    self.notes.exclude(
                        f"{n_rows - n_shared} of {n_rows} {unit} of {subject} are left out of the "
                        f"scores of all subjects together ({model}): not all subjects have them."
                    )


def _run_rows(model: str, subject: str, name: str, members: Sequence[Run]) -> Any:
    """The scored runs, a row for each run or sound, in the order of the predictions' rows."""
    import pandas

    columns = {
        "model": model,
        "subject": subject,
        "run": name,
        "name": [run.name for run in members],
        "stimulus": [run.stimulus for run in members],
        "start": [run.start for run in members],
        "n_trs": [run.n_trs for run in members],
    }
    return pandas.DataFrame(columns)[list(RUN_COLUMNS)]


def _rows(run: tuple[Table, Table], rows: NDArray[np.int64]) -> tuple[Table, Table]:
    measured, predicted = run
    return measured[rows], predicted[rows]

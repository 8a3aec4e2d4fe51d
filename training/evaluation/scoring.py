"""Tables of an evaluation: scores of runs, and targets pooled over runs and over subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    SubjectsTogether,
    TargetScores,
    score_subject,
    scores_of_run,
    target_rows,
)
from training.fitting.predicting import compared_together
from training.progress import bar
from training.statistics.pooling import mean_over_runs

Table = NDArray[np.floating]  # (n_trs, n_targets)
Values = NDArray[np.float64]


class Scoring:
    """Scorer of predictions, one subject at a time.

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
        self.together = {
            model: SubjectsTogether(settings)
            for model, parts in self.common.items()
            if all(parts.values())
        }
        self._say_what_is_common()

    def tables(self, *, progress: bool = True) -> dict[str, Any]:
        """Tables "scores", "targets" and "runs" (pandas), models in the order of the command."""
        import pandas

        models = list(self.selection.runs)
        rows: dict[str, dict[tuple[str, str], list[Any]]] = {
            "scores": {},
            "targets": {},
            "runs": {},
        }
        for subject in bar(self.selection.subjects, desc="subjects", shown=progress):
            measured: dict[tuple[Run, ...], Table] = {}
            for model in models:
                if subject not in self.selection.runs[model]:
                    continue
                units = compared_together(self.selection.runs[model][subject])
                runs: dict[str, tuple[Table, Table]] = {}
                for _, name, members in units:
                    if tuple(members) not in measured:
                        measured[tuple(members)] = self.measured.together(members)
                    path = self.folder / PREDICTIONS_FILE
                    predicted = read_prediction(path, model, subject, name)
                    runs[name] = measured[tuple(members)], predicted
                place = (model, subject)
                rows["scores"][place] = [
                    self._score_rows(model, subject, name, members, *runs[name])
                    for _, name, members in units
                ]
                rows["runs"][place] = [
                    _run_rows(model, subject, name, members) for _, name, members in units
                ]
                rows["targets"][place] = [self._targets(model, subject, runs)]
        for model, together in self.together.items():
            rows["targets"][model, ALL] = [self._target_rows(model, ALL, together.result())]
        order = [
            (model, subject) for model in models for subject in (*self.selection.subjects, ALL)
        ]
        return {
            name: pandas.concat(
                [table for place in order for table in of_places.get(place, [])], ignore_index=True
            )
            for name, of_places in rows.items()
        }

    def _targets(self, model: str, subject: str, runs: dict[str, tuple[Table, Table]]) -> Any:
        own = self.selection.runs[model][subject]
        are_sounds = own[0].tr == 0
        result = score_subject(list(runs.values()), self.settings, are_sounds=are_sounds)
        target_ids = self.selection.target_ids
        self.notes.responses(
            subject, target_ids, [scores_of_run(*run)["r2"] for run in runs.values()]
        )
        if not are_sounds and repeated(own):
            self.notes.say(
                "Runs of one sound in one subject got surrogates of their own; where its repeats "
                "share more than what is predicted, p is too small."
            )
        if model in self.together:
            parts = self.common[model][subject]
            same = [part.run for part in parts] == list(runs) and all(p.is_whole for p in parts)
            if not same:
                cut = [_rows(runs[part.run], part.rows) for part in parts]
                shared = score_subject(cut, self.settings, are_sounds=are_sounds)
            self.together[model].add(result if same else shared)
        return self._target_rows(model, subject, result)

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
        measured: Table,
        predicted: Table,
    ) -> Any:
        import pandas

        columns: dict[str, Any] = {
            "model": model,
            "subject": subject,
            "run": name,
            "stimulus": members[0].stimulus if members[0].tr else "",
            **self._target_columns(),
            "n_trs": len(measured),
            **{str(key): value for key, value in scores_of_run(measured, predicted).items()},
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

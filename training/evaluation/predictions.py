"""Predictions of models, computed stimulus by stimulus, in one file.

The network runs once per stretch of a stimulus, for all subjects and repeats; read-outs then
predict for each subject. Only one stretch is in memory (for sound responses: the features of all of
them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from hear_brainsoundnet.files import writing
from training.data.prepared import Prepared, Run
from training.evaluation.measured import EVERY, columns_of
from training.evaluation.models import Model
from training.fitting.predicting import SOUNDS, compared_together
from training.fitting.windows import consecutive_windows
from training.progress import bar

if TYPE_CHECKING:
    import h5py

Table = NDArray[np.float32]  # (n_trs, n_targets)


def write_predictions(
    path: Path,
    models: Sequence[Model],
    prepared: Prepared,
    runs: Mapping[str, Mapping[str, Sequence[Run]]],
    target_ids: Sequence[int],
    *,
    progress: bool = True,
) -> None:
    """Predict all runs with all models into one h5 file, ``MODEL/SUBJECT/RUN``.

    Parameters
    ----------
    path : Path
        The file; it appears when complete.
    models : sequence of Model
        Models to predict with.
    prepared : Prepared
        Dataset with the stimuli.
    runs : mapping
        For each model by name, the runs of each subject.
    target_ids : sequence of int
        Target ids of the columns.
    progress : bool
        Show a progress bar.
    """
    with writing_h5(path) as file:
        for model in bar(models, desc="models", shown=progress):
            columns = columns_of(model.encoder.read_out.target_ids, target_ids)
            for subject, name, table in predictions_of(model, prepared, runs[model.name]):
                file[f"{model.name}/{subject}/{name}"] = table[:, columns]


def read_prediction(
    path: Path, model: str, subject: str, run: str, targets: slice = EVERY
) -> Table:
    """Read some columns of a table of :func:`write_predictions`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file or the table is missing or damaged.
    """
    import h5py

    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; recreate the evaluation")
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[f"{model}/{subject}/{run}"][:, targets], dtype=np.float32)
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"{path} has no readable prediction {model}/{subject}/{run} ({error}); recreate the "
            "evaluation"
        ) from error


def predictions_of(
    model: Model, prepared: Prepared, runs: Mapping[str, Sequence[Run]]
) -> Iterator[tuple[str, str, Table]]:
    """Subject, name of the run and prediction for all targets of the model, run by run.

    All sounds without a time axis of a subject are one run, as in
    :func:`training.fitting.predicting.compared_together`.
    """
    if model.folds:
        yield from _out_of_fold(model, prepared, runs)
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.encoder.to(device)
    predictor = model.predictor(prepared)
    every = [run for of_subject in runs.values() for run in of_subject]
    if every and every[0].tr == 0:
        by_stimulus = {run.stimulus: run for run in every}
        tables = dict(
            zip(by_stimulus, predictor.features_of_runs(list(by_stimulus.values())), strict=True)
        )
        for subject, name, together in compared_together(every):
            table = np.stack([tables[run.stimulus] for run in together])
            yield subject, name, _answer(model, subject, table, device)[:, 0]
        return
    alike: dict[tuple[str, float, int], list[Run]] = {}
    for run in every:
        alike.setdefault((run.stimulus, run.start, run.n_trs), []).append(run)
    for same_stimulus in alike.values():
        (table,) = predictor.features_of_runs(same_stimulus[:1])
        for run in same_stimulus:
            yield run.subject, run.name, _predicted(model, run, table, device)


def _out_of_fold(
    model: Model, prepared: Prepared, runs: Mapping[str, Sequence[Run]]
) -> Iterator[tuple[str, str, Table]]:
    """Predictions of a cross-validation: of each run by the fit that tests it."""
    every = [run for own in runs.values() for run in own]
    rows: dict[Run, Table] = {}  # of sounds without a time axis
    for fold in model.folds:
        splits = fold.splits.splits_of(prepared, every)
        tested = {s: [run for run in own if splits[run] == "test"] for s, own in runs.items()}
        for subject, name, table in predictions_of(fold, prepared, tested):
            if tested[subject][0].tr == 0:
                rows.update(zip(tested[subject], table, strict=True))
            else:
                yield subject, name, table
    if rows:
        for subject, own in runs.items():
            yield subject, SOUNDS, np.stack([rows[run] for run in own])


def _predicted(model: Model, run: Run, features: Table, device: torch.device) -> Table:
    """Window by window if each is independent, as in the published models; else at once."""
    if model.encoder.read_out.tr_sampling != "crop":
        return _answer(model, run.subject, features[None], device)[0]
    pieces = [
        features[window.first : window.first + window.n_trs]
        for window in consecutive_windows(run, model.window_trs)
    ]
    answers = [_answer(model, run.subject, piece[None], device)[0] for piece in pieces]
    return np.concatenate(answers)


@torch.no_grad()
def _answer(model: Model, subject: str, features: Table, device: torch.device) -> Table:
    """``(n_sounds, n_trs, n_channels)`` to ``(n_sounds, n_trs, n_targets)``."""
    head = model.encoder.read_out.head_for(subject)
    predicted = model.encoder.respond(torch.from_numpy(features).to(device), head)
    return np.asarray(predicted.float().cpu().numpy())


@contextmanager
def writing_h5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file, renamed to its final name at the end.

    Raises
    ------
    OSError
        If it cannot be written; the old file stays.
    """
    import h5py

    with writing(path) as temporary, temporary.open("w+b", buffering=0) as raw:
        file = _UntilFull(raw)
        try:
            with h5py.File(file, "w") as h5:
                yield h5
        except (OSError, RuntimeError):
            if file.error is not None:
                raise file.error from None
            raise


class _UntilFull:
    """A file that drops all writes after the first failure.

    HDF5 cannot close a file whose last blocks cannot be written: it reports errors again at exit
    and may crash. The first failure is kept and raised.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, block: Any) -> int:
        if self.error is None:
            try:
                written = memoryview(block).cast("B")
                while written:
                    written = written[self._file.write(written) :]
            except OSError as error:
                self.error = error
                raise
        return len(block)

    def truncate(self, size: int | None = None) -> int:
        if self.error is None:
            try:
                return int(self._file.truncate(size))
            except OSError as error:
                self.error = error
                raise
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

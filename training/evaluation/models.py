"""Models to evaluate: finished fits, and untrained ones of the same shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.encoder import BrainEncoder
from training.config import write_recipe
from training.data.fitted_to import KEY, FittedTo, records_of
from training.data.prepared import Prepared, Run
from training.data.splits import SPLITS
from training.evaluation.folders import UNTRAINED, ModelInfo
from training.evaluation.held_out import FitSplits
from training.evaluation.measured import columns_of
from training.fitting.assembly import build_encoder, load_start
from training.fitting.fit_folder import OUTCOME_FILE, FitFolder
from training.fitting.predicting import Predictor
from training.fitting.recipe import FitRecipe
from training.fitting.windows import WindowLoader
from training.recipe_folder import CONFIG_FILE

METRICS_FILE = "metrics.csv"
NAME = re.compile(r"[\w+=,@-][\w+=,@. -]*")  # valid for a file, and for a pattern of `compare`


@dataclass(frozen=True)
class Model:
    """A model with its metadata.

    Attributes
    ----------
    info : ModelInfo
        Metadata for the result.
    encoder : BrainEncoder
        With the selected weights.
    input_scale : float
        Factor applied to audio in [-1, 1].
    window_trs : int
        Number of TRs predicted at a time.
    data : Prepared
        Dataset that it was fitted to.
    splits : FitSplits
        Stimuli in each split of its fit.
    files : dict
        Recipe and metrics, by file name.
    folds : tuple of Model
        The fits of a cross-validation, see :mod:`training.evaluation.cross_validation`; the other
        attributes are then those of the first where they differ.
    """

    info: ModelInfo
    encoder: BrainEncoder
    input_scale: float
    window_trs: int
    data: Prepared
    splits: FitSplits
    files: dict[str, bytes]
    folds: tuple[Model, ...] = ()

    @property
    def name(self) -> str:
        return self.info.name

    def predictor(self, prepared: Prepared) -> Predictor:
        """The encoder with the data of a dataset, all its targets."""
        loader = WindowLoader(prepared, self.encoder.read_out, self.encoder.stage, self.input_scale)
        return Predictor(self.encoder, loader, self.window_trs)


def load_model(fitted: str | Path, name: str) -> Model:
    """Load a finished fit.

    Parameters
    ----------
    fitted : path-like
        Folder of the fit.
    name : str
        Name in the tables.

    Raises
    ------
    FileNotFoundError
        If there is no fit, or its dataset is missing.
    ValueError
        If it is not finished, or its dataset has changed.
    """
    folder = FitFolder(fitted)
    checkpoint, recipe = read_checkpoint(folder.model_path()), folder.recipe()
    origin, outcome = (folder.read_document(each) for each in ("origin.json", OUTCOME_FILE))
    try:
        prepared = Prepared(recipe.data)
        splits = FitSplits(_splits(prepared, origin), prepared, _start_records(origin))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder.path}: {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{folder.path} does not fit its dataset {recipe.data}: {' '.join(str(error).split())}"
        ) from error
    encoder = checkpoint.build_encoder().requires_grad_(False)
    info = ModelInfo(
        name=name,
        fit=str(folder.path),
        kind=recipe.model,
        subjects=encoder.read_out.subjects,
        train_from=recipe.train_from,
        stage=recipe.read_out.stage,
        start=outcome["start"],
        control=recipe.control,
        seed=recipe.seed,
        best_epoch=outcome["kept_epoch"],
        n_epochs=outcome["n_epochs"],
        recipe=recipe.model_dump(mode="json"),
    )
    files = {each: (folder.path / each).read_bytes() for each in (CONFIG_FILE, METRICS_FILE)}
    scale, n_trs = checkpoint.card.input_scale, recipe.windows.n_trs
    return Model(info, encoder, scale, n_trs, prepared, splits, files)


def untrained_like(model: Model, name: str, seed: int) -> Model:
    """A model of the same shape with random weights, network and read-out: the paper's null.

    It has no training stimuli, but is restricted to the split of `model`, so that both have the
    same runs.
    """
    changes = {"start": "random", "seed": seed, "train_from": "none", "control": "none"}
    document = {**model.info.recipe, **changes, "optimiser": {"max_epochs": 0}}
    document["read_out"] = {**dict(_mapping(document["read_out"])), "initial": "random"}
    recipe = FitRecipe.model_validate(document)
    start = load_start(recipe)
    read_out = model.encoder.read_out
    columns = columns_of(model.data.info.target_ids, read_out.target_ids)
    encoder = build_encoder(recipe, model.data.info, read_out.subjects, columns, start)
    info = model.info.model_copy(
        update={
            "name": name,
            "fit": "",
            "train_from": "none",
            "start": start.hash,
            "control": UNTRAINED,
            "seed": seed,
            "best_epoch": 0,
            "n_epochs": 0,
            "recipe": recipe.model_dump(mode="json"),
        }
    )
    files = {CONFIG_FILE: write_recipe(recipe).encode()}
    return Model(
        info,
        encoder.eval().requires_grad_(False),
        start.card.input_scale,
        model.window_trs,
        model.data,
        model.splits,
        files,
    )


def model_names(fits: Sequence[str | Path], names: Sequence[str]) -> list[str]:
    """Names of models: as given, else their folders, with the parent's name where ambiguous.

    Raises
    ------
    ValueError
        If the number of names is wrong, two are equal, or one is not valid for a file.

    Examples
    --------
    >>> model_names(["fits/frozen", "fits/tuned"], [])
    ['frozen', 'tuned']
    >>> model_names(["sub-01/frozen", "sub-02/frozen"], [])
    ['sub-01-frozen', 'sub-02-frozen']
    """
    paths = [Path(fitted).resolve() for fitted in fits]
    if names and len(names) != len(fits):
        raise ValueError(f"{len(names)} names for {len(fits)} fits; give --name once for each fit")
    chosen = list(names) or [path.name for path in paths]
    if not names and len(set(chosen)) < len(chosen):
        chosen = [f"{path.parent.name}-{path.name}" for path in paths]
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice:
        raise ValueError(
            f"models need different names, and {', '.join(twice)} occurs more than once; give each "
            "fit another --name"
        )
    for name in chosen:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be the name of a model; expected letters, digits and -_.+=,@ "
                "or spaces: give another --name"
            )
    return chosen


def _splits(prepared: Prepared, origin: dict[str, object]) -> dict[str, list[Run]]:
    """The runs actually used in the fit, not those its recipe would select now."""
    runs = {f"{run.subject}/{run.name}": run for run in prepared.runs}
    names = _mapping(origin.get("split"))
    missing = [name for split in SPLITS for name in names[split] if name not in runs]
    if missing:
        raise ValueError(
            f"its run {missing[0]} is no longer there; evaluate with the dataset that it was "
            "fitted to, or refit it"
        )
    return {split: [runs[name] for name in names[split]] for split in SPLITS}


def _start_records(origin: dict[str, Any]) -> list[FittedTo]:
    """What the start was fitted to; the first record is that of the fit itself."""
    records = origin.get(KEY, [])
    return records_of({KEY: records[1:]}) if isinstance(records, list) else []


def _mapping(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise ValueError(f"expected keys with values, got {value!r}")
    return value

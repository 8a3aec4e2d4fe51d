"""Identity of a measured model: module, weights and options, as a folder name.

heareval names its cache of embeddings after module and options only, so that new weights would
silently reuse old embeddings. Here results are stored under a name that depends on everything that
affects the embeddings:

``<module>/<first 12 of the weights' hash>-<first 8 of the options' hash>``
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from benchmarks.hear.embedding_check import check_model
from benchmarks.hear.task_folder import TaskFolder, common_sample_rate
from hear_brainsoundnet.card import Card
from training.data.fitted_to import records_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelIdentity:
    """A measurable model.

    Attributes
    ----------
    module : str
        Import name of a module with the HEAR API.
    module_version : str
        Version of its distribution; "" if there is none.
    source_hash : str
        Hash of the Python files of a package, or of a module's single file: code changes may also
        change embeddings.
    checkpoint : str
        Display name of the weights.
    checkpoint_hash : str
        Hash of the weights; `source_hash` for a module without weights.
    weights_file : str
        Path for heareval's ``--model``; "" if there is none.
    options : dict
        Keywords for ``load_model``, as given.
    resolved : dict
        Resolved options, if the model reports them: for example the stages of a preset.
    sample_rate : int
        In Hz.
    """

    module: str
    module_version: str
    source_hash: str
    checkpoint: str
    checkpoint_hash: str
    weights_file: str
    options: Mapping[str, Any]
    resolved: Mapping[str, Any]
    sample_rate: int

    @property
    def label(self) -> str:
        """Short name for a table: module and preset, or module and options."""
        return module_and_options(self.module, self.options)

    @property
    def folder(self) -> Path:
        """Relative folder of its results."""
        chosen = [
            self.module_version,
            self.source_hash,
            dict(self.options),
            dict(self.resolved),
            self.sample_rate,
        ]
        options_hash = _hash(json.dumps(chosen, sort_keys=True).encode())
        return Path(self.module, f"{self.checkpoint_hash[:12]}-{options_hash[:8]}")

    def heareval_options(self) -> list[str]:
        """The arguments of ``heareval.embeddings.runner`` that load this model."""
        weights = ["--model", self.weights_file] if self.weights_file else []
        return [*weights, "--model-options", json.dumps(dict(self.options))]

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file; with only the name of `weights_file`."""
        document = asdict(self)
        document["weights_file_name"] = Path(document.pop("weights_file")).name
        return document


def module_and_options(module: str, options: Mapping[str, Any]) -> str:
    """A module's name and its options, other than its rate and weights."""
    own = sorted(options.keys() - {"sample_rate", "model_file_path"})
    return " ".join([module, *(f"{name}={options[name]}" for name in own)])


def identify(
    module: str, checkpoint: str = "", options: Mapping[str, Any] | None = None
) -> ModelIdentity:
    """Load a model, test it once, and return its identity.

    Parameters
    ----------
    module : str
        Import name of a module with the HEAR API.
    checkpoint : str
        Path of a weight file, or a name accepted by ``load_model``; "" for the module's default.
    options : mapping, optional
        Keywords for ``load_model``.

    Raises
    ------
    ValueError
        If there is no such module, it lacks the HEAR API, its model cannot be loaded, or its
        embeddings differ from the declared sizes.
    """
    options = dict(options or {})
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"cannot import module {module!r}: {error}; install it first") from error
    if not hasattr(imported, "load_model"):
        raise ValueError(f"module {module!r} has no load_model; it is not a HEAR module")
    weights_file = ""
    if checkpoint and Path(checkpoint).is_file():
        weights_file = str(Path(checkpoint).resolve())
    elif checkpoint:
        options["model_file_path"] = checkpoint  # heareval's --model accepts only paths
    model = _load(imported, weights_file, options)
    check_model(imported, model)
    source_hash = _source_hash(imported)
    return ModelIdentity(
        module=module,
        module_version=_version(module),
        source_hash=source_hash,
        checkpoint=_checkpoint_name(model, weights_file, checkpoint),
        checkpoint_hash=_checkpoint_hash(model, weights_file, source_hash),
        weights_file=weights_file,
        options=options,
        resolved={
            name: getattr(model, name)
            for name in (
                "scene",
                "timestamps",
                "level",
                "scene_embedding_size",
                "timestamp_embedding_size",
            )
            if isinstance(getattr(model, name, None), str | int | float)
        }
        | _fitted_to(model),
        sample_rate=int(model.sample_rate),
    )


def load_identified(identity: ModelIdentity) -> tuple[ModuleType, Any]:
    """Reload module and model."""
    module = importlib.import_module(identity.module)
    return module, _load(module, identity.weights_file, identity.options)


def model_for(
    tasks: Sequence[TaskFolder],
    module: str,
    checkpoint: str = "",
    options: Mapping[str, Any] | None = None,
) -> ModelIdentity:
    """As :func:`identify`, at the rate of tasks, whose audio is checked.

    A module whose ``load_model`` has a keyword `sample_rate` gets the common rate of the tasks,
    unless `options` have one.

    Raises
    ------
    FileNotFoundError, ValueError
        If model or tasks are invalid, or the tasks have no audio at the model's rate.
    """
    options = dict(options or {})
    if "sample_rate" not in options and _takes_sample_rate(module):
        options["sample_rate"] = common_sample_rate(tasks)
    model = identify(module, checkpoint, options)
    for task in tasks:
        task.check_audio(model.sample_rate)
        if met := [each for each in _datasets(model) if task.name.startswith(each)]:
            logger.warning(
                "%s was fitted to responses to the sounds of %s (%s): its scores are not of "
                "held-out sounds",
                *(model.label, task.name, met[0]),
            )
    return model


def _fitted_to(model: Any) -> dict[str, str]:
    """Datasets whose stimuli the weights were fitted to, for the results; empty if unknown."""
    card = getattr(model, "card", None)
    if not isinstance(card, Card):
        return {}
    records = records_of(card.provenance, model.checkpoint_hash)
    found = sorted({each.dataset for each in records})
    return {"fitted_to": ", ".join(found)} if found else {}


def _datasets(model: ModelIdentity) -> list[str]:
    return [name for name in str(model.resolved.get("fitted_to", "")).split(", ") if name]


def _takes_sample_rate(module: str) -> bool:
    try:
        load_model = importlib.import_module(module).load_model
    except (ImportError, AttributeError):
        return False
    return "sample_rate" in inspect.signature(load_model).parameters


def _load(module: ModuleType, weights_file: str, options: Mapping[str, Any]) -> Any:
    arguments = [weights_file] if weights_file else []
    try:
        return module.load_model(*arguments, **options)
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{module.__name__} cannot load its model: {error}") from error


def _checkpoint_name(model: nn.Module, weights_file: str, checkpoint: str) -> str:
    name = getattr(getattr(model, "card", None), "name", None)
    if isinstance(name, str):
        return name
    return Path(weights_file).name if weights_file else checkpoint or "none"


def _checkpoint_hash(model: nn.Module, weights_file: str, source_hash: str) -> str:
    known = getattr(model, "checkpoint_hash", None)
    if isinstance(known, str):
        return known
    return _hash(Path(weights_file).read_bytes()) if weights_file else source_hash


def _version(module: str) -> str:
    top = module.partition(".")[0]
    distributions = set(importlib.metadata.packages_distributions().get(top, []))
    return importlib.metadata.version(distributions.pop()) if len(distributions) == 1 else ""


def _source_hash(module: ModuleType) -> str:
    if module.__file__ is None:
        raise ValueError(f"module {module.__name__!r} has no file; it is not a HEAR module")
    file = Path(module.__file__)
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    return _hash(b"".join(_hash(path.read_bytes()).encode() for path in files))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Identity of a teacher: module, version and checkpoint."""

from __future__ import annotations

import importlib
import importlib.metadata
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel, ConfigDict

from training.checksums import sha256_of


class TeacherIdentity(BaseModel):
    """Identity of a teacher; equal identities mean equal embeddings.

    Attributes
    ----------
    module : str
        Import name.
    version : str
        Version of the module, or of its distribution; else the first digits of the SHA-256 of its
        source.
    checkpoint_sha256 : str
        Hash of the weight file; empty without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    version: str
    checkpoint_sha256: str = ""

    @classmethod
    def of(cls, module: str, checkpoint: Path | None = None) -> TeacherIdentity:
        """Identity of a module and a weight file.

        Raises
        ------
        ValueError
            If the module cannot be imported.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> TeacherIdentity.of("training.teachers.yamnet").version
        '1'
        """
        return cls(
            module=module,
            version=_version(imported(module)),
            checkpoint_sha256=sha256_of(checkpoint) if checkpoint else "",
        )


def imported(module: str) -> ModuleType:
    """The module of a teacher.

    Raises
    ------
    ValueError
        If it cannot be imported, for any reason.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # third-party code can raise anything
        raise ValueError(
            f"cannot import the teacher {module!r}: {in_one_line(error)}; name an installed module "
            "with the HEAR API"
        ) from error


def in_one_line(error: Exception) -> str:
    """One-line message of an error of third-party code.

    Examples
    --------
    >>> in_one_line(KeyError("layer")), in_one_line(ValueError("too short"))
    ("KeyError: 'layer'", 'too short')
    """
    text = " ".join(str(error).split())
    if text and isinstance(error, ValueError | OSError):
        return text
    return f"{type(error).__name__}: {text}".removesuffix(": ")


def _version(module: ModuleType) -> str:
    own = getattr(module, "__version__", None)
    if isinstance(own, str):
        return own
    top = module.__name__.partition(".")[0]
    names = set(importlib.metadata.packages_distributions().get(top, ()))
    if len(names) == 1:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(names.pop())
    return sha256_of(Path(module.__file__))[:12] if module.__file__ else ""

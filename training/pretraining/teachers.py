"""The part ``teachers`` of a pretraining recipe: which tables SoundNet learns to predict.

::

    teachers:
      - table: tables/yamnet
        weight: 0.5
        stages: [conv5, conv7]
        loss: scene
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from training.config import Settings
from training.corpus.corpus import Corpus
from training.teachers.identity import TeacherIdentity
from training.teachers.table import TeacherTable

LearningStage = Literal["conv4", "conv5", "pool5", "conv6", "conv7"]


class TeacherSettings(Settings):
    """One teacher.

    Attributes
    ----------
    table : Path
        Folder of its embeddings of the corpus, see :mod:`training.teachers.table`.
    module, checkpoint : str and Path, optional
        The teacher that the table has to be of; without them any.
    weight : float
        Of its loss; 0 leaves it out.
    stages : tuple of str
        Stages that learn from it.
    loss : {"scene", "frames", "relations"}
        What is predicted: the mean of a crop's embeddings, each embedding at its time, or how
        similar the crops of a step are to each other.

    Examples
    --------
    >>> TeacherSettings(table=Path("tables/yamnet"), stages=("conv5", "conv7")).loss
    'scene'
    """

    table: Path
    module: str | None = None
    checkpoint: Path | None = None
    weight: Annotated[float, Field(ge=0)] = 1.0
    stages: Annotated[tuple[LearningStage, ...], Field(min_length=1)]
    loss: Literal["scene", "frames", "relations"] = "scene"

    @model_validator(mode="after")
    def _consistent(self) -> TeacherSettings:
        if len(set(self.stages)) < len(self.stages):
            raise ValueError("a stage is named twice; name each once")
        if self.checkpoint is not None and self.module is None:
            raise ValueError("a checkpoint belongs to a module; name the module, too")
        return self


def open_teachers(teachers: Sequence[TeacherSettings], corpus: Corpus) -> list[TeacherTable]:
    """Their tables, in the same order.

    Raises
    ------
    FileNotFoundError
        If there is no such table.
    ValueError
        If a table is not whole, or of another corpus, or of another teacher, version or checkpoint
        than the settings name.

    Examples
    --------
    >>> open_teachers((), corpus=None)
    []
    """
    tables = []
    for teacher in teachers:
        table = TeacherTable.of_corpus(teacher.table, corpus)
        if teacher.module is not None:
            named = TeacherIdentity.of(teacher.module, teacher.checkpoint)
            expected = table.info.model_copy(update={"teacher": named})
            expected.refuse_others(table.info, f"the table {teacher.table}")
        tables.append(table)
    return tables

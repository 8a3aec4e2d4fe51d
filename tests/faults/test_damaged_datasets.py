"""Damaged files of a prepared dataset: an error of one line, or the numbers that were prepared."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from mutations import mutations
from small_collections import small_collection

from training.data.prepared import Prepared
from training.prepare import preparation
from training.prepare.merging import merge_datasets
from training.prepare.preparation import PreparationSettings, prepare_collection

KINDS = ("dataset.json", "bold/sub-02.h5", "audio/film-1.npy", "audio/film-1.json")


def everything(folder: Path) -> list[object]:
    """All that a fit could see of a dataset."""
    data = Prepared(folder)
    numbers = [data.bold(run).tobytes() for run in data.runs]
    sounds = [data.audio(name).tobytes() for name in sorted({run.stimulus for run in data.runs})]
    info = data.info.model_dump(exclude={"files", "checksum"})
    return [data.runs, numbers, sounds, info]


def outcome(opened: Callable[[], object], expected: object) -> str:
    try:
        found = opened()
    except (ValueError, OSError) as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "as it was" if found == expected else "WRONG"


def damage(folder: Path, kind: str, n: int, seed: int, scratch: Path) -> Counter[str]:
    """Open a dataset, prepare it again and merge it with `n` damaged copies of one file.

    Returns
    -------
    Counter
        How often what came: of opening, of the second preparation, of merging.
    """
    expected = everything(folder / "film")
    collection = small_collection(folder / "source")
    settings = PreparationSettings(name="film")
    found: Counter[str] = Counter()
    whole = (folder / "film" / kind).read_bytes()
    for i, content in enumerate(mutations(whole, n=n, seed=seed)):
        copy = scratch / "film"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder / "film", copy)
        (copy / kind).write_bytes(content)
        found[f"opened: {outcome(lambda: everything(copy), expected)}"] += 1  # noqa: B023
        if i % 4 == 0:
            out = scratch / "merged"
            shutil.rmtree(out, ignore_errors=True)
            merged = outcome(
                lambda: merge_datasets([copy, folder / "third"], out, progress=False) and None,  # noqa: B023
                None,
            )
            found[f"merged: {merged}"] += 1
        if i % 4 == 1:

            def again() -> list[object]:
                prepare_collection(collection, settings, copy, progress=False)  # noqa: B023
                return everything(copy)  # noqa: B023

            found[f"prepared again: {outcome(again, expected)}"] += 1
    return found


def datasets(folder: Path) -> Path:
    settings = PreparationSettings(name="film")
    prepare_collection(
        small_collection(folder / "source"), settings, folder / "film", progress=False
    )
    third = small_collection(folder / "source-3", subjects=("sub-03",))
    prepare_collection(third, settings, folder / "third", progress=False)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_detected_or_repaired(tmp_path, monkeypatch, kind):
    page = lambda dataset, path, *_, **__: path.touch()  # noqa: E731
    monkeypatch.setattr(preparation, "write_summary", page)
    monkeypatch.setattr(preparation, "synchrony_of_dataset", lambda dataset, progress: {})
    monkeypatch.setattr("training.data.prepared_tables.SECONDS", 5.0)
    found = damage(datasets(tmp_path), kind, n=40, seed=1, scratch=tmp_path / "scratch")
    good = ("refused", "as it was")
    assert not {text: n for text, n in found.items() if not text.endswith(good)}
    assert found["opened: refused"] + found["opened: as it was"] == 40

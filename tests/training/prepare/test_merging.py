"""Merging of datasets whose subjects were prepared separately."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_collections import noise_sound, small_collection
from small_dataset import change_dataset

from training.cli import main
from training.data.prepared import Prepared
from training.prepare.merging import merge_datasets
from training.prepare.preparation import PreparationSettings, prepare_collection

pytestmark = pytest.mark.usefixtures("no_page")
SETTINGS = PreparationSettings(name="film", drop_start=0)


def prepared_alone(tmp_path: Path, subject: str, settings=SETTINGS, exclude=(), **changes) -> Path:
    collection = small_collection(tmp_path / "source")
    own = [each for each in collection.recordings if each.subject == subject]
    used = {each.stimulus for each in own if f"{each.subject}/{each.run}" not in exclude}
    stimuli = {name: path for name, path in collection.stimuli.items() if name in used}
    collection = replace(collection, recordings=own, stimuli=stimuli, **changes)
    settings = settings.model_copy(update={"exclude": exclude})
    prepare_collection(collection, settings, tmp_path / subject, progress=False)
    return tmp_path / subject


def test_merged_subjects_are_those_prepared_together(tmp_path):
    parts = [prepared_alone(tmp_path, subject) for subject in ("sub-02", "sub-01")]
    merged = merge_datasets(parts, tmp_path / "merged", progress=False)
    collection = small_collection(tmp_path / "source")
    together = prepare_collection(collection, SETTINGS, tmp_path / "together", progress=False)
    assert merged.runs == together.runs
    for path in ("bold/sub-01.h5", "bold/sub-02.h5", "audio/film-0.npy", "audio/film-1.npy"):
        assert (merged.folder / path).read_bytes() == (together.folder / path).read_bytes()
    assert merged.info.files == together.info.files
    assert merged.info.sources == together.info.sources
    assert merged.info.target_names == together.info.target_names
    recipes = merged.info.recipe["merged"]
    assert isinstance(recipes, list)
    assert [recipe["name"] for recipe in recipes] == ["film", "film"]
    before = (merged.folder / "dataset.json").read_bytes()
    merge_datasets(parts, merged.folder, progress=False)  # again: nothing changes
    assert (merged.folder / "dataset.json").read_bytes() == before


def test_merged_datasets_can_be_merged_with_another(tmp_path):
    one, two = (prepared_alone(tmp_path, subject) for subject in ("sub-01", "sub-02"))
    collection = small_collection(tmp_path / "third", subjects=("sub-03",))
    three = prepare_collection(collection, SETTINGS, tmp_path / "sub-03", progress=False)
    merge_datasets([one, two], tmp_path / "both", progress=False)
    merged = merge_datasets([tmp_path / "both", three.folder], tmp_path / "all", progress=False)
    assert merged.subjects == ["sub-01", "sub-02", "sub-03"]
    assert len(merged.info.recipe["merged"]) == 3


def test_findings_of_one_kind_are_one(tmp_path):
    parts = [
        prepared_alone(tmp_path, subject, findings=[f"left out, asleep: {subject}/run-9"])
        for subject in ("sub-01", "sub-02")
    ]
    merged = merge_datasets(parts, tmp_path / "merged", progress=False)
    assert merged.info.findings == ("left out, asleep (2): sub-01/run-9; sub-02/run-9",)


def test_a_subject_in_two_datasets_is_refused(tmp_path):
    one = prepared_alone(tmp_path, "sub-01")
    two = prepared_alone(tmp_path / "again", "sub-01")
    with pytest.raises(ValueError, match=r"sub-01 is in .*sub-01 and in .*again.*as a whole"):
        merge_datasets([one, two], tmp_path / "merged", progress=False)
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_ids": [1, 2, 3, 4, 5, 6]}, "datasets of one target_ids can be merged, got 6 in"),
        ({"atlas": "other"}, r"datasets of one atlas can be merged, got 'made up' in .*, 'other' "),
        (
            {"recipe": {"constant_targets": "missing"}},
            r"other settings \(.*constant_targets: 'refuse' and 'missing'",
        ),
    ],
)
def test_incompatible_datasets_are_refused(tmp_path, changes, message):
    one, two = (prepared_alone(tmp_path, subject) for subject in ("sub-01", "sub-02"))
    change_dataset(two, **changes)
    with pytest.raises(ValueError, match=message):
        merge_datasets([one, two], tmp_path / "merged", progress=False)


def test_names_and_exclusions_may_differ(tmp_path):
    one, two = (prepared_alone(tmp_path, subject) for subject in ("sub-01", "sub-02"))
    recipe = json.loads((two / "dataset.json").read_text())["recipe"]
    change_dataset(two, recipe=recipe | {"name": "other", "exclude": ["sub-09"]})
    assert merge_datasets([one, two], tmp_path / "merged", progress=False).info.name == "film"


def test_sounds_that_differ_are_refused(tmp_path):
    one = prepared_alone(tmp_path, "sub-01")
    collection = small_collection(tmp_path / "other", subjects=("sub-02",))
    noise_sound(collection.stimuli["film-1"], 45.0, seed=99)
    two = prepare_collection(collection, SETTINGS, tmp_path / "sub-02", progress=False)
    with pytest.raises(ValueError, match=r"film-1 is not the same in .*film-1\.npy and .*film-1"):
        merge_datasets([one, two.folder], tmp_path / "merged", progress=False)


def test_damaged_sound_is_not_copied(tmp_path):
    one, two = (prepared_alone(tmp_path, subject) for subject in ("sub-01", "sub-02"))
    path = one / "audio" / "film-1.npy"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"film-1\.npy is damaged"):
        merge_datasets([one, two], tmp_path / "merged", progress=False)
    assert not (tmp_path / "merged" / "dataset.json").exists()


def test_command_merges(tmp_path, capsys):
    parts = [prepared_alone(tmp_path, subject) for subject in ("sub-01", "sub-02")]
    out = tmp_path / "merged"
    with pytest.raises(SystemExit, match="0"):
        main(["merge", *map(str, parts), "--out", str(out), "--name", "both"])
    assert "2 subjects, 4 runs, 3 minutes, 6 targets, 0 findings" in capsys.readouterr().out
    assert Prepared(out).info.name == "both"
    assert np.isfinite(Prepared(out).bold(Prepared(out).runs[0])).all()
    with pytest.raises(SystemExit, match="1"):
        main(["merge", str(parts[0]), "--out", str(out)])
    assert "expected two prepared datasets or more, got 1" in capsys.readouterr().err

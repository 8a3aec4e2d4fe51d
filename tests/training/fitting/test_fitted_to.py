"""What weights were fitted to stays in their card, and no score on it is one of held-out sounds."""

import shutil

import pytest
from small_dataset import change_dataset

from hear_brainsoundnet.checkpoint import load_checkpoint
from training.data.fitted_to import NATURAL_SOUNDS, records_of
from training.data.prepared import Prepared
from training.evaluation.evaluate import evaluate
from training.evaluation.settings import EvaluationSettings
from training.fitting.averaging import write_average
from training.fitting.export import export
from training.fitting.fit import fit
from training.fitting.recipe import FitRecipe

FIRST, SECOND = {"seasons": ["s01"]}, {"seasons": ["s02"]}


def fitted(data, out, test, **changes):
    recipe = {
        "data": data,
        "start": "untrained",
        "subjects": ["sub-01"],
        "train_from": "none",
        "windows": {"n_trs": 8},
        "split": {"test": test, "validation": {"count": 1}},
        "optimiser": {"max_epochs": 1},
    }
    fit(FitRecipe.model_validate(recipe | changes), out, progress=False)
    return out


@pytest.fixture(scope="module")
def start(two_subjects, tmp_path_factory):
    """A checkpoint fitted to the first season, the second held out."""
    folder = tmp_path_factory.mktemp("start")
    export(fitted(two_subjects, folder / "fit", SECOND), folder / "start.safetensors")
    return folder / "start.safetensors"


def episodes(data, season):
    return {run.stimulus for run in Prepared(data).runs if run.season == season}


def test_a_card_names_the_stimuli_of_its_fit(two_subjects, start):
    card = load_checkpoint(start).card
    (record,) = records_of(card.provenance)
    assert record.dataset == Prepared(two_subjects).info.name
    assert set(record.stimuli) == episodes(two_subjects, "s01")
    files = Prepared(two_subjects).info.files
    for name, stimulus in record.stimuli.items():
        assert stimulus.checksum
        assert stimulus.checksum in files[f"audio/{name}.npy"].checksum


def test_test_stimuli_that_the_start_was_fitted_to_are_refused(two_subjects, start, tmp_path):
    with pytest.raises(ValueError, match=r"the start fit was itself fitted to .*overlap=allow"):
        fitted(two_subjects, tmp_path / "fit", FIRST, start=str(start))
    assert not (tmp_path / "fit").exists()
    fitted(two_subjects, tmp_path / "same", SECOND, start=str(start))


def test_such_runs_are_not_scored(two_subjects, start, tmp_path):
    out = fitted(two_subjects, tmp_path / "fit", FIRST, start=str(start), start_overlap="allow")
    with pytest.raises(ValueError, match="the network that it started from was fitted to"):
        evaluate([out], tmp_path / "scores", settings=EvaluationSettings(n_permutations=0))


def test_the_same_samples_are_known_under_another_name(two_subjects, start, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(two_subjects, copy)
    change_dataset(copy, name="another name")
    with pytest.raises(ValueError, match="was itself fitted to"):
        fitted(copy, tmp_path / "fit", FIRST, start=str(start))


def test_records_of_parents_travel_along(two_subjects, start, tmp_path):
    path = tmp_path / "average.safetensors"
    out = fitted(two_subjects, tmp_path / "fit", SECOND, start=str(start))
    export(out, tmp_path / "child.safetensors")
    own, parent = records_of(load_checkpoint(tmp_path / "child.safetensors").card.provenance)
    assert own == parent
    write_average(start, tmp_path / "child.safetensors", path, share=0.5)
    assert len(records_of(load_checkpoint(path).card.provenance)) == 3


def test_the_shipped_network_fitted_to_the_natural_sounds_is_known_by_its_hash():
    checkpoint = load_checkpoint("natural-sounds")
    assert checkpoint.hash == NATURAL_SOUNDS
    (record,) = records_of(checkpoint.card.provenance, checkpoint.hash)
    assert (record.dataset, record.stimuli) == ("natsound165", {})
    for name in ("default", "pretrained", "soundnet", "untrained"):
        other = load_checkpoint(name)
        assert records_of(other.card.provenance, other.hash) == []


def test_a_damaged_record_is_refused():
    with pytest.raises(ValueError, match="record of what the weights were fitted to"):
        records_of({"start": {"fitted_to": [{"dataset": 3}]}})

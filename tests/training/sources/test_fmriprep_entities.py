"""Which image of a run is taken: one filter over the entities of the file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fmriprep_study import N_TRS, NONE, SPACE, TR, Study, mask_of, sidecar_of, table_of
from pydantic import ValidationError

from training.sources.entities import EntityFilter, parse_entities
from training.sources.fmriprep import FmriprepSource

GRID = f"space-{SPACE}"


def renamed(bold: Path, old: str, new: str, companions: bool = True) -> Path:
    """The image, its sidecar and perhaps its mask under other names."""
    for path in (bold, sidecar_of(bold), *([mask_of(bold)] if companions else [])):
        path.rename(path.with_name(path.name.replace(old, new)))
    return bold.with_name(bold.name.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "settings"),
    [
        ("desc-preproc", "desc-clean", {"entities": {"desc": "clean"}}),
        ("desc-preproc", "desc-clean", {"entities": {"description": "cl*n"}}),
        ("desc-preproc_", "", {"entities": {"desc": None}}),
        (f"_{GRID}", "", {"space": ""}),
        (f"_{GRID}", "", {"space": "func"}),
        (GRID, "space-boldref", {"space": "boldref"}),
        (f"_{GRID}", "", {"entities": {"space": None}}),
        (GRID, "space-T1w", {"entities": {"space": ["MNI152NLin6Asym", "T1w"]}}),
        (GRID, f"{GRID}_res-02", {"res": 2}),
        (GRID, f"{GRID}_res-02", {"entities": {"res": "02"}}),
        ("desc-preproc", "desc-preproc_part-mag", {}),
        ("desc-preproc", "desc-preproc_part-mag", {"entities": {"part": "mag"}}),
    ],
)
def test_entities_choose_the_image(
    study: Study, old: str, new: str, settings: dict[str, Any]
) -> None:
    bold = renamed(study.write_run(), old, new)
    collection = study.source(confounds=NONE, **settings).collect()
    (recording,) = collection.recordings
    assert recording.files[0] == bold
    assert recording.load().shape == (N_TRS, 3)


def test_null_is_a_space_of_its_own(study: Study) -> None:
    renamed(study.write_run(), f"_{GRID}", "")
    written = study.source(confounds=NONE).model_dump(mode="json") | {"space": None}
    assert len(FmriprepSource.model_validate(written).collect().recordings) == 1


def test_message_has_the_filter_that_would_match(
    study: Study,
) -> None:
    renamed(study.write_run(), f"_{GRID}_desc-preproc", "_desc-clean", companions=False)
    with pytest.raises(ValueError, match=r"set entities: {space: null, desc: clean}"):
        study.source().collect()


def test_echoes_beside_their_combination_are_ignored(study: Study) -> None:
    bold = study.write_run()
    for echo in (1, 2, 3):
        image = bold.with_name(bold.name.replace(f"_{GRID}", f"_echo-{echo}"))
        image.write_bytes(bold.read_bytes())
    collection = study.source().collect()
    assert [one.files[0] for one in collection.recordings] == [bold]
    assert not [text for text in collection.findings if "_echo-" in text]


def test_filter_chooses_among_echoes(study: Study) -> None:
    bold = study.write_run()
    for echo in (1, 2):
        image = bold.with_name(bold.name.replace(f"_{GRID}", f"_echo-{echo}_{GRID}"))
        image.write_bytes(bold.read_bytes())
    bold.unlink()
    with pytest.raises(ValueError, match=r"2 images of one run: .*entities: {echo: 1}"):
        study.source().collect()
    # the mask and the table of confounds name no echo
    (recording,) = study.source(entities={"echo": 2}, tr=TR).collect().recordings
    assert "echo-2" in recording.files[0].name
    assert recording.files[1:3] == (mask_of(bold), table_of(bold))
    assert recording.load().shape == (N_TRS, 3)


def test_table_of_another_run_is_not_used(study: Study) -> None:
    bold = study.write_run(task="s01e02a_run-2")
    table_of(bold).rename(table_of(bold).with_name(table_of(bold).name.replace("_run-2", "")))
    with pytest.raises(ValueError, match=r"has no table of confounds"):
        study.source().collect()


def test_uncompressed_images_are_found(study: Study) -> None:
    import nibabel

    bold = study.write_run()
    expected = study.load()
    for path in (bold, mask_of(bold)):
        nibabel.save(nibabel.load(path), path.with_suffix(""))
        path.unlink()
    loaded = study.load()
    assert (loaded == expected).all()
    nibabel.save(nibabel.load(bold.with_suffix("")), bold)
    with pytest.raises(ValueError, match=r"2 images of one run: .*keep one of them"):
        study.source().collect()


def test_hidden_files_and_surfaces_are_no_runs(study: Study) -> None:
    bold = study.write_run()
    bold.with_name(f"._{bold.name}").write_bytes(b"\0\5\x16\7")
    surfaces = bold.with_name("sub-01_ses-003_task-s01e02a_space-fsLR_den-91k_bold.dtseries.nii")
    surfaces.write_bytes(b"")
    assert [one.files[0] for one in study.source().collect().recordings] == [bold]
    bold.unlink()
    with pytest.raises(ValueError, match=r"only others as .*dtseries.nii; .* set format: cifti"):
        study.source().collect()


def test_the_folder_above_the_derivatives_is_told_apart(study: Study) -> None:
    study.write_run()
    (study.derivatives.parent / "bids" / "derivatives").mkdir(parents=True)
    study.derivatives.rename(study.derivatives.parent / "bids" / "derivatives" / "fmriprep")
    above = study.derivatives.parent / "bids"
    with pytest.raises(ValueError, match=r"the subjects are in .*derivatives/fmriprep: give that"):
        study.source(derivatives=above).collect()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"entities": ["desc"]}, "expected a mapping from entities to values"),
        ({"entities": {"desc": 1.5}}, "desc must be a string"),
        ({"entities": {"desc": []}}, "desc must be a string"),
        ({"entities": {"desc": True}}, "desc must be a string"),
        ({"entities": {"de/sc": "x"}}, "'de/sc' is not an entity"),
        ({"entities": {"desc": "a", "description": "b"}}, "desc is given twice"),
        ({"space": "T1w", "entities": {"space": None}}, "space stands in entities, too"),
    ],
)
def test_wrong_filters_are_refused(study: Study, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        study.source(**settings)


def test_a_filter_is_what_its_definition_says() -> None:
    names = ("run-1", "run-01", "run-2", "echo-1", "")
    taken = {
        value: [name for name in names if EntityFilter({"run": value}).fits(parse_entities(name))]
        for value in (("1",), ("*",), (None,), ("2", None))
    }
    assert taken == {
        ("1",): ["run-1", "run-01"],
        ("*",): ["run-1", "run-01", "run-2"],
        (None,): ["echo-1", ""],
        ("2", None): ["run-2", "echo-1", ""],
    }


def test_settings_that_came_later_do_not_change_what_is_written_of_old_recipes(
    study: Study,
) -> None:
    written = study.source().model_dump(mode="json")
    assert not {"entities", "start_time", "background"} & written.keys()
    written = study.source(entities={"echo": 2}, start_time=0).model_dump(mode="json")
    assert (written["entities"], written["start_time"]) == ({"echo": ["2"]}, 0)
    assert FmriprepSource.model_validate(written).entities == {"echo": ("2",)}

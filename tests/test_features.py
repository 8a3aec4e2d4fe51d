import pytest

from hear_brainsoundnet.features import PRESETS, find_preset, parse_scene, parse_timestamps
from hear_brainsoundnet.geometry import stage_geometry

STAGES = stage_geometry()


def test_presets_can_be_read():
    for name in PRESETS:
        preset = find_preset(name)
        assert parse_scene(preset.scene, STAGES)
        assert parse_timestamps(preset.timestamps, STAGES)


def test_paper_preset_is_the_published_choice():
    assert find_preset("paper").scene == "conv7"
    assert find_preset("paper").timestamps == "conv4"


def test_spaces_do_not_matter():
    assert parse_scene(" conv4 : mean , std + conv7 ", STAGES) == parse_scene(
        "conv4:mean,std+conv7", STAGES
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("conv9", r"unknown stage 'conv9' in scene='conv9'; choose from conv1, pool1"),
        ("conv4:median", r"unknown pooling 'median' .* choose from mean, std, max"),
        ("conv4+", r"scene='conv4\+' has an empty part"),
        ("", r"scene='' has an empty part"),
        ("conv4:", r"has an empty part"),
        ("conv4+conv4", r"names conv4 more than once"),
        ("conv4:mean,mean", r"names mean more than once"),
        (7, r"scene must be a string such as 'conv4\+conv7', got int"),
    ],
)
def test_wrong_scene_expressions(expression, message):
    with pytest.raises(ValueError, match=message):
        parse_scene(expression, STAGES)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("conv4:mean", r"names a pooling; frames are not pooled, write 'conv4'"),
        ("objects", r"unknown stage 'objects' in timestamps='objects'"),
    ],
)
def test_wrong_timestamps_expressions(expression, message):
    with pytest.raises(ValueError, match=message):
        parse_timestamps(expression, STAGES)


def test_unknown_preset():
    with pytest.raises(ValueError, match=r"unknown preset 'best'; choose one of 'paper'"):
        find_preset("best")

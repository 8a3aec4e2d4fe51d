"""Short clips that share a pass have the embeddings that each has alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rounding import assert_same

from hear_brainsoundnet.audio import TensorSound
from hear_brainsoundnet.checkpoint import Checkpoint, load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel, Embeddings
from hear_brainsoundnet.together import CLIPS, LONGEST, ShortClip, embed_together, read_short

SCENE = "conv1:max+pool1+conv2:std+conv4:mean,std,max+conv7"


def sound(n_samples: int, rate: int = 22_050) -> TensorSound:
    generator = torch.Generator().manual_seed(n_samples)
    return TensorSound(0.3 * torch.randn(1, n_samples, generator=generator), rate)


def clip(model: EmbeddingModel, own: TensorSound) -> ShortClip:
    read = read_short(model, own)
    assert read is not None
    return read


def assert_same_embeddings(found: Embeddings, expected: Embeddings) -> None:
    for kind in ("scene", "timestamps", "timestamps_ms"):
        mine, other = getattr(found, kind), getattr(expected, kind)
        assert_same(mine, other, kind)


@pytest.fixture(scope="module")
def model(untrained: Checkpoint) -> EmbeddingModel:
    return EmbeddingModel(untrained, sample_rate=22_050, scene=SCENE, timestamps="conv3+conv5")


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.integers(8193, 12_288), min_size=1, max_size=CLIPS),
    st.sampled_from([(SCENE, "conv3+conv5"), ("conv2:mean,std+conv3:mean", "conv3+conv4")]),
    st.booleans(),
)
def test_any_lengths_and_stages(
    lengths: list[int], expressions: tuple[str, str], reference: bool
) -> None:
    scene, timestamps = expressions
    checkpoint = load_checkpoint("untrained")
    options = {"sample_rate": 22_050, "scene": scene, "timestamps": timestamps}
    model = EmbeddingModel(checkpoint, **options, reference=reference)
    alone = EmbeddingModel(checkpoint, **options, reference=True)
    sounds = [sound(n_samples) for n_samples in lengths]
    found = embed_together(model, [clip(model, own) for own in sounds])
    for mine, own in zip(found, sounds, strict=True):
        assert_same_embeddings(mine, alone.embed(own))


@pytest.mark.parametrize(("rate", "n_samples"), [(8000, 3000), (48_000, 21_000), (22_050, 1)])
def test_any_rate_and_a_single_sample(model: EmbeddingModel, rate: int, n_samples: int) -> None:
    own = sound(n_samples, rate)
    (found,) = embed_together(model, [clip(model, own)])
    assert_same_embeddings(found, model.embed(own))


def test_silence_behind_a_clip_is_not_the_clip_alone(model: EmbeddingModel) -> None:
    """Why frames have to be set to zero: padding the sound changes the last frames before it."""
    own = sound(9000)
    followed = TensorSound(torch.nn.functional.pad(own.audio, (0, 3000)), 22_050)
    alone, longer = model.embed(own).timestamps, model.embed(followed).timestamps
    assert alone is not None
    assert longer is not None
    assert not torch.allclose(longer[:, : alone.shape[1]], alone, atol=1e-3)


def test_other_clips_of_a_pass_change_no_bit(model: EmbeddingModel) -> None:
    """So that a run that was interrupted ends with the bytes of one that was not."""
    clips = [clip(model, sound(8200 + 10 * i)) for i in range(CLIPS)]
    together = embed_together(model, clips)
    for order in ([3], [5, 3], [*range(15, -1, -1)], [3] * 7):
        for i, found in zip(order, embed_together(model, [clips[i] for i in order]), strict=True):
            for kind in ("scene", "timestamps", "timestamps_ms"):
                assert torch.equal(getattr(found, kind), getattr(together[i], kind))


def test_kinds_that_are_not_requested_are_none(model: EmbeddingModel) -> None:
    clips = [clip(model, sound(5000))]
    assert embed_together(model, clips, timestamps=False)[0].timestamps is None
    assert embed_together(model, clips, scene=False)[0].scene is None


def test_a_long_sound_is_left_alone(model: EmbeddingModel) -> None:
    assert read_short(model, sound(LONGEST + 1)) is None
    assert read_short(model, sound(LONGEST)) is not None


def test_a_pass_never_sees_more_samples_than_the_model_allows(untrained: Checkpoint) -> None:
    model = EmbeddingModel(untrained, sample_rate=22_050, samples_per_pass=2**17)
    assert read_short(model, sound(8192)) is not None
    assert read_short(model, sound(8193)) is None


def test_clips_that_do_not_fit(model: EmbeddingModel) -> None:
    short, long = clip(model, sound(5000)), clip(model, sound(20_000))
    with pytest.raises(ValueError, match=r"got 2 clips and lengths \[8192, 20480\]"):
        embed_together(model, [short, long])
    with pytest.raises(ValueError, match=f"expected 1 to {CLIPS} clips .* got {CLIPS + 1} clips"):
        embed_together(model, [short] * (CLIPS + 1))
    with pytest.raises(ValueError, match="got 0 clips"):
        embed_together(model, [])


def test_damaged_samples_are_found_while_reading(model: EmbeddingModel) -> None:
    with pytest.raises(ValueError, match="got NaN"):
        read_short(model, TensorSound(torch.full((1, 100), float("nan")), 22_050))

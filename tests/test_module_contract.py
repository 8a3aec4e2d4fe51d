"""An embedding model does what every torch module may do, for every shipped checkpoint."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from rounding import largest_difference, network_rounding
from torch import Tensor

from hear_brainsoundnet import get_scene_embeddings, get_timestamp_embeddings, load_model
from hear_brainsoundnet.checkpoint import NAMED, load_checkpoint
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.features import PRESETS

RATE = 16_000
TOLERANCE = network_rounding()
EVERY_LAYER = f"{PRESETS['default'].scene}+conv7"  # that of the default ends with conv5


def noise(n_sounds: int = 2, n_samples: int = 20_000, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.05 * torch.randn(n_sounds, n_samples, generator=generator)


def plain_scene(model: EmbeddingModel, audio: Tensor) -> Tensor:
    """By the plain network, with the weights that the model has now."""
    twin = copy.deepcopy(model)
    twin.reference = True
    with torch.no_grad():
        return get_scene_embeddings(audio, twin)


@pytest.fixture(params=sorted(NAMED))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str) -> EmbeddingModel:
    """One whose folded kernels are there already."""
    model = load_model(name, sample_rate=RATE, scene=EVERY_LAYER)
    get_scene_embeddings(noise(), model)
    return model


def zeroed_data(model: EmbeddingModel) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(0)


def other_state(model: EmbeddingModel) -> dict[str, Tensor]:
    other = load_model("untrained" if model.card.trained else "pretrained", sample_rate=RATE)
    return other.state_dict()


def other_data(model: EmbeddingModel) -> None:
    state = other_state(model)
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        if key in state:
            tensor.data = state[key]


CHANGES: dict[str, Callable[[EmbeddingModel], object]] = {
    "zeroed data": zeroed_data,
    "other data": other_data,
    "few weights": lambda model: model.soundnet.conv3.conv.weight.data[:, :, 3].add_(0.5),
    "few weights of many": lambda model: model.soundnet.conv7.conv.weight.data[7].add_(0.5),
    "statistics": lambda model: model.soundnet.conv2.norm.running_mean.data.add_(0.3),
    "in place": lambda model: model.soundnet.conv1.conv.weight.neg_(),
    "loaded": lambda model: model.load_state_dict(other_state(model)),
    "numpy memory": lambda model: model.soundnet.conv1.conv.bias.detach().numpy().fill(0.1),
    "epsilon": lambda model: setattr(model.soundnet.conv4.norm, "eps", 1.0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_weights_changed_in_any_way_are_those_that_count(
    model: EmbeddingModel, change: Callable[[EmbeddingModel], object]
) -> None:
    before = get_scene_embeddings(noise(), model)
    change(model)
    after = get_scene_embeddings(noise(), model)
    assert largest_difference(after, before) > 1e-3
    expected = plain_scene(model, noise())
    extent = max(float(before.max()), float(expected.max()))
    assert float((after - expected).abs().max()) <= TOLERANCE * extent


def pickled(model: EmbeddingModel) -> EmbeddingModel:
    data = pickle.dumps(model)
    n_weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    assert len(data) < 1.1 * n_weights  # folded kernels stay behind
    return pickle.loads(data)  # noqa: S301


def saved(model: EmbeddingModel) -> EmbeddingModel:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, pickled, saved])
def test_a_copy_is_equal_and_has_its_own_weights(
    model: EmbeddingModel, twin_of: Callable[[EmbeddingModel], EmbeddingModel]
) -> None:
    expected = get_scene_embeddings(noise(), model)
    twin = twin_of(model)
    zeroed_data(model)
    assert torch.equal(get_scene_embeddings(noise(), twin), expected)
    assert not get_scene_embeddings(noise(), model).any()


@pytest.mark.parametrize(
    ("dtype", "share"), [(torch.float16, 0.01), (torch.bfloat16, 0.05), (torch.float64, 1e-5)]
)
def test_converted_weights(model: EmbeddingModel, dtype: torch.dtype, share: float) -> None:
    """Within a few roundings of the type, 2**-11, 2**-8 and those of float32."""
    expected = get_scene_embeddings(noise(), model)
    model.to(dtype)
    for audio in (noise(), noise().to(dtype)):
        found = get_scene_embeddings(audio, model)
        assert found.dtype == torch.float32
        assert largest_difference(found, expected) < share
    assert get_timestamp_embeddings(noise(), model)[1].dtype == torch.float32
    model.float()  # the resampler and the scale have lost nothing
    assert model.front_end.resampler.kernel.dtype == torch.float32
    kernel = load_model(sample_rate=RATE).front_end.resampler.kernel
    assert torch.equal(model.front_end.resampler.kernel, kernel)


def test_inference_mode_first_and_a_gradient_later(model: EmbeddingModel) -> None:
    assert not any(weight.requires_grad for weight in model.parameters())
    with torch.inference_mode():
        expected = get_scene_embeddings(noise(), model)
        audio_of_inference = noise()
    assert torch.equal(get_scene_embeddings(audio_of_inference, model), expected)
    audio = noise().requires_grad_()
    get_scene_embeddings(audio, model).sum().backward()
    assert audio.grad is not None
    assert bool(audio.grad.any())


def test_loaded_in_inference_mode_and_trained_later(name: str) -> None:
    with torch.inference_mode():
        model = load_model(name, sample_rate=RATE, scene=EVERY_LAYER)
        scene = get_scene_embeddings(noise(), model)
        frames, _ = get_timestamp_embeddings(noise(), model)
        encoder_weights = load_checkpoint(name).build_soundnet().parameters()
    assert not any(weight.is_inference() for weight in (*model.parameters(), *encoder_weights))
    assert torch.equal(get_scene_embeddings(noise(), model), scene)
    assert torch.equal(get_timestamp_embeddings(noise(), model)[0], frames)
    model.requires_grad_()
    get_scene_embeddings(noise(), model).sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_weights_learn_through_the_default_path(model: EmbeddingModel) -> None:
    before = get_scene_embeddings(noise(), model)
    model.train().requires_grad_()
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)
    get_scene_embeddings(noise(), model).square().mean().backward()
    assert all(bool(weight.grad.any()) for weight in model.parameters() if weight.ndim > 1)
    twin = copy.deepcopy(model)
    twin.reference = True
    twin.zero_grad()
    get_scene_embeddings(noise(), twin).square().mean().backward()
    for mine, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    optimiser.step()
    with torch.no_grad():
        after = get_scene_embeddings(noise(), model)
    assert largest_difference(after, before) > 1e-6
    assert largest_difference(after, plain_scene(model, noise())) <= TOLERANCE


def test_train_marks_the_model_and_changes_no_embedding(model: EmbeddingModel) -> None:
    expected = get_scene_embeddings(noise(), model)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    assert model.train() is model
    assert model.training
    model.soundnet.train()
    assert torch.equal(get_scene_embeddings(noise(), model), expected)
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
    assert not model.eval().training


def test_autocast_is_for_the_network_alone(model: EmbeddingModel) -> None:
    expected = get_scene_embeddings(noise(), model)
    frames, _ = get_timestamp_embeddings(noise(), model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = get_scene_embeddings(noise(), model)
        found_frames, milliseconds = get_timestamp_embeddings(noise(), model)
    assert found.dtype == found_frames.dtype == milliseconds.dtype == torch.float32
    assert 0 < largest_difference(found, expected) < 0.05  # bfloat16 has 8 bits
    assert largest_difference(found_frames, frames) < 0.05


def test_forward_hooks_are_called(model: EmbeddingModel) -> None:
    seen: list[tuple[int, ...]] = []
    expected = get_scene_embeddings(noise(), model)
    hook = model.soundnet.conv4.norm.register_forward_hook(
        lambda module, inputs, output: seen.append(tuple(output.shape))
    )
    assert largest_difference(get_scene_embeddings(noise(), model), expected) <= TOLERANCE
    assert len(seen) == 1
    hook.remove()
    get_scene_embeddings(noise(), model)
    assert len(seen) == 1


def test_a_layer_that_was_replaced_is_used(model: EmbeddingModel) -> None:
    model.soundnet.conv7.norm = torch.nn.Identity()
    found = get_scene_embeddings(noise(), model)
    assert largest_difference(found, plain_scene(model, noise())) == 0


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_default_types_and_devices_of_the_caller(name: str, default: torch.dtype) -> None:
    expected = get_scene_embeddings(noise(), load_model(name, sample_rate=RATE, scene=EVERY_LAYER))
    audio = noise()
    torch.set_default_dtype(default)
    try:
        with torch.device("meta"):
            model = load_model(name, sample_rate=RATE, scene=EVERY_LAYER)
        scene = get_scene_embeddings(audio, model)
        frames, milliseconds = get_timestamp_embeddings(audio, model)
    finally:
        torch.set_default_dtype(torch.float32)
    assert scene.dtype == frames.dtype == milliseconds.dtype == torch.float32
    assert torch.equal(scene, expected)


def test_functional_weights(model: EmbeddingModel) -> None:
    expected = model(noise())
    zeros = {key: torch.zeros_like(weight) for key, weight in model.named_parameters()}
    assert not torch.func.functional_call(model, zeros, (noise(),)).any()
    assert torch.equal(model(noise()), expected)
    each = torch.vmap(lambda sound: model(sound[None])[0])(noise())
    assert largest_difference(each, expected) <= TOLERANCE


@pytest.fixture
def warnings_as_errors() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def test_a_trace_holds_for_every_length(model: EmbeddingModel, warnings_as_errors: None) -> None:
    traced = torch.jit.trace(model, noise())
    for audio in (noise(), noise(3, 9_000), noise(1, 60_000), noise(1, 1)):
        assert largest_difference(traced(audio), model(audio)) <= TOLERANCE


def test_scripting_is_refused(model: EmbeddingModel) -> None:
    with pytest.raises(TypeError, match=r"cannot read this model; use torch\.jit\.trace"):
        torch.jit.script(model)


@pytest.mark.slow
def test_a_compiled_model_takes_a_second_length(model: EmbeddingModel) -> None:
    logging.disable(logging.NOTSET)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for audio in (noise(), noise(2, 9_000), noise(1, 60_000), noise(2, 25_000)):
        assert largest_difference(compiled(audio), model(audio)) <= TOLERANCE


class BothKinds(torch.nn.Module):
    def __init__(self, model: EmbeddingModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.model(audio), *get_timestamp_embeddings(audio, self.model)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_an_exported_program(model: EmbeddingModel, dynamic: bool) -> None:
    n_samples = torch.export.Dim("n_samples", min=4_000, max=2**31)
    shapes = {"audio": {0: torch.export.Dim("n_sounds", min=1), 1: n_samples}}
    both = BothKinds(model)
    program = torch.export.export(both, (noise(),), dynamic_shapes=shapes if dynamic else None)
    lengths = [(2, 20_000), *([(1, 5_000), (3, 60_000)] if dynamic else [])]
    for n_sounds, length in lengths:
        audio = noise(n_sounds, length)
        for found, expected in zip(program.module()(audio), both(audio), strict=True):
            assert largest_difference(found, expected) <= TOLERANCE


@pytest.mark.slow
def test_scenes_are_exported_for_any_length_from_one_sample_up(model: EmbeddingModel) -> None:
    shapes = {"audio": {1: torch.export.Dim("n_samples", min=1)}}
    program = torch.export.export(model, (noise(1),), dynamic_shapes=shapes)
    for length in (1, 20_000, 60_000):
        audio = noise(1, length)
        assert largest_difference(program.module()(audio), model(audio)) <= TOLERANCE


def test_weights_bring_their_scale_and_are_refused_by_another_rate(
    model: EmbeddingModel, untrained
) -> None:
    other = load_model("pretrained", sample_rate=RATE, scene=EVERY_LAYER)
    scale = torch.tensor(2 * model.card.input_scale)
    other.load_state_dict({**model.state_dict(), "front_end.input_scale": scale})
    model.front_end.input_scale.mul_(2)
    expected = get_scene_embeddings(noise(), model)
    assert torch.equal(get_scene_embeddings(noise(), other), expected)
    with pytest.raises(ValueError, match=r"expect audio at 8000 Hz, .* for 22050 Hz; load their"):
        other.load_state_dict({**model.state_dict(), "front_end.network_rate": torch.tensor(8000)})


def test_weights_saved_without_their_scale_are_refused(model: EmbeddingModel) -> None:
    state = model.state_dict()
    scale = state.pop("front_end.input_scale")
    with pytest.raises(
        ValueError, match=r"which input_scale they expect.*load_model\(path\).*or add"
    ):
        model.load_state_dict(state)
    rate = state.pop("front_end.network_rate")
    with pytest.raises(
        ValueError, match=rf"torch\.tensor\({int(rate)}\)\), or keep .*strict=False"
    ):
        model.load_state_dict(state)
    model.front_end.input_scale.fill_(3.0)
    found = model.load_state_dict(state, strict=False)
    assert set(found.missing_keys) == {"front_end.input_scale", "front_end.network_rate"}
    assert float(model.front_end.input_scale) == 3.0
    added = {"front_end.input_scale": scale, "front_end.network_rate": rate}
    assert not model.load_state_dict({**state, **added}).missing_keys
    with pytest.raises(RuntimeError, match="conv1"):  # what else is missing is torch's to say
        model.load_state_dict({})


POOL = """
import multiprocessing, torch, hear_brainsoundnet as h
def scene(audio):
    return h.get_scene_embeddings(audio, model)
torch.set_num_threads(4)
model, audio = h.load_model("untrained"), 0.1 * torch.randn(8, 96_000)
expected = h.get_scene_embeddings(audio, model)
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = torch.cat(pool.map(scene, [audio[i : i + 1] for i in range(4)]))
print(float((found - expected[:4]).abs().max() / expected.max()) < 1e-5, flush=True)
"""


@pytest.mark.slow
def test_a_forked_process_does_not_wait_for_the_threads_of_its_parent() -> None:
    run = subprocess.run(
        [sys.executable, "-c", POOL], capture_output=True, text=True, timeout=300, check=True
    )
    assert run.stdout.strip() == "True"

"""Every network of the overview runs in its published shape, with the stages of the paper."""

import logging
import sys

import pytest
import torch

from benchmarks.correspondence.external.adapter import ExternalModel
from benchmarks.correspondence.external.cochdnn import COCHCNN9, COCHRESNET50
from benchmarks.correspondence.external.overview import NETWORKS, overview_rows
from benchmarks.correspondence.external.transformer_networks import HiddenStates
from benchmarks.correspondence.hooks import HookedModule, Tap

pytestmark = pytest.mark.slow

# Tuckute, Feather et al. 2023, and the layers in the authors' analysis code.
N_STAGES = {
    "AST": 14,
    "Wav2Vec2": 14,
    "S2T": 13,
    "SepFormer": 33,
    "DeepSpeech2": 8,
    "DCASE2020": 5,
    "VGGish": 13,
    "VQ-VAE": 5,
    "MetricGAN": 4,
    **{row.name: 9 for row in COCHCNN9},
    **{row.name: 7 for row in COCHRESNET50},
}
# As published with each model; ResNet-50 without its output and with one input channel.
N_PARAMETERS = {
    "AST": 86.6e6,
    "Wav2Vec2": 94.4e6,
    "SepFormer": 25.7e6,
    "VGGish": 72_141_184,
    "CochResNet50-Word": 25_557_032 - 2_049_000 - 2 * 64 * 7 * 7,
}
SECONDS_A_SOUND = ("AST", "SepFormer")  # these are run with one sound only
# The networks of one architecture differ in their weights only.
ONE_OF_EACH_SHAPE = [
    row for row in NETWORKS.values() if row not in (*COCHCNN9[1:], *COCHRESNET50[1:])
]


def noise(row: ExternalModel, n_sounds: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(n_sounds, 2 * row.sample_rate, generator=generator)


def skip_without_library(row: ExternalModel) -> None:
    if reason := row.missing():
        pytest.skip(reason)


def test_rows_have_the_stages_of_the_paper() -> None:
    assert {row.name: len(row.stages) for row in NETWORKS.values()} == N_STAGES


@pytest.mark.parametrize("row", ONE_OF_EACH_SHAPE, ids=lambda row: row.name)
def test_network_runs_in_its_true_shape(
    row: ExternalModel, caplog: pytest.LogCaptureFixture
) -> None:
    skip_without_library(row)
    with caplog.at_level(logging.WARNING, logger="benchmarks"):
        model = row.load(seed=0)
    assert f"{row.name} runs with random weights (seed 0)" in caplog.text
    assert not model.trained
    if row.name in N_PARAMETERS:
        n_parameters = sum(weight.numel() for weight in model.module.parameters())
        assert n_parameters == pytest.approx(N_PARAMETERS[row.name], rel=5e-3)
    n_sounds = 1 if row.name in SECONDS_A_SOUND else 2
    audio = noise(row, n_sounds)
    activations = model.activations(audio)
    assert {stage: tuple(values.shape) for stage, values in activations.items()} == {
        stage: (n_sounds, n_units) for stage, n_units in row.n_units.items()
    }
    assert tuple(activations) == row.stages == model.stages
    for stage, values in activations.items():
        assert torch.isfinite(values).all(), stage
        assert values.std() > 0, stage
    again = row.load(seed=0)
    for name, weight in again.module.state_dict().items():
        assert torch.equal(weight, model.module.state_dict()[name]), name
    if n_sounds == 1:
        return
    alone = again.activations(audio[1:])  # neither the other sound nor the batch matters
    for stage, values in alone.items():
        scale = float(activations[stage].abs().max())
        torch.testing.assert_close(
            values[0], activations[stage][1], rtol=0, atol=1e-4 * scale, msg=stage
        )


@pytest.mark.parametrize("name", ["DCASE2020", "VQ-VAE"])
def test_other_seeds_give_other_weights(name: str) -> None:
    audio = noise(NETWORKS[name], 1)
    first, same, other = (NETWORKS[name].load(seed=seed) for seed in (0, 0, 1))
    assert first.identity == same.identity != other.identity
    for stage, values in first.activations(audio).items():
        assert torch.equal(values, same.activations(audio)[stage])
        assert not torch.allclose(values, other.activations(audio)[stage])


def test_loading_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    NETWORKS["VQ-VAE"].load()
    assert torch.equal(torch.rand(2), expected)


def test_stages_are_the_hidden_states_of_the_library() -> None:
    """A small S2T encoder: its last hidden state comes after the last layer norm."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.speech_to_text.modeling_speech_to_text import Speech2TextEncoder

    config = transformers.Speech2TextConfig(
        d_model=32, encoder_layers=2, encoder_ffn_dim=32, encoder_attention_heads=2
    )
    encoder = Speech2TextEncoder(config)
    stages = ("Embedding", "Encoder_1", "Encoder_2")
    model = HookedModule(
        HiddenStates(encoder, stages),
        {stage: Tap(f"stages.{stage}", time_axis=1) for stage in stages},
        sample_rate=16_000,
        name="small S2T",
    )
    features = torch.randn(2, 60, 80, generator=torch.Generator().manual_seed(0))
    last_layer: list[torch.Tensor] = []
    encoder.layers[1].register_forward_hook(lambda *call: last_layer.append(call[2]))
    activations = model.activations(features)
    with torch.no_grad():
        expected = encoder.layer_norm(last_layer[0]).mean(dim=1)
        states = encoder(features, output_hidden_states=True).hidden_states
    torch.testing.assert_close(activations["Encoder_2"], expected, rtol=1e-5, atol=1e-6)
    for stage, state in zip(stages, states, strict=True):
        torch.testing.assert_close(activations[stage], state.mean(dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["VGGish", "VQ-VAE", "DeepSpeech2"])
def test_frames_follow_a_click(name: str) -> None:
    """An early convolution changes most at the frame whose time is that of the click."""
    row = NETWORKS[name]
    model = row.load()
    if name == "DeepSpeech2":  # what comes after the stage takes seconds
        model.module.rnns = model.module.fc = torch.nn.Identity()
    background = 1e-3 * noise(row, 1)
    click_s = 1.203
    clicked = background.clone()
    clicked[0, round(click_s * row.sample_rate)] = 0.9
    quiet, loud = (model.frames(audio[0], row.stages[0]) for audio in (background, clicked))
    # Networks that scale each sound by its own level change everywhere, but most near the click.
    changes = (loud.values - quiet.values).square().sum(dim=1)
    changes = changes - changes.median()
    near = (loud.times_s - click_s).abs() < 0.1
    centre = (loud.times_s * changes)[near].sum() / changes[near].sum()
    assert float(centre) == pytest.approx(click_s, abs=0.012)


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="SepFormer needs speechbrain: pip install speechbrain"):
        NETWORKS["SepFormer"].load()
    assert NETWORKS["VGGish"].missing() == ""
    rows = {row["model"]: row["status"] for row in overview_rows()}
    assert rows["AST"] == "AST needs transformers: pip install transformers"


@pytest.mark.parametrize(
    ("name", "n_samples", "message"),
    [
        ("VGGish", 15_000, "at least 15600 samples at 16 kHz"),
        ("CochResNet50-Word", 39_999, "expected sounds of 40000 samples"),
        ("VQ-VAE", 1024, "more than 1024 samples"),
    ],
)
def test_sound_of_a_wrong_length_is_refused(name: str, n_samples: int, message: str) -> None:
    audio = torch.randn(1, n_samples, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=message):
        NETWORKS[name].load().activations(audio)


def test_silent_sound_is_refused_where_the_level_is_scaled() -> None:
    audio = noise(NETWORKS["VQ-VAE"], 2)
    audio[1] = 0.0
    with pytest.raises(ValueError, match="sound 1 of 2 is silent"):
        NETWORKS["VQ-VAE"].load().activations(audio)


@pytest.mark.parametrize("name", ["SepFormer", "MetricGAN"])
def test_every_module_can_be_looked_at_afterwards(name: str) -> None:
    """Test tools walk over all modules; none may raise when it is asked for its file."""
    NETWORKS[name].load()
    for module in list(sys.modules.values()):
        getattr(module, "__file__", None)

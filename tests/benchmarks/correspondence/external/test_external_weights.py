"""Weights come from the user's files, fit the network, and run no code."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.correspondence.external.overview import NETWORKS
from benchmarks.correspondence.external.speechbrain_networks import METRICGAN
from benchmarks.correspondence.external.vq_vae import SpeechEncoder
from benchmarks.correspondence.external.weights import load_weights, read_state

pytestmark = pytest.mark.slow


@pytest.fixture
def encoder() -> SpeechEncoder:
    torch.manual_seed(5)
    return SpeechEncoder()


@pytest.fixture
def audio() -> torch.Tensor:
    return 0.1 * torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))


def test_given_weights_are_those_that_run(
    encoder: SpeechEncoder,
    audio: torch.Tensor,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "model.pt"
    state = {**encoder.state_dict(), "codebook.embedding": torch.zeros(512, 64)}
    torch.save({"encoder": state, "decoder": {"fc.weight": torch.zeros(1)}, "step": 7}, path)
    with caplog.at_level(logging.WARNING, logger="benchmarks"):
        model = NETWORKS["VQ-VAE"].load(path)
    assert model.trained
    assert model.name == "VQ-VAE"
    assert "random" not in caplog.text
    with torch.no_grad():
        first = encoder.eval().encoder[:3](model.prepare(audio)).mean(dim=2)
    torch.testing.assert_close(model.activations(audio)["ReLU_1"], first)


def test_a_common_prefix_is_left_out(encoder: SpeechEncoder, tmp_path: Path) -> None:
    save_file(
        {
            f"module.{place}{name}": tensor.clone()
            for name, tensor in encoder.state_dict().items()
            for place in ("model.", "attacker.model.")  # some files hold the state twice
        },
        tmp_path / "model.safetensors",
    )
    other = SpeechEncoder()
    load_weights(other, tmp_path / "model.safetensors")
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor)


def test_weights_of_another_network_are_refused(encoder: SpeechEncoder, tmp_path: Path) -> None:
    state = encoder.state_dict()
    del state["encoder.3.weight"]
    state["encoder.0.weight"] = torch.zeros(768, 40, 3)
    state["head.weight"] = torch.zeros(2)
    torch.save(state, tmp_path / "model.pt")
    message = (
        r"missing encoder\.3\.weight; not expected head\.weight; of another shape "
        r"encoder\.0\.weight \(768, 40, 3\) instead of \(768, 80, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        load_weights(SpeechEncoder(), tmp_path / "model.pt")


def test_python_objects_are_not_unpickled(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "settings": Path("somewhere")}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="holds Python objects beside the weights"):
        read_state(tmp_path / "model.pt")


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(1)], tmp_path / "model.pt")
    with pytest.raises(ValueError, match="expected weights by name, got a list"):
        read_state(tmp_path / "model.pt")


def test_missing_weights_are_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no weights of VGGish at .*fetch it first"):
        NETWORKS["VGGish"].load(tmp_path / "vggish.pth")


def test_folder_without_the_usual_file_is_refused(tmp_path: Path) -> None:
    if reason := METRICGAN.missing():
        pytest.skip(reason)
    with pytest.raises(FileNotFoundError, match=r"has no file enhance_model\.ckpt"):
        METRICGAN.load(tmp_path)


def test_speechbrain_folder_is_read(tmp_path: Path) -> None:
    row = NETWORKS["SepFormer"]
    if reason := row.missing():
        pytest.skip(reason)
    source = row.load(seed=3)
    for part in ("encoder", "masknet"):
        module = source.module.get_submodule(part)
        torch.save(module.state_dict(), tmp_path / f"{part}.ckpt")
    model = row.load(tmp_path)
    assert model.trained
    for name, tensor in source.module.state_dict().items():
        assert torch.equal(model.module.state_dict()[name], tensor)


def small_wav2vec2(folder: Path, n_layers: int) -> None:
    """A folder as the library writes it, with 32 units instead of 768."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=n_layers,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(32,) * 7,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("n_layers", "message"),
    [(12, "stage Embedding: expected 768 units, got 32"), (2, "expected 14 stages .* has 4")],
)
def test_another_size_of_the_model_is_refused(
    n_layers: int, message: str, audio: torch.Tensor, tmp_path: Path
) -> None:
    small_wav2vec2(tmp_path, n_layers)
    model = NETWORKS["Wav2Vec2"].load(tmp_path)
    assert model.trained
    with pytest.raises(ValueError, match=message):
        model.activations(audio)


def test_folder_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """The library alone would fill them with random ones."""
    from safetensors.torch import load_file

    small_wav2vec2(tmp_path, 2)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    del state["lm_head.weight"]
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights of a Wav2Vec2ForCTC: lm_head\.weight"):
        NETWORKS["Wav2Vec2"].load(tmp_path)


def test_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    row = NETWORKS["S2T"]
    if reason := row.missing():
        pytest.skip(reason)
    with pytest.raises(ValueError, match=r"has no config\.json"):
        row.load(tmp_path)

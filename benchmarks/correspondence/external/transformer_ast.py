"""AST: the Audio Spectrogram Transformer, trained on AudioSet (Gong, Chung & Glass 2021)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.hidden_states import from_local_folder
from benchmarks.correspondence.hooks import Tap

N_LAYERS = 12
N_CLASSES = 527  # of AudioSet
MAX_FRAMES = 1024
WINDOW, HOP = 400, 160  # 25 and 10 ms
MAX_SAMPLES = WINDOW + (MAX_FRAMES - 1) * HOP


def build(weights: Path | None) -> Network:
    """The network, with weights from a folder of the transformers library or random."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    if weights is None:
        config = ASTConfig()  # the library's defaults are the published model
        config.num_labels = N_CLASSES
        module = ASTForAudioClassification(config)
    else:
        module = from_local_folder(ASTForAudioClassification, weights)
    extractor = ASTFeatureExtractor(max_length=MAX_FRAMES)

    def prepare(audio: Tensor) -> Tensor:
        """Log-mel spectrograms ``(n_sounds, 1024 frames, 128)``, padded with zeros."""
        if not WINDOW <= audio.shape[1] <= MAX_SAMPLES:
            raise ValueError(
                f"AST takes sounds of {WINDOW} to {MAX_SAMPLES} samples at 16 kHz "
                f"({MAX_SAMPLES / 16_000:.2f} s), got {audio.shape[1]}; cut longer ones"
            )
        features = extractor(list(audio.numpy()), sampling_rate=16_000, return_tensors="pt")
        values: Tensor = features["input_values"]
        return values

    trunk = "audio_spectrogram_transformer"
    taps = {
        # Patches in frequency by time: (n_sounds, 768, 12 * 101).
        "Embedding": Tap(
            f"{trunk}.embeddings.patch_embeddings.projection",
            output=lambda patches: patches.flatten(2),
        ),
        **{
            f"Encoder_{number + 1}": Tap(f"{trunk}.layers.{number}.mlp.fc2", time_axis=1)
            for number in range(N_LAYERS)
        },
        "Final": Tap("classifier", time_axis=None),
    }
    return Network(module, taps, prepare, batch_size=4)


AST = ExternalModel(
    name="AST",
    task="AudioSet event classification",
    library="transformers",
    package="transformers",
    sample_rate=16_000,
    normalisation="log-mel (128 bands, 10 ms) minus -4.27, divided by 2 x 4.57; padded to 10.24 s",
    n_units={
        "Embedding": 768,
        **{f"Encoder_{number + 1}": 768 for number in range(N_LAYERS)},
        "Final": N_CLASSES,
    },
    weights="the folder of MIT/ast-finetuned-audioset-10-10-0.4593",
    remarks="Embedding is the patch convolution before positions are added; Encoder_k the second "
    "linear layer of block k before it is added to the residual stream; both averaged over all "
    "tokens (frequency and time), the padding included, as the paper did (gretatuckute/ast). "
    "Final: logits.",
    build=build,
)

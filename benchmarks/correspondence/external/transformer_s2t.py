"""S2T: the large speech-to-text transformer of fairseq (Wang et al. 2020), its encoder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.hidden_states import HiddenStates, from_local_folder
from benchmarks.correspondence.external.levels import refuse_silence
from benchmarks.correspondence.hooks import Tap

N_LAYERS = 12
N_UNITS = 1024
# Windows of 25 ms every 10 ms; two convolutions of stride 2, each centred on its input frame.
TIMES = (0.0125, 0.040)


def build(weights: Path | None) -> Network:
    """The encoder, with weights from a folder of the transformers library or random."""
    from transformers import (
        Speech2TextConfig,
        Speech2TextFeatureExtractor,
        Speech2TextForConditionalGeneration,
    )
    from transformers.models.speech_to_text.modeling_speech_to_text import Speech2TextEncoder

    if weights is None:
        encoder = Speech2TextEncoder(
            Speech2TextConfig(
                d_model=N_UNITS,
                encoder_layers=N_LAYERS,
                encoder_attention_heads=16,
                encoder_ffn_dim=4096,
                conv_channels=1024,
            )
        )
    else:
        encoder = from_local_folder(Speech2TextForConditionalGeneration, weights).model.encoder
    extractor = Speech2TextFeatureExtractor()

    def prepare(audio: Tensor) -> Tensor:
        """Log-mel spectrograms ``(n_sounds, n_frames, 80)``, each band normalised per sound."""
        refuse_silence(audio)
        features = [
            extractor(sound.numpy(), sampling_rate=16_000, return_tensors="pt")["input_features"]
            for sound in audio
        ]
        return torch.cat(features)

    module = HiddenStates(encoder, tuple(S2T.n_units))
    taps = {stage: Tap(f"stages.{stage}", time_axis=1, times=TIMES) for stage in S2T.n_units}
    return Network(module, taps, prepare, batch_size=8)


S2T = ExternalModel(
    name="S2T",
    task="speech recognition (LibriSpeech 960 h, subwords)",
    library="transformers",
    package="transformers",
    sample_rate=16_000,
    normalisation="log-mel (80 bands, 10 ms), each band to mean 0 and variance 1 over the sound",
    n_units={
        "Embedding": N_UNITS,
        **{f"Encoder_{number + 1}": N_UNITS for number in range(N_LAYERS)},
    },
    weights="the folder of facebook/s2t-large-librispeech-asr",
    remarks="the encoder's hidden states that the library counts: Embedding is the input of the "
    "first transformer layer, Encoder_12 comes after the last layer norm (gretatuckute/asr); the "
    "decoder is not built",
    build=build,
)

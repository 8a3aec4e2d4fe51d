"""Networks of the transformers library: AST, wav2vec 2.0 and S2T.

AST is the Audio Spectrogram Transformer, trained on AudioSet (Gong, Chung & Glass 2021); wav2vec
2.0 base was fine-tuned on LibriSpeech (Baevski, Zhou, Mohamed & Auli 2020); S2T is the large
speech-to-text transformer of fairseq (Wang et al. 2020), of which the encoder is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.inputs import refuse_silence
from benchmarks.correspondence.hooks import Tap

N_LAYERS = 12  # of each of them
N_CLASSES = 527  # of AudioSet
N_LETTERS = 32
AST_FRAMES = 1024
AST_WINDOW, AST_HOP = 400, 160  # 25 and 10 ms
AST_LONGEST = AST_WINDOW + (AST_FRAMES - 1) * AST_HOP
S2T_UNITS = 1024
# Windows of 25 ms every 10 ms; two convolutions of stride 2, each centred on its input frame.
S2T_TIMES = (0.0125, 0.040)
# Seven convolutions combined: a receptive field of 400 samples, a hop of 320.
WAV2VEC2_FIELD, WAV2VEC2_HOP = 400, 320
WAV2VEC2_TIMES = ((WAV2VEC2_FIELD - 1) / 2 / 16_000, WAV2VEC2_HOP / 16_000)


class HiddenStates(nn.Module):
    """Wrapper that passes each hidden state, and any logits, through a separate module.

    The library's hidden states range from the input of the first layer to the output of the last;
    the first is not the output of a submodule, so that a hook alone would miss it.

    Parameters
    ----------
    network : nn.Module
        Network whose ``forward`` supports ``output_hidden_states``.
    stages : sequence of str
        Names of the hidden states in order, then of the logits.
    """

    def __init__(self, network: nn.Module, stages: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.stages = nn.ModuleDict({stage: nn.Identity() for stage in stages})

    def forward(self, values: Tensor) -> None:
        """Run the network on its input values or features."""
        output = self.network(values, output_hidden_states=True)
        states = list(output.hidden_states)
        if getattr(output, "logits", None) is not None:
            states.append(output.logits)
        if len(states) != len(self.stages):
            raise ValueError(
                f"expected {len(self.stages)} stages ({', '.join(self.stages)}), the network has "
                f"{len(states)}; give the weights of the model that the overview names"
            )
        for stage, state in zip(self.stages.values(), states, strict=True):
            stage(state)


def from_local_folder(kind: Any, folder: Path) -> Any:
    """A pretrained model of the library, loaded from a local folder, with all its weights.

    Raises
    ------
    ValueError
        If the folder has no model of this kind, or weights are missing, which the library would
        initialise randomly.
    """
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} has no config.json; expected the folder of a model of the transformers "
            "library, with its configuration and weights"
        )
    try:
        model, report = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{folder} cannot be read as a {kind.__name__}: {error}") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        some = [str(key) for key in (*report["missing_keys"], *report["mismatched_keys"])][:3]
        raise ValueError(f"{folder} lacks weights of a {kind.__name__}: {', '.join(some)}, ...")
    return model


def _ast(weights: Path | None) -> Network:
    """AST, with weights from a folder of the transformers library or random."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    if weights is None:
        config = ASTConfig()  # the library's defaults are the published model
        config.num_labels = N_CLASSES
        module = ASTForAudioClassification(config)
    else:
        module = from_local_folder(ASTForAudioClassification, weights)
    extractor = ASTFeatureExtractor(max_length=AST_FRAMES)

    def prepare(audio: Tensor) -> Tensor:
        """Log-mel spectrograms ``(n_sounds, 1024 frames, 128)``, padded with zeros."""
        if not AST_WINDOW <= audio.shape[1] <= AST_LONGEST:
            raise ValueError(
                f"AST takes sounds of {AST_WINDOW} to {AST_LONGEST} samples at 16 kHz "
                f"({AST_LONGEST / 16_000:.2f} s), got {audio.shape[1]}; cut longer ones"
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
    build=_ast,
)


def _wav2vec2(weights: Path | None) -> Network:
    """wav2vec 2.0, with weights from a folder of the transformers library or random."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    if weights is None:  # the library's defaults are the published base model
        network = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=N_LETTERS))
    else:
        network = from_local_folder(Wav2Vec2ForCTC, weights)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)

    def prepare(audio: Tensor) -> Tensor:
        """Each sound with mean 0 and variance 1."""
        if audio.shape[1] < WAV2VEC2_FIELD:
            raise ValueError(
                f"wav2vec 2.0 needs sounds of at least {WAV2VEC2_FIELD} samples (25 ms), got "
                f"{audio.shape[1]}"
            )
        values = extractor(list(audio.numpy()), sampling_rate=16_000, return_tensors="pt")
        normalised: Tensor = values["input_values"]
        return normalised

    module = HiddenStates(network, tuple(WAV2VEC2.n_units))
    taps = {
        stage: Tap(f"stages.{stage}", time_axis=1, times=WAV2VEC2_TIMES)
        for stage in WAV2VEC2.n_units
    }
    return Network(module, taps, prepare, batch_size=8)


WAV2VEC2 = ExternalModel(
    name="Wav2Vec2",
    task="speech recognition (LibriSpeech 960 h, letters)",
    library="transformers",
    package="transformers",
    sample_rate=16_000,
    normalisation="each sound to mean 0 and variance 1",
    n_units={
        "Embedding": 768,
        **{f"Encoder_{number + 1}": 768 for number in range(N_LAYERS)},
        "Final": N_LETTERS,
    },
    weights="the folder of facebook/wav2vec2-base-960h",
    remarks="the hidden states that the library counts: Embedding is the input of the first "
    "transformer layer (convolutions, projection, positions), Encoder_k the output of layer k; "
    "Final: letter logits (gretatuckute/asr)",
    build=_wav2vec2,
)


def _s2t(weights: Path | None) -> Network:
    """The encoder of S2T, with weights from a folder of the transformers library or random."""
    from transformers import (
        Speech2TextConfig,
        Speech2TextFeatureExtractor,
        Speech2TextForConditionalGeneration,
    )
    from transformers.models.speech_to_text.modeling_speech_to_text import Speech2TextEncoder

    if weights is None:
        encoder = Speech2TextEncoder(
            Speech2TextConfig(
                d_model=S2T_UNITS,
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
    taps = {stage: Tap(f"stages.{stage}", time_axis=1, times=S2T_TIMES) for stage in S2T.n_units}
    return Network(module, taps, prepare, batch_size=8)


S2T = ExternalModel(
    name="S2T",
    task="speech recognition (LibriSpeech 960 h, subwords)",
    library="transformers",
    package="transformers",
    sample_rate=16_000,
    normalisation="log-mel (80 bands, 10 ms), each band to mean 0 and variance 1 over the sound",
    n_units={
        "Embedding": S2T_UNITS,
        **{f"Encoder_{number + 1}": S2T_UNITS for number in range(N_LAYERS)},
    },
    weights="the folder of facebook/s2t-large-librispeech-asr",
    remarks="the encoder's hidden states that the library counts: Embedding is the input of the "
    "first transformer layer, Encoder_12 comes after the last layer norm (gretatuckute/asr); the "
    "decoder is not built",
    build=_s2t,
)

"""wav2vec 2.0 base, fine-tuned on LibriSpeech (Baevski, Zhou, Mohamed & Auli 2020)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.hidden_states import HiddenStates, from_local_folder
from benchmarks.correspondence.hooks import Tap

N_LAYERS = 12
N_LETTERS = 32
# Seven convolutions combined: a receptive field of 400 samples, a hop of 320.
RECEPTIVE_FIELD, HOP = 400, 320
TIMES = ((RECEPTIVE_FIELD - 1) / 2 / 16_000, HOP / 16_000)


def build(weights: Path | None) -> Network:
    """The network, with weights from a folder of the transformers library or random."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    if weights is None:  # the library's defaults are the published base model
        network = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=N_LETTERS))
    else:
        network = from_local_folder(Wav2Vec2ForCTC, weights)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)

    def prepare(audio: Tensor) -> Tensor:
        """Each sound with mean 0 and variance 1."""
        if audio.shape[1] < RECEPTIVE_FIELD:
            raise ValueError(
                f"wav2vec 2.0 needs sounds of at least {RECEPTIVE_FIELD} samples (25 ms), got "
                f"{audio.shape[1]}"
            )
        values = extractor(list(audio.numpy()), sampling_rate=16_000, return_tensors="pt")
        normalised: Tensor = values["input_values"]
        return normalised

    module = HiddenStates(network, tuple(WAV2VEC2.n_units))
    taps = {stage: Tap(f"stages.{stage}", time_axis=1, times=TIMES) for stage in WAV2VEC2.n_units}
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
    build=build,
)

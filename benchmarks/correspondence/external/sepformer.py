"""SepFormer: two-speaker separation, trained on WHAMR! (Subakan et al. 2021)."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from benchmarks.correspondence.external.adapter import ExternalModel, Network
from benchmarks.correspondence.external.redirections import without_redirections
from benchmarks.correspondence.external.weights import load_weights, only_file
from benchmarks.correspondence.hooks import Tap

N_UNITS = 256
KERNEL = 16  # samples, stride half of it
N_BLOCKS = 2  # dual-path blocks, each with a transformer within chunks and one across them
N_LAYERS = 8  # of each of these transformers
N_STAGES = N_BLOCKS * 2 * N_LAYERS


class Separator(nn.Module):
    """Encoder and mask network; the decoder comes after all stages and is left out."""

    def __init__(self) -> None:
        with without_redirections():
            from speechbrain.lobes.models.dual_path import (
                Dual_Path_Model,
                Encoder,
                SBTransformerBlock,
            )

        def transformer() -> nn.Module:
            block: nn.Module = SBTransformerBlock(
                num_layers=N_LAYERS,
                d_model=N_UNITS,
                nhead=8,
                d_ffn=1024,
                dropout=0,
                use_positional_encoding=True,
                norm_before=True,
            )
            return block

        super().__init__()
        self.encoder = Encoder(kernel_size=KERNEL, out_channels=N_UNITS)
        self.masknet = Dual_Path_Model(
            in_channels=N_UNITS,
            out_channels=N_UNITS,
            intra_model=transformer(),
            inter_model=transformer(),
            num_layers=N_BLOCKS,
            norm="ln",
            K=250,
            num_spks=2,
            skip_around_intra=True,
            linear_layer_after_inter_intra=False,
        )

    def forward(self, audio: Tensor) -> None:
        """``(n_sounds, n_samples)`` at 8 kHz."""
        self.masknet(self.encoder(audio))


def build(weights: Path | None) -> Network:
    """The network, with weights from a folder of SpeechBrain or random."""
    module = Separator()
    if weights is not None:
        if not weights.is_dir():
            raise ValueError(f"expected {SEPFORMER.weights}, got the file {weights}")
        load_weights(module.encoder, only_file(weights, "encoder.ckpt"))
        load_weights(module.masknet, only_file(weights, "masknet.ckpt"))

    def all_chunks(output: Tensor) -> Tensor:
        """``(n_chunks, n_frames, n_units)`` or the like to ``(n_frames in all, n_units)``."""
        return output.flatten(0, 1)

    paths = [
        f"masknet.dual_mdl.{block}.{way}_mdl.mdl.layers.{layer}.pos_ffn.ffn.3"
        for block in range(N_BLOCKS)
        for way in ("intra", "inter")
        for layer in range(N_LAYERS)
    ]
    taps = {
        "Embedding": Tap("encoder.conv1d", times=((KERNEL - 1) / 2 / 8000, KERNEL / 2 / 8000)),
        **{
            f"Encoder_{number + 1}": Tap(path, output=all_chunks, sound_axis=None, time_axis=0)
            for number, path in enumerate(paths)
        },
    }
    return Network(module, taps, _as_it_is, batch_size=1)


def _as_it_is(audio: Tensor) -> Tensor:
    if audio.shape[1] < KERNEL:
        raise ValueError(
            f"SepFormer needs sounds of at least {KERNEL} samples, got {audio.shape[1]}"
        )
    return audio


SEPFORMER = ExternalModel(
    name="SepFormer",
    task="separation of two speakers in noise and reverberation (WHAMR!)",
    library="speechbrain",
    package="speechbrain",
    sample_rate=8000,
    normalisation="none",
    n_units={
        "Embedding": N_UNITS,
        **{f"Encoder_{number + 1}": N_UNITS for number in range(N_STAGES)},
    },
    weights="the folder of speechbrain/sepformer-whamr (encoder.ckpt, masknet.ckpt)",
    remarks="Embedding is the encoder's convolution before its ReLU; Encoder_k the second linear "
    "layer of the k-th transformer layer (8 within chunks, 8 across, twice) before it is added to "
    "the residual stream, averaged over frames and chunks, which overlap by half "
    "(gretatuckute/speechbrain_activation_extraction)",
    build=build,
)

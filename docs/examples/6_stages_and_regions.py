"""
Which stage explains which region?
==================================

Ridge regression from each stage of the network to responses of four simulated regions, as in
Tuckute, Feather et al. (2023): a region resembles the stages that predict it for sounds it was
not fitted to.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch

from benchmarks.correspondence.regression import score_stage
from benchmarks.correspondence.soundnet_stages import SoundNetStages
from benchmarks.correspondence.splits import random_splits
from benchmarks.demo.sounds import make_sounds
from hear_brainsoundnet import load_checkpoint
from hear_brainsoundnet.resampling import Resampler
from training.simulation.features import modulation, spectral

# %%
# Two seconds each of 120 sounds: speech, tones, chords, noises, clicks.

folder = Path(tempfile.mkdtemp())
make_sounds(folder, n_variants=10)
network = SoundNetStages(load_checkpoint())
sounds = []
for path in sorted(folder.glob("*.wav")):
    samples, sample_rate = soundfile.read(path, dtype="float32")
    audio = Resampler(sample_rate, network.sample_rate)(torch.from_numpy(samples)[None])
    sounds.append(audio[:, : 2 * network.sample_rate])

# %%
# Four regions of thirty voxels. Each voxel follows a mix of its region's features, and half of
# its variance is noise: energy in frequency bands; energy of modulations; a middle and a deep
# stage of another network, the original SoundNet.

original = SoundNetStages(load_checkpoint("soundnet"))
units = [original.activations(audio) for audio in sounds]
features = {
    "spectrum": [spectral(audio[0].double().numpy()).mean(axis=0) for audio in sounds],
    "modulations": [modulation(audio[0].double().numpy()).mean(axis=0) for audio in sounds],
    "conv3 of another": [each["conv3"][0].numpy() for each in units],
    "conv6 of another": [each["conv6"][0].numpy() for each in units],
}
generator = np.random.default_rng(0)


def responses(table, n_voxels=30):
    table = np.stack(table)
    table = (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-9)
    clean = table @ generator.standard_normal((table.shape[1], n_voxels))
    return clean / clean.std(axis=0) + generator.standard_normal(clean.shape)


regions = {name: responses(table) for name, table in features.items()}

# %%
# Every stage of the default checkpoint is regressed on every region: penalties by generalised
# cross-validation, scores on the other half of the sounds, median over ten halvings. With a
# prepared dataset of your own, ``python -m benchmarks correspondence run soundnet --on
# prepared/mine --out work`` does all of this.

splits = random_splits(len(sounds), 10)
activations = [network.activations(audio) for audio in sounds]
scores = np.zeros((len(regions), len(network.stages)))
for column, stage in enumerate(network.stages):
    table = np.stack([each[stage][0].numpy() for each in activations])
    for row, region in enumerate(regions.values()):
        scores[row, column] = np.median(score_stage(table, region[None], splits).r2)

# %%
# Squared correlation, with the best stage of each region framed.

figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
image = axes.imshow(scores, cmap="viridis", vmin=0, aspect="auto")
for row, best in enumerate(scores.argmax(axis=1)):
    axes.add_patch(plt.Rectangle((best - 0.5, row - 0.5), 1, 1, fill=False, ec="w", lw=2))
for (row, column), score in np.ndenumerate(scores):
    colour = "w" if score < 0.7 * scores.max() else "k"
    axes.text(column, row, f"{score:.2f}", ha="center", va="center", color=colour, fontsize=8)
axes.set_xticks(range(len(network.stages)), network.stages)
axes.set_yticks(range(len(regions)), regions)
axes.set(xlabel="stage of the default checkpoint", ylabel="region that follows")
figure.colorbar(image, ax=axes, label="r² on other sounds")
plt.show()

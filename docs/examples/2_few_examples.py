"""
Classify with few examples
==========================

A linear classifier on frozen embeddings learns ten spoken words from a few examples of each, and
is tested on voices that it was not trained on.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.espeak import speak
from hear_brainsoundnet.estimator import SceneEmbedding

# %%
# Ten words by twelve voices. Synthetic voices are alike in how they say a word, so this is easier
# than with people.

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
VOICES = [
    f"{accent}+{speaker}"
    for accent in ("en", "en-us", "en-gb-scotland")
    for speaker in ("m1", "m3", "f2", "f4")
]
folder = Path(tempfile.mkdtemp())
paths, labels, speakers = [], [], []
for number, voice in enumerate(VOICES):
    for word in WORDS:
        path = folder / f"{word}-{number:02}.wav"
        speak(word, path, voice=voice, words_per_minute=140)
        paths.append(path)
        labels.append(word)
        speakers.append(number)
labels, speakers = np.array(labels), np.array(speakers)

# %%
# :class:`~hear_brainsoundnet.estimator.SceneEmbedding` is a scikit-learn transformer. Nothing in
# it is fitted, so the sounds are embedded once, by each of three checkpoints.

CHECKPOINTS = {"default": "default", "original SoundNet": "soundnet", "random weights": "untrained"}
embeddings = {
    name: SceneEmbedding(checkpoint).fit_transform(paths)
    for name, checkpoint in CHECKPOINTS.items()
}

# %%
# Draws of one, two, four and eight training voices; all other voices are tested.


def accuracy(features, train):
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000))
    classifier.fit(features[train], labels[train])
    return classifier.score(features[~train], labels[~train])


N_EXAMPLES, N_DRAWS = [1, 2, 4, 8], 6
generator = np.random.default_rng(0)
draws = {
    n: [np.isin(speakers, generator.choice(len(VOICES), n, replace=False)) for _ in range(N_DRAWS)]
    for n in N_EXAMPLES
}
scores = {
    name: np.array([[accuracy(features, train) for train in draws[n]] for n in N_EXAMPLES])
    for name, features in embeddings.items()
}

# %%
# Mean over draws, with their standard deviation.

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for name, table in scores.items():
    axes.errorbar(
        N_EXAMPLES, table.mean(axis=1), table.std(axis=1), marker="o", capsize=3, label=name
    )
axes.axhline(1 / len(WORDS), color="0.6", linestyle=":", label="chance")
axes.set_xscale("log", base=2)
axes.set_xticks(N_EXAMPLES, N_EXAMPLES)
axes.set(xlabel="training examples of each word", ylabel="accuracy on other voices", ylim=(0, 1.02))
axes.legend(frameon=False)
plt.show()

"""
Look at a failure: sounds played backwards
==========================================

A scene embedding pools frames over time, and no pooling depends on their direction. What tells a
sound from itself played backwards must therefore be seen within a single frame. How much of a
problem is that, and at which stages?
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

import hear_brainsoundnet
from benchmarks.espeak import speak

# %%
# Eight sentences, each also backwards, and by another voice.

SENTENCES = [
    "Rain fell on the roof all night.",
    "She heard a train far away.",
    "The old clock has stopped again.",
    "Two dogs barked downstairs.",
    "Turn left at the bridge.",
    "Nine ships left the harbour.",
    "Please speak slowly.",
    "They counted to seven.",
]
folder = Path(tempfile.mkdtemp())


def spoken(sentence, voice):
    speak(sentence, folder / "spoken.wav", voice=voice, words_per_minute=150)
    samples, sample_rate = soundfile.read(folder / "spoken.wav")
    return np.trim_zeros(samples), sample_rate


rate = spoken("one", "en+f3")[1]
forwards = [spoken(sentence, "en+f3")[0] for sentence in SENTENCES]
backwards = [sound[::-1].copy() for sound in forwards]
other_voice = [spoken(sentence, "en+m3")[0] for sentence in SENTENCES]

# %%
# Cosine similarities, after z-scoring over all sounds, in the embedding of the default preset and
# in the mean and the standard deviation of single stages.

STAGES = ["conv2", "conv3", "conv4", "conv5", "conv6"]
SCENES = {"default": None} | {stage: f"{stage}:mean,std" for stage in STAGES}


def similarities(scene):
    model = hear_brainsoundnet.load_model(scene=scene)
    tables = [
        np.stack([
            hear_brainsoundnet.embed_array(sound, rate, model, timestamps=False).scene.numpy()
            for sound in sounds
        ])
        for sounds in (forwards, backwards, other_voice)
    ]  # fmt: skip
    everything = np.concatenate(tables)
    scale = everything.std(axis=0) + 1e-6 * everything.std()
    tables = [(table - everything.mean(axis=0)) / scale for table in tables]
    ahead, back, other = (table / np.linalg.norm(table, axis=1)[:, None] for table in tables)
    between = (ahead @ ahead.T)[np.triu_indices(len(ahead), 1)]
    return (ahead * back).sum(axis=1), (ahead * other).sum(axis=1), between


found = {name: similarities(scene) for name, scene in SCENES.items()}

# %%
# To conv2, whose frames see a few hundredths of a second, a sentence and itself played backwards
# are nearly one sound. The more of it a frame sees, the better they are distinguished; in conv5
# and conv6 the words count more than the spectrum. The default preset pools conv2 to conv5, and
# to it a sentence is about as similar to itself backwards as to the same sentence by another
# voice. Where the order of sounds matters, take ``scene="conv5:mean,std+conv6:mean,std"``, or
# compare the frames of timestamp embeddings in their order.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4), layout="constrained", gridspec_kw={"width_ratios": [1, 1.7]}
)
pair = np.concatenate([forwards[0], backwards[0]])
left.specgram(pair, NFFT=512, noverlap=384, Fs=rate, cmap="magma", vmin=-120)
left.axvline(len(forwards[0]) / rate, color="w")
left.set(
    ylim=(0, 6000), xlabel="time (s)", ylabel="frequency (Hz)", title="a sentence, and backwards"
)
names = ["itself backwards", "other voice, same sentence", "same voice, other sentence"]
for offset, (name, colour) in enumerate(zip(names, ["tab:red", "tab:blue", "0.6"], strict=True)):
    means = [found[scene][offset].mean() for scene in SCENES]
    right.bar(np.arange(len(SCENES)) + 0.27 * (offset - 1), means, 0.25, color=colour, label=name)
right.axhline(0, color="k", lw=0.5)
right.set_xticks(range(len(SCENES)), SCENES)
right.axvline(0.5, color="0.8", lw=0.8)
right.set(ylabel="cosine similarity", ylim=(-0.2, 1.3))
right.legend(frameon=False, ncols=1, loc="upper right", fontsize=8)
plt.show()

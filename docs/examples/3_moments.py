"""
Find the moments of an event
============================

Timestamp embeddings locate events in time: here, the onsets of words in noise.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

import hear_brainsoundnet
from benchmarks.espeak import speak

# %%
# Twelve seconds of pink noise, with four words at known times.

RATE, DURATION = 22_050, 12.0
ONSETS = {"rain": 1.5, "window": 4.2, "bridge": 6.8, "harbour": 9.4}
generator = np.random.default_rng(0)
spectrum = np.fft.rfft(generator.standard_normal(int(RATE * DURATION)))
frequencies = np.maximum(np.fft.rfftfreq(int(RATE * DURATION), 1 / RATE), 20)
audio = np.fft.irfft(spectrum / np.sqrt(frequencies))
audio *= 0.02 / audio.std()
folder = Path(tempfile.mkdtemp())
ends = {}
for word, onset in ONSETS.items():
    speak(word, folder / "word.wav", voice="en+f3", words_per_minute=130)
    samples, _ = soundfile.read(folder / "word.wav")
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    samples = samples[loud[0] : loud[-1] + 1]
    first = int(RATE * onset)
    audio[first : first + len(samples)] += 0.08 * samples / samples.std()
    ends[word] = onset + len(samples) / RATE

# %%
# Every frame is labelled with the centre of its receptive field. The first and the last ones see
# the zeros before and after the sound, which are an edge and no event: they are left out.

model = hear_brainsoundnet.load_model()
embeddings = hear_brainsoundnet.embed_array(audio, RATE, model, scene=False)
frames = embeddings.timestamps.numpy()
seconds = embeddings.timestamps_ms.numpy() / 1000
half = model.stages["conv4"].receptive_field / model.card.sample_rate / 2
inside = (seconds > half) & (seconds < DURATION - half)
frames, seconds = frames[inside], seconds[inside]
print("frames, values per frame:", frames.shape)

# %%
# How far is each frame from the background? The background is the median frame, and distances are
# measured in its typical deviation. What is above a fifth of the largest distance is an event. It
# begins a little early: a frame sees a word before its centre has reached it.

background = np.median(frames, axis=0)
spread = np.median(np.abs(frames - background), axis=0) + 1e-3
distance = np.sqrt((((frames - background) / spread) ** 2).mean(axis=1))
threshold = distance.max() / 5
is_event = distance > threshold
begins = seconds[1:][is_event[1:] & ~is_event[:-1]]
print("events begin at", begins.round(2), "s, words at", list(ONSETS.values()))

# %%
# The spectrogram with the words (white), and the distance with what it finds.

figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
above.specgram(audio, NFFT=512, noverlap=256, Fs=RATE, cmap="magma", vmin=-120)
above.set(ylim=(0, 8000), ylabel="frequency (Hz)")
for word, onset in ONSETS.items():
    above.plot([onset, onset, ends[word], ends[word]], [7200, 7600, 7600, 7200], "w", lw=1)
    above.text(onset, 6900, word, color="w", va="top")
below.plot(seconds, distance, "k", lw=1)
below.fill_between(seconds, 0, distance, where=is_event, color="tab:orange", alpha=0.6)
below.axhline(threshold, color="0.6", linestyle=":")
below.set(xlim=(0, DURATION), xlabel="time (s)", ylabel="distance from background", ylim=(0, None))
plt.show()

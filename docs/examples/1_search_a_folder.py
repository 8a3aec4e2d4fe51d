"""
Search a folder of sounds
=========================

Embed a folder once; then ask which of its sounds are similar to a recording.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import soundfile

import hear_brainsoundnet
from benchmarks.demo.sounds import make_sounds
from hear_brainsoundnet.nearest import nearest, without
from hear_brainsoundnet.results import read_scene_table

# %%
# Any folder of recordings will do. This one has synthetic ones: spoken sentences, tones, chords,
# noises and clicks, in six variants each.

folder = Path(tempfile.mkdtemp())
sounds, results = folder / "sounds", folder / "embeddings"
make_sounds(sounds, n_variants=6)

# %%
# The command line embeds every file, several at a time, and resumes where it was interrupted. In
# a shell this is ``hear-brainsoundnet embed sounds -o embeddings --kind scene``.

command = ["embed", sounds, "-o", results, "--kind", "scene", "--quiet"]
subprocess.run([sys.executable, "-m", "hear_brainsoundnet", *command], check=True)
table = read_scene_table(results)
print(len(table.names), "sounds, embeddings of shape", table.scene.shape)

# %%
# A query is embedded by the same model. Similarity is the cosine of scene embeddings whose
# dimensions were z-scored over the folder; the query's own row is left out.

model = hear_brainsoundnet.load_model()
queries = ["chord-minor-03.wav", "noise-in-waves-02.wav", "speech-english-low-01.wav"]
found = {
    query: nearest(model, sounds / query, without(sounds / query, results, table), n=3)
    for query in queries
}
for query, neighbours in found.items():
    print(query, "->", ", ".join(f"{each.name} ({each.similarity:.2f})" for each in neighbours))


# %%
# Queries in the left column, their three nearest sounds beside them.


def draw_spectrogram(axes, path, title):
    samples, sample_rate = soundfile.read(path)
    axes.specgram(samples[: 2 * sample_rate], NFFT=1024, Fs=sample_rate, vmin=-140, cmap="magma")
    axes.set(ylim=(0, 8000), xlim=(0, 2), xticks=[], yticks=[])
    axes.set_title(title, fontsize=8)


figure, rows = plt.subplots(len(queries), 4, figsize=(8, 5), layout="constrained")
for row, query in zip(rows, queries, strict=True):
    draw_spectrogram(row[0], sounds / query, f"query: {Path(query).stem}")
    for axes, each in zip(row[1:], found[query], strict=True):
        draw_spectrogram(axes, sounds / each.name, f"{Path(each.name).stem}: {each.similarity:.2f}")
rows[-1, 0].set(xlabel="0 to 2 s", ylabel="0 to 8 kHz")
plt.show()

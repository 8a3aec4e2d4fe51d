"""
Distil a teacher of your own
============================

Any module with the HEAR API can be a teacher: SoundNet is trained to predict its embeddings of a
corpus. Here the teacher is a chromagram, the energy of the twelve pitch classes.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hear_brainsoundnet.estimator import SceneEmbedding

folder = Path(tempfile.mkdtemp())


def training(command):
    """What a shell does with ``python -m training COMMAND``, in the folder."""
    words = [sys.executable, "-m", "training", *shlex.split(command)]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    print(run.stdout.replace(f"{folder}/", ""), end="")


# %%
# A corpus: 200 melodies of three seconds, in random timbres and octaves, and 100 more to test on.
# Your own folder of sounds takes their place.

RATE = 22_050
generator = np.random.default_rng(0)
for name, number in [("sounds", i) for i in range(200)] + [("others", i) for i in range(100)]:
    (folder / name).mkdir(exist_ok=True)
    time = np.arange(int(0.5 * RATE)) / RATE
    tones = []
    for semitone in generator.choice(12, 6):
        pitch = 110 * 2 ** (semitone / 12 + generator.integers(0, 3))
        loudness = generator.uniform(0.2, 1, 8) / np.arange(1, 9)
        harmonics = [a * np.sin(2 * np.pi * h * pitch * time) for h, a in enumerate(loudness, 1)]
        tones.append(np.sum(harmonics, axis=0) * np.exp(-3 * time))
    melody = np.concatenate(tones)
    soundfile.write(folder / name / f"{number:03}.wav", 0.3 * melody / abs(melody).max(), RATE)

training("corpus folder sounds --out corpus")

# %%
# The teacher: three functions and a rate are all that the HEAR API asks for.

(folder / "chroma.py").write_text("""
import numpy
import torch


class Chroma(torch.nn.Module):
    sample_rate, scene_embedding_size, timestamp_embedding_size = 22_050, 12, 12


def load_model(model_file_path=""):
    return Chroma()


def get_timestamp_embeddings(audio, model):
    window = torch.hann_window(4096)
    power = torch.stft(audio, 4096, 2205, window=window, return_complex=True).abs() ** 2
    frequencies = torch.arange(1, 2049) * model.sample_rate / 4096
    classes = (12 * torch.log2(frequencies / 110)).round().long() % 12
    audible = (frequencies > 100) & (frequencies < 2000)
    chroma = torch.zeros(len(audio), 12, power.shape[2])
    chroma.index_add_(1, classes[audible], power[:, 1:][:, audible])
    chroma = (chroma / (chroma.sum(dim=1, keepdim=True) + 1e-9)).transpose(1, 2)
    times = torch.arange(chroma.shape[1]) * 100.0
    within = times <= 1000 * audio.shape[1] / model.sample_rate
    return chroma[:, within], times[within].expand(len(audio), -1)


def get_scene_embeddings(audio, model):
    return get_timestamp_embeddings(audio, model)[0].mean(dim=1)
""")
training("teach corpus chroma --out taught")

# %%
# A few steps from the default checkpoint, with the teacher as the only objective. Real recipes
# have thousands of steps and keep the other objectives, so that what the network knew is not
# lost.

(folder / "distil.yaml").write_text("""
corpus: corpus
start: default
level: 0.07
crops: {recordings_per_step: 12, seconds: 1}
augmentation: {speed: 0, filter_db: 2, mixing: 0, noise: 0.5}
objectives: {frames: 0, bands: 0, modulation_spectrum: 0, modulation_power: 0, contrast: 0}
teachers:
  chroma: {table: taught, stages: [conv5, conv6], statistics: [mean]}
schedule: {steps: 80, learning_rate: 2.0e-3, lower_until: 0, calibration_steps: 4}
""")
training("pretrain distil.yaml --out distilled")

# %%
# The result is a checkpoint like any other. How well does a ridge regression on its embeddings
# predict the teacher's embeddings of other melodies? Cross-validated, before and after.

sys.path.insert(0, str(folder))
import chroma  # noqa: E402

paths = sorted((folder / "others").glob("*.wav"))
sounds = torch.stack([torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in paths])
taught = chroma.get_scene_embeddings(sounds, chroma.load_model()).numpy()
scores = {}
for name, checkpoint in {"before": "default", "after": "distilled/soundnet.safetensors"}.items():
    path = folder / checkpoint if checkpoint.endswith(".safetensors") else checkpoint
    features = SceneEmbedding(str(path), scene="conv5:mean,std").fit_transform(paths)
    model = make_pipeline(StandardScaler(), Ridge(alpha=1000))
    predicted = cross_val_predict(model, features, taught, cv=5)
    scores[name] = r2_score(taught, predicted, multioutput="raw_values")
    print(f"R² {name}: {scores[name].mean():.2f}")

# %%
# The teacher's embeddings of one melody, and the gain by distillation for each pitch class.

PITCHES = ["A", "A#", "B", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#"]
frames, times = chroma.get_timestamp_embeddings(sounds[:1], chroma.load_model())
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
left.pcolormesh(times[0] / 1000, np.arange(12), frames[0].T, cmap="magma")
left.set_yticks(range(12), PITCHES)
left.set(xlabel="time (s)", title="teacher, one melody")
for offset, (name, values) in enumerate(scores.items()):
    right.bar(np.arange(12) + 0.4 * offset - 0.2, values, 0.4, label=name)
right.set_xticks(range(12), PITCHES)
right.set(ylabel="R² on other melodies", title="student, before and after")
right.legend(frameon=False)
plt.show()

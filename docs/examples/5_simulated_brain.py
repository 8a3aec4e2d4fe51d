"""
From a simulated brain to a map and a report
============================================

The whole way from fMRI to a result, on a brain whose truth is known: simulate, prepare, fit,
evaluate, draw, report. With your own data it begins at ``prepare``.
"""

import contextlib
import shlex
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.demo.sounds import make_sounds
from training.cli import app

folder = Path(tempfile.mkdtemp())


def training(command):
    """Run a command as a shell does with ``python -m training COMMAND`` in the folder."""
    with contextlib.chdir(folder):
        app(shlex.split(command), standalone_mode=False)


# %%
# One subject listens to eight short runs of recordings. Of forty parcels sixteen respond: to the
# level, the spectrum or the modulations of the sound, or as units of a network do. The images
# look like those of fMRIPrep, with motion and drift to be regressed out.

make_sounds(folder / "sounds", n_variants=5)
training(
    "simulate experiment --audio sounds layout=fmriprep n_subjects=1 n_runs=8 run_minutes=1.5"
    " n_parcels=40 kinds='{envelope: 3, spectral: 5, modulation: 3, soundnet: 5}' voxel_mm=10"
    " hidden=default explainable_variance=[0.5,0.8]"
)

# %%
# The simulation left a recipe for its files. Preparing regresses confounds out, averages parcels,
# and checks that sound and responses are in time with each other; ``summary.html`` shows it. Real
# brains respond to the onset of a stimulus, so the first seconds of each run are left out by
# default; this one does not.

training("prepare experiment/prepare.yaml drop_start=0")

# %%
# The fit keeps the network frozen (``train_from: none``), so that it takes seconds: the read-out
# from conv7 is a ridge regression over five delays. The second season is held out.

(folder / "fit.yaml").write_text("""
data: experiment/prepared
train_from: none
read_out: {stage: conv7}
split: {test: {seasons: [s02]}, validation: {count: 1}}
windows: {n_trs: 40}
optimiser: {max_epochs: 0}
""")
training("fit fit.yaml --out frozen")

# %%
# Scores of all targets on the held-out runs, with p values from circular shifts; then the map and
# the report. ``report/index.html`` is one page that needs no network.

training("evaluate frozen --out evaluation n_permutations=200")
training("map frozen map.png")
training("report evaluation --out report")

# %%
# The map; and each parcel's score beside the best that any model could reach, which only a
# simulation knows. Six minutes of training data reach a part of it; parcels without a response
# stay around zero.

truth = pd.read_csv(folder / "experiment" / "truth" / "truth.csv")
scores = pd.read_csv(folder / "evaluation" / "targets.csv")
table = truth.merge(scores[["target_id", "r"]], on="target_id").sort_values(["kind", "best_r"])

figure, (above, below) = plt.subplots(
    2, 1, figsize=(8, 6.4), layout="constrained", height_ratios=[1.6, 1]
)
above.imshow(plt.imread(folder / "map.png"))
above.axis("off")
x = range(len(table))
below.bar(x, table.best_r, color="0.85", label="best possible")
for kind, rows in table.assign(x=x).groupby("kind"):
    below.bar(rows.x, rows.r, width=0.5, label={"deaf": "no response"}.get(kind, kind))
below.set(xticks=[], xlabel="parcels", ylabel="Pearson r")
below.legend(frameon=False, ncols=3, fontsize=8)
plt.show()

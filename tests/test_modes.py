"""Modes of torch that embeddings are computed in."""

import subprocess
import sys

import pytest

POOL = """
import multiprocessing, torch, hear_brainsoundnet as h
def scene(audio):
    return h.get_scene_embeddings(audio, model)
torch.set_num_threads(4)
model, audio = h.load_model("untrained"), 0.1 * torch.randn(8, 96_000)
expected = h.get_scene_embeddings(audio, model)
with multiprocessing.get_context("fork").Pool(2) as pool:
    found = torch.cat(pool.map(scene, [audio[i : i + 1] for i in range(4)]))
print(float((found - expected[:4]).abs().max() / expected.max()) < 1e-5, flush=True)
"""


@pytest.mark.slow
def test_a_forked_process_does_not_wait_for_the_threads_of_its_parent() -> None:
    run = subprocess.run(
        [sys.executable, "-c", POOL], capture_output=True, text=True, timeout=300, check=True
    )
    assert run.stdout.strip() == "True"

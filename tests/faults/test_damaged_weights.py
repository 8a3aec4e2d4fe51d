"""Damaged weight files and hostile cards end in one line, in little time and memory."""

from __future__ import annotations

import copy
import hashlib
import json
import resource
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch
from mutations import mutations
from safetensors.torch import load, save

from hear_brainsoundnet.card import Card
from hear_brainsoundnet.checkpoint import load_checkpoint, write_checkpoint
from hear_brainsoundnet.conversion import convert
from hear_brainsoundnet.describe import card_as_json, describe
from hear_brainsoundnet.embedding import EmbeddingModel
from hear_brainsoundnet.encoder import BrainEncoder, ReadOut
from hear_brainsoundnet.prediction import build_encoder
from hear_brainsoundnet.soundnet import Head, Layer, SoundNet

N = 40  # of each kind
LONGEST_S = 20.0
MOST_MEMORY = 600e6  # bytes above what the process had

LAYERS = (
    Layer("conv1", kernel=8, stride=2, padding=4, channels=3, pool=4),
    Layer("conv2", kernel=4, stride=2, padding=2, channels=5),
)
HEADS = (Head("objects", kernel=2, stride=1, channels=4),)
READ_OUT = ReadOut("conv2", 3, 1.49, "crop", target_ids=(4, 7), names=("sub-01",))
EDGES = (
    *(None, True, -1, 0, 1, 1.5, 65_536, 2**31, 2**63, 10**400, -1e308, "", "keys", "\x1b[2J"),
    *([], {}, [[]], {"a": {}}, "conv1", "pool1", "training", [1, 2], {"keys": 1}, "x" * 10_000),
)


def small_checkpoint() -> bytes:
    torch.manual_seed(0)
    card = Card(
        name="small",
        trained=True,
        input_scale=2.0,
        layers=LAYERS,
        heads=HEADS,
        read_out=READ_OUT,
        labels={"objects": ("a", "b", "c", "d")},
        provenance={"seed": 0, "corpus": {"sources": [{"name": "a", "hours": 1.5}]}},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.safetensors")
        write_checkpoint(path, card, BrainEncoder(SoundNet(LAYERS, HEADS), READ_OUT))
        return path.read_bytes()


def places(document: object) -> Iterator[tuple[object, ...]]:
    """The paths to all values inside a JSON document."""
    items = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in items:
        yield (key,)
        yield from ((key, *path) for path in places(value))


def changed_cards(content: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Checkpoints whose cards were changed in one or two places, with a hash that is right."""
    generator = np.random.default_rng(seed)
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    card = json.loads(header.pop("__metadata__")["hear_brainsoundnet"])["card"]
    tensors = load(content)
    for _ in range(n):
        changed = copy.deepcopy(card)
        for _ in range(int(generator.integers(1, 3))):
            paths = list(places(changed))
            *parents, last = paths[int(generator.integers(len(paths)))]
            holder = changed
            for key in parents:
                holder = holder[key]
            edge = copy.deepcopy(EDGES[int(generator.integers(len(EDGES)))])
            if isinstance(holder, dict) and generator.random() < 0.2:
                holder[edge if isinstance(edge, str) else "more"] = holder.pop(last)
            elif isinstance(holder, list) and generator.random() < 0.2:
                holder.extend([copy.deepcopy(holder[last])] * 3)
            else:
                holder[last] = edge
        kept = adapted(tensors, changed)
        digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode())
        for name in sorted(kept):
            shape = tuple(kept[name].shape)
            digest.update(f"\n{name} {kept[name].dtype} {shape}\n".encode())
            digest.update(kept[name].numpy().tobytes())
        document = {"card": changed, "content_sha256": digest.hexdigest()}
        yield save(kept, metadata={"hear_brainsoundnet": json.dumps(document, sort_keys=True)})


def adapted(tensors: dict[str, torch.Tensor], card: dict) -> dict[str, torch.Tensor]:
    """Tensors that a changed card implies, where that is little memory: the file agrees."""
    try:
        layers = tuple(Layer(**row) for row in card["layers"])
        heads = tuple(Head(**row) for row in card["heads"])
        with torch.device("meta"):
            soundnet = SoundNet(layers, heads)
            module = BrainEncoder(soundnet, ReadOut(**card["read_out"]))
        shapes = {
            name: tensor.shape
            for name, tensor in module.state_dict().items()
            if not name.endswith("num_batches_tracked")
        }
        if sum(shape.numel() for shape in shapes.values()) > 1e7:
            return tensors
        return {name: torch.zeros(shape) for name, shape in shapes.items()}
    except Exception:
        return tensors


def use(path: Path) -> None:
    """All that is done with a checkpoint."""
    checkpoint = load_checkpoint(path)
    for text in (describe(checkpoint), card_as_json(checkpoint)):
        assert all(each.isprintable() or each == "\n" for each in text)
    stage = checkpoint.card.layers[-1].name
    model = EmbeddingModel(checkpoint, scene=stage, timestamps=stage, level=0)
    model.embed_tensor(torch.zeros(1, 48_000))
    if checkpoint.card.read_out is not None:
        build_encoder(checkpoint)(torch.zeros(1, 44_100), 1)


def assert_short_error(act, counts: dict[str, int]) -> None:
    """`act` succeeds or raises a short ValueError, in little time and memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    begun = time.process_time()
    refusal: ValueError | None = None
    try:
        act()
    except ValueError as error:
        refusal = error
    outcome = "taken" if refusal is None else "refused"
    counts[outcome] = counts.get(outcome, 0) + 1
    assert len(str(refusal)) < 2_000
    assert time.process_time() - begun < LONGEST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MOST_MEMORY


def try_all(act, path: Path, contents: Iterable[bytes]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for content in contents:
        path.write_bytes(content)
        assert_short_error(act, counts)
    return counts


@pytest.mark.slow
def test_damaged_checkpoints(tmp_path):
    path = tmp_path / "damaged.safetensors"
    counts = try_all(lambda: use(path), path, mutations(small_checkpoint(), N, seed=0))
    assert counts["refused"] > N / 2


@pytest.mark.slow
def test_hostile_cards_with_a_right_hash(tmp_path):
    path = tmp_path / "card.safetensors"
    counts = try_all(lambda: use(path), path, changed_cards(small_checkpoint(), 4 * N, seed=0))
    assert counts["refused"] > N
    assert counts["taken"] > N / 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sound8-npy", "sound8-pth", "torch7", "brain-aligned-pt"])
def test_damaged_foreign_files(tmp_path, kind):
    path, out = tmp_path / "foreign", tmp_path / "out.safetensors"
    wholes = foreign_files.small_files()[kind]
    for number, whole in enumerate(wholes):
        contents = mutations(whole, N // len(wholes), seed=number)
        counts = try_all(lambda: convert(path, out, kind), path, contents)
        assert counts == {"refused": N // len(wholes)}

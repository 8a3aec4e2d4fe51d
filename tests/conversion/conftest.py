from __future__ import annotations

import sys
import types
from collections import OrderedDict
from pathlib import Path

import foreign_files
import numpy as np
import pytest
import torch
from torch import nn

# Conv7 yields the 8 frames that a head needs from about 11 s on.
N_SAMPLES = 280_000


@pytest.fixture(scope="session")
def weights():
    return foreign_files.random_weights(seed=1)


@pytest.fixture(scope="session")
def body(weights):
    """The weights without the heads, which are four fifths of them."""
    return {name: layer for name, layer in weights.items() if name.startswith("conv")}


@pytest.fixture(scope="session")
def audio():
    return torch.randn(1, N_SAMPLES, generator=torch.Generator().manual_seed(3)) * 30


@pytest.fixture(scope="session")
def expected(weights, audio):
    return foreign_files.original_forward(weights, audio)


@pytest.fixture(scope="session")
def state_file(body, tmp_path_factory):
    """A sound file of kind sound8-pth, small enough to be read often."""
    path = tmp_path_factory.mktemp("pth") / "sound8.pth"
    torch.save(foreign_files.state_dict_a(body, heads=False), path)
    return path


class SoundNetEncoding_conv(nn.Module):
    """As the authors' class of this name: attributes, SoundNet as Sequentials, a read-out."""

    def __init__(self, state, output_layer, power_transform, kernel_size, out_size):
        super().__init__()
        self.soundnet = nn.Module()
        for name, tensor in state.items():
            place = self.soundnet
            *folders, last = name.split(".")
            for folder in folders:
                if folder not in place._modules:
                    place.add_module(folder, nn.Module())
                place = place._modules[folder]
            if "running" in last or "tracked" in last:
                place.register_buffer(last, tensor)
            else:
                place.register_parameter(last, nn.Parameter(tensor))
        self.out_size = out_size
        self.output_layer = output_layer
        self.power_transform = power_transform
        self.layers_features = {}
        self.maskattention = None
        self.numpy_setting = np.float64(0.5)
        channels = {"conv7": 1024, "conv5": 256, "pool5": 256, "conv4": 128}[output_layer]
        self.encoding_fmri = nn.Conv2d(
            channels, out_size, kernel_size=(kernel_size, 1), padding=(kernel_size - 1, 0)
        )


@pytest.fixture
def author_module(monkeypatch):
    """The module that the authors' class comes from; gone when the file is read."""
    package, module = types.ModuleType("models"), types.ModuleType("models.encoding_models")
    SoundNetEncoding_conv.__module__ = "models.encoding_models"
    SoundNetEncoding_conv.__qualname__ = "SoundNetEncoding_conv"
    module.SoundNetEncoding_conv = SoundNetEncoding_conv
    monkeypatch.setitem(sys.modules, "models", package)
    monkeypatch.setitem(sys.modules, "models.encoding_models", module)
    return module


@pytest.fixture
def training_state(body, author_module, monkeypatch, tmp_path):
    """Writes the authors' raw training state and forgets their class."""

    def write(path: Path, *, output_layer="conv7", power=False, ks=5, out_size=210, **more):
        state = foreign_files.state_dict_a(body, heads=False)
        torch.manual_seed(5)
        model = SoundNetEncoding_conv(state, output_layer, power, ks, out_size)
        for key, value in more.pop("attributes", {}).items():
            setattr(model, key, value)
        document = {
            "epoch": 12,
            "model": model,
            "net": OrderedDict(model.state_dict()),
            "hyperparameters": {"kernel_size": ks, "model": SoundNetEncoding_conv, "lr": 1e-4},
            "train_loss": [np.float64(0.3), np.float32(0.2)],
            **more,
        }
        torch.save(document, path)
        monkeypatch.delitem(sys.modules, "models.encoding_models")
        monkeypatch.delitem(sys.modules, "models")
        return model

    return write

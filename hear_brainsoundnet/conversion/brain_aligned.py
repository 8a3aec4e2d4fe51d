"""The published brain-aligned networks: SoundNet and a convolution over TRs that predicts fMRI.

Two layouts exist. The published one is a dictionary with the settings and, as ``checkpoint``, the
state dict. The raw training state has the state dict as ``net``, the training settings as
``hyperparameters`` and, as ``model``, the whole pickled network, whose attributes complete the
settings.

The authors' read-out is a convolution over ``kernel_size`` frames, padded by ``kernel_size - 1``
on both sides, whose output is cropped to the number of TRs of the run. The padding in front
makes it the causal read-out of :class:`~hear_brainsoundnet.encoder.BrainEncoder`; the padding
behind only adds frames that the cropping drops: ``tr_sampling="crop"``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from hear_brainsoundnet.conversion.layouts import escaped
from hear_brainsoundnet.conversion.torch_pickle import Inert
from hear_brainsoundnet.encoder import ReadOut
from hear_brainsoundnet.geometry import stage_geometry
from hear_brainsoundnet.soundnet import LAYERS

READ_OUT = "encoding_fmri"
PREFIX = "soundnet."
WRAPPERS = ("state_dict", "model_state_dict")
STATE_DICTS = ("checkpoint", "net", *WRAPPERS)

# The paper predicts the 210 parcels of this atlas, in the order of their ids.
PAPER_ATLAS, PAPER_N_TARGETS = "MIST_ROI", 210


@dataclass(frozen=True)
class BrainAligned:
    """A brain-aligned network: SoundNet's state dict, the read-out, and notes on their origin."""

    soundnet: dict[str, Tensor]
    read_out: ReadOut
    weight: Tensor
    bias: Tensor
    notes: dict[str, str]


def text_items(mapping: object) -> dict[str, object]:
    """The entries of a mapping from a file whose keys are text; none if it is not a mapping.

    A file can give an OrderedDict attributes that shadow its methods, hence ``dict.items``.
    """
    if not isinstance(mapping, dict):
        return {}
    return {key: value for key, value in dict.items(mapping) if isinstance(key, str)}


def state_dict_of(tree: object, places: tuple[str, ...] = STATE_DICTS) -> dict[str, Tensor]:
    """The state dict of a PyTorch file: its top level, or under one of the usual names."""
    entries = text_items(tree)
    for place in places:
        if isinstance(entries.get(place), dict):
            entries = text_items(entries[place])
            break
    state = {name: value for name, value in entries.items() if isinstance(value, Tensor)}
    if state and all(name.startswith("module.") for name in state):  # nn.DataParallel's prefix
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def kind_of(tree: object) -> str | None:
    """Which of the two kinds of PyTorch files this is; None for another network."""
    state = state_dict_of(tree)
    if any(name.startswith(READ_OUT) for name in state):
        return "brain-aligned-pt"
    is_soundnet = any(name.startswith(f"{LAYERS[0].name}.") for name in state)
    return "sound8-pth" if is_soundnet else None


def read_brain_aligned(
    tree: object, file_name: str, n_bytes: int, *, tr: float, atlas: str
) -> BrainAligned:
    """Parse the content of a brain-aligned file.

    Parameters
    ----------
    file_name : str
        The read-out is named after the subject label in it (``sub-03``).
    n_bytes : int
        Size of the file, an upper bound on the number of weights: a file can declare more.
    tr : float
        Repetition time in seconds; not recorded in the files.
    atlas : str
        Name of the targets' atlas; "" for the paper's where the number of targets is the paper's.

    Raises
    ------
    ValueError
        If tensors or settings are missing or contradictory, or the network has attention over
        parcels, which :class:`~hear_brainsoundnet.encoder.BrainEncoder` does not support.
    """
    state, settings = state_dict_of(tree), _settings(tree)
    if any("maskattention" in name for name in state):
        raise ValueError(
            "it has an attention over parcels (maskattention) behind the read-out, which a "
            "checkpoint does not support; give a model that was "
            "trained without nroi_attention"
        )
    weight, bias = (state.get(f"{READ_OUT}.{field}") for field in ("weight", "bias"))
    if weight is None or bias is None:
        raise ValueError(f"it lacks {READ_OUT}.weight or .bias; it holds {escaped(state)}")
    if weight.ndim == 4 and weight.shape[3] == 1:
        weight = weight[..., 0]
    if weight.ndim != 3 or 0 in weight.shape:
        raise ValueError(
            f"{READ_OUT}.weight has shape {tuple(weight.shape)}, expected (targets, channels, "
            "delays, 1)"
        )
    if weight.numel() > n_bytes:
        raise ValueError(f"{READ_OUT}.weight is larger than the file; fetch it again")
    n_targets, channels, n_delays = weight.shape
    for name, size in (("out_size", n_targets), ("kernel_size", n_delays)):
        if isinstance(settings.get(name), int) and settings[name] != size:
            raise ValueError(f"{name} is {settings[name]}, its weights have {size}; fetch it again")

    notes: dict[str, str] = {}
    read_out = ReadOut(
        stage=_stage(settings.get("output_layer"), channels, notes),
        n_delays=n_delays,
        tr=tr,
        tr_sampling="crop",
        target_ids=tuple(range(1, n_targets + 1)),
        names=(_subject(file_name) or "subject",),
        power_transform="sqrt" if _power_transform(settings, notes) else "none",
        atlas=_atlas(atlas, n_targets, notes),
        subjects=tuple(filter(None, [_subject(file_name)])),
    )
    soundnet = {
        name.removeprefix(PREFIX): value for name, value in state.items() if READ_OUT not in name
    }
    return BrainAligned(soundnet, read_out, weight, bias, notes)


def _settings(tree: object) -> Mapping[str, object]:
    """Settings of the network: from the file, the hyperparameters and the network's attributes."""
    entries = text_items(tree)
    model = entries.get("model")
    attributes = text_items(model.state) if isinstance(model, Inert) else {}
    return text_items(entries.get("hyperparameters")) | entries | attributes


def _stage(layer: object, channels: int, notes: dict[str, str]) -> str:
    stages = stage_geometry()
    if layer is not None:
        if layer not in stages:
            raise ValueError(
                f"it reads from layer {ascii(layer)[:60]}, expected one of {', '.join(stages)}"
                if isinstance(layer, str)
                else "its output_layer is not the name of a layer"
            )
        stage = stages[str(layer)]
        if stage.channels != channels:
            raise ValueError(
                f"its read-out has {channels} input channels, {stage.name} has {stage.channels}"
            )
        return stage.name
    fitting = [name for name, stage in stages.items() if stage.channels == channels]
    if len(fitting) != 1:
        raise ValueError(
            f"it does not state which layer it reads from (output_layer), and {channels} channels "
            f"fit {' and '.join(fitting) or 'no layer'}; add output_layer to the file's dictionary"
        )
    notes["output_layer"] = f"not stated in the file; {channels} channels are those of {fitting[0]}"
    return fitting[0]


def _power_transform(settings: Mapping[str, object], notes: dict[str, str]) -> bool:
    value = settings.get("power_transform")
    if value is None:
        notes["power_transform"] = "not stated in the file; taken as none"
    elif not isinstance(value, (bool, int)):
        raise ValueError("its power_transform is neither true nor false")
    return bool(value)


def _atlas(atlas: str, n_targets: int, notes: dict[str, str]) -> str:
    if n_targets == PAPER_N_TARGETS and atlas in ("", PAPER_ATLAS):
        notes["target_ids"] = f"ids 1 to {n_targets} of {PAPER_ATLAS}, as in the paper"
        return PAPER_ATLAS
    notes["target_ids"] = f"positions 1 to {n_targets} in the source file, which names no ids"
    return atlas


def _subject(file_name: str) -> str | None:
    """The subject's label in a file name.

    >>> _subject("conv7_sub-03_ks5.pt")
    'sub-03'
    """
    found = re.search(r"sub-[0-9A-Za-z]+", file_name)
    return found.group() if found else None

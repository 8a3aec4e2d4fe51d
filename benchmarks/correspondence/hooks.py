"""Stages of any :class:`torch.nn.Module`, read by forward hooks.

A :class:`Tap` specifies the submodule of a stage (by dotted path), the time axis of its output, and
which of several outputs is meant. Activations are averaged over time; all other
axes except that of the sounds are units, flattened in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.correspondence.stages import Frames


@dataclass(frozen=True)
class Tap:
    """Specification of one stage.

    Attributes
    ----------
    path : str
        Name of the submodule as in ``module.named_modules()``; "" for the module itself.
    time_axis : int or None
        Time axis of its output; None if there is none.
    sound_axis : int or None
        Batch axis of its output; None if sounds are processed one at a time.
    output : int or callable, optional
        Index of one of several outputs, or a function that converts the output to a tensor. By
        default only tensors are accepted.
    times : (float, float), optional
        Centre of the first frame and hop, in seconds. By default there are no frames for continuous
        stimuli.
    """

    path: str
    time_axis: int | None = -1
    sound_axis: int | None = 0
    output: int | Callable[[Any], Tensor] | None = None
    times: tuple[float, float] | None = None


class HookedModule:
    """A module with taps; a :class:`~benchmarks.correspondence.stages.StagedModel`.

    The module is put into evaluation mode and used without gradients. Hooks are registered only
    during a forward pass.

    Parameters
    ----------
    module : nn.Module
        Its ``forward`` is called with the result of `prepare`.
    stages : mapping of str to Tap
        By the name of the stage, from input to output.
    sample_rate : int
        Rate in Hz of the audio given to `prepare`.
    name : str
        Name in the tables.
    prepare : callable, optional
        From audio ``(n_sounds, n_samples)`` to the module's input: a tensor, or a tuple of
        arguments. By default the audio itself.
    batch_size : int
        Sounds in one forward pass.
    version : str
        Anything else that the activations depend on, such as the settings of `prepare`; part of the
        identity.

    Raises
    ------
    ValueError
        If the module has no such submodule.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv1d(1, 3, 8, stride=4), nn.ReLU(), nn.Conv1d(3, 5, 4))
    >>> model = HookedModule(net, {"first": Tap("1"), "second": Tap("2")},
    ...                      sample_rate=16_000, name="net", prepare=lambda x: x[:, None])
    >>> activations = model.activations(torch.zeros(2, 64))
    >>> activations["first"].shape, activations["second"].shape
    (torch.Size([2, 3]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        module: nn.Module,
        stages: Mapping[str, Tap],
        *,
        sample_rate: int,
        name: str,
        prepare: Callable[[Tensor], Any] | None = None,
        batch_size: int = 8,
        version: str = "",
    ) -> None:
        self.module = module.eval()
        self.taps = dict(stages)
        self.name = name
        self.sample_rate = sample_rate
        self.prepare = prepare
        self.batch_size = batch_size
        self.version = version
        known = dict(module.named_modules())
        for stage, tap in self.taps.items():
            if tap.path not in known:
                close = [path for path in known if path.startswith(tap.path.partition(".")[0])]
                raise ValueError(
                    f"{name} has no submodule {tap.path!r} for stage {stage}; it has "
                    f"{', '.join((close or list(known))[:8])}, ..."
                )

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(self.taps)

    @property
    def identity(self) -> str:
        """Hash of weights, architecture, taps and `version`."""
        taps = [
            (stage, tap.path, tap.time_axis, tap.sound_axis, _word(tap.output))
            for stage, tap in self.taps.items()
        ]
        words = (taps, self.sample_rate, _word(self.prepare), self.version)
        return hash_of_module(self.module, repr(words))

    def activations(self, audio: Tensor) -> dict[str, Tensor]:
        """See :meth:`StagedModel.activations`."""
        means: dict[str, list[Tensor]] = {stage: [] for stage in self.taps}
        for part in audio.split(self.batch_size):
            for stage, values in self._run(part, self.taps).items():
                means[stage].append(values.mean(dim=1, dtype=torch.float64).float())
        return {stage: torch.cat(parts) for stage, parts in means.items()}

    def frames(self, audio: Tensor, stage: str) -> Frames:
        """See :meth:`StagedModel.frames`; the whole sound is processed in one forward pass."""
        tap = self.taps[stage]
        if tap.time_axis is None or tap.times is None:
            raise ValueError(
                f"{self.name}, stage {stage}: the times of its frames are not known; give "
                "Tap(times=(first_s, hop_s))"
            )
        values = self._run(audio[None], {stage: tap})[stage][0]
        first_s, hop_s = tap.times
        return Frames(values, first_s + torch.arange(len(values), dtype=torch.float64) * hop_s)

    @torch.no_grad()
    def _run(self, audio: Tensor, taps: Mapping[str, Tap]) -> dict[str, Tensor]:
        """One forward pass: for each stage ``(n_sounds, n_frames, n_units)``."""
        caught: dict[str, list[Tensor]] = {stage: [] for stage in taps}

        def catcher(stage: str, tap: Tap) -> Callable[[nn.Module, Any, Any], None]:
            def catch(module: nn.Module, arguments: Any, output: Any) -> None:
                tensor = self._tensor(output, stage, tap)
                caught[stage].append(self._arranged(tensor, stage, tap, len(audio)))

            return catch

        handles = [
            self.module.get_submodule(tap.path).register_forward_hook(catcher(stage, tap))
            for stage, tap in taps.items()
        ]
        try:
            given = audio if self.prepare is None else self.prepare(audio)
            self.module(*(given if isinstance(given, tuple) else (given,)))
        finally:
            for handle in handles:
                handle.remove()
        for stage, tap in taps.items():
            if len(caught[stage]) != 1:
                raise ValueError(
                    f"{self.name}, stage {stage}: {tap.path!r} was called {len(caught[stage])} "
                    "times in one forward pass; tap a submodule that is called once"
                )
        return {stage: values for stage, (values,) in caught.items()}

    def _tensor(self, output: Any, stage: str, tap: Tap) -> Tensor:
        if callable(tap.output):
            output = tap.output(output)
        elif tap.output is not None:
            try:
                output = output[tap.output]
            except (IndexError, TypeError) as error:
                raise ValueError(
                    f"{self.name}, stage {stage}: {tap.path!r} gives {_kind(output)}, which has no "
                    f"output {tap.output!r}"
                ) from error
        if not isinstance(output, Tensor):
            raise ValueError(
                f"{self.name}, stage {stage}: {tap.path!r} gives {_kind(output)}, expected a "
                "tensor; select a part with Tap(output=...)"
            )
        return output

    def _arranged(self, tensor: Tensor, stage: str, tap: Tap, n_sounds: int) -> Tensor:
        """To ``(n_sounds, n_frames, n_units)``, on the CPU; a copy, as networks work in place."""
        n_axes = tensor.ndim
        given = [axis for axis in (tap.sound_axis, tap.time_axis) if axis is not None]
        first = [axis % n_axes for axis in given if -n_axes <= axis < n_axes]
        if len(set(first)) < len(given):
            raise ValueError(
                f"{self.name}, stage {stage}: an output of shape {tuple(tensor.shape)} has no "
                f"sounds along axis {tap.sound_axis} and time along axis {tap.time_axis}; say with "
                "Tap(sound_axis=..., time_axis=...) which they are, None for one that is not there"
            )
        arranged = tensor.permute(first + [axis for axis in range(n_axes) if axis not in first])
        if tap.sound_axis is None:
            arranged = arranged[None]
        if tap.time_axis is None:
            arranged = arranged[:, None]
        if len(arranged) != n_sounds or arranged.numel() == 0:
            raise ValueError(
                f"{self.name}, stage {stage}: expected {n_sounds} sounds along axis "
                f"{tap.sound_axis} and something to average, got an output of shape "
                f"{tuple(tensor.shape)}; a module that takes one sound at a time needs batch_size=1"
            )
        return arranged.reshape(n_sounds, arranged.shape[1], -1).float().cpu().clone()


def hash_of_module(module: nn.Module, words: str = "") -> str:
    """SHA-256 of a module's architecture, weights and buffers, and of further text.

    Examples
    --------
    >>> torch.nn.init.ones_((layer := nn.Linear(2, 1)).weight) is layer.weight
    True
    >>> before = hash_of_module(layer)
    >>> _ = torch.nn.init.zeros_(layer.weight)
    >>> before == hash_of_module(layer)
    False
    """
    digest = hashlib.sha256(f"{module!r} {words}".encode())
    for name, tensor in sorted(module.state_dict(keep_vars=False).items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def _word(what: object) -> str:
    """A callable's name, which is stable across processes; the repr of anything else."""
    if not callable(what):
        return repr(what)
    name = getattr(what, "__qualname__", type(what).__qualname__)
    return f"{getattr(what, '__module__', '')}.{name}"


def _kind(output: object) -> str:
    if isinstance(output, tuple | list):
        return f"a {type(output).__name__} of {', '.join(map(_kind, output))}"
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)}"
    return type(output).__name__

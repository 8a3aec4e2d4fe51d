"""Torch modes that code may be called in: traced, transformed, autocast, inference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def is_traced() -> bool:
    """True within torch.compile, torch.export, torch.jit.trace, ONNX export and torch.func.

    Tensor values are not known there, and lengths may be symbolic. The called code may use tensor
    operations only.

    Examples
    --------
    >>> is_traced()
    False
    >>> torch.vmap(lambda x: x + is_traced())(torch.zeros(2))
    tensor([1., 1.])
    """
    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()
    )


def is_exporting() -> bool:
    """True within torch.export, where guards on symbolic lengths must be provable."""
    return bool(getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)())


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Context in which operations on `device` keep the dtypes of their inputs."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


_process = os.getpid()


def one_thread_after_fork() -> None:
    """In a forked process, compute in one thread from now on.

    The parent's thread pool does not exist in the child, and the first parallel loop would wait
    forever.
    """
    global _process
    if os.getpid() != _process:
        _process = os.getpid()
        torch.set_num_threads(1)


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Context that creates tensors independent of the caller's inference mode and default device.

    Examples
    --------
    >>> with torch.inference_mode(), ordinary_tensors():
    ...     kept = torch.zeros(3)
    >>> kept.is_inference()
    False
    """
    with torch.inference_mode(False), torch.device("cpu"):
        yield

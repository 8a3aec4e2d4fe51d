"""The modes of torch that code may be called in: recorded, transformed, autocast, for inference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def is_traced() -> bool:
    """True within torch.compile, torch.export, torch.jit.trace, ONNX export and torch.func.

    Values of tensors are not known there, and lengths may stand for any length. What is called then
    has to be made of operations on tensors alone.

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
    """True within torch.export: a length that stands for any has to be provably so."""
    return bool(getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)())


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Within it operations on `device` are carried out in the types of their inputs."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


_process = os.getpid()


def one_thread_after_fork() -> None:
    """In a forked process, compute in one thread from now on.

    The threads that its parent computed in do not exist there, and the first loop over several of
    them would wait for ever.
    """
    global _process
    if os.getpid() != _process:
        _process = os.getpid()
        torch.set_num_threads(1)


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Within it tensors are made that outlive the mode or the default device of the caller.

    Examples
    --------
    >>> with torch.inference_mode(), ordinary_tensors():
    ...     kept = torch.zeros(3)
    >>> kept.is_inference()
    False
    """
    with torch.inference_mode(False), torch.device("cpu"):
        yield

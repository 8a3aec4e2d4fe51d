"""Processes of a distributed fit, checked against the launcher before any work.

``torchrun --nproc_per_node N`` and ``accelerate launch --num_processes N`` start N processes that
find each other through environment variables. If a launcher's variables are incomplete, each
process would consider itself the only one, and all would write the same folder; that is rejected.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, broadcast
from torch import nn

ItemT = TypeVar("ItemT")

COUNTS = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
WAIT = timedelta(hours=6)  # others wait while the first process solves for the read-out
LINE = "torchrun --nproc_per_node {} -m training fit RECIPE.yaml --out OUT"


def processes_wanted(environment: Mapping[str, str]) -> int:
    """Number of processes started by a launcher; 1 without a launcher.

    Raises
    ------
    ValueError
        If the rank of this process is not set.

    Examples
    --------
    >>> processes_wanted({}), processes_wanted({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"})
    (1, 2)
    """
    counts = [environment.get(name, "") for name in COUNTS]
    wanted = max((int(count) for count in counts if count.isdigit()), default=1)
    by_torchrun = environment.get("WORLD_SIZE", "").isdigit()
    if wanted > 1 and by_torchrun and not {"RANK", "LOCAL_RANK"} <= environment.keys():
        raise ValueError(
            f"WORLD_SIZE is {wanted}, and RANK and LOCAL_RANK do not say which of {wanted} "
            f"processes this one is; unset WORLD_SIZE, or start all with {LINE.format(wanted)}"
        )
    return wanted


def join_processes(mixed_precision: str) -> Accelerator:
    """Join the processes of the launcher; on CPUs if there is no GPU.

    Raises
    ------
    ValueError
        If accelerate finds fewer processes than the launcher started.
    """
    wanted = processes_wanted(os.environ)
    accelerator = Accelerator(
        mixed_precision=mixed_precision,
        cpu=wanted > 1 and not torch.cuda.is_available(),  # else accelerate would see one process
        kwargs_handlers=[InitProcessGroupKwargs(timeout=WAIT)],
    )
    if accelerator.num_processes != wanted:
        raise ValueError(
            f"the launcher started {wanted} processes and accelerate sees "
            f"{accelerator.num_processes}: each would fit by itself; start them with "
            f"{LINE.format(wanted)}"
        )
    return accelerator


def count_in_words(accelerator: Accelerator) -> str:
    """Text for the first line of a fit: "2 processes on cpu"."""
    n = accelerator.num_processes
    return f"{n} process{'es' if n > 1 else ''} on {accelerator.device.type}"


def share_of_steps(
    items: Sequence[ItemT], per_step: int, accelerator: Accelerator
) -> list[Sequence[ItemT]]:
    """This process's steps of `per_step` items; all processes have equally many.

    The first steps are repeated where they do not divide evenly.
    """
    steps = [items[first : first + per_step] for first in range(0, len(items), per_step)]
    steps += [steps[i % len(steps)] for i in range(-len(steps) % accelerator.num_processes)]
    return steps[accelerator.process_index :: accelerator.num_processes]


def agree_on_weights(module: nn.Module, accelerator: Accelerator) -> None:
    """Give all processes the weights of the first one."""
    if accelerator.num_processes > 1:
        with torch.no_grad():
            for tensor in module.state_dict().values():
                tensor.copy_(broadcast(tensor))


def average_gradients(module: nn.Module, accelerator: Accelerator) -> None:
    """Average gradients over processes; one that is None in some of them counts as zero there."""
    if accelerator.num_processes == 1:
        return
    for parameter in module.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad = accelerator.reduce(parameter.grad, reduction="mean")

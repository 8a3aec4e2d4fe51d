"""Arguments and checks that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from hear_brainsoundnet.command_line import WrongCall

PROGRAM = "hear-brainsoundnet"
_DECIBELS = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+))\s*dB(?:FS)?", re.IGNORECASE)


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Reject a value that an option does not accept."""
    if value not in choices:
        raise WrongCall(f"{option} must be one of {', '.join(choices)}, got {value!r}")


def parse_level(text: str) -> float:
    """Level relative to full scale, parsed from decibels or an amplitude.

    Raises
    ------
    WrongCall
        If it is neither.

    Examples
    --------
    >>> parse_level("-20dB"), parse_level("0.1"), parse_level("0")
    (0.1, 0.1, 0.0)
    """
    decibels = _DECIBELS.fullmatch(text.strip())
    try:
        level = 10 ** (float(decibels["number"]) / 20) if decibels else float(text)
    except (ValueError, OverflowError):
        level = math.nan
    if not 0 <= level <= 1:
        raise WrongCall(
            "--level must lie within 0 (unchanged) and 1 (full scale), or be decibels "
            f"below full scale, such as -23dB; got {text}"
        )
    return level


def find_device(name: str) -> str:
    """The device of that name, checked to be usable."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise WrongCall(f"device {name!r} cannot be used here: {reason}") from error
    return str(device)

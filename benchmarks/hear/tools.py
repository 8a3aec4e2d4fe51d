"""The HEAR tools: which versions, and the one line that installs them.

Both pin libraries that no current Python can install, so they come without dependencies, which
``pip install ".[hear]"`` brings. Plain pip takes hearvalidator 2021.0.2 on Python 3.9 and newer:
it checks neither several lengths nor start and end of the timestamps.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from benchmarks.hear.heareval_process import HearevalError

VERSIONS = {"heareval": "2021.1.3", "hearvalidator": "2021.0.6"}
INSTALL = "pip install --no-deps --ignore-requires-python " + " ".join(
    f"{name}=={number}" for name, number in VERSIONS.items()
)


def check_tools() -> None:
    """See that both tools are there, in the versions that are known to work.

    Raises
    ------
    HearevalError
        If one is missing or of another version; says how to install them.
    """
    for name, expected in VERSIONS.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            raise HearevalError(
                f'{name} is not installed; pip install ".[hear]" and then: {INSTALL}'
            ) from None
        if found != expected:
            raise HearevalError(f"{name} is {found}, expected {expected}; install it: {INSTALL}")

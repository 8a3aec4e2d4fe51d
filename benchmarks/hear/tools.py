"""The HEAR tools: versions and installation command.

Both pin libraries that no current Python can install, so they are installed without dependencies,
which ``pip install ".[hear]"`` provides. Plain pip selects hearvalidator 2021.0.2 on Python 3.9 and
newer: it checks neither several lengths nor start and end of the timestamps.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from benchmarks.hear.heareval_process import HearevalError

VERSIONS = {"heareval": "2021.1.3", "hearvalidator": "2021.0.6"}
INSTALL = "pip install --no-deps --ignore-requires-python " + " ".join(
    f"{name}=={number}" for name, number in VERSIONS.items()
)


def check_tools() -> None:
    """Check that both tools are installed, in supported versions.

    Raises
    ------
    HearevalError
        If one is missing or of another version; the message gives the installation command.
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

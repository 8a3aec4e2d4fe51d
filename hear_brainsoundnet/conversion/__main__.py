"""The process that :mod:`hear_brainsoundnet.conversion.separately` starts; not a user command."""

from __future__ import annotations

import json
import logging
import signal
import sys

try:
    import resource
except ImportError:  # only on Windows, where only the parent's timeout ends this process
    limit = None
else:

    def limit(cpu_seconds: int) -> None:
        """Have the system kill this process after this much CPU time."""
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read a request as JSON from standard input, answer as JSON on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reported by the parent process
    if limit is not None:
        limit(int(sys.argv[1]))
    asked = json.load(sys.stdin)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    from hear_brainsoundnet.conversion import convert

    try:
        answer = {"hash": convert(asked["source"], asked["target"], **asked["options"])}
    except (ValueError, OSError) as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()

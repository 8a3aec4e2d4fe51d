"""The process that :mod:`hear_brainsoundnet.conversion.separately` starts; not for people."""

from __future__ import annotations

import json
import logging
import signal
import sys

try:
    import resource
except ImportError:  # only on Windows, where nothing but the waiting process ends this one
    limit = None
else:

    def limit(cpu_seconds: int) -> None:
        """Have the system end this process after so much computing."""
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read what is asked as JSON from standard input, answer as JSON on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits says it
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

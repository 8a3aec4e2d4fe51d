"""The process started by :mod:`training.sources.isolated`: runs a script with limits, errors on one
line.

Arguments: memory allowed per byte of the file, the script, the file, and further arguments of the
script. It imports nothing of this project.
"""

import os
import runpy
import sys

BASE_MEMORY = 2**32  # bytes, for Python and the library


def limit_memory(n_bytes: int) -> None:
    """Limit the memory where the system supports it; a lower existing limit is kept."""
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, ValueError, OSError):
        return


if __name__ == "__main__":
    per_byte, script, path = sys.argv[1:4]
    try:
        limit_memory(BASE_MEMORY + int(per_byte) * os.stat(path).st_size)
        sys.argv = sys.argv[2:]
        runpy.run_path(script, run_name="__main__")
    except Exception as error:  # one line for the parent process
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        sys.exit(1)

"""The process that :mod:`training.sources.isolated` starts: a script, limited and in one line.

Arguments: bytes of memory that each byte of the file may take, the script, the file, and what else
the script gets. It imports nothing of this project.
"""

import os
import runpy
import sys

BASE_MEMORY = 2**32  # bytes, for Python and the library


def limit_memory(n_bytes: int) -> None:
    """Where the system can; a limit that is lower already stays."""
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
    except Exception as error:  # one line for the process that waits
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        sys.exit(1)

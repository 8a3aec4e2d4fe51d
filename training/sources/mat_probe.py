"""Script of :mod:`training.sources.isolated`: MATLAB arrays of a file as an ``.npz`` file."""

import sys
import zipfile

BASE_MEMORY = 2**32  # bytes
PER_BYTE = 64  # of the file; arrays in MATLAB files are rarely compressed further


def main(path: str, out: str) -> None:
    import os

    import numpy as np
    import scipy.io

    limit_memory(BASE_MEMORY + PER_BYTE * os.stat(path).st_size)
    content = scipy.io.loadmat(path)
    with zipfile.ZipFile(out, "w") as archive:  # savez has names of its own that no array may have
        for key, value in content.items():
            array = np.asarray(value)
            if key.startswith("__"):
                continue
            if array.dtype.kind == "O":
                array = np.array([text_of(item) for item in array.ravel()], dtype=str)
            if array.dtype.kind in "fiubU":
                with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


def text_of(item: object) -> str:
    """The text in a cell, which is an array itself."""
    import numpy as np

    if isinstance(item, np.ndarray):
        return str(item.ravel()[0]) if item.size else ""
    return str(item)


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
    try:
        main(sys.argv[1], sys.argv[2])
    except Exception as error:  # one line for the process that waits
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        sys.exit(1)

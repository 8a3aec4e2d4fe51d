"""The process started by :mod:`training.sources.array_files`: reads one file, with limited memory.

Arguments: memory allowed per byte of the file, a reader (see the end), the file, and what the
reader needs. The result is printed; an error is one line on standard error. Imports nothing of this
project.
"""

import json
import os
import sys
import zipfile

BASE_MEMORY = 2**32  # bytes, for Python and the library
DEEPEST = 8
MOST_DATASETS = 100_000
BLOCK = 2**26  # bytes that are read at a time


def limit_memory(n_bytes: int) -> None:
    """Limit the memory where the system supports it; a lower existing limit is kept."""
    try:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = n_bytes if hard == resource.RLIM_INFINITY else min(n_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, ValueError, OSError):
        return


def convert_mat(path: str, out: str) -> None:
    """Write the arrays of a MATLAB file to an ``.npz`` file; cells are flattened lists of text."""
    import numpy as np
    import scipy.io

    def text_of(item: object) -> str:
        if isinstance(item, np.ndarray):  # the text in a cell is an array itself
            return str(item.ravel()[0]) if item.size else ""
        return str(item)

    content = scipy.io.loadmat(path)
    with zipfile.ZipFile(out, "w") as archive:  # savez reserves some names
        for key, value in content.items():
            array = np.asarray(value)
            if key.startswith("__"):
                continue
            if array.dtype.kind == "O":
                array = np.array([text_of(item) for item in array.ravel()], dtype=str)
            if array.dtype.kind in "fiubU":
                with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


def list_h5(path: str, most_inflated: str) -> None:
    """Read an HDF5 file and print a JSON list of ``[key, shape or null, dtype]``.

    Links to other files, externally stored datasets, and datasets of more than `most_inflated`
    bytes per byte of the file are rejected.
    """
    import h5py

    size = os.stat(path).st_size
    found: list[list[object]] = []
    seen: set[object] = set()

    def walk(group, prefix: str, depth: int) -> None:  # type: ignore[no-untyped-def]
        if depth > DEEPEST:
            raise ValueError(f"groups lie more than {DEEPEST} deep")
        if not len(group) and prefix:
            found.append([prefix, None, ""])
        for name in sorted(group):
            key = f"{prefix}/{name}" if prefix else name
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise ValueError(f"{key} is a link to another file")
            item = group[name]
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    raise ValueError(f"{key} is a group that occurs twice")
                seen.add(address)
                walk(item, key, depth + 1)
            else:
                look_at(item, key)
            if len(found) > MOST_DATASETS:
                raise ValueError(f"there are more than {MOST_DATASETS} datasets")

    def look_at(item, key: str) -> None:  # type: ignore[no-untyped-def]
        shape = getattr(item, "shape", None)
        if not isinstance(item, h5py.Dataset) or shape is None:
            found.append([key, None, str(getattr(item, "dtype", ""))])
            return
        if item.is_virtual or item.external:
            raise ValueError(f"{key} is kept in another file")
        if item.nbytes > int(most_inflated) * size:
            raise ValueError(f"{key} declares {item.nbytes} bytes, the file has {size}")
        if item.dtype.kind in "fiu" and len(shape) and 0 not in shape:
            rows = max(1, BLOCK // max(1, item.nbytes // shape[0]))
            for start in range(0, shape[0], rows):
                item[start : start + rows]
        found.append([key, list(shape), item.dtype.str if item.dtype.kind in "fiu" else "other"])

    with h5py.File(path, "r") as file:
        walk(file, "", 0)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    per_byte, reader, file_path, *rest = sys.argv[1:]
    try:
        limit_memory(BASE_MEMORY + int(per_byte) * os.stat(file_path).st_size)
        {"mat": convert_mat, "h5": list_h5}[reader](file_path, *rest)
    except Exception as error:  # one line for the parent process
        text = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(text.encode("ascii", "backslashreplace").decode() + "\n")
        sys.exit(1)

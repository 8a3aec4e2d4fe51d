"""Script of :mod:`training.sources.isolated`: lists and reads the datasets of an HDF5 file.

Its arguments are the file and the maximal expansion per byte of it. Standard output is a JSON list
of ``[key, shape or null, dtype]``, in the order of the keys. Links to other files, externally
stored datasets, and datasets too large for their file are rejected.
"""

import json
import sys

DEEPEST = 8
MOST_DATASETS = 100_000
BLOCK = 2**26  # bytes that are read at a time


def main(path: str, most_inflated: int) -> None:
    import os

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
        if item.nbytes > most_inflated * size:
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
    main(sys.argv[1], int(sys.argv[2]))

"""Script of :mod:`training.sources.isolated`: converts a file of MATLAB arrays to ``.npz``."""

import sys
import zipfile


def main(path: str, out: str) -> None:
    import numpy as np
    import scipy.io

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


def text_of(item: object) -> str:
    """The text in a cell, which is an array itself."""
    import numpy as np

    if isinstance(item, np.ndarray):
        return str(item.ravel()[0]) if item.size else ""
    return str(item)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

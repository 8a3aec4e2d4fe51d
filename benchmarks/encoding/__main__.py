"""``python -m benchmarks.encoding``."""

from benchmarks.encoding.cli import main

if __name__ == "__main__":
    main()

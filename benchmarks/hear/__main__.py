"""``python -m benchmarks.hear``."""

from benchmarks.hear.cli import main

if __name__ == "__main__":
    main()

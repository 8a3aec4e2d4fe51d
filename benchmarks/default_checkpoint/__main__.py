"""``python -m benchmarks.default_checkpoint``."""

from benchmarks.default_checkpoint.cli import main

if __name__ == "__main__":
    main()

"""``python -m benchmarks.development``."""

from benchmarks.development.cli import main

if __name__ == "__main__":
    main()

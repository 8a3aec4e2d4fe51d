"""``python -m benchmarks.correspondence``."""

from benchmarks.correspondence.cli import main

if __name__ == "__main__":
    main()

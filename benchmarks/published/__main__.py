"""``python -m benchmarks.published``."""

from benchmarks.published.cli import main

if __name__ == "__main__":
    main()

"""``python -m benchmarks.calibration``."""

from benchmarks.calibration.cli import main

if __name__ == "__main__":
    main()

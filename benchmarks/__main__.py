"""``python -m benchmarks``."""

from hear_brainsoundnet.interrupts import interruptible

if __name__ == "__main__":
    with interruptible("python -m benchmarks"):
        from benchmarks.cli import main

        main()

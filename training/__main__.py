"""``python -m training``."""

from hear_brainsoundnet.interrupts import interruptible

if __name__ == "__main__":
    with interruptible("python -m training"):
        from training.cli import main

        main()

"""``python -m hear_brainsoundnet`` is the command line."""

from hear_brainsoundnet.interrupts import interruptible


def main() -> None:
    """Entry point of ``hear-brainsoundnet``."""
    with interruptible("hear-brainsoundnet"):
        from hear_brainsoundnet.cli import main

        main()


if __name__ == "__main__":
    main()

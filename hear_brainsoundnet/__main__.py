"""``python -m hear_brainsoundnet`` is the command line."""

from hear_brainsoundnet.cli import main

if __name__ == "__main__":
    main()

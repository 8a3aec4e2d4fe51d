"""espeak-ng, used to synthesise speech in place of recordings."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def speak(text: str, path: Path, *, voice: str, words_per_minute: int) -> None:
    """Synthesise a text to a WAV file, mono at 22,050 Hz.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise FileNotFoundError(
            "espeak-ng is needed to make speech; install it (apt-get install espeak-ng), or give "
            "recordings of your own where the command takes some (--audio)"
        )
    speed = str(words_per_minute)
    command = [program, "-v", voice, "-s", speed, "-w", str(path), "--", text]
    subprocess.run(command, check=True)

"""Running a command-line program: every error is one line and an exit status, never a traceback.

The MP3 decoder inside libsndfile writes notes about damage to standard error without naming the
file. Relevant damage is reported by the reader's own errors and findings. While a command runs,
everything that libraries write to the descriptor goes through a pipe that drops these notes and
passes the rest on; Python's own messages and progress bars are not redirected.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn, TextIO

import typer

from hear_brainsoundnet.files import cannot_write, of_a_full_disk
from hear_brainsoundnet.interrupts import STATUS, interruptible

# What typer raises for a usage error: click's ClickException, or that of the copy of click
# bundled with newer versions of typer.
UsageProblem: Any = typer.BadParameter.__mro__[2]

FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)

STDERR = 2
_NOTE = re.compile(rb"(Note|Warning): |\[src/libmpg123/|\s*$")  # beginnings of lines


class WrongCall(Exception):
    """Invalid arguments; exit status 2."""


@contextmanager
def wrong_call(prefix: str = "") -> Iterator[None]:
    """Context in which a value that is refused, or a missing file, is an invalid argument."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise WrongCall(f"{prefix}{error}") from error


class Interrupted(Exception):
    """Ctrl-C, with the text that follows the word "interrupted"; exit status 130."""


def new_app(program: str, help_text: str) -> typer.Typer:
    """An app without commands; plain text, errors left to :func:`run_program`."""
    return typer.Typer(
        name=program,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def run_program(app: typer.Typer, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run `app` and exit: 0 success, 1 failure, 2 usage error, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):  # file names may not be encodable
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with decoder_notes_dropped(), interruptible(program):
            result: Any = app(arguments, prog_name=program, standalone_mode=False)
        status = result if isinstance(result, int) else 0
        if status == STATUS:  # how typer returns an interrupt
            say(program, "interrupted")
    except Interrupted as error:
        say(program, f"interrupted{error}")
        status = STATUS
    except UsageProblem as error:
        context = getattr(error, "ctx", None)
        command = program if context is None else context.command_path
        say(program, f"{error.format_message()} (see {command} --help)")
        status = 2
    except WrongCall as error:
        say(program, str(error))
        status = 2
    except OSError as error:
        say(program, in_words(error))
        status = 1
    except ValueError as error:
        say(program, str(error))
        status = 1
    except typer.Abort:
        say(program, "interrupted")
        status = STATUS
    sys.exit(status)


def in_words(error: OSError) -> str:
    """What happened to which file, and what to do about a full disk or missing permissions."""
    reason, place = error.strerror, error.filename2 or error.filename
    if not reason:
        return str(error)
    if place is None:
        return reason
    if of_a_full_disk(error):
        return cannot_write(Path(place), error).strerror or reason
    if error.errno in FORBIDDEN:
        return f"{place}: {reason}; see that you may read and write there, or choose another place"
    return f"{place}: {reason}"


def say(program: str, message: str) -> None:
    """One line on standard error."""
    print(f"{program}: {printable(' '.join(message.split()))}", file=sys.stderr)


def printable(text: str) -> str:
    """Text from a file, safe to show in a terminal: control characters are escaped.

    Line breaks stay. Control characters can drive a terminal, and bidirectional overrides show text
    out of order.

    Examples
    --------
    >>> printable("voices\\x1b[2J\\n")
    'voices\\\\x1b[2J\\n'
    """
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


@contextmanager
def decoder_notes_dropped() -> Iterator[None]:
    """Drop the decoder's notes; does nothing if standard error is closed or not Python's own."""
    stream = sys.stderr
    try:
        is_own = stream.fileno() == STDERR
        real = os.dup(STDERR)
    except (AttributeError, OSError, ValueError):
        yield
        return
    inlet, outlet = os.pipe()
    os.dup2(outlet, STDERR)
    os.close(outlet)
    passing_on = Thread(target=_pass_on, args=(inlet, real), daemon=True)
    passing_on.start()
    try:
        if not is_own:
            yield
            return
        with open(real, "w", buffering=1, errors="backslashreplace", closefd=False) as direct:
            _redirect(stream, direct)
            try:
                yield
            finally:
                _redirect(direct, stream)
    finally:
        os.dup2(real, STDERR)  # the last writer of the pipe, so that it ends
        passing_on.join(timeout=1)
        os.close(real)


def _redirect(old: TextIO, new: TextIO) -> None:
    """Redirect Python's standard error, and the log that goes there."""
    old.flush()
    sys.stderr = new
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is old:
            handler.setStream(new)


def _pass_on(inlet: int, real: int) -> None:
    with open(inlet, "rb", buffering=0) as pipe:
        rest = b""
        while content := pipe.read(2**16):
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                if not _NOTE.match(line):
                    os.write(real, line + b"\n")
        if rest and not _NOTE.match(rest):
            os.write(real, rest)

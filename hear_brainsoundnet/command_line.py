"""Running a command-line program: every error is one line and an exit status, never a traceback."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import typer

# What typer raises for a wrong call: click's ClickException, or that of the copy of click that
# newer versions of typer bring with them.
UsageProblem: Any = typer.BadParameter.__mro__[2]


class WrongCall(Exception):
    """The arguments cannot be meant; exit status 2."""


def new_app(program: str, help_text: str) -> typer.Typer:
    """An app without commands yet; plain text, errors left to :func:`run_program`."""
    return typer.Typer(
        name=program,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def run_program(app: typer.Typer, program: str, arguments: list[str] | None = None) -> NoReturn:
    """Run `app` and exit: 0 all well, 1 something failed, 2 a wrong call, 130 interrupted."""
    try:
        result: Any = app(arguments, prog_name=program, standalone_mode=False)
        status = result if isinstance(result, int) else 0
    except UsageProblem as error:
        say(program, f"{error.format_message()} (see {program} --help)")
        status = 2
    except WrongCall as error:
        say(program, str(error))
        status = 2
    except (ValueError, OSError) as error:
        say(program, str(error))
        status = 1
    except (KeyboardInterrupt, typer.Abort):
        say(program, "interrupted")
        status = 130
    sys.exit(status)


def say(program: str, message: str) -> None:
    """One line on standard error."""
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)

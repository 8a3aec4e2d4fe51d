"""Whether a documented command could be called: its program, command, options and recipe keys."""

from __future__ import annotations

import configparser
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from shell_lines import ROOT

from hear_brainsoundnet.command_line import UsageProblem

OTHERS = ("cat", "cd", "find", "ls", "git")  # programs that are not ours
PLACEHOLDER = re.compile(r"[A-Z_]+|\.\.\.|\[.*\]?")


def check(words: Sequence[str], *, is_whole: bool) -> None:
    """See that a simple command can be parsed, without doing anything.

    Parameters
    ----------
    words : sequence of str
        Program and arguments.
    is_whole : bool
        Whether all arguments must be there; else only that those which are there exist.

    Raises
    ------
    ValueError
        If not; says what is wrong.
    """
    program, *rest = words
    if program == "make":
        _check_targets(rest)
    elif program == "pip":
        if rest[:1] == ["install"]:  # what is only downloaded goes into no environment
            _check_requirements(rest[1:])
    elif program in ("accelerate", "torchrun"):
        if "-m" in rest:
            place = rest.index("-m")
            _check_launcher(program, rest[:place])
            check(["python", *rest[place:]], is_whole=is_whole)
    elif program.startswith("python") and rest[:1] == ["-m"]:
        _check_module(rest[1], rest[2:], is_whole)
    elif program == "hear-brainsoundnet":
        _check_module("hear_brainsoundnet", rest, is_whole)
    elif program not in ("hear-validator", *OTHERS):
        raise ValueError(
            f"{program!r} is no program that documents may name; fence text as ```text"
        )


def command_of(module: str) -> Any:
    """The click command of ``python -m MODULE``; None if it is another kind of program."""
    if module == "benchmarks":
        from benchmarks.cli import BENCHMARKS, app_of

        app = typer.Typer(rich_markup_mode=None)
        for name in BENCHMARKS:
            app.add_typer(app_of(name), name=name)
        return typer.main.get_command(app)
    try:
        return typer.main.get_command(importlib.import_module(f"{module}.cli").app)
    except ModuleNotFoundError:
        return None


def _check_module(module: str, words: list[str], is_whole: bool) -> None:
    if module.startswith("heareval"):
        return  # another package; its lines are run
    command = command_of(module)
    if command is None:
        if not (ROOT / Path(*module.split("."))).with_suffix(".py").exists():
            raise ValueError(f"there is no program python -m {module}")
        return
    while hasattr(command, "commands"):
        if not words or PLACEHOLDER.fullmatch(words[0]) or words[0] == "--help":
            if is_whole and not words:
                raise ValueError(f"python -m {module} needs a command")
            return
        named = [word for word in words if word not in ("|", "...")] if "|" in words else words[:1]
        for name in named:
            if name not in command.commands:
                raise ValueError(f"{name!r} is no command of {module}")
        if len(named) > 1:
            return
        command, words = command.commands[words[0]], words[1:]
    _check_options(command, words, is_whole)
    if hasattr(command, "settings"):
        _check_changes(command, words)


def _check_options(command: Any, words: list[str], is_whole: bool) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {option for parameter in command.params for option in parameter.secondary_opts}
    unknown = [
        word.partition("=")[0]
        for word in words
        if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in {*options, "--help"}
    ]
    if unknown:
        raise ValueError(f"{command.name} has no option {', '.join(unknown)}")
    if not is_whole:
        return
    try:
        command.make_context(command.name, list(words))
    except UsageProblem as error:
        raise ValueError(error.format_message()) from error


def _check_changes(command: Any, words: list[str]) -> None:
    """Settings ``a.b=value`` name fields of the model; a recipe of ours is read with them."""
    model: type[BaseModel] = command.settings()
    changes = [word for word in words if re.match(r"[a-z_.]+=", word)]
    for change in changes:
        fields = change.partition("=")[0].split(".")
        _check_field(model, fields, change)
    recipes = [word for word in words if word.endswith(".yaml") and (ROOT / word).exists()]
    if recipes:
        from training.config import read_recipe
        from training.sweep.grid import read_sweep

        if command.name == "sweep":
            read_sweep(ROOT / recipes[0], changes).fits()
        else:
            read_recipe(ROOT / recipes[0], model, changes)


def _check_field(model: Any, fields: list[str], change: str) -> None:
    first, *rest = fields
    known = getattr(model, "model_fields", None)
    if known is None:
        return  # a mapping, or a union of sources: read_recipe has the word
    if first not in known:
        raise ValueError(f"{change}: {model.__name__} has no key {first!r}")
    if rest:
        _check_field(known[first].annotation, rest, change)


def _check_targets(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        if "=" in word:
            variable = word.partition("=")[0]
            if not re.search(rf"^{variable} *\?=", makefile, re.MULTILINE):
                raise ValueError(f"the Makefile has no variable {variable}")
        elif not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            raise ValueError(f"the Makefile has no target {word}")


def _check_requirements(words: list[str]) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    for word in words:
        extras = re.fullmatch(r"(?:\.|hear-brainsoundnet)(?:\[([\w,-]+)\])?", word)
        if extras and extras[1]:
            missing = set(extras[1].split(",")) - set(setup["options.extras_require"])
            if missing:
                raise ValueError(f"setup.cfg has no extras {', '.join(missing)}")
        elif "==" in word and word not in pinned:
            raise ValueError(f"{word} is not what constraints.txt has")


def _check_launcher(program: str, words: list[str]) -> None:
    if program == "torchrun":
        from torch.distributed.run import get_args_parser

        parser = get_args_parser()
    elif words[:1] == ["launch"]:
        from accelerate.commands.launch import launch_command_parser

        parser = launch_command_parser()
    else:
        return
    known = {option for action in parser._actions for option in action.option_strings}
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in known:
            raise ValueError(f"{program} has no option {option}")

"""Kill a job at each of its operations on files, then see what its next start makes of the rest.

:func:`killed_everywhere` runs a job again and again in a process of its own. The n-th time the
process ends without any clean-up, as after SIGKILL, at the n-th operation on the files of the
job's folder: before the operation, and where a file is opened for writing, after that as well, when
it is there and empty. Then the job is started once more, undisturbed, and what it leaves has to be
what it leaves when nothing happens. Operations are those that Python announces to audit hooks:
files opened for writing, renamed, removed, cut; folders made and removed.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from result_folders import contents

KILLED = 137
SECONDS = 300  # that a job may take
# Audit events, and which of their arguments are a path and the descriptor that it is relative to.
EVENTS = {
    "open": (0, None),
    "os.rename": (0, 2),
    "os.remove": (0, 1),
    "os.mkdir": (0, 2),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
    "os.link": (1, 3),
    "os.symlink": (1, 2),
}
FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

Job = Callable[[Path], object]  # gets the folder that it writes to; has to be picklable


@dataclass
class Kills:
    """What :func:`killed_everywhere` did.

    Attributes
    ----------
    places : list of str
        Where the job was killed, one operation each.
    wrong : dict of str
        Place to what was wrong after the next start; empty where all is well.
    """

    places: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)


def killed_everywhere(
    job: Job,
    folder: Path,
    expected: Mapping[str, object],
    *,
    again: Job | None = None,
    before: Path | None = None,
    read: Callable[[Path], Mapping[str, object]] = contents,
    preload: Sequence[str] = (),
    every: int = 1,
    second_kill: int = 0,
) -> Kills:
    """Kill a job at each of its operations on files and start it again.

    Parameters
    ----------
    job : callable
        Gets `folder`. A function of a module (or a partial of one), since it runs elsewhere.
    folder : Path
        What it writes to; removed before each kill.
    expected : mapping
        What `read` gives for the folder of an undisturbed job.
    again : callable, optional
        The next start, if it is called in another way.
    before : Path, optional
        What `folder` is a copy of each time.
    read : callable
        What is compared.
    preload : sequence of str
        Modules that are imported once for all starts.
    every : int
        Kill at every so many operations only.
    second_kill : int
        Where the next start is killed, too, before the undisturbed one; 0 for nowhere.

    Returns
    -------
    Kills
        Nothing is raised for what went wrong, so that a test can show all of it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "kills", *preload])
    log = folder.with_name(f"{folder.name}.kills.log")
    again = again or job
    kills = Kills()
    for n in range(1, 100_000, every):
        for after in (False, True):
            _restore(folder, before)
            status = _start(context, _die_at, job, folder, log, n, after)
            logged = log.read_text()
            if status == 0:
                return kills
            if status != KILLED:
                kills.wrong[f"{n}"] = f"it failed before it was killed:\n{logged}"
                return kills
            if after and not logged.startswith("open"):
                continue  # the state before the next operation is the same
            place = f"{n} {'after' if after else 'before'} {logged}"
            kills.places.append(place)
            if second_kill:
                _start(context, _die_at, again, folder, log, second_kill, False)
            if status := _start(context, _undisturbed, again, folder, log):
                kills.wrong[place] = f"the next start ended with {status}:\n{log.read_text()}"
            elif (found := read(folder)) != expected:
                kills.wrong[place] = _difference(found, expected)
    raise RuntimeError("the job never came to its end")


def undisturbed(job: Job, folder: Path, *, preload: Sequence[str] = ()) -> None:
    """Run a job as :func:`killed_everywhere` runs it, without a kill."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "kills", *preload])
    log = folder.with_name(f"{folder.name}.kills.log")
    if status := _start(context, _undisturbed, job, folder, log):
        raise RuntimeError(f"the job ended with {status}:\n{log.read_text()}")


def _restore(folder: Path, before: Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, folder)


def _start(
    context: Any, target: Callable[..., None], job: Job, folder: Path, log: Path, *arguments: object
) -> int:
    log.write_text("")
    process = context.Process(target=target, args=(job, folder, log, *arguments))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
        log.write_text(f"no end within {SECONDS} s")
    return int(process.exitcode)


def _undisturbed(job: Job, folder: Path, log: Path) -> None:
    """Run the job in this process; what it raises goes into the log."""
    try:
        job(folder)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            log.write_text(f"exit status {stop.code}")
            os._exit(1)
    except BaseException:
        log.write_text(traceback.format_exc())
        os._exit(1)


def _die_at(job: Job, folder: Path, log: Path, n: int, after: bool) -> None:
    """Run the job in this process and end it at its n-th operation on files of `folder`."""
    root = os.path.abspath(folder)
    seen = 0
    dying = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen, dying
        if dying or event not in EVENTS:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & FOR_WRITING):
            return
        path = _path(event, arguments)
        if path is None or not (path == root or path.startswith(root + os.sep)):
            return
        seen += 1
        if seen < n:
            return
        dying = True
        log.write_text(f"{event} {os.path.relpath(path, root)}")
        if after and event == "open":
            os.close(os.open(path, arguments[2], 0o666))
        os._exit(KILLED)

    sys.addaudithook(hook)
    _undisturbed(job, folder, log)


def _path(event: str, arguments: tuple[Any, ...]) -> str | None:
    """The path of an event; None where it is an open file."""
    at, relative_to = EVENTS[event]
    path = arguments[at]
    if isinstance(path, int):
        return None
    path = os.fsdecode(path)
    descriptor = -1 if relative_to is None else arguments[relative_to]
    if isinstance(descriptor, int) and descriptor >= 0 and not os.path.isabs(path):
        path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), path)
    return os.path.abspath(path)


def _difference(found: Mapping[str, object], expected: Mapping[str, object]) -> str:
    missing, surplus = sorted(expected.keys() - found), sorted(found.keys() - expected)
    other = sorted(name for name in expected.keys() & found if expected[name] != found[name])
    return f"missing {missing}, surplus {surplus}, different {other}"

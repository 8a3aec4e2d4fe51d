"""Parallel calls in worker processes, which end with their parent."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

T = TypeVar("T")


def in_processes(
    function: Callable[..., T], calls: Sequence[tuple[Any, ...]], n_workers: int
) -> Iterator[tuple[int, T]]:
    """Results of a function for each of `calls`, with their index, in order of completion.

    With one worker, or one call, everything runs in this process and in order. Otherwise the
    function and its arguments have to be picklable. An error, and Ctrl-C, ends all workers at once.

    Raises
    ------
    RuntimeError
        If a worker was killed.

    Examples
    --------
    >>> list(in_processes(max, [(1, 2), (5, 3)], n_workers=1))
    [(0, 2), (1, 5)]
    """
    if n_workers <= 1 or len(calls) <= 1:
        for i, arguments in enumerate(calls):
            yield i, function(*arguments)
        return
    waiting = iter(enumerate(calls))
    running: dict[Future[T], int] = {}
    # "spawn": a forked process would inherit locks held by other threads
    executor = ProcessPoolExecutor(
        min(n_workers, len(calls)), mp_context=get_context("spawn"), initializer=_begin
    )
    try:
        while True:
            for i, arguments in islice(waiting, 2 * n_workers - len(running)):
                running[executor.submit(function, *arguments)] = i
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield running.pop(future), future.result()
        executor.shutdown()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a worker process was killed, often for lack of memory; use fewer --workers and start "
            "again: finished work is kept"
        ) from error
    finally:
        for process in list((getattr(executor, "_processes", None) or {}).values()):
            process.terminate()
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent handles it

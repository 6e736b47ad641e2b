"""Work over processes: results as they come, an end on request, and no wait for a process that is gone.

Never here: what is worked on.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import click

Task = TypeVar("Task")
Result = TypeVar("Result")
ASKED_EVERY_S = 0.2
GONE_WITHIN_S = 5.0
HANDED_OUT = 2  # to each process: one at work, one ready


def results(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    prepare: Callable[..., object],
    given: tuple[object, ...],
    goes_on: Callable[[], bool],
) -> Iterator[Result]:
    """`function` of each task, in no order, one process a processor, each `prepare(*given)`d first.

    Ends early when `goes_on` says no; asked a few times a second. Processes are not replaced after some tasks: on that
    the pool of Python 3.11 and later comes to a stop (python/cpython#115634). Tasks are handed out as they are taken,
    since some versions stop at many at once, too (#105829). Raises ClickException if one is ended from outside (no
    memory left, say): its tasks would never come back.
    """
    spawn = multiprocessing.get_context("spawn")
    workers = len(os.sched_getaffinity(0))
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, spawn, prepare, given)
    left = iter(tasks)
    try:
        waiting = {pool.submit(function, task) for task in itertools.islice(left, HANDED_OUT * workers)}
        while waiting and goes_on():
            done, waiting = wait(waiting, ASKED_EVERY_S, FIRST_COMPLETED)
            waiting |= {pool.submit(function, task) for task in itertools.islice(left, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise click.ClickException("a process of this search was ended from outside; is there memory left?") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
            child.join(GONE_WITHIN_S)

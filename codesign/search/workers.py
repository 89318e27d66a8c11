"""Evaluation in several processes; the answers are those of one process, only sooner."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from codesign.search.trial import Evaluate, Outcome
from codesign.space import Point

_evaluate: Evaluate | None = None
"""What this worker process evaluates with: sent once, not with every point."""


def cores() -> int:
    """Return how many cores this process may use, which can be fewer than there are."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


@contextmanager
def workers(evaluate: Evaluate, count: int) -> Iterator[Executor | None]:
    """Give a pool of `count` processes that call `evaluate`, or None where one is enough.

    Submit `work` to it. The processes end with the block, with an interrupt and with the parent.
    """
    if count < 2:
        yield None
        return
    # not fork: the parent may hold locks and threads of numerical libraries
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(evaluate,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def work(point: Point, number: int, seed: int, *hint: Any) -> tuple[Outcome, float]:
    """Evaluate a point in a worker; return the outcome and the seconds that it took."""
    if _evaluate is None:
        raise RuntimeError("work() runs in the processes of workers() only")
    start = time.perf_counter()
    return _evaluate(point, number, seed, *hint), time.perf_counter() - start


def _begin(evaluate: Evaluate) -> None:
    global _evaluate  # noqa: PLW0603 (a worker process has nowhere else to keep it)
    _evaluate = evaluate
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as of jobs in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when its parent is gone, however that happened."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)

"""Threads that tenants share: a tenant with much work waits for its own work, and others do not.

A pool of threads works in the order in which it is asked. Sixty jobs of a second each that one tenant sends would keep
another's single one for a minute. Here each tenant has a limited number of jobs in the pool; its other jobs wait in a
line of its own, and each joins the end of the pool when its turn comes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from mainspring.core.fair.lane import LANE

Given = ParamSpec("Given")
Made = TypeVar("Made")

THREADS = max(12, (os.cpu_count() or 1) + 4)
"""Threads of the event loop's own pool, for all work off the loop."""


@dataclass(eq=False, slots=True)
class _Lane:
    running: list[_Job] = field(default_factory=list)
    waiting: deque[_Job] = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class _Job:
    future: Future[Any]
    work: Callable[[], Any]

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class FairThreads(ThreadPoolExecutor):
    """``threads`` threads, of which one tenant has jobs for ``each`` at a time (0: for a third of them)."""

    def __init__(self, threads: int = THREADS, name: str = "mainspring", each: int = 0) -> None:
        super().__init__(threads, name)
        self._threads_of = {"": threads}
        self._each = each or max(1, threads // 3)
        self._lock = Lock()
        self._lanes: dict[str, _Lane] = {}

    def waiting(self) -> int:
        """The jobs of the current tenant that are waiting or running."""
        with self._lock:
            lane = self._lanes.get(LANE.get())
            # Whoever awaits a job goes on before its thread has taken it out of the lane.
            return 0 if lane is None else sum(not job.future.done() for job in (*lane.running, *lane.waiting))

    def submit(self, fn: Callable[Given, Made], /, *args: Given.args, **kwargs: Given.kwargs) -> Future[Made]:
        """Run it in the turn of the current tenant. Raises ``RuntimeError`` after the end."""
        name = LANE.get()
        job = _Job(Future(), lambda: fn(*args, **kwargs))
        with self._lock:
            lane = self._lanes.setdefault(name, _Lane())
            if len(lane.running) >= self._threads_of.get(name, self._each):
                lane.waiting.append(job)
                return job.future
            lane.running.append(job)
        try:
            super().submit(self._run, name, lane, job)
        except RuntimeError:
            ended = job
            while (left := self._next(name, lane, ended)) is not None:
                left.future.cancel()
                ended = left
            raise
        return job.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of the class above: what waits is done or, with ``cancel_futures``, cancelled."""
        if cancel_futures:
            with self._lock:
                for lane in self._lanes.values():
                    for job in lane.waiting:
                        job.future.cancel()
        super().shutdown(wait, cancel_futures=cancel_futures)

    def _run(self, name: str, lane: _Lane, first: _Job) -> None:
        job: _Job | None = first
        while job is not None:
            job.run()
            job = self._next(name, lane, job)
            if job is None:
                return
            try:
                # Behind all that others have in the pool.
                super().submit(self._run, name, lane, job)
            except RuntimeError:
                # The pool ends and takes nothing new: this thread does the accepted jobs.
                continue
            return

    def _next(self, name: str, lane: _Lane, ended: _Job) -> _Job | None:
        with self._lock:
            lane.running.remove(ended)
            while lane.waiting:
                job = lane.waiting.popleft()
                if not job.future.done():
                    lane.running.append(job)
                    return job
            if not lane.running:
                self._lanes.pop(name, None)
            return None

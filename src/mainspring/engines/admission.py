"""Which waiting sequences may run: a bounded number at once, within the capacity of the KV cache.

The inference runtime enforces neither bound by itself, and preempts and recomputes when its cache is full; so a
sequence is admitted only when all the tokens that it may ever need fit beside those of the others.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass(order=True, slots=True)
class _Waiting(Generic[Job]):
    rank: tuple[int, int]
    job: Job = field(compare=False)
    width: int = field(compare=False)
    tokens: int = field(compare=False)


class Admission(Generic[Job]):
    """Admits by priority (higher first), then by order of arrival; the head of the line is never overtaken.

    ``width`` is how many sequences a job runs at once (beams), ``tokens`` the most KV tokens it can occupy.
    """

    def __init__(self, max_sequences: int, kv_tokens: int) -> None:
        self.max_sequences = max_sequences
        self.kv_tokens = kv_tokens
        self.running = 0
        self.reserved = 0
        self._queue: list[_Waiting[Job]] = []
        self._order = 0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def arrive(self) -> int:
        """A place in the line; jobs that belong together share one."""
        self._order += 1
        return self._order

    def push(self, job: Job, *, place: int, priority: int, width: int, tokens: int) -> None:
        """Queue a job. ``ValueError`` when it could not run even alone."""
        if width > self.max_sequences or tokens > self.kv_tokens:
            raise ValueError("the job exceeds the engine's capacity")
        heapq.heappush(self._queue, _Waiting((-priority, place), job, width, tokens))

    def pop(self) -> Job | None:
        """The next job that may run now, its share reserved; None when there is none or it does not fit yet."""
        if not self._queue:
            return None
        head = self._queue[0]
        if self.running + head.width > self.max_sequences or self.reserved + head.tokens > self.kv_tokens:
            return None
        heapq.heappop(self._queue)
        self.running += head.width
        self.reserved += head.tokens
        return head.job

    def release(self, *, width: int, tokens: int) -> None:
        """Give a finished job's share back."""
        self.running -= width
        self.reserved -= tokens

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the line; whether it was there."""
        kept = [entry for entry in self._queue if entry.job is not job]
        found = len(kept) != len(self._queue)
        if found:
            self._queue = kept
            heapq.heapify(self._queue)
        return found

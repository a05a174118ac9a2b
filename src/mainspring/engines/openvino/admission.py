"""Admits waiting sequences: a bounded number at once, within the capacity of the KV cache.

The inference runtime enforces neither bound, and preempts and recomputes when its cache is full; a sequence is
therefore admitted only when its maximum of tokens fits beside the others'.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mainspring.engines.openvino.slots import SlotCapacity

Job = TypeVar("Job")


@dataclass(order=True, slots=True)
class _Waiting(Generic[Job]):
    rank: tuple[int, int]
    job: Job = field(compare=False)
    width: int = field(compare=False)
    tokens: int = field(compare=False)


class Admission(Generic[Job]):
    """Admits by priority (higher first), then by arrival. The head of a tenant's queue is never overtaken within the
    tenant, and by another tenant only if that one is below its share and this one is not (``SlotCapacity``).

    ``width`` is how many sequences a job runs at once (beams), ``tokens`` the most KV tokens it can occupy. ``spare``
    slots beyond ``max_sequences`` are for tenants below their share.
    """

    def __init__(self, max_sequences: int, kv_tokens: int, *, spare: int = 0) -> None:
        self.room = SlotCapacity(max_sequences, kv_tokens, spare=spare)
        self._lines: dict[str, list[_Waiting[Job]]] = {}
        self._order = 0

    @property
    def max_sequences(self) -> int:
        """The maximum that one tenant may run at once."""
        return self.room.sequences

    @property
    def kv_tokens(self) -> int:
        return self.room.kv_tokens

    @property
    def running(self) -> int:
        return self.room.slots

    @property
    def reserved(self) -> int:
        return self.room.tokens

    @property
    def waiting(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def arrive(self) -> int:
        """A place in the line; jobs that belong together share one."""
        self._order += 1
        return self._order

    def push(self, job: Job, *, place: int, priority: int, width: int, tokens: int, tenant: str = "") -> None:
        """Queue a job. ``ValueError`` when it could not run even alone."""
        if width > self.max_sequences or tokens > self.kv_tokens:
            raise ValueError("the job exceeds the engine's capacity")
        heapq.heappush(self._lines.setdefault(tenant, []), _Waiting((-priority, place), job, width, tokens))

    def pop(self) -> Job | None:
        """The next job that may run now, with its share reserved; None if there is none or it does not fit yet."""
        held = False
        for tenant, line in sorted(self._lines.items(), key=lambda each: each[1][0].rank):
            head = line[0]
            below = self.room.below(tenant, head.width, head.tokens)
            if self.room.fits(tenant, head.width, head.tokens) and (below or not held):
                heapq.heappop(line)
                if not line:
                    del self._lines[tenant]
                self.room.take(tenant, head.width, head.tokens)
                return head.job
            if below:
                # It has a right to the next room.
                return None
            held = True
        return None

    def release(self, *, width: int, tokens: int, tenant: str = "") -> None:
        """Give a finished job's share back."""
        self.room.give(tenant, width, tokens)

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the line; whether it was there."""
        for tenant, line in self._lines.items():
            kept = [entry for entry in line if entry.job is not job]
            if len(kept) != len(line):
                heapq.heapify(kept)
                self._lines[tenant] = kept
                if not kept:
                    del self._lines[tenant]
                return True
        return False

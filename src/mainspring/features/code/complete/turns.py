"""The completions that an editor waits for: a newer one ends an older one, and one that is typed into is remembered."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from mainspring.core.errors import Conflict

T = TypeVar("T")
Editor = tuple[str, str, str]
"""Tenant, person, and the editor's own name."""
_MOST_TEXTS, _MOST_PLACES = 8, 2_048


class Turns:
    """One completion at a time for each editor."""

    def __init__(self) -> None:
        self._running: dict[Editor, asyncio.Task[Any]] = {}
        self._superseded: set[asyncio.Task[Any]] = set()

    async def take(self, editor: Editor, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work``, and end what runs for ``editor``. Raises ``Conflict`` when a newer one has come."""
        task = asyncio.ensure_future(work)
        older = self._running.get(editor)
        if older is not None:
            self._superseded.add(older)
            older.cancel()
        self._running[editor] = task
        try:
            return await task
        except asyncio.CancelledError:
            if task in self._superseded:
                raise Conflict(
                    "a newer completion of this editor has taken the place of this one",
                    remedy="Show the newer one, or send another editor's name",
                ) from None
            raise
        finally:
            self._superseded.discard(task)
            if self._running.get(editor) is task:
                del self._running[editor]


class Remembered:
    """Recent completions by their place: somebody who types what one proposed gets the rest of it at once.

    They are held in memory for ``seconds``, and for the same caller, file and text behind the cursor.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._places: OrderedDict[str, list[tuple[float, str, str]]] = OrderedDict()

    @staticmethod
    def key(*parts: str) -> str:
        """Of the caller, the file and the text behind the cursor."""
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()

    def find(self, key: str, before: str) -> str | None:
        """The rest of a completion that ``before`` has begun to type; None if there is none."""
        now = self._now()
        for until, at, text in reversed(self._places.get(key, ())):
            typed = before[len(at) :]
            if until > now and before.startswith(at) and text.startswith(typed) and len(text) > len(typed):
                return text[len(typed) :]
        return None

    def keep(self, key: str, before: str, text: str) -> None:
        """Remember ``text`` for the place behind ``before``."""
        if not text or not self._seconds:
            return
        kept = self._places.setdefault(key, [])
        kept.append((self._now() + self._seconds, before, text))
        del kept[:-_MOST_TEXTS]
        self._places.move_to_end(key)
        while len(self._places) > _MOST_PLACES:
            self._places.popitem(last=False)

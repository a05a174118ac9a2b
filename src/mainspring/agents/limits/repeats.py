"""Finds agents that make no progress: the same call with the same result again, or only failures."""

from __future__ import annotations

from typing import Any

import orjson

from mainspring.agents.errors import LimitReached

TOLD_AFTER, ENDED_AFTER = 2, 4
"""After how many equal calls with equal results the next one is not made, and after how many the agent is stopped."""
FAILURES = 6
"""Turns in a row in which every call fails, before the agent is stopped."""


class Repeats:
    """The calls of one agent in one run, and how often each had the same result."""

    __slots__ = ("_agent", "_failed", "_seen")

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._seen: dict[bytes, tuple[str, int]] = {}
        self._failed = 0

    def refusal(self, name: str, arguments: Any) -> str:
        """Why a call is not made again, in words for the model; empty: it is made. Raises ``LimitReached``."""
        if not self._seen:
            return ""
        key = _key(name, arguments)
        result, count = self._seen.get(key, ("", 0))
        if count < TOLD_AFTER:
            return ""
        if count >= ENDED_AFTER:
            raise self._stuck(f"it called {name} with the same arguments {count + 1} times")
        self._seen[key] = result, count + 1
        return (
            f"You have called {name} with these arguments {count} times, with the same result. It is not called again: "
            "use that result, try something else, or answer with what you know."
        )

    def made(self, name: str, arguments: Any, result: str) -> None:
        """A call was made, and that is its result."""
        key = _key(name, arguments)
        before, count = self._seen.get(key, ("", 0))
        self._seen[key] = (result, count + 1 if before == result else 1)

    def turn(self, failed: bool) -> None:
        """A turn of calls has ended; ``failed``: every one of them. Raises ``LimitReached``."""
        self._failed = self._failed + 1 if failed else 0
        if self._failed >= FAILURES:
            raise self._stuck(f"all its calls failed {self._failed} times in a row")

    def _stuck(self, why: str) -> LimitReached:
        return LimitReached(f"The agent {self._agent} makes no progress: {why}", limit="no_progress", owner=self._agent)


def _key(name: str, arguments: Any) -> bytes:
    return name.encode() + b"\0" + orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)

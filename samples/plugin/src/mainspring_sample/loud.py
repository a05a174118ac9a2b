"""A guard: who shouts is asked to calm down."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter

from mainspring.guards.policy.scanners import Found

_WORD = re.compile(r"[A-Z]{3,}")


class Loud:
    """Finds texts in which ``least`` words and more are in capitals. Implements ``TextGuard``."""

    version = "1"

    def __init__(self, least: int, metrics: CollectorRegistry) -> None:
        self._least = least
        self._heard = Counter("sample_loud_texts", "Texts that were shouted.", registry=metrics)

    async def scan(self, text: str, role: str) -> Sequence[Found]:
        words = _WORD.findall(text)
        if len(words) < self._least:
            return ()
        self._heard.inc()
        return [Found("shouting", len(words))]

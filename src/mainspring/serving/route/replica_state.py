"""The state of one replica: its running calls, its latest answers, and whether it may be called."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.core.settings.serving.routing import BalanceSettings
from mainspring.core.types import Responder
from mainspring.serving.route.breaker import Breaker
from mainspring.serving.route.replica_choice import KnownBlocks, ReplicaSnapshot

State = Literal["ready", "starting", "draining", "drained", "open", "half_open", "paused", "full"]
DECAY_S = 10.0
SAMPLES = 256
# A quantile of fewer times says nothing.
ENOUGH = 20
LATEST = 5
"""The number of latest times that describe the present: a single long prompt among them has no effect."""
FEWEST = 3


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Replica:
    """One of several that give the same answers. ``patience_s`` limits the time to its first token (None: until the
    deadline). ``local``: it runs here, and its death is seen at once. ``ready`` says whether it can answer now. With
    ``rate_limited``, ``concurrency`` answers at a time are its maximum (0: none). ``region`` is its location."""

    name: str
    responder: Responder
    weight: float = 1.0
    concurrency: int = 0
    patience_s: float | None = None
    local: bool = False
    ready: Callable[[], bool] = _always
    region: str = ""


class Arm:
    """A replica and its record."""

    def __init__(self, replica: Replica, settings: BalanceSettings) -> None:
        self.replica = replica
        self.name = replica.name
        self.breaker = Breaker(settings)
        self.known = KnownBlocks()
        self.tokens = 0
        self.running = 0
        self.served = 0
        self.last = 0
        self.failures = 0
        self.drained = False
        self.paused_until = 0.0
        self._expected_s = 0.0
        self._expected_at = 0.0
        self._firsts: deque[float] = deque(maxlen=SAMPLES)

    def state(self, now: float) -> State:
        """Why it may not be asked; ``ready`` or ``half_open`` where it may."""
        if self.drained:
            return "draining" if self.running else "drained"
        if not self.replica.ready():
            return "starting"
        if now < self.paused_until:
            return "paused"
        if self.replica.concurrency and self.running >= self.replica.concurrency:
            return "full"
        state = self.breaker.state(now)
        if state == "closed":
            return "ready"
        # A half-open breaker permits only the first call.
        return "half_open" if self.breaker.allows(now) else "open"

    def snapshot(self, now: float, blocks: Sequence[int]) -> ReplicaSnapshot:
        """It, as a choice sees it."""
        return ReplicaSnapshot(
            self.name,
            self.replica.weight,
            self.tokens,
            self.running,
            self.expected_s(now),
            self.last,
            self.known.held(blocks) if blocks else 0,
        )

    def expected_s(self, now: float) -> float:
        """The time to the first token: it rises at once after a slow one and falls back within some ten seconds."""
        # A replica that was slow long ago must be tried again, or nobody would notice that it has become fast.
        return self._expected_s * math.exp(-max(0.0, now - self._expected_at - DECAY_S) / DECAY_S)

    def note_first(self, now: float, seconds: float) -> None:
        """A first token took ``seconds``."""
        self._firsts.append(seconds)
        expected = self.expected_s(now)
        if seconds >= expected:
            self._expected_s = seconds
        else:
            keep = math.exp(-max(0.0, now - self._expected_at) / DECAY_S)
            self._expected_s = expected * keep + seconds * (1 - keep)
        self._expected_at = now

    def usual_s(self, now: float) -> float | None:
        """The median of the latest times to the first token; None if too few are known or they are old: a slow replica
        must be tried again."""
        if len(self._firsts) < FEWEST or now - self._expected_at > DECAY_S:
            return None
        latest = sorted(itertools.islice(reversed(self._firsts), LATEST))
        return latest[len(latest) // 2]

    def first_quantile(self, share: float) -> float | None:
        """The time within which ``share`` of the latest first tokens came; None while too few have."""
        if len(self._firsts) < ENOUGH:
            return None
        ordered = sorted(self._firsts)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    def view(self, now: float) -> dict[str, Any]:
        """It, for operators."""
        median = self.first_quantile(0.5)
        return {
            "name": self.name,
            "state": self.state(now),
            "weight": self.replica.weight,
            "running": self.running,
            "outstanding_tokens": self.tokens,
            "served": self.served,
            "failures": self.failures,
            "error_rate": round(self.breaker.rate(now), 4),
            "breaker": self.breaker.state(now),
            "asked_again_in_s": round(max(self.breaker.reopens_in(now), self.paused_until - now, 0.0), 3),
            "first_token_s": None if median is None else round(median, 4),
        }

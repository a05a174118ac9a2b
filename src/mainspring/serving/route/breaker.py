"""A circuit breaker: a target that fails repeatedly is left alone for a while, then tried with a single call."""

from __future__ import annotations

import random
from collections import deque
from typing import Literal

from mainspring.core.settings.serving.routing import BalanceSettings

State = Literal["closed", "half_open", "open"]


class Breaker:
    """Opens after ``failures`` in a row, or at ``error_rate`` of at least ``min_calls`` within ``window_s``.

    An open breaker permits no call until its pause is over. Then one call may pass (half open): its first token closes
    the breaker, and its failure opens it for twice as long. Times are seconds of one monotonic clock, given by the
    caller.
    """

    def __init__(self, settings: BalanceSettings, rng: random.Random | None = None) -> None:
        self._settings = settings
        self._rng = rng or random.Random()
        self._calls: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._in_a_row = 0
        self._pause = settings.cooldown_s
        self._opened_until: float | None = None
        self._probing = False

    def state(self, now: float) -> State:
        if self._opened_until is None:
            return "closed"
        return "open" if now < self._opened_until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether a call may pass."""
        if self._opened_until is None:
            return True
        return now >= self._opened_until and not self._probing

    def reopens_in(self, now: float) -> float:
        """Seconds until the next call may pass; 0 if one may now."""
        return 0.0 if self._opened_until is None else max(0.0, self._opened_until - now)

    def begin(self, now: float) -> bool:
        """Note that a call passes; whether it is the probe. Tell its end by ``answered``, ``failed`` or ``left``."""
        if self.state(now) != "half_open":
            return False
        self._probing = True
        return True

    def answered(self, *, probe: bool) -> None:
        """The first token came."""
        if probe:
            self._probing = False
            self._opened_until = None
            self._pause = self._settings.cooldown_s
            self._calls.clear()
            self._failed = self._in_a_row = 0

    def left(self, *, probe: bool) -> None:
        """The caller left before there was a verdict."""
        if probe:
            self._probing = False

    def succeeded(self, now: float) -> None:
        """A call ended well."""
        self._in_a_row = 0
        self._note(now, failed=False)

    def failed(self, now: float, *, probe: bool) -> None:
        """A call failed, before or after its first token."""
        if probe:
            self._probing = False
            self._open(now)
            return
        self._in_a_row += 1
        self._note(now, failed=True)
        if self._opened_until is None and self._broken():
            self._open(now)

    def rate(self, now: float) -> float:
        """Failures as a share of the calls within the window."""
        self._forget(now)
        return self._failed / len(self._calls) if self._calls else 0.0

    def _broken(self) -> bool:
        settings, calls = self._settings, len(self._calls)
        if self._in_a_row >= settings.failures:
            return True
        return calls >= settings.min_calls and self._failed >= settings.error_rate * calls

    def _open(self, now: float) -> None:
        # Jitter keeps the probes of many gateways apart.
        self._opened_until = now + self._pause * self._rng.uniform(0.8, 1.2)
        self._pause = min(2 * self._pause, self._settings.longest_cooldown_s)

    def _note(self, now: float, *, failed: bool) -> None:
        self._forget(now)
        self._calls.append((now, failed))
        self._failed += failed

    def _forget(self, now: float) -> None:
        calls, start = self._calls, now - self._settings.window_s
        while calls and calls[0][0] < start:
            self._failed -= calls.popleft()[1]

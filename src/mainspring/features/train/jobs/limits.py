"""When a run may work, and for how long."""

from __future__ import annotations

import time
from dataclasses import dataclass

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Night:
    """A window of each day in local time, in minutes since midnight; it may pass midnight."""

    begins: int
    ends: int

    @classmethod
    def parse(cls, text: str) -> Night:
        """``22:00-06:00``."""
        first, _, last = text.partition("-")
        return cls(_minutes(first), _minutes(last))

    def left_s(self, now: float) -> float:
        """Seconds until it ends; 0: it is day. A window that ends when it begins lasts all day."""
        local = time.localtime(now)
        second = (local.tm_hour * 60 + local.tm_min) * 60 + local.tm_sec
        begins, ends = self.begins * 60, self.ends * 60
        length = (ends - begins) % _DAY_S or _DAY_S
        gone = (second - begins) % _DAY_S
        return float(length - gone) if gone < length else 0.0


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def most_seconds(asked: float | None, usd: float | None, per_hour: float, most: float) -> float:
    """The seconds that a run may take in all: what it asks for, what its money buys at the price of the machine
    (US dollars an hour; 0: it costs nothing), and ``most``."""
    found = [most]
    if asked is not None:
        found.append(asked)
    if usd is not None and per_hour > 0:
        found.append(usd / per_hour * 3600)
    return min(found)

"""What a record of another system says, before it is an event."""

from __future__ import annotations

import datetime
import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mainspring.core.facts.base import Facts

Record = Mapping[str, Any]
_HEX = re.compile(r"[0-9a-f]{32}\Z")
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_EARLIEST = 946_684_800.0
NANO = 1e9


class BadRecord(ValueError):
    """The record is not of the source's form. The message names a field, and never repeats a value."""


class LeftOut(ValueError):
    """The record is of the source's form, but says nothing that is kept. The message is the reason, in few words."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be. ``key`` names it in the source, ``answer`` the source's key of the answer that it is about (its
    own for an answer), ``trace`` the source's trace; ``at`` is in Unix seconds. ``content`` is the event's text."""

    key: str
    facts: Facts
    at: float
    trace: str
    answer: str
    content: str | None = None
    person: str = ""
    consent: bool | None = None


@dataclass(frozen=True, slots=True)
class Importing:
    """The importer, and the values for all records: the ``application`` that they are put under if theirs has no name.
    ``now`` is the time of records without a time."""

    key_id: str
    application: str = ""
    now: float = 0.0


class Source(Protocol):
    """Reads the records of one system."""

    def drafts(self, record: Record, importing: Importing) -> Iterator[Draft]:
        """The events of a record. Raises ``BadRecord``, ``LeftOut``."""
        ...


@dataclass(frozen=True, slots=True)
class ImportedAnswer:
    """The text of an answer and the tools that it called, each with ``id``, ``name``, ``arguments``."""

    text: str = ""
    tool_calls: Sequence[Mapping[str, str]] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.text.strip() or self.tool_calls)


def event_id(source: str, key: str) -> str:
    """The id of the event of a source's record: always the same, so that importing again adds nothing."""
    number = int.from_bytes(hashlib.sha256(f"{source}\x00{key}".encode(errors="replace")).digest()[:17])
    return "imp_" + "".join(_DIGITS[number >> bits & 31] for bits in range(125, -1, -5))


def trace_id(source: str, trace: str) -> str:
    """A trace id of 32 hexadecimal digits: the source's own, if it has that form."""
    plain = trace.replace("-", "").lower()
    if _HEX.match(plain) and plain != "0" * 32:
        return plain
    return hashlib.sha256(f"{source}\x00{trace}".encode(errors="replace")).hexdigest()[:32]


def needed(record: Record, name: str) -> str:
    """A text that must be there. Raises ``BadRecord``."""
    value = record.get(name)
    if not isinstance(value, str | int) or value == "" or len(str(value)) > 512:
        raise BadRecord(f"{name} is missing")
    return str(value)


def text_of(record: Record, *names: str) -> str:
    """The first of these fields that is a text; empty if none is."""
    return next((str(record[name]) for name in names if isinstance(record.get(name), str) and record[name]), "")


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def count(value: Any) -> int:
    """A count of tokens; 0 if it is none."""
    return int(value) if _finite(value) and value >= 0 else 0


def number(value: Any) -> float | None:
    """A finite number, also one that is written as text; None if it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if _finite(value) else None


def nanousd(value: Any) -> int:
    """US dollars as nano-US-dollars; 0 if it is no amount."""
    found = number(value)
    return round(found * NANO) if found is not None and 0 <= found < 1e9 else 0


def moment(value: Any, name: str) -> float:
    """Unix seconds of an ISO time (UTC if it names no zone) or of a number of seconds. Raises ``BadRecord``."""
    if isinstance(value, str):
        try:
            found = datetime.datetime.fromisoformat(value.replace(" UTC", "+00:00"))
        except ValueError:
            raise BadRecord(f"{name} is not a time") from None
        at = (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
    elif _finite(value):
        at = float(value)
    else:
        raise BadRecord(f"{name} is not a time")
    if not _EARLIEST <= at < 9e9:
        raise BadRecord(f"{name} is not a time in this century")
    return at


def seconds_between(start: float, end: Any, name: str) -> float | None:
    """Seconds from ``start`` to a time; None without one."""
    return None if end in (None, "") else max(0.0, moment(end, name) - start)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

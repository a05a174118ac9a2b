"""Facts of the event log for readers that go on, whatever is wrong with one event.

A damaged row, or one whose values are of other types, must not stop a reader of all tenants: it would come to the same
event again for ever. Its facts are read as those of a kind that nobody knows. It is counted and logged, by its id and
the kind of the error alone: an error's words may repeat what a person said.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.base import Facts, shape
from mainspring.core.facts.registry import foreign, read

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PassedOver:
    """How many events readers of this process have passed over."""

    count: int = 0

    def note(self, reader: str, event: str, error: Exception | str) -> None:
        """Count and log one."""
        self.count += 1
        kind = error if isinstance(error, str) else type(error).__name__
        _log.warning("%s passes over the event %s, which cannot be read: %s", reader, event, kind)


PASSED_OVER = PassedOver()
"""Of this process, for ``mainspring_events_passed_over_total``."""


def facts_of(row: Any, reader: str) -> Facts:
    """The facts of a row with ``id``, ``kind`` and ``facts``; those of an unknown kind where they cannot be read."""
    try:
        found = read(row.kind, rows.load(row.facts))
        wrong = shape(type(found)).misfit(found.origin or {})
    except Exception as error:  # what is wrong with one event has many kinds
        PASSED_OVER.note(reader, row.id, error)
        return foreign(row.kind)()
    if wrong:
        PASSED_OVER.note(reader, row.id, f"{wrong} has a value of another type")
        return foreign(row.kind)()
    return found

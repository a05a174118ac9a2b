"""Event records: the facts of requests for the event log."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.facts.base import Facts


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A fact about a request: transactional, never sampled. ``facts`` determine its kind; text goes into ``content``.

    ``subject`` is an id (of an answer), ``parent_id`` the event that it follows, ``at`` Unix seconds; ``person`` is the
    user of an answer, as the caller named it.
    """

    id: str
    at: float
    tenant: str
    trace_id: str
    subject: str
    facts: Facts
    content: str | None = None
    parent_id: str | None = None
    version: int = 1
    consent: bool = False
    retention: str = "default"
    person: str = ""

    @property
    def kind(self) -> str:
        """The kind of the event, as its facts say it. A ``replay`` is an answer to a recorded request that was asked
        again: no user was answered."""
        return self.facts.EVENT

    def about(self, subject: str, *, kept: bool = True) -> EventRecord:
        """The same event about ``subject`` if it is about nothing yet; without its text unless that is ``kept``."""
        # Written out: ``replace`` takes three times as long, and every request comes here several times.
        return EventRecord(
            self.id,
            self.at,
            self.tenant,
            self.trace_id,
            self.subject or subject,
            self.facts,
            self.content if kept else None,
            self.parent_id,
            self.version,
            self.consent,
            self.retention,
            self.person,
        )

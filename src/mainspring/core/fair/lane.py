"""The tenant whose work runs: set once where a key is checked or a job is taken up, and read wherever work is
queued."""

from __future__ import annotations

from contextvars import ContextVar

LANE: ContextVar[str] = ContextVar("lane", default="")
"""The tenant that the current task works for; empty: the server itself, which has no limit."""

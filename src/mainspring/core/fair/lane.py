"""Whose work is done: said once where a key is checked, or a job is taken up, and heeded wherever work is queued."""

from __future__ import annotations

from contextvars import ContextVar

LANE: ContextVar[str] = ContextVar("lane", default="")
"""The tenant that the current task works for; empty: the server itself, which nothing bounds."""

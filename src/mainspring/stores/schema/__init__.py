"""The tables that rooms have; features add theirs to these. Primary keys begin with the tenant; text lives once, in
``contents``; all else refers to it.

Times are Unix seconds. JSON is kept in text columns. The migrations in ``stores/migrations`` build exactly these tables
(a test compares them); ``HEAD`` names the newest one.
"""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa

from mainspring.core import slices
from mainspring.stores.schema import chain
from mainspring.stores.schema.approvals import approvals
from mainspring.stores.schema.columns import CleanText, metadata
from mainspring.stores.schema.compliance import audit, audit_heads, erasures
from mainspring.stores.schema.conversations import session_summaries, sessions, turn_vectors, turns
from mainspring.stores.schema.facts import contents, credentials, discarded, events, files, keys, watermarks
from mainspring.stores.schema.knowledge import (
    collections,
    document_graphs,
    documents,
    file_batches,
    forgetting,
    sources,
    stale_chunks,
)
from mainspring.stores.schema.money import budget_periods, budgets, reservations, tenant_limits
from mainspring.stores.schema.prompts import prompt_moves, prompt_versions, prompts
from mainspring.stores.schema.work import batch_lines, batches, jobs, repeat_tags, repeats

__all__ = [
    "HEAD",
    "CleanText",
    "approvals",
    "audit",
    "audit_heads",
    "batch_lines",
    "batches",
    "budget_periods",
    "budgets",
    "collections",
    "contents",
    "credentials",
    "discarded",
    "document_graphs",
    "documents",
    "erasures",
    "events",
    "file_batches",
    "files",
    "forgetting",
    "jobs",
    "keys",
    "metadata",
    "prompt_moves",
    "prompt_versions",
    "prompts",
    "repeat_tags",
    "repeats",
    "reservations",
    "session_summaries",
    "sessions",
    "sources",
    "stale_chunks",
    "tenant_limits",
    "turn_vectors",
    "turns",
    "watermarks",
    "whole",
]

HEAD = chain.newest()


def all_tables() -> sa.MetaData:
    """All tables, including those that features declare in a module ``tables``."""
    for feature in slices.having("tables"):
        import_module(f"{slices.PACKAGE}.{feature}.tables")
    return metadata

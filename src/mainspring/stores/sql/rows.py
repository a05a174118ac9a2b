"""Conversion of values to columns: cleaned text, JSON in text columns, hashes, and inserts that skip existing rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def clean(text: str) -> str:
    """``text`` with lone surrogates and NUL replaced: UTF-8 has no place for the first, Postgres none for NUL."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def dump(value: Any) -> str:
    """``value`` as compact JSON. Raises ``TypeError`` for what JSON cannot hold."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # Text from outside may hold lone surrogates, which orjson refuses.
        return orjson.dumps(cleaned(value), option=orjson.OPT_SORT_KEYS).decode()
    # Postgres keeps an escaped NUL as text and fails when it looks into the JSON.
    return orjson.dumps(cleaned(value), option=orjson.OPT_SORT_KEYS).decode() if "\\u0000" in text else text


def load(text: str) -> Any:
    """The value of a JSON column."""
    return orjson.loads(text)


def names(values: Iterable[str]) -> str:
    """A set of names as a JSON column: sorted, so that equal sets are equal text."""
    return dump(sorted(values))


def digest(text: str) -> str:
    """The sha256 of ``text`` in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def insert_new(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """An INSERT into ``table`` that skips existing rows."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def cleaned(value: Any) -> Any:
    """A value of JSON with clean texts, as ``dump`` keeps it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(item) for item in value]
    return value

"""Kinds of columns, and the set of tables that they are of."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mainspring.stores.sql.rows import clean

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


NAMES_BLOB = "names_blob"
"""In the info of a column: its values are sha256 of blobs, which stay as long as a row names them."""


class CleanText(sa.TypeDecorator[str]):
    """Text that every database can hold, in rows and in the conditions that look for them: see ``clean``."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return None if value is None else clean(value)


def text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, CleanText, primary_key=primary_key, nullable=nullable)


def blob(name: str) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=False, info={NAMES_BLOB: True})


def key(name: str) -> sa.Column[str]:
    return text(name, primary_key=True)


def count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))


def json(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=False, server_default=default)


def optional(name: str) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=False, server_default="")


def time(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)

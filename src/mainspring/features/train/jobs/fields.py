"""Errors name the field of the request that was sent, whatever it is called where they arise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mainspring.core.errors import MainspringError

SIDES: Mapping[str, str] = {"train": "training_file", "validation": "validation_file", "test": "test_file"}
"""The field with the file of each side."""
UPLOADED: Mapping[str, str] = {**SIDES, "folder": "training_file"}
EXPORTED: Mapping[str, str] = dict.fromkeys((*SIDES, "folder", "export_id"), "export")
"""The fields of orders of uploaded files and of exports, by what the service calls them."""


@contextmanager
def about(field: str) -> Iterator[None]:
    """Every error within is about this field."""
    try:
        yield
    except MainspringError as error:
        error.param = field
        raise


@contextmanager
def named(fields: Mapping[str, str]) -> Iterator[None]:
    """Errors within name ``fields`` in place of what these are called below. A row of a file (``train:3``) keeps its
    number."""
    try:
        yield
    except MainspringError as error:
        whole = error.param or ""
        first, sign, row = whole.partition(":")
        if whole in fields:
            error.param = fields[whole]
        elif (field := fields.get(first.removesuffix(".jsonl"))) is not None:
            error.param = f"{field}{sign}{row}"
        raise

"""A parser whose child serves a whole module of tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from mainspring.core.settings import RagSettings
from mainspring.rag.parse.parser import Parser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parser() -> AsyncIterator[Parser]:
    """For tests in which the life of the child is not under test. A child belongs to one event loop: those tests run in
    the loop of their module."""
    made = Parser(RagSettings())
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_parser() -> AsyncIterator[Parser]:
    """With a child of the test's own."""
    made = Parser(RagSettings())
    yield made
    await made.close()

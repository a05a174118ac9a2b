"""Files that expire while they are attached."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import Conflict
from mainspring.rag.expiry import ATTEMPTS, Expiry


class Removing:
    """A file is attached anew between each of the first ``conflicts`` looks and deletions of it."""

    def __init__(self, **conflicts: int) -> None:
        self.conflicts = conflicts
        self.gone: list[str] = []

    async def file(self, _: str, file_id: str, *__: Any) -> None:
        if self.conflicts.get(file_id, 0) > 0:
            self.conflicts[file_id] -= 1
            raise Conflict(f"{file_id} is in a vector store")
        self.gone.append(file_id)


@pytest.mark.parametrize(("conflicts", "gone"), [(0, ["a", "b"]), (1, ["a", "b"]), (ATTEMPTS, ["b"])])
async def test_a_file_that_is_attached_meanwhile_keeps_no_other_from_going(conflicts: int, gone: list[str]) -> None:
    async def found(*_: Any) -> Any:
        return [("t", "a"), ("t", "b")] if not _ else []

    async def none() -> list[Any]:
        return []

    stores: Any = SimpleNamespace(
        collections=SimpleNamespace(expired=none), files=SimpleNamespace(expired=found, made_of=found)
    )
    removing: Any = Removing(a=conflicts)
    assert await Expiry(stores, removing).round() == len(gone)
    assert removing.gone == gone

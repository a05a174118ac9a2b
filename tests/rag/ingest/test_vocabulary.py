"""The vocabulary follows what may be seen now, whatever the version was when it was counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mainspring.rag.ingest.vocabulary import Vocabularies

TEXTS = {"open": "Kettles boil water.", "closed": "Redundancies begin in March."}


class Scopes:
    """The version is the new one already while the old documents are still being listed."""

    def __init__(self, *lists: list[str]) -> None:
        self.lists = list(lists)

    async def documents(self, collection: Any, groups: Any) -> list[Any]:
        return [SimpleNamespace(text_blob=name, chars=len(TEXTS[name])) for name in self.lists.pop(0)]

    def version(self, collection: Any) -> int:
        return 2


async def test_words_of_a_document_that_was_closed_meanwhile_are_not_kept() -> None:
    read: list[str] = []

    async def text(blob: str) -> str:
        read.append(blob)
        return TEXTS[blob]

    collection: Any = SimpleNamespace(tenant="t", id="c")
    made = Vocabularies(Scopes(["open", "closed"], ["open"], ["open"]), text)  # type: ignore[arg-type]
    assert (await made.of([collection], frozenset())).knows("redundancies")
    after = await made.of([collection], frozenset())
    assert after.knows("kettles")
    assert not after.knows("redundancies")
    assert await made.of([collection], frozenset()) is after
    assert read == ["open", "closed"]

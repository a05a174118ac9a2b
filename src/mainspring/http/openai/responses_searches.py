"""Searches of files within a response: their items, and the citations of what they found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.core.path import Answer
from mainspring.core.types import Citation, Event, Text, TokenLogprob
from mainspring.http.openai.response_ids import item_id

_MARK = re.compile(r"(?:(?<![ \t])[ \t]+)?\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")
# A mark may be on its way, or the space before one.
_BEGUN = re.compile(r"(?:(?<![ \t])[ \t]+)?\[[\d,\s]{0,12}$|(?<![ \t])[ \t]+$")
_STORED = ("file_id", "filename", "document_id", "start", "end", "page", "heading")


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that was found; ``text`` is ``[start:end]`` of its document (empty: the record does not have it)."""

    file_id: str
    filename: str
    document_id: str
    start: int = 0
    end: int = 0
    page: int | None = None
    heading: str = ""
    score: float = 0.0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def citation(self, number: int) -> Citation:
        """A citation of it."""
        file_id = None if self.file_id == self.document_id else self.file_id
        place = (self.start, self.end, self.page, self.heading)
        return Citation(number, self.document_id, self.filename, self.text, *place, file_id=file_id)


@dataclass(frozen=True, slots=True)
class Searched:
    """What a response searched for, and the passages that were found. ``cites``: numbers in its text are citations."""

    queries: tuple[str, ...]
    sources: tuple[FoundPassage, ...]
    cites: bool = True

    def stored(self) -> dict[str, Any]:
        """What the record of the response keeps: no text of any document."""
        sources = [{name: getattr(each, name) for name in _STORED} for each in self.sources]
        return {"queries": list(self.queries), "sources": sources, "cites": self.cites}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Searched:
        """What ``stored`` wrote."""
        sources = tuple(FoundPassage(**each) for each in stored["sources"])
        return cls(tuple(stored["queries"]), sources, bool(stored["cites"]))

    def item(self, response_id: str, *, results: bool, status: str = "completed") -> dict[str, Any]:
        """The ``file_search_call``; with ``results`` the passages too."""
        told = [
            {
                "file_id": each.file_id,
                "filename": each.filename,
                "score": round(each.score, 6),
                "attributes": {name: _plain(value) for name, value in each.attributes.items()},
                "text": each.text,
            }
            for each in self.sources
        ]
        return {
            "type": "file_search_call",
            "id": item_id("fs", response_id),
            "status": status,
            "queries": list(self.queries),
            "results": told if results else None,
        }

    def cited(self, answer: Answer) -> Answer:
        """``answer``, as it was recorded, with its numbers turned into citations."""
        if not self.cites or not answer.choices:
            return answer
        citing = Citing(self)
        told = [*citing.take(Text(answer.choices[0].text)), *citing.rest()]
        text = "".join(each.text for each in told if isinstance(each, Text))
        first = dataclasses.replace(answer.choices[0], text=text)
        citations = [each for each in told if isinstance(each, Citation)]
        return dataclasses.replace(answer, choices=[first, *answer.choices[1:]], citations=citations)


class Citing:
    """Turns the numbers of passages in a text that comes in pieces into citations. Other numbers in brackets stay."""

    def __init__(self, searched: Searched) -> None:
        self._searched = searched
        self._held = ""
        self._logprobs: list[TokenLogprob] = []

    def take(self, event: Text) -> Iterator[Event]:
        """The events that a piece of text becomes."""
        if not self._searched.cites:
            yield event
            return
        self._held += event.text
        self._logprobs += event.logprobs
        begun = _BEGUN.search(self._held)
        ready, self._held = (
            (self._held, "") if begun is None else (self._held[: begun.start()], self._held[begun.start() :])
        )
        yield from self._told(ready, event)

    def rest(self) -> Iterator[Event]:
        """What is held, at the end."""
        held, self._held = self._held, ""
        if held or self._logprobs:
            yield from self._told(held, Text(""))

    def _told(self, text: str, event: Text) -> Iterator[Event]:
        place = 0
        for mark in _MARK.finditer(text):
            numbers = [int(each) for each in mark[1].split(",")]
            if not all(0 < each <= len(self._searched.sources) for each in numbers):
                continue
            yield from self._said(text[place : mark.start()], event)
            yield from (self._searched.sources[each - 1].citation(each) for each in numbers)
            place = mark.end()
        yield from self._said(text[place:], event)

    def _said(self, text: str, event: Text) -> Iterator[Event]:
        if text:
            yield dataclasses.replace(event, text=text, logprobs=tuple(self._logprobs))
            self._logprobs = []


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)

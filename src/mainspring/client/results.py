"""The results of clients, the same for both backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from mainspring.core.errors import InvalidRequest


class Turn(TypedDict):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Mode = Literal["auto", "verbatim", "written"]
"""How an answer from documents is worded: in their own sentences, by a chat model, or either."""

Said = str | Sequence[Turn]
"""The input of a model: the user's words, or a conversation that ends with them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a statement of an answer stands. ``quote`` are the document's own words."""

    document: str
    quote: str
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    ``answered`` says whether the documents answer the question, ``None`` where none were asked. ``trace_id`` leads to
    everything that happened for it, ``answer_id`` to its feedback.
    """

    text: str
    sources: tuple[Source, ...] = ()
    answered: bool | None = None
    notices: tuple[str, ...] = ()
    answer_id: str = ""
    trace_id: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage found by a search. ``score`` is higher for the better; scores of two searches do not compare."""

    document: str
    text: str
    score: float
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Ingested:
    """The outcome of ingesting documents. ``failed`` says why, by name."""

    read: int
    unchanged: int
    failed: Mapping[str, str]


def turns_of(said: Said) -> list[Turn]:
    """``said`` as a conversation. Raises ``InvalidRequest``."""
    if isinstance(said, str):
        return [{"role": "user", "content": said}]
    turns = list(said)
    if not turns:
        raise InvalidRequest("there is nothing to answer", remedy="Give a text or a list of messages")
    return turns


def source_of(citation: Mapping[str, Any]) -> Source:
    """A citation as routes tell it."""
    return Source(citation["source"], citation["quote"], citation.get("page"), citation.get("heading") or "")

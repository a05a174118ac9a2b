"""The facts of opinions on an answer, by people and judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Erase, Keep, Served

SUPPORT = "support"
"""The ``metric`` of a score that counts the sentences of a written answer."""
VERDICT = "verdict"
"""The ``metric`` of a score that is the verdict on a live answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFacts(Facts):
    """A thumb (``up`` or ``down``), a comment, or that the answer was ``edited``; ``instead_of`` is the thumb that the
    same ``person`` gave before: the first of the keys that this one has replaced."""

    EVENT: ClassVar[str] = "feedback"

    key_id: Keep[str]
    rating: Keep[str | None]
    comment: Erase[str | None]
    edited: Keep[bool]
    instead_of: Keep[str] = ""
    person: Keep[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFacts(Facts):
    """A score. For ``metric`` SUPPORT: the number of sentences, and their outcomes. For VERDICT: ``scores`` by measure,
    and how many ``claims`` are ``supported``. For the ``name`` ``agreement``: the similarity of two answers."""

    EVENT: ClassVar[str] = "score"

    metric: Keep[str] = ""
    name: Keep[str] = ""
    application: Served[str] = ""
    judge: Keep[str] = ""
    scores: Keep[Mapping[str, float] | None] = None
    claims: Keep[int | None] = None
    supported: Keep[int | None] = None
    sentences: Keep[int | None] = None
    unsupported: Keep[int | None] = None
    rewritten: Keep[int | None] = None
    verbatim: Keep[int | None] = None
    dropped: Keep[int | None] = None
    problems: Keep[Mapping[str, int] | None] = None
    calls: Keep[int | None] = None
    stated: Keep[float | None] = None
    first_ms: Keep[int | None] = None
    total_ms: Keep[int | None] = None
    exact: Keep[bool | None] = None
    similarity: Keep[float | None] = None
    changes: Erase[Mapping[str, Any] | None] = None
    notices: Erase[Sequence[str] | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts(Facts):
    """A person's mark on an answer. Nothing writes this kind yet."""

    EVENT: ClassVar[str] = "label"

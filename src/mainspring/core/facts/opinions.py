"""The facts of opinions on an answer, by people and judges."""

from __future__ import annotations

import hashlib
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
    and how many ``claims`` are ``supported``; the ``stratum`` of the answer and the ``probability`` with which it was
    taken, and whether the plain share had ``drawn`` it, too. ``before`` is the probability of an earlier verdict on the
    same answer, which this one replaces. For the ``name`` ``agreement``: the similarity of two answers."""

    EVENT: ClassVar[str] = "score"

    metric: Keep[str] = ""
    name: Keep[str] = ""
    application: Served[str] = ""
    judge: Keep[str] = ""
    scores: Keep[Mapping[str, float] | None] = None
    claims: Keep[int | None] = None
    supported: Keep[int | None] = None
    stratum: Keep[str] = ""
    probability: Keep[float | None] = None
    drawn: Keep[bool | None] = None
    before: Keep[float | None] = None
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
    """A person's judgement of an answer, the event's subject. ``by`` is the person, ``queue`` the review queue, and
    ``scores`` are in [0, 1] by criterion. ``errors`` are names from the queue's taxonomy. An ``adjudicated`` label
    decides between earlier ones. The event's text is the corrected answer, if ``edited``."""

    EVENT: ClassVar[str] = "label"

    queue: Keep[str] = ""
    guideline: Keep[str] = ""
    by: Keep[str] = ""
    scores: Keep[Mapping[str, float] | None] = None
    approved: Keep[bool | None] = None
    errors: Keep[Sequence[str]] = ()
    comment: Erase[str] = ""
    edited: Keep[bool] = False
    adjudicated: Keep[bool] = False
    seconds: Keep[float | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteFacts(Facts):
    """A blind choice between two answers to one question: ``winner`` is ``left``, ``right``, ``tie`` or ``neither``.
    ``left`` and ``right`` are the ids of the answers. ``by`` is the voter."""

    EVENT: ClassVar[str] = "vote"

    arena: Keep[str] = ""
    winner: Keep[str] = ""
    left: Keep[str] = ""
    right: Keep[str] = ""
    left_model: Served[str] = ""
    right_model: Served[str] = ""
    left_tokens: Keep[int | None] = None
    right_tokens: Keep[int | None] = None
    by: Keep[str] = ""
    seconds: Keep[float | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeFacts(Facts):
    """What came of an ``episode``: a ``session`` (the event's subject is a digest of its name), or an answer, which is
    the subject, also where the ``trace`` of a run was named. ``value`` is
    of ``metric``, for example 1 for an order that was placed. ``arms`` are those of running experiments, by name."""

    EVENT: ClassVar[str] = "outcome"

    metric: Keep[str] = ""
    value: Keep[float | None] = None
    episode: Keep[str] = ""
    arms: Keep[Mapping[str, str] | None] = None


def session_name(tenant: str, session: str) -> str:
    """What an outcome of a session is about: a session's name may name a person, and events stay."""
    return "ses_" + hashlib.sha256(f"{tenant}\0{session}".encode()).hexdigest()[:26]

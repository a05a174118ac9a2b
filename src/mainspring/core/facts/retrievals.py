"""The facts of a search in documents. Facts outlive documents, so they contain none of their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts, Part
from mainspring.core.facts.marks import Erase, Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class HitFacts(Part):
    """A chunk that was found, and its ranks by vector and by words; of what a graph quoted only the document."""

    document_id: Keep[str]
    chunk_id: Keep[str] = ""
    score: Keep[float | None] = None
    dense: Keep[float | None] = None
    lexical: Keep[float | None] = None
    dense_rank: Keep[int | None] = None
    lexical_rank: Keep[int | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFacts(Part):
    """A stretch of a document, in characters of its text, and ``why`` it was left out, where it was."""

    document_id: Keep[str]
    start: Keep[int]
    end: Keep[int]
    why: Erase[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts(Part):
    """A step that was taken with the question before it was looked up."""

    name: Keep[str]
    milliseconds: Keep[float]
    tokens: Keep[int]
    changed: Keep[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts(Part):
    """The number of paths and themes from a graph."""

    paths: Keep[int]
    themes: Keep[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingFacts(Part):
    """The passages that a model was given, and those left out."""

    tokens: Keep[int]
    read: Keep[Sequence[SpanFacts]]
    left_out: Keep[Sequence[SpanFacts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPartFacts(Part):
    """A part of a question that asks several things, as the asker wrote it."""

    part: Erase[str]
    evidence: Keep[float]
    answered: Keep[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalFacts(Facts):
    """One look into ``collections`` (ids). ``evidence`` in [0, 1] is how likely they hold the answer, ``features`` what
    that is made of. ``refused``: there was no answer for lack of evidence. ``cached``: the answer was replayed from a
    cache."""

    EVENT: ClassVar[str] = "retrieval"

    collections: Keep[Sequence[str]]
    mode: Keep[str]
    refused: Keep[bool]
    hits: Keep[Sequence[HitFacts]]
    cited: Keep[Sequence[SpanFacts]]
    evidence: Keep[float | None] = None
    features: Keep[Mapping[str, float] | None] = None
    steps: Keep[Sequence[StepFacts]] = ()
    graph: Keep[GraphFacts | None] = None
    reading: Keep[ReadingFacts | None] = None
    parts: Keep[Sequence[QuestionPartFacts]] = ()
    condensed: Keep[bool] = False
    cached: Keep[bool] = False

"""A tenant's control of its cached answers: count them, drop them, report a wrong one."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.serving.cache.exact import answers_of
from mainspring.serving.cache.semantic.layer import Meaning
from mainspring.stores.cache.answers import AnswerStore
from mainspring.stores.cache.similar_questions import SimilarStore


@dataclass(frozen=True, slots=True)
class State:
    """The number of stored answers, the number of questions that lead to them by meaning, and the similarity threshold
    (None: the semantic cache is off); ``base`` is the threshold before reports of wrong answers raised it."""

    answers: int
    questions: int
    threshold: float | None = None
    base: float | None = None


class Caches:
    """Both caches as the gateway and the command line see them. Everything may raise ``StoreError``."""

    def __init__(self, answers: AnswerStore, similar: SimilarStore, meaning: Meaning | None) -> None:
        self._answers = answers
        self._similar = similar
        self._meaning = meaning

    async def state(self, tenant: str) -> State:
        """The cached data of ``tenant``."""
        tag = answers_of(tenant)
        answers, questions = await self._answers.count(tag), await self._similar.count(tag)
        if self._meaning is None:
            return State(answers, questions)
        return State(answers, questions, await self._meaning.raised(tenant), self._meaning.threshold)

    async def clear(self, tenant: str) -> State:
        """Drop the tenant's cached answers and questions; returns their numbers."""
        tag = answers_of(tenant)
        # Questions lead to answers, so they go first.
        questions = await self._similar.invalidate(tag)
        return State(await self._answers.invalidate(tag), questions)

    async def report_wrong(self, principal: Principal, entry_id: str) -> None:
        """An answer found by meaning does not answer the question. Raises ``NotFound``."""
        if self._meaning is None:
            raise NotFound("the semantic cache is off", remedy="serving.semantic_cache switches it on")
        await self._meaning.report(principal, entry_id)

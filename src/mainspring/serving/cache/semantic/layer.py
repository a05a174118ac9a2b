"""The semantic cache: a question in other words gets the answer of an earlier question that means the same.

It is below the answer cache and holds no answers of its own. The head says how the answer was found: by meaning, with
which similarity, and under which name the hit may be reported as wrong.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import mainspring.serving.cache.stored_answers as stored
from mainspring.core import cards
from mainspring.core.errors import MainspringError, NotFound
from mainspring.core.path import Layer
from mainspring.core.types import ChatRequest, Context, Principal, Request, Responder, Response
from mainspring.serving.cache.exact import CacheKey, Keys, cache_key, given_again
from mainspring.serving.cache.semantic.likeness import LONGEST_CHARS, same
from mainspring.serving.judge.language import detect
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import FinishedAnswers
from mainspring.stores.cache.similar_questions import Floats, Question, SimilarStore
from mainspring.stores.sql import ids
from mainspring.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder
    from mainspring.engines.encode.late_interaction import LateInteraction, Tokens

_log = logging.getLogger(__name__)
NAME = "semantic"
HEADER = "x-mainspring-cache"
# The maximum number of candidates above the threshold that are checked.
_CONSIDERED = 8
_HOTTEST = 0.3
# An answer is kept a moment after its question: before that, its absence says nothing.
_SETTLED_S = 60.0
# For this many seconds, a report of a wrong hit raises the threshold by this share of the distance to 1.
_WRONG_COUNTS_S, _WRONG_RAISES = 30 * 86_400.0, 0.2


@dataclass(frozen=True, slots=True)
class Meaning:
    """The parts for reading and finding questions. ``threshold`` is the least cosine of two questions' embeddings."""

    embedder: Embedder
    words: LateInteraction
    charged: ChargedModels
    index: SimilarStore
    answers: FinishedAnswers
    background: Background
    metrics: Metrics
    threshold: float
    ttl_s: float

    async def vector(self, question: str, context: Context) -> Floats:
        """The unit vector of ``question``, charged to ``context``."""
        found = await self.charged.embedder(self.embedder, context).embed([question], "query")
        return np.asarray(found.vectors[0], np.float32)

    async def raised(self, tenant: str) -> float:
        """The threshold for a tenant: nearer to 1 with each wrong hit that it has reported lately."""
        wrong = await self.index.wrong_since(tenant, time.time() - _WRONG_COUNTS_S)
        return 1.0 - (1.0 - self.threshold) * (1.0 - _WRONG_RAISES) ** wrong

    async def report(self, principal: Principal, entry_id: str) -> None:
        """The receiver of the answer of ``entry_id`` reports that it is wrong for the question: it answers no other
        question any more, and the tenant's threshold rises. Raises ``NotFound``, ``StoreError``."""
        if not await self.index.remove(principal.tenant, entry_id):
            raise NotFound(f"no question {entry_id} is in the semantic cache: it was evicted, or it has expired")
        await self.index.note_wrong(principal.tenant)
        self.metrics.cache("wrong", NAME)


class SemanticCache(Layer):
    """Answers a question with the answer to an equivalent one.

    It serves only requests that the answer cache keeps, and only those with one English question of at most 400
    characters after the system's words, without tools, at a temperature of at most 0.3. Everything beside the
    question's wording must be equal.
    """

    def __init__(self, inner: Responder, keys: Keys, meaning: Meaning) -> None:
        super().__init__(inner)
        self._keys = keys
        self._meaning = meaning

    async def respond(self, request: Request, context: Context) -> Response:
        plain, keyed = await self._keys.of(request, context)
        question = None if keyed is None else _question(plain, keyed.drawn)
        if keyed is None or question is None or not isinstance(plain, ChatRequest):
            return await self.inner.respond(plain, context)
        try:
            asked = await self._read(plain, question, keyed, context)
            found = await self._find(asked, context)
        except MainspringError as error:
            # The loss of this cache loses nothing: the request is answered without it.
            _log.warning("the semantic cache was passed by: %s", error)
            return await self.inner.respond(plain, context)
        if found is not None:
            self._meaning.metrics.cache("hit", NAME)
            return found
        self._meaning.metrics.cache("miss", NAME)
        response = await self.inner.respond(plain, context)

        async def remember() -> None:
            self._meaning.background.start(self._remember(asked))

        return response.on_close(remember)

    async def _read(self, request: ChatRequest, question: str, keyed: CacheKey, context: Context) -> Question:
        vector = await self._meaning.vector(question, context)
        blank = dataclasses.replace(request.messages[-1], content="")
        frame = dataclasses.replace(request, messages=(*request.messages[:-1], blank))
        # The question's language is English here; vectors of different models do not compare.
        policy = f"{self._keys.policy} {self._meaning.embedder.name} {len(vector)}"
        scope = cache_key(frame, context, keyed.fingerprint, policy)
        now = time.time()
        expires_at = now + self._meaning.ttl_s
        tenant = context.principal.tenant
        return Question(ids.new("sem_"), scope, tenant, question, keyed.key, vector, expires_at, now, keyed.tags)

    async def _find(self, asked: Question, context: Context) -> Response | None:
        meaning = self._meaning
        near = await meaning.index.nearest(asked.scope, asked.vector, _CONSIDERED)
        near = [(each, cosine) for each, cosine in near if cosine >= meaning.threshold]
        if not near:
            return None
        threshold = await meaning.raised(asked.tenant)
        words = _ChargedWords(meaning, context)
        for each, cosine in near:
            if cosine < threshold or not (await same(asked.question, each.question, words)).same:
                continue
            if (value := await meaning.answers.get(each.answer)) and (answer := stored.decode(value)):
                headers = {HEADER: NAME, f"{HEADER}-similarity": f"{min(cosine, 1.0):.4f}", f"{HEADER}-id": each.id}
                return given_again(answer, context, cache=NAME, headers=headers)
            if asked.at - each.at > _SETTLED_S:
                await meaning.index.remove(each.tenant, each.id)
        return None

    async def _remember(self, asked: Question) -> None:
        try:
            await self._meaning.index.add(asked)
        except MainspringError as error:
            _log.warning("a question was not remembered: %s", error)


class _ChargedWords:
    """Reads texts token by token, charged to a request."""

    def __init__(self, meaning: Meaning, context: Context) -> None:
        self._meaning = meaning
        self._context = context

    async def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        # A reranking reads the same tokens and keeps them: that is how they get into the ledger.
        words = self._meaning.words
        await self._meaning.charged.reranker(words, self._context).rerank(texts[0], texts[1:])
        return await words.tokens(texts)


def _question(request: Request, drawn: bool) -> str | None:
    """The one question of a request that may be answered by meaning; None for any other request."""
    if not isinstance(request, ChatRequest) or request.tools or request.previous is not None or not request.messages:
        return None
    *before, last = request.messages
    if last.role != "user" or any(message.role not in ("system", "developer") for message in before):
        return None
    # Without an explicit temperature a model samples with its own.
    temperature = request.sampling.temperature
    if drawn and (temperature is None or temperature > _HOTTEST):
        return None
    text = last.content.strip()
    plain = 0 < len(text) <= LONGEST_CHARS and "\n" not in text and "`" not in text and not cards.holds(text)
    return text if plain and detect(text) == "en" else None

"""Recommendations: documents that were cited together in conversations.

Item-to-item collaborative filtering over the recorded retrievals: the documents that the answers of one session cited
belong together, those of an answer that was rated down do not. Two documents are as close as the cosine of the sets of
sessions that cited them, and count only from a minimum number of shared sessions on, so that nothing is recommended on
the word of one session. Events of answers that the asker's groups may not see are not read.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from cachetools import TTLCache

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import EventRecord
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.pages import Page

MIN_SUPPORT = 2
# The number of latest events of each kind that are read, the page size, and the lifetime of the counts.
_EVENTS, _AT_ONCE = 10_000, 1_000
_KEPT_S = 30.0
_TENANTS = 64
# Documents of one session beyond this many say little about each other.
_SESSION_DOCUMENTS = 40


@dataclass(frozen=True, slots=True)
class Recommended:
    """``document_id`` is recommended with a score in [0, 1]; ``support`` sessions say so."""

    document_id: str
    score: float
    support: int


@dataclass(frozen=True, slots=True)
class CoCitations:
    """The number of sessions that cited each document, and each pair of documents."""

    alone: Mapping[str, int]
    pairs: Mapping[tuple[str, str], int]


class Recommender:
    """Recommends documents from the events of a tenant."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._counted: TTLCache[tuple[str, frozenset[str]], CoCitations] = TTLCache(_TENANTS, _KEPT_S)

    async def recommend(
        self,
        tenant: str,
        seeds: Sequence[str],
        allowed: Set[str],
        k: int,
        *,
        groups: frozenset[str],
        min_support: int = MIN_SUPPORT,
    ) -> list[Recommended]:
        """The ``k`` documents of ``allowed`` that belong to ``seeds``, best first; the most cited without seeds."""
        key = (tenant, groups)
        if key not in self._counted:
            sessions = await self._sessions(tenant, groups)
            together = await asyncio.to_thread(count, sessions)
            self._counted[key] = together
        else:
            together = self._counted[key]
        return recommend(together, seeds, allowed, k, min_support)

    async def _sessions(self, tenant: str, groups: frozenset[str]) -> list[frozenset[str]]:
        retrievals, answers, opinions = [
            [(each.subject, each.facts) for each in await self._latest(tenant, groups, kind.EVENT)]
            for kind in (RetrievalFacts, AnswerFacts, FeedbackFacts)
        ]
        sessions = {
            subject: f"{facts.key_id}/{facts.session_id}"
            for subject, facts in answers
            if isinstance(facts, AnswerFacts) and facts.session_id
        }
        disliked = {
            subject for subject, facts in opinions if isinstance(facts, FeedbackFacts) and facts.rating == "down"
        }
        cited: dict[str, set[str]] = {}
        for subject, facts in retrievals:
            # An answer that is given again from the cache is no other opinion.
            if isinstance(facts, RetrievalFacts) and subject not in disliked and not facts.cached:
                found = {each.document_id for each in facts.cited}
                cited.setdefault(sessions.get(subject, subject), set()).update(found)
        return [frozenset(documents) for documents in cited.values() if documents]

    async def _latest(self, tenant: str, groups: frozenset[str], kind: str) -> list[EventRecord]:
        found: list[EventRecord] = []
        after = None
        while len(found) < _EVENTS:
            page = await self._events.page(tenant, Page(_AT_ONCE, after=after), groups=groups, kind=kind)
            found += page.rows
            if not page.more:
                break
            after = found[-1].id
        return found


def count(sessions: Iterable[frozenset[str]]) -> CoCitations:
    """Counts documents and pairs of them over sessions; a pair is in the order of its ids."""
    alone: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for documents in sessions:
        alone.update(documents)
        pairs.update(combinations(sorted(documents)[:_SESSION_DOCUMENTS], 2))
    return CoCitations(alone, pairs)


def recommend(
    together: CoCitations, seeds: Sequence[str], allowed: Set[str], k: int, min_support: int = MIN_SUPPORT
) -> list[Recommended]:
    """The best ``k`` of ``allowed``. The score is the mean cosine to the seeds; without seeds the share of the most
    cited document's sessions."""
    if not seeds:
        cited = {name: n for name, n in together.alone.items() if name in allowed and n >= min_support}
        most = max(cited.values(), default=1)
        found = [Recommended(name, n / most, n) for name, n in cited.items()]
        return sorted(found, key=lambda each: (-each.score, each.document_id))[:k]
    scores: Counter[str] = Counter()
    support: Counter[str] = Counter()
    chosen = set(seeds)
    for (one, other), n in together.pairs.items():
        if n < min_support:
            continue
        for seed, name in ((one, other), (other, one)):
            if seed in chosen and name in allowed and name not in chosen:
                scores[name] += n / math.sqrt(together.alone[seed] * together.alone[name]) / len(chosen)  # type: ignore[assignment]
                support[name] += n
    found = [Recommended(name, float(score), support[name]) for name, score in scores.items()]
    return sorted(found, key=lambda each: (-each.score, each.document_id))[:k]

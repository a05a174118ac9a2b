"""The events that a set of groups may see, as a condition in SQL: those of answers whose sources it may see.

The rules are the same as in ``EventLog.page``.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mainspring.core.facts.answers import GIVEN_AGAIN, AnswerFacts
from mainspring.core.facts.base import name_of
from mainspring.core.facts.retrievals import HitFacts, RetrievalFacts
from mainspring.stores.schema import collections, documents, events, keys
from mainspring.stores.sql.row_access import IN_COLLECTION, RowAccess

_REPEATS = tuple(name_of(AnswerFacts, each) for each in ("cache", "session_id", "status"))


def visible_events(connection: sa.Connection, groups: frozenset[str]) -> sa.ColumnElement[bool]:
    """The condition of rows of ``events`` that ``groups`` may see."""
    sight = RowAccess(connection, groups)
    return sa.and_(~_came_upon_hidden(sight), sa.or_(~_untold(sight), ~_asked_with_more(sight)))


def _came_upon_hidden(sight: RowAccess) -> sa.ColumnElement[bool]:
    retrieval, about = _retrieval()
    stores, hits = _found(sight, retrieval)
    store = sa.and_(collections.c.tenant == retrieval.c.tenant, collections.c.id == stores.c.value)
    hit = documents.c.id == sight.field(hits.c.value, name_of(HitFacts, "document_id"))
    return sa.or_(
        _some(retrieval, stores, collections).where(about, store, ~sight.sees_collection()).exists(),
        _some(retrieval, stores, collections, documents, hits)
        .where(about, store, IN_COLLECTION, hit, ~sight.sees_document())
        .exists(),
    )


def _untold(sight: RowAccess) -> sa.ColumnElement[bool]:
    retrieval, about = _retrieval()
    stores, hits = _found(sight, retrieval)
    within, _ = _found(sight, retrieval)
    store = sa.and_(collections.c.tenant == retrieval.c.tenant, collections.c.id == stores.c.value)
    document = sa.and_(
        documents.c.tenant == retrieval.c.tenant,
        documents.c.collection_id == within.c.value,
        documents.c.id == sight.field(hits.c.value, name_of(HitFacts, "document_id")),
    )
    answer, of_answer = _answer()
    cache, session, status = (sight.field(answer.c.facts, name) for name in _REPEATS)
    repeats = sa.or_(cache.in_(GIVEN_AGAIN), session.is_not(None), status != "completed")
    return sa.or_(
        _some(retrieval, stores).where(about, ~_some(collections).where(store).exists()).exists(),
        _some(retrieval, hits).where(about, ~_some(documents, within).where(document).exists()).exists(),
        _some(answer).where(of_answer, repeats).exists(),
    )


def _asked_with_more(sight: RowAccess) -> sa.ColumnElement[bool]:
    answer, of_answer = _answer()
    asker = sa.and_(
        keys.c.tenant == answer.c.tenant, keys.c.id == sight.field(answer.c.facts, name_of(AnswerFacts, "key_id"))
    )
    # A caller with a token has no row: its groups are stored with the answer.
    groups = sight.field(answer.c.facts, name_of(AnswerFacts, "groups"))
    return sa.or_(
        _some(answer, keys).where(of_answer, asker, ~sight.has_all(keys.c.groups)).exists(),
        _some(answer).where(of_answer, groups.is_not(None), ~sight.has_all(groups)).exists(),
    )


def _retrieval() -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """Retrievals, and which of them belong to the answer that an event is about."""
    retrieval = events.alias()
    same = sa.and_(retrieval.c.tenant == events.c.tenant, retrieval.c.subject == events.c.subject)
    # An event detached from its answer concerns only itself.
    own = sa.or_(events.c.subject != "", retrieval.c.id == events.c.id)
    return retrieval, sa.and_(same, own, retrieval.c.kind == "retrieval")


def _answer() -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    answer = events.alias()
    return answer, sa.and_(answer.c.tenant == events.c.tenant, answer.c.id == events.c.subject)


def _found(sight: RowAccess, retrieval: sa.FromClause) -> tuple[sa.TableValuedAlias, sa.TableValuedAlias]:
    """The ids of the collections that a retrieval used, and its hits."""
    facts = retrieval.c.facts
    found = (sight.field(facts, name_of(RetrievalFacts, each)) for each in ("collections", "hits"))
    stores, hits = (sight.items(each) for each in found)
    return stores, hits


def _some(*tables: sa.FromClause) -> sa.Select[Any]:
    return sa.select(sa.literal(1)).select_from(*tables)

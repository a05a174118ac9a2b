"""Who may read a candidate: what it was made of may be a group's."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.types import Principal
from mainspring.features.variants.store import StoredCandidate
from mainspring.serving.ring.registry import Served
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events.event_visibility import visible_events
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.training.ports import Candidate, Versions


async def groups_of(
    database: Database, versions: Versions | None, principal: Principal, candidate: Candidate, subjects: Sequence[str]
) -> frozenset[str]:
    """The groups that a reader needs: those of the version that it is or names, and those of the principal if an
    answer of ``subjects`` is not everybody's to see. Raises ``InvalidRequest`` for an answer that the principal does
    not see either."""
    found: frozenset[str] = frozenset()
    labels = {candidate.version, *(str(candidate.value.get(name, "")) for name in ("version", "model"))}
    for label in sorted(each for each in labels if "@" in each):
        if versions is not None:
            try:
                found |= (await versions.version(principal.tenant, label)).groups
            except MainspringError:
                # A prompt's version is a number, and a model's name may have the sign: neither is one of training.
                continue
    if lost := await _hidden(database, principal.tenant, principal.groups, subjects):
        raise InvalidRequest(
            f"there is no answer {lost[0]:.60} that an example is of",
            remedy="Leave this example out, or its source if it is not an answer's",
            param="candidate.value.examples",
        )
    if await _hidden(database, principal.tenant, frozenset(), subjects):
        found |= principal.groups
    return found


async def _hidden(database: Database, tenant: str, groups: frozenset[str], answers: Sequence[str]) -> list[str]:
    """Those of these answers that callers with the groups do not see."""

    def work(connection: sa.Connection) -> list[str]:
        seen: set[str] = set()
        visible = visible_events(connection, groups)
        for part in parts(list(answers)):
            query = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.id.in_(part), visible)
            seen.update(connection.execute(query).scalars())
        return [each for each in answers if each not in seen]

    return await database.read(work) if answers else []


def check_readers(kept: StoredCandidate, served: Served) -> None:
    """Raises ``InvalidRequest`` if the application answers somebody who may not read what the candidate was made of.
    Readers of an application are in one of its groups: all have the same ones only where there is one."""
    if kept.groups and not (len(served.groups) == 1 and kept.groups <= served.groups):
        raise InvalidRequest(
            f"the candidate contains texts that only readers in {', '.join(sorted(kept.groups))} may see, but "
            f"{served.name} also answers others",
            remedy="Make it with a key without groups, or give the application the group",
            param="candidate",
        )


def may_read(kept: StoredCandidate, principal: Principal) -> bool:
    return kept.groups <= principal.groups

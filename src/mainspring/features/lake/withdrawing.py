"""The withdrawal of consent: what a subject said may not be used for learning any more, from now on and in the past."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mainspring.features.lake.exports.erasing import ExportedRows
from mainspring.features.lake.features_table.following import unlearn
from mainspring.features.lake.files.rewriting import Rewriting
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, find, parts
from mainspring.stores.erase.holdings import Unlearns, holdings
from mainspring.stores.events.audit_log import Actor, Audit
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database


class Withdrawing:
    """Withdraws the consent to recorded requests. Requests that come say for themselves."""

    def __init__(self, database: Database, audit: Audit, blobs: Blobs, home: Path) -> None:
        self._database = database
        self._audit = audit
        self._blobs = blobs
        self._rewriting = Rewriting(database, home)
        self._exported = ExportedRows(database, blobs)

    async def withdraw(self, subject: Subject, by: Actor) -> Mapping[str, Any]:
        """Mark the events of the subject's answers, remove its rows from what was built for training and from exports,
        remove the vectors of its questions, and mark its rows in the raw and the clean zone. Returns the receipt, which
        the audit log seals: counts, the time, the audit entry. Can be done again. Raises ``StoreError``."""
        now = time.time()
        held = await self._database.read(lambda connection: find(connection, subject, now))
        answers = sorted(held.answers)

        def mark(connection: sa.Connection) -> int:
            changed = 0
            for part in parts(answers):
                mine = sa.and_(events.c.tenant == subject.tenant, events.c.subject.in_(part), events.c.consent)
                changed += connection.execute(sa.update(events).where(mine).values(consent=False)).rowcount
            unlearn(connection, subject.tenant, answers)
            return changed

        marked = await self._database.write(mark, durable=True)
        removed = await self._rewriting.withdraw(subject.tenant, answers)
        exported = await self._exported.take_out(subject.tenant, answers)
        told = {"answers": len(answers), "events": marked, "ready_rows": removed, "exported_rows": exported, "at": now}
        told["trained"] = await self._unlearn(subject.tenant, answers)

        def seal(connection: sa.Connection) -> dict[str, Any]:
            digest = self._audit.hidden(connection, subject.tenant, f"{subject.kind}:{subject.id}")
            details = {"kind": subject.kind, "subject": digest, **told}
            entry = self._audit.append(connection, subject.tenant, "consent.withdrawn", by, details=details)
            return {"number": entry.seq, "hash": entry.hash}

        return {**told, "audit": await self._database.write(seal, durable=True)}

    async def _unlearn(self, tenant: str, answers: list[str]) -> int:
        """How many things that were made of these answers are marked."""
        found = [each for each in holdings(self._database, self._blobs) if isinstance(each, Unlearns)]
        return sum([await each.unlearn(tenant, answers) for each in found])

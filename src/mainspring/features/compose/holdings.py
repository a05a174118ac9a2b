"""Smart Compose's data of data subjects: own phrases, consent, and what came of suggestions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.features.compose.store.shown_suggestions import mail_name
from mainspring.features.compose.tables import compose_people, compose_sent, compose_shown, compose_texts
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.sql.database import Database


class PersonalPhrases:
    """Texts of persons, their consent, and rows of suggestions, in all tenants."""

    name = "compose"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Own phrases and suggestions; they belong to no group."""
        del held, groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found: list[Mapping[str, Any]] = []
            whose = _whose(connection, compose_texts, subject)
            if whose is not None:
                for row in connection.execute(sa.select(compose_texts).where(whose, compose_texts.c.at <= upto)):
                    found.append({"type": "compose_text", "text": row.text, "user": row.person, "at": row.at})
            whose = _whose(connection, compose_shown, subject)
            if whose is not None:
                for row in connection.execute(sa.select(compose_shown).where(whose, compose_shown.c.at <= upto)):
                    told = {"type": "compose_suggestion", "id": row.id, "outcome": row.outcome, "at": row.at}
                    found.append({**told, "user": row.person, "characters": row.characters, "saved": row.saved})
            return found

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the texts and the consent. Suggestions keep their numbers, and lose whose they were."""
        del held

        def work(connection: sa.Connection) -> int:
            count = 0
            for table, moment in ((compose_texts, "at"), (compose_people, "changed_at")):
                whose = _whose(connection, table, subject)
                if whose is not None:
                    count += connection.execute(sa.delete(table).where(whose, table.c[moment] <= upto)).rowcount
            whose = _whose(connection, compose_shown, subject)
            if whose is None:
                return count
            mine = sa.and_(whose, compose_shown.c.at <= upto)
            if subject.kind == "tenant":
                return count + connection.execute(sa.delete(compose_shown).where(mine)).rowcount
            nobody = sa.update(compose_shown).where(mine).values(owner="", person="", mail="")
            return count + connection.execute(nobody).rowcount

        return await self._database.write(work, durable=True, frees=True)


def _whose(connection: sa.Connection, table: sa.Table, subject: Subject) -> sa.ColumnElement[bool] | None:
    """The rows of a person, a key's persons, a session or a tenant; None: there are none."""
    mine = table.c.tenant == subject.tenant
    if subject.kind == "tenant":
        return mine
    if subject.kind == "user":
        return sa.and_(mine, table.c.person == subject.id, table.c.person != "")
    if subject.kind == "key":
        return sa.and_(mine, table.c.owner.in_(owners(connection, subject)))
    if table is compose_shown:
        return sa.and_(mine, table.c.mail == mail_name(subject.tenant, subject.id))
    return None


class ComposedMails:
    """Mails that models learn from, in all tenants: of a person's suggestions, and by the owner of a key."""

    name = "compose mails"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The mails with their texts. They are their owner's: groups do not part them."""
        del groups

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            return [
                {"type": "compose_sent", "id": row.id, "answer": row.answer, "text": row.text, "subject": row.subject,
                 "to": row.recipient, "at": row.at}
                for row in _mails(connection, subject, held, upto)
            ]  # fmt: skip

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete them; how many."""

        def work(connection: sa.Connection) -> int:
            found = _mails(connection, subject, held, upto)
            for part in parts([row.id for row in found]):
                gone = sa.and_(compose_sent.c.tenant == subject.tenant, compose_sent.c.id.in_(part))
                connection.execute(sa.delete(compose_sent).where(gone))
            return len(found)

        return await self._database.write(work, durable=True, frees=True)

    async def unlearn(self, tenant: str, answers: Sequence[str]) -> int:
        """Nothing may be learnt from the mails of these suggestions any more; how many."""

        def work(connection: sa.Connection) -> int:
            changed = 0
            for part in parts(list(answers)):
                of = sa.and_(compose_sent.c.tenant == tenant, compose_sent.c.answer.in_(part), compose_sent.c.consent)
                changed += connection.execute(sa.update(compose_sent).where(of).values(consent=False)).rowcount
            return changed

        return await self._database.write(work, durable=True)


def _mails(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    of = compose_sent.c
    query = sa.select(compose_sent).where(of.tenant == subject.tenant, of.at <= upto)
    if subject.kind == "tenant":
        return list(connection.execute(query).all())
    # Answers go sooner than mails do: mails say themselves whose they are.
    wanted: list[sa.ColumnElement[bool]] = [of.answer.in_(part) for part in parts(sorted(held.answers))]
    if subject.kind == "key":
        wanted.append(of.owner.in_(owners(connection, subject)))
    if subject.kind == "user" and subject.id:
        wanted.append(of.person == subject.id)
    if subject.kind == "session":
        wanted.append(of.mail == mail_name(subject.tenant, subject.id))
    found = [row for each in wanted for row in connection.execute(query.where(each))]
    return list({row.id: row for row in found}.values())


HOLDINGS = (PersonalPhrases, ComposedMails)

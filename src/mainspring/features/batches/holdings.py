"""Finds, reads and removes a person's lines in the files of batches (requests and answers).

A line belongs to a person if its request names the person, or if its answer is one of the person's. A placeholder keeps
the number of lines, so that a running batch continues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, StoreError
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.files import ANSWERS, REQUESTS
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.schema import batch_lines, batches, files
from mainspring.stores.sql.database import Database
from mainspring.stores.work.batches import answer_of

ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/moderations",
    "/v1/responses",
)
ERASED = {"code": "erased", "message": "this line was erased with the data of whom it was about"}


@dataclass(frozen=True, slots=True)
class LinesOf:
    """Selects the lines whose request names ``user``, the lines answered by ``answers``, and the lines of batches that
    ``key_id`` created; ``everybody``: all lines of the tenant."""

    user: str = ""
    answers: frozenset[str] = frozenset()
    key_id: str = ""
    everybody: bool = False

    @classmethod
    def subject(cls, subject: Subject, held: SubjectData) -> LinesOf:
        """The lines that are a subject's."""
        return cls(
            user=subject.id if subject.kind == "user" else "",
            answers=frozenset(held.answers),
            key_id=subject.id if subject.kind == "key" else "",
            everybody=subject.kind == "tenant",
        )

    def named_in(self, body: Any) -> bool:
        """Whether the body of a request names the user."""
        if not (self.user and isinstance(body, dict)):
            return False
        told = (body.get("metadata") or {}) if isinstance(body.get("metadata"), dict) else {}
        return self.user in (body.get("user"), body.get("safety_identifier"), told.get("user_id"))


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A line of a file (or of what waits to become one). ``said`` is None if it is no JSON object."""

    file_id: str
    number: int
    text: str
    said: Mapping[str, Any] | None

    @property
    def custom_id(self) -> str:
        found = (self.said or {}).get("custom_id")
        return found if isinstance(found, str) else ""

    @property
    def erased(self) -> bool:
        """Whether the line is a placeholder for one that was erased."""
        said = self.said or {}
        gone = said.get("body") == {} or (said.get("error") or {}) == ERASED
        return not self.text.strip() or (gone and self.custom_id == f"erased-{self.number}")


@dataclass(frozen=True, slots=True)
class _Group:
    """A batch (or nothing but a file), its lines by file, and the answered lines that wait for the others."""

    batch_id: str
    key_id: str
    groups: frozenset[str]
    files: Mapping[str, list[BatchLine]]
    waiting: Mapping[int, BatchLine]

    def lines(self) -> Iterator[BatchLine]:
        for each in self.files.values():
            yield from each
        yield from self.waiting.values()


class BatchLines:
    """Batches' data of data subjects, in the files of all tenants."""

    name = "batch_lines"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> list[Mapping[str, Any]]:
        """The stored lines of requests and answers, for keys whose groups are among ``groups``."""
        found = await self.lines(subject.tenant, LinesOf.subject(subject, held), upto, groups)
        return [{"type": "batch_line", "file_id": line.file_id or None, "line": line.text} for line in found]

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Take them out; how many. Can be done again."""
        return await self.take_out(subject.tenant, LinesOf.subject(subject, held), upto)

    async def lines(
        self, tenant: str, whose: LinesOf, upto: float, groups: frozenset[str] | None = None
    ) -> list[BatchLine]:
        """The lines from before ``upto``: of keys whose groups are among ``groups`` (None: of all)."""
        found = await self._groups(tenant, upto)
        seen = [each for each in found if groups is None or each.groups <= groups]
        return [line for group in seen for line in _chosen(group, whose)]

    async def take_out(self, tenant: str, whose: LinesOf, upto: float) -> int:
        """Take the lines out; how many. Can be done again."""
        count = 0
        for group in await self._groups(tenant, upto):
            chosen = _chosen(group, whose)
            count += len(chosen)
            for file_id, lines in group.files.items():
                gone = {line.number for line in chosen if line.file_id == file_id}
                if gone:
                    await self._rewrite(tenant, file_id, lines, gone)
            if chosen and group.batch_id:
                await self._unquote(tenant, group.batch_id, whole=not whose.user)
            if waiting := [line for line in chosen if not line.file_id]:
                await self._unkeep(tenant, group.batch_id, waiting)
        if count:
            await blob_store.sweep(self._database, self._blobs)
        return count

    async def _groups(self, tenant: str, upto: float) -> list[_Group]:
        """The batches of a tenant with all their lines, and files of requests that are in none."""

        def work(connection: sa.Connection) -> tuple[list[Any], list[Any]]:
            made = sa.select(batches).where(batches.c.tenant == tenant, batches.c.created_at <= upto)
            kept = sa.select(files.c.id, files.c.sha256, files.c.groups).where(
                files.c.tenant == tenant, files.c.purpose.in_((REQUESTS, ANSWERS)), files.c.created_at <= upto
            )
            return list(connection.execute(made)), list(connection.execute(kept))

        made, kept = await self._database.read(work)
        who = {row.id: frozenset(rows.load(row.groups)) for row in kept}
        read = {row.id: await self._lines(row.id, row.sha256) for row in kept}
        groups: list[_Group] = []
        used: set[str] = set()
        for row in made:
            names = [each for each in (row.input_file_id, row.output_file_id, row.error_file_id) if each in read]
            used.update(names)
            waiting = await self._waiting(tenant, row.id)
            groups.append(
                _Group(
                    row.id, row.key_id, frozenset(rows.load(row.groups)), {name: read[name] for name in names}, waiting
                )
            )
        groups += [_Group("", "", who[name], {name: lines}, {}) for name, lines in read.items() if name not in used]
        return groups

    async def _lines(self, file_id: str, sha256: str) -> list[BatchLine]:
        try:
            data = await self._blobs.get(sha256)
        except (NotFound, StoreError):
            # Lost or damaged: there is nothing to read, and nothing left to erase.
            return []
        texts = data.decode("utf-8", "surrogateescape").split("\n")
        return [BatchLine(file_id, number, text, _said(text)) for number, text in enumerate(texts, 1)]

    async def _waiting(self, tenant: str, batch_id: str) -> dict[int, BatchLine]:
        query = sa.select(batch_lines.c.number, batch_lines.c.line)
        query = query.where(batch_lines.c.tenant == tenant, batch_lines.c.batch_id == batch_id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.number: BatchLine("", row.number, row.line, _said(row.line)) for row in found}

    async def _rewrite(self, tenant: str, file_id: str, lines: list[BatchLine], gone: set[int]) -> None:
        texts = [_without(line) if line.number in gone else line.text for line in lines]
        data = "\n".join(texts).encode("utf-8", "surrogateescape")
        new = await self._blobs.put(data)
        mine = sa.and_(files.c.tenant == tenant, files.c.id == file_id)

        def work(connection: sa.Connection) -> None:
            if not blob_store.claim(connection, self._blobs, new):
                self._blobs.write(data)
            old = connection.execute(sa.select(files.c.sha256).where(mine).with_for_update()).scalar_one_or_none()
            if old is None:
                blob_store.discard(connection, new)
            elif old != new:
                connection.execute(sa.update(files).where(mine).values(sha256=new, bytes=len(data)))
                blob_store.discard(connection, old)

        await self._database.write(work, durable=True)

    async def _unquote(self, tenant: str, batch_id: str, *, whole: bool) -> None:
        """A batch's errors without their messages, which may quote a line; ``whole``: also without its metadata."""
        mine = sa.and_(batches.c.tenant == tenant, batches.c.id == batch_id)

        def work(connection: sa.Connection) -> None:
            errors = connection.execute(sa.select(batches.c.errors).where(mine)).scalar_one_or_none()
            if errors is None:
                return
            bare = [{**each, "message": "", "param": None} for each in rows.load(errors)]
            values = {"errors": rows.dump(bare)} | ({"metadata": "{}"} if whole else {})
            connection.execute(sa.update(batches).where(mine).values(**values))

        await self._database.write(work, durable=True)

    async def _unkeep(self, tenant: str, batch_id: str, gone: list[BatchLine]) -> None:
        mine = sa.and_(batch_lines.c.tenant == tenant, batch_lines.c.batch_id == batch_id)

        def work(connection: sa.Connection) -> None:
            for line in gone:
                changed = sa.update(batch_lines).where(mine, batch_lines.c.number == line.number)
                connection.execute(changed.values(line=_without(line)))

        await self._database.write(work, durable=True)


def _chosen(group: _Group, whose: LinesOf) -> list[BatchLine]:
    """The person's lines: both the request and its answer if one of them is."""
    left = [line for line in group.lines() if not line.erased]
    if whose.everybody or (whose.key_id and group.key_id == whose.key_id):
        return left
    mine = [line for line in left if _is_theirs(line, whose)]
    named = {line.custom_id for line in mine if line.custom_id}
    places = {(line.file_id, line.number) for line in mine}
    return [line for line in left if line.custom_id in named or (line.file_id, line.number) in places]


def _is_theirs(line: BatchLine, whose: LinesOf) -> bool:
    if line.said is None:
        # Its author broke it: an unreadable line is the person's if it contains the person's name.
        return bool(whose.user) and whose.user in line.text
    # The file's author may have written anything.
    response = line.said.get("response")
    answer = response.get("body") if isinstance(response, dict) else None
    answered = isinstance(answer, dict) and answer_of(answer) in whose.answers
    return answered or whose.named_in(line.said.get("body"))


def _without(line: BatchLine) -> str:
    """The placeholder for a removed line."""
    said, custom_id = line.said or {}, f"erased-{line.number}"
    if "response" in said:
        return rows.dump({"id": said.get("id"), "custom_id": custom_id, "response": None, "error": ERASED})
    url = said.get("url") if str(said.get("url")) in ENDPOINTS else None
    return rows.dump({"custom_id": custom_id, "method": "POST", "url": url, "body": {}})


def _said(text: str) -> Mapping[str, Any] | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


HOLDINGS = (BatchLines,)

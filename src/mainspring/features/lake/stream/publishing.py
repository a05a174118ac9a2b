"""Publishes settled events to NATS JetStream, for consumers elsewhere.

Each event is a message on the subject ``PREFIX.TENANT.KIND``, with its id as the message's: JetStream drops what is
repeated within the stream's window. The position moves after the server has stored a batch, so that a process that dies
repeats at most one batch. Messages have facts and no text. An erasure reaches no message: streams need a maximum age.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import orjson
import sqlalchemy as sa

import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import MissingExtra, UpstreamError
from mainspring.core.facts.derived import exported
from mainspring.features.lake.settings import NatsSettings
from mainspring.features.lake.stream import events
from mainspring.stores.events import feed
from mainspring.stores.events.feed import Feed
from mainspring.stores.events.tolerant import PASSED_OVER
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.recurring import recurring

NAME = "lake: nats"
_AT_ONCE = 500
_ACK_S = 10.0


class Publishing:
    """Publishes, in one process at a time."""

    def __init__(self, database: Database, settings: NatsSettings) -> None:
        self._database = database
        self._settings = settings
        self._jobs = Jobs(database)

    async def publish(self) -> int:
        """All events that are settled now; returns their number, 0 while another process publishes. Raises
        ``UpstreamError`` if the server cannot be reached or does not store them, ``MissingExtra``."""
        count = 0
        async with recurring(self._jobs, NAME) as lease:
            if lease is None:
                return 0
            position = await Feed(self._database).begin(NAME)
            connection = await self._connect()
            try:
                while found := await self._database.read(partial(events.after, position=position, limit=_AT_ONCE)):
                    await self._send(connection, found)
                    position = found[-1].settled
                    if not await self._database.write(partial(_moved, lease=lease.job, position=position)):
                        return count
                    count += len(found)
                    if lease.lost.is_set():
                        return count
            finally:
                await connection.close()
        return count

    async def _connect(self) -> Any:
        try:
            import nats
        except ImportError:
            raise MissingExtra("lake.nats needs the package nats-py", remedy="Install mainspring[nats]") from None
        settings = self._settings
        try:
            # By default the first connection is tried for two minutes.
            return await nats.connect(
                settings.url,
                user_credentials=settings.credentials or None,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0.1,
                connect_timeout=int(_ACK_S),
            )
        except Exception as error:  # the client has errors of many kinds
            raise UpstreamError(f"NATS cannot be reached: {error}", remedy="Check lake.nats.url") from error

    async def _send(self, connection: Any, found: Sequence[sa.Row[Any]]) -> None:
        stream = connection.jetstream()
        try:
            # The stream must be there: who runs the server says how long it keeps messages.
            await asyncio.gather(
                *(
                    stream.publish(
                        f"{self._settings.subject}.{_token(row.tenant)}.{_token(row.kind)}",
                        message,
                        timeout=_ACK_S,
                        headers={"Nats-Msg-Id": f"{row.tenant}/{row.id}"},
                    )
                    for row, message in _messages(found)
                )
            )
        except Exception as error:
            raise UpstreamError(
                f"NATS does not store events: {error or type(error).__name__}",
                remedy=f"Make a stream for {self._settings.subject}.>",
            ) from error


def _moved(connection: sa.Connection, lease: Job, position: int) -> bool:
    if not jobs.lease_holds(connection, lease):
        return False
    feed.move(connection, NAME, position)
    return True


def _messages(found: Sequence[sa.Row[Any]]) -> Iterator[tuple[sa.Row[Any], bytes]]:
    """The messages of these events; one that cannot be read is passed over."""
    for row in found:
        head = {"id": row.id, "tenant": row.tenant, "kind": row.kind, "at": row.at, "trace_id": row.trace_id}
        head |= {"subject": row.subject, "version": row.version, "consent": row.consent}
        try:
            message = orjson.dumps({**head, "facts": exported(row.kind, rows.load(row.facts))})
        except Exception as error:  # what is wrong with one event has many kinds
            PASSED_OVER.note(NAME, row.id, error)
            continue
        yield row, message


def _token(name: str) -> str:
    """A name as a token of a subject, which may not have dots, blanks and wildcards."""
    if name and all(each.isalnum() or each in "-_" for each in name) and name.isascii():
        return name
    return f"={base64.urlsafe_b64encode(name.encode()).decode().rstrip('=')}"

"""Webhooks of tasks, and the delivery of notifications: at least once, in order for each webhook, with retries.

A notification is queued in the commit that changes the task. It is sent to public addresses only, is followed nowhere
else, and carries what the caller gave: ``X-A2A-Notification-Token``, credentials, and a signature made with the token
in the manner of Standard Webhooks (``webhook-id``, ``webhook-timestamp``, ``webhook-signature``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import MainspringError, NotFound, QuotaExceeded, StoreError
from mainspring.features.a2a.settings import A2aSettings
from mainspring.features.a2a.shapes import Json
from mainspring.features.a2a.tables import a2a_notifications as notifications
from mainspring.features.a2a.tables import a2a_webhooks as webhooks
from mainspring.rag.connect.fetch import Fetcher
from mainspring.stores.sql import ids
from mainspring.stores.sql.database import Database

_log = logging.getLogger("mainspring.gateway")
_POLL_S = 1.0
_CLAIMED_S = 60.0
_WAITS_S = (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_AT_ONCE = 16


class Webhooks:
    """The webhooks of all tasks."""

    def __init__(self, database: Database, settings: A2aSettings) -> None:
        self._database = database
        self._settings = settings

    async def add(self, tenant: str, task_id: str, body: Json) -> Json:
        """Keep a webhook, in place of the one with the same id. Raises ``Forbidden`` or ``InvalidRequest`` for an
        address to which nothing may be sent, and ``QuotaExceeded``."""
        self._fetcher().check(str(body.get("url", "")))
        kept = {**body, "id": body.get("id") or ids.new("hook_"), "taskId": task_id}
        row = {"tenant": tenant, "task_id": task_id, "id": kept["id"]}

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(webhooks).where(*_these(tenant, task_id, str(kept["id"]))))
            mine = sa.select(sa.func.count()).where(*_these(tenant, task_id))
            if connection.execute(mine).scalar_one() >= self._settings.max_webhooks:
                problem = f"a task may have {self._settings.max_webhooks} webhooks"
                raise QuotaExceeded(problem, remedy="Delete one of them")
            connection.execute(sa.insert(webhooks).values(**row, body=rows.dump(kept), created_at=time.time()))

        await self._database.write(work, durable=True)
        return shown(kept)

    async def get(self, tenant: str, task_id: str, webhook_id: str) -> Json:
        """Raises ``NotFound``."""
        found = [each for each in await self.all(tenant, task_id) if each["id"] == webhook_id]
        if not found:
            raise NotFound(f"the task has no webhook {webhook_id!r}", param="id")
        return found[0]

    async def all(self, tenant: str, task_id: str) -> list[Json]:
        """Those of a task, the oldest first, without their secrets."""
        query = sa.select(webhooks.c.body).where(*_these(tenant, task_id)).order_by(webhooks.c.created_at)
        found = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return [shown(rows.load(text)) for text in found]

    async def remove(self, tenant: str, task_id: str, webhook_id: str) -> None:
        """Delete one, with what waits for it; nothing happens if there is none."""

        def work(connection: sa.Connection) -> None:
            waiting = notifications.c.task_id == task_id, notifications.c.webhook_id == webhook_id
            connection.execute(sa.delete(notifications).where(notifications.c.tenant == tenant, *waiting))
            connection.execute(sa.delete(webhooks).where(*_these(tenant, task_id, webhook_id)))

        await self._database.write(work, durable=True)

    async def deliver(self) -> None:
        """Deliver what is due, for ever."""
        async with self._fetcher() as fetcher:
            while True:
                try:
                    due = await self._claim()
                    await asyncio.gather(*(self._send(fetcher, each) for each in due))
                except StoreError as error:
                    _log.warning("notifications cannot be looked for: %s", error)
                    due = []
                if len(due) < _AT_ONCE:
                    await asyncio.sleep(_POLL_S)

    def _fetcher(self) -> Fetcher:
        settings = self._settings
        return Fetcher(private_hosts=settings.private_hosts, delay_s=0, timeout_s=settings.webhook_timeout_s)

    async def _claim(self) -> list[Mapping[str, Any]]:
        """The due notifications, with their webhooks; nobody else takes them for a while."""
        now = time.time()

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found: list[dict[str, Any]] = [dict(row._mapping) for row in connection.execute(_due(now))]
            for each in found:
                this = notifications.c.tenant == each["tenant"], notifications.c.id == each["id"]
                claimed = sa.update(notifications).where(*this)
                connection.execute(claimed.values(next_at=now + _CLAIMED_S, attempts=each["attempts"] + 1))
                wanted = sa.select(webhooks.c.body).where(*_these(each["tenant"], each["task_id"], each["webhook_id"]))
                each["webhook"] = connection.execute(wanted).scalar_one_or_none()
            return [*found]

        waits = sa.select(sa.literal(1)).where(notifications.c.next_at <= now).limit(1)
        if await self._database.read(lambda connection: connection.execute(waits).first()) is None:
            return []
        return await self._database.write(work, durable=False)

    async def _send(self, fetcher: Fetcher, waiting: Mapping[str, Any]) -> None:
        problem = ""
        if waiting["webhook"] is not None:
            webhook = rows.load(waiting["webhook"])
            body = orjson.dumps(rows.load(waiting["body"]))
            try:
                status = await fetcher.post(webhook["url"], body, headers(webhook, waiting["id"], body))
                problem = "" if 200 <= status < 300 else f"it answered {status}"
            except MainspringError as error:
                problem = error.message
        tries = waiting["attempts"] + 1
        if problem and tries < self._settings.webhook_attempts:
            await self._again(waiting, _WAITS_S[min(tries, len(_WAITS_S)) - 1])
            return
        if problem:
            _log.warning("the task %s: its webhook was given up: %s", waiting["task_id"], problem)
        await self._done(waiting)

    async def _again(self, waiting: Mapping[str, Any], seconds: float) -> None:
        this = notifications.c.tenant == waiting["tenant"], notifications.c.id == waiting["id"]
        later = sa.update(notifications).where(*this).values(next_at=time.time() + seconds)
        with suppress(StoreError):
            await self._database.write(lambda connection: connection.execute(later) and None, durable=False)

    async def _done(self, waiting: Mapping[str, Any]) -> None:
        this = notifications.c.tenant == waiting["tenant"], notifications.c.id == waiting["id"]
        gone = sa.delete(notifications).where(*this)
        await self._database.write(lambda connection: connection.execute(gone) and None, durable=False)


def headers(webhook: Mapping[str, Any], notification_id: str, body: bytes) -> dict[str, str]:
    """The headers of a delivery: the caller's token and credentials, and the signature."""
    sent = {"content-type": "application/json", "webhook-id": notification_id}
    sent["webhook-timestamp"] = at = str(int(time.time()))
    if token := str(webhook.get("token", "")):
        signed = hmac.new(token.encode(), f"{notification_id}.{at}.".encode() + body, hashlib.sha256).digest()
        sent |= {
            "X-A2A-Notification-Token": token,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
    credentials = webhook.get("authentication", {})
    if credentials.get("scheme") and credentials.get("credentials"):
        sent["authorization"] = f"{credentials['scheme']} {credentials['credentials']}"
    return sent


def shown(webhook: Json) -> Json:
    """A webhook as its owner reads it: secrets are written and never read."""
    kept = {name: value for name, value in webhook.items() if name != "token"}
    if "authentication" in kept:
        kept["authentication"] = {"scheme": kept["authentication"].get("scheme", "")}
    return kept


def _these(tenant: str, task_id: str, webhook_id: str = "") -> list[sa.ColumnElement[bool]]:
    mine = [webhooks.c.tenant == tenant, webhooks.c.task_id == task_id]
    return [*mine, webhooks.c.id == webhook_id] if webhook_id else mine


def _due(now: float) -> sa.Select[Any]:
    """The notifications that are due, the oldest of each webhook of a task, for the process that locks them."""
    earlier = notifications.alias()
    before = sa.and_(
        earlier.c.tenant == notifications.c.tenant,
        earlier.c.task_id == notifications.c.task_id,
        earlier.c.webhook_id == notifications.c.webhook_id,
        earlier.c.id < notifications.c.id,
    )
    found = sa.select(notifications).where(notifications.c.next_at <= now)
    found = found.where(~sa.select(sa.literal(1)).where(before).exists())
    return found.order_by(notifications.c.next_at).limit(_AT_ONCE).with_for_update(skip_locked=True)

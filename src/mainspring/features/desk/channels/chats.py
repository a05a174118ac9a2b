"""Chats on web pages: a shop's server opens one and gives its token to the page, which can do nothing else with it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest, QuotaExceeded, RateLimited, Unauthenticated
from mainspring.core.types import Principal
from mainspring.features.desk.channels.settings import ChannelsSettings
from mainspring.features.desk.channels.store import Bounds, ChannelStore, Incoming
from mainspring.features.desk.store.holders import KeyHolders
from mainspring.features.desk.tables import desk_chats as chats
from mainspring.serving.memory.layer import stored_name
from mainspring.stores.schema import turns
from mainspring.stores.sessions.conversations import Sessions
from mainspring.stores.sql.database import Database

WEB = "web"
_PREFIX = "chat_"
_LOOK_S = 0.7


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat on a page. ``principal`` is whose requests its messages are, with the rights of its key now."""

    session_id: str
    principal: Principal
    person: str
    expires_at: float


class Chats:
    """The chats of all tenants."""

    def __init__(
        self,
        database: Database,
        store: ChannelStore,
        sessions: Sessions,
        holders: KeyHolders,
        settings: ChannelsSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._sessions = sessions
        self._holders = holders
        self._settings = settings
        self._watchers: Counter[str] = Counter()

    async def open(self, principal: Principal, person: str, seconds: float) -> tuple[Chat, str]:
        """A new chat for a customer (empty: of whom nothing is known), and the token for the page. It ends with its
        key at the latest. Raises ``QuotaExceeded``."""
        cards.refuse(person, "user")
        end = await self._holders.end(principal.tenant, principal.key_id)
        token = _PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        session_id = ids.new("web-")
        row = {"tenant": principal.tenant, "session_id": session_id, "digest": _digest(token)}
        row |= {"key_id": principal.key_id, "groups": rows.names(principal.groups), "person": person}
        expires_at = now + seconds if end is None else min(now + seconds, end)
        made = sa.insert(chats).values(**row, expires_at=expires_at, created_at=now)
        most = self._settings.chats

        def work(connection: sa.Connection) -> None:
            mine = sa.select(chats.c.digest).where(chats.c.tenant == principal.tenant, chats.c.expires_at > now)
            some = mine.limit(most).subquery()
            if connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() >= most:
                raise QuotaExceeded(f"{most} chats are open, the maximum", remedy="See channels.chats")
            connection.execute(made)

        await self._database.write(work, durable=True)
        return Chat(session_id, principal, person, expires_at), token

    async def of(self, token: str) -> Chat:
        """The chat of a token. Raises ``Unauthenticated``: it is over, or its key is."""
        query = sa.select(chats).where(chats.c.digest == _digest(token), chats.c.expires_at > time.time())
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if not token.startswith(_PREFIX) or row is None:
            raise Unauthenticated("this chat has ended or does not exist", remedy="Open a new chat")
        principal = await self._holders.principal(row.tenant, row.key_id, frozenset(rows.load(row.groups)))
        return Chat(row.session_id, principal, row.person, row.expires_at)

    async def say(self, chat: Chat, message_id: str, text: str) -> bool:
        """Keep a message; durable when it returns. False: it came before. Raises ``InvalidRequest``,
        ``RateLimited``."""
        if not text.strip():
            raise InvalidRequest("text is empty", param="text")
        principal = chat.principal
        address = {"key_id": principal.key_id, "person": principal.person, "groups": sorted(principal.groups)}
        person = chat.person or chat.session_id
        external = f"{chat.session_id}:{message_id}"
        message = Incoming(WEB, external, chat.session_id, person, text.strip(), address)
        return await self._store.receive(principal.tenant, message, Bounds.of(self._settings))

    async def messages(self, chat: Chat) -> list[dict[str, Any]]:
        """What was said, oldest first, without instructions and calls of tools."""
        session = stored_name(chat.principal, chat.session_id)
        found = await self._sessions.all_messages(chat.principal.tenant, session)
        return [
            {
                "id": f"{each.turn}:{each.position}",
                "role": each.message.role,
                "text": each.message.content,
                "at": each.at,
            }
            for each in found
            if each.message.role in ("user", "assistant") and each.message.content.strip()
        ]

    def check_watchers(self, chat: Chat) -> None:
        """Raises ``RateLimited`` if as many streams are open as may be."""
        mine, all_ = self._watchers[chat.session_id], self._watchers[chat.principal.tenant]
        if mine >= self._settings.watchers_each or all_ >= self._settings.watchers:
            raise RateLimited("too many streams of chats are open", remedy="Close some", retry_after=5.0)

    async def watch(self, chat: Chat) -> AsyncGenerator[dict[str, Any], None]:
        """All messages now, and after each change, until the chat or its key is over. What was said is read only when
        the session has changed. Raises ``RateLimited``."""
        self.check_watchers(chat)
        shown: list[dict[str, Any]] | None = None
        seen: tuple[Any, ...] | None = None
        counted = chat.session_id, chat.principal.tenant
        self._watchers.update(counted)
        try:
            while time.time() < chat.expires_at and await self._lives(chat):
                now = await self._mark(chat)
                if now != seen:
                    found = await self.messages(chat)
                    if found != shown:
                        yield {"object": "list", "data": found}
                    shown, seen = found, now
                await asyncio.sleep(_LOOK_S)
        finally:
            self._watchers.subtract(counted)
            self._watchers = +self._watchers

    async def _mark(self, chat: Chat) -> tuple[Any, ...]:
        """Differs after each change of the session."""
        session = stored_name(chat.principal, chat.session_id)
        mine = sa.and_(turns.c.tenant == chat.principal.tenant, turns.c.session_id == session)
        query = sa.select(sa.func.count(), sa.func.max(turns.c.id)).where(mine)
        return tuple(await self._database.read(lambda connection: connection.execute(query).one()))

    async def _lives(self, chat: Chat) -> bool:
        principal = chat.principal
        try:
            await self._holders.principal(principal.tenant, principal.key_id, principal.groups)
        except Unauthenticated:
            return False
        return True

    async def expire(self) -> None:
        """Forget the tokens of chats that are over."""
        query = sa.delete(chats).where(chats.c.expires_at < time.time())
        await self._database.write(lambda connection: connection.execute(query) and None, frees=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()

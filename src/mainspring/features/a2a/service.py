"""Agents over A2A as a service: who is asked, how a message becomes a turn, and how a task is followed."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.a2a import shapes
from mainspring.features.a2a.settings import A2aSettings
from mainspring.features.a2a.shapes import Json
from mainspring.features.a2a.tasks.feeds import Feed, Feeds
from mainspring.features.a2a.tasks.store import KIND, StoredTask, TaskStore
from mainspring.features.a2a.tasks.turns import RUN, WAITS, Turns
from mainspring.features.a2a.tasks.webhooks import Webhooks
from mainspring.serving.ring.registry import Registry, Served
from mainspring.stores.sql.worker import Worker

_POLL_S = 0.5
_CONTEXT = re.compile(r"[A-Za-z0-9_:-]{1,100}")
DOCUMENTS = "document-qa"


class OverAlready(InvalidRequest):
    """The task is in a state in which this cannot be done."""


class A2aAgents:
    """The agents of this server, as callers of A2A see them."""

    def __init__(self, rooms: Rooms, settings: A2aSettings) -> None:
        database = rooms.stores.database
        self.settings = settings
        self.store = TaskStore(database, settings.per_tenant)
        self.webhooks = Webhooks(database, settings)
        self.registry: Registry = rooms.path.registry
        self._feeds = Feeds()
        keys, responder = rooms.stores.keys, rooms.responder
        self._turns = Turns(self.store, rooms.stores.jobs, keys, responder, self._feeds, settings)
        self.worker = Worker(
            rooms.stores.jobs,
            KIND,
            self._turns,
            parallel=settings.parallel,
            lease_s=settings.lease_s,
            attempts=3,
            give_up=self._turns.give_up,
        )

    async def agent(self, name: str, principal: Principal) -> str:
        """The served name behind an address (empty: the server's own). Raises ``UnknownModel``."""
        wanted = name or self.settings.agent
        if not wanted:
            known = {each.name: each for each in await self.registry.models(principal)}
            chat = (each.name for each in known.values() if each.kind == "chat")
            wanted = DOCUMENTS if DOCUMENTS in known else next(chat, DOCUMENTS)
        return (await self.registry.find(wanted, principal)).name

    async def visible(self, principal: Principal) -> list[Served]:
        """All served names that this caller may ask."""
        return await self.registry.models(principal)

    async def send(
        self, context: Context, agent: str, message: Json, options: Json, webhook: Json | None = None
    ) -> StoredTask:
        """Take a message in: as a new task of the agent, or as one more turn of the task that it names. ``webhook`` is
        notified of the task.

        Raises ``NotFound`` for a task that is not the caller's, ``OverAlready`` for one that takes no message now,
        ``InvalidRequest``, ``RateLimited``.
        """
        try:
            shapes.text_of(message)
        except shapes.UnreadablePart as error:
            raise InvalidRequest(str(error), param="message.parts") from error
        if message.get("taskId"):
            found = await self._proceed(context, agent, message, options, webhook)
        else:
            name = await self.agent(agent, context.principal)
            found = await self._begin(context, name, message, options, webhook)
        self._feeds.open(found.tenant, copy.deepcopy(found.task))
        self._turns.contexts[found.job_id] = context
        self.worker.soon()
        return found

    async def _begin(
        self, context: Context, agent: str, message: Json, options: Json, webhook: Json | None
    ) -> StoredTask:
        wanted = message.get("contextId") or ids.new("ctx_")
        if not _CONTEXT.fullmatch(wanted):
            problem = "a context id has up to 100 letters, digits, hyphens, underscores and colons"
            raise InvalidRequest(problem, param="message.contextId")
        task: Json = {"id": ids.new("task_"), "contextId": wanted, "status": shapes.status(shapes.SUBMITTED)}
        task["history"] = [_of(message, task)]
        if webhook is not None:
            await self.webhooks.add(context.principal.tenant, task["id"], webhook)
        return await self.store.create(
            context.principal,
            agent,
            task,
            options={**options, "kept": 0},
            person=str(options.get("user", "")),
            trace_id=context.trace.trace_id,
        )

    async def _proceed(
        self, context: Context, agent: str, message: Json, options: Json, webhook: Json | None
    ) -> StoredTask:
        found = await self.store.find(context.principal, message["taskId"], agent)
        if message.get("contextId") and message["contextId"] != found.task["contextId"]:
            raise InvalidRequest("the task belongs to another context", param="message.contextId")
        if found.state not in shapes.SETTLED - shapes.TERMINAL:
            told = "is over" if found.state in shapes.TERMINAL else "is being worked on"
            raise OverAlready(f"the task {told} and takes no message", remedy="Send it without taskId")
        if webhook is not None:
            await self.webhooks.add(found.tenant, found.id, webhook)
        task = copy.deepcopy(found.task)
        waited = task["status"].get("message", {}).get("metadata", {})
        task["status"] = shapes.status(shapes.SUBMITTED)
        task["history"].append(_of(message, task))
        inner = dict(options.get("options", {}))
        wanted = {**options, "options": inner, "kept": len(task.get("artifacts", ()))}
        if waited.get("code") in WAITS and found.options.get(RUN):
            wanted[RUN] = found.options[RUN]
        elif waited.get("id") and "approval" not in inner:
            inner["approval"] = waited["id"]
        going = await self.store.proceed(found, task, options=wanted, trace_id=context.trace.trace_id)
        if going is None:
            raise OverAlready("another message to this task came first", remedy="Read the task again")
        return going

    async def cancel(self, principal: Principal, agent: str, task_id: str) -> StoredTask:
        """Cancel a task. Raises ``NotFound``, and ``OverAlready`` if it had ended."""
        found = await self.store.find(principal, task_id, agent)
        feed = self._feeds.get(found.tenant, found.id)
        task = copy.deepcopy(found.task if feed is None or feed.over else feed.task)
        task["status"] = shapes.status(shapes.CANCELED)
        if not await self.store.cancel(found, task, [{"task": task}]):
            raise OverAlready("the task had ended")
        self._turns.stop(found.job_id)
        if feed is not None:
            feed.task["status"] = task["status"]
            feed.tell(shapes.status_update(task))
        return await self.store.find(principal, task_id, agent)

    async def follow(self, found: StoredTask, until: float | None) -> AsyncGenerator[Json, None]:
        """The task as it is, then its updates, until nobody works on it any more or ``until`` (a ``time.monotonic()``
        value) has passed. Of an interrupted task those of its next turn."""
        feed = self._feeds.get(found.tenant, found.id)
        if feed is None or feed.over:
            yield {"task": copy.deepcopy(found.task)}
            async for update in self._elsewhere(found, until):
                yield update
            return
        feed.followers += 1
        try:
            task, seen = feed.snapshot()
            yield {"task": task}
            while not _late(until):
                updates = await feed.more(seen, _POLL_S)
                seen += len(updates)
                for update in updates:
                    yield update
                    if _ends(update):
                        return
                if feed.over:
                    return
                if not updates and not feed.working:
                    # Another process may have taken the turn.
                    now = await self.store.load(found.tenant, found.id)
                    if now is not None and now.version > found.version:
                        break
            async for update in self._elsewhere(found, until):
                yield update
        finally:
            feed.followers -= 1
            self._leave(found.tenant, feed)

    def _leave(self, tenant: str, feed: Feed) -> None:
        if feed.over and not feed.followers:
            self._feeds.drop(tenant, feed)

    async def _elsewhere(self, found: StoredTask, until: float | None) -> AsyncGenerator[Json, None]:
        """The updates of a task that another process works on, from what it has written down."""
        seen = found
        if seen.state in shapes.TERMINAL:
            return
        while not _late(until):
            now = await self.store.load(found.tenant, found.id)
            if now is None:
                return
            if now.version > seen.version:
                for update in changes(seen.task, now.task):
                    yield update
                seen = now
                if now.state in shapes.SETTLED:
                    return
            await asyncio.sleep(_POLL_S)

    async def result(self, found: StoredTask, until: float | None) -> Json:
        """The task once nobody works on it any more, or as it is at ``until``; ``{"message": ...}`` if the answer is
        no task."""
        following = self.follow(found, until)
        try:
            async for update in following:
                if "message" in update:
                    return update
        finally:
            await following.aclose()
        now = await self.store.load(found.tenant, found.id)
        if now is None:
            raise NotFound("the task was deleted meanwhile")
        return {"task": now.task}


def changes(before: Json, after: Json) -> list[Json]:
    """The updates that lead from one state of a task to a later one."""
    known = {each["artifactId"]: each for each in before.get("artifacts", ())}
    updates = []
    for each in after.get("artifacts", ()):
        old = known.get(each["artifactId"])
        if old is None:
            updates.append(shapes.artifact_update(after, each, append=False, last=False))
        elif old != each:
            was, is_ = old["parts"][0].get("text"), each["parts"][0].get("text")
            grown = was is not None and is_ is not None and is_.startswith(was)
            piece = {**each, "parts": [{"text": is_[len(was) :]}]} if grown else each
            updates.append(shapes.artifact_update(after, piece, append=grown, last=False))
    if before["status"] != after["status"]:
        updates.append(shapes.status_update(after))
    return updates


def _of(message: Json, task: Json) -> Json:
    return {**message, "taskId": task["id"], "contextId": task["contextId"]}


def _ends(update: Json) -> bool:
    told: Any = update.get("statusUpdate", {}).get("status", {}).get("state")
    return "message" in update or told in shapes.SETTLED


def _late(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until

"""Works on turns of tasks: asks the agent, turns its events into updates, and keeps the task as it changes.

A turn is a leased job. After a crash another process asks the agent again under the same trace; what the agent had said
by then is dropped. A turn of a caller with a token cannot be resumed: nothing is left that says what it may do.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import MainspringError, NotFound, Unauthenticated
from mainspring.core.types import (
    TOKEN,
    Allowance,
    ChatRequest,
    Citation,
    Context,
    Event,
    Finish,
    Message,
    Notice,
    Progress,
    Responder,
    Text,
    TraceParent,
)
from mainspring.features.a2a import present, shapes
from mainspring.features.a2a.settings import A2aSettings
from mainspring.features.a2a.shapes import Json
from mainspring.features.a2a.tasks.feeds import Feed, Feeds
from mainspring.features.a2a.tasks.store import StoredTask, TaskStore
from mainspring.http.openai import encode
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql import ids, jobs
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.worker import Lease

_log = logging.getLogger("mainspring.gateway")
RUN, RUN_HEADER = "run", "x-mainspring-run"
"""The option that names an agent's run to go on with, and the header that tells it."""
WAITS = {"approval_pending", "approval_wanted", "input_required"}
"""Codes of notices with which an answer says that it waits for a person."""
ANSWER = "answer"
"""The name of the artifact with the agent's text."""
_SAVE_S = 2.0
# How often a task in progress is written down, for its followers in other processes.
_TRIES = 3


class Turns:
    """Does the jobs of turns; ``contexts`` are those of callers whose requests came to this process."""

    def __init__(
        self, store: TaskStore, jobs_: Jobs, keys: Keys, responder: Responder, feeds: Feeds, settings: A2aSettings
    ) -> None:
        self._store = store
        self._jobs = jobs_
        self._keys = keys
        self._responder = responder
        self._feeds = feeds
        self._settings = settings
        self.contexts: dict[str, Context] = {}
        self._leases: dict[str, Lease] = {}

    def stop(self, job_id: str) -> None:
        """Stop a turn that was cancelled, if this process works on it; another one learns of it from the job."""
        if (lease := self._leases.get(job_id)) is not None:
            lease.cancelled.set()

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        found = await self._store.load(job.tenant, str(job.payload.get("task")))
        if found is None or found.job_id != job.id or found.state in shapes.SETTLED:
            self.contexts.pop(job.id, None)
            await self._jobs.finish(job, jobs.CANCELLED if job.cancelled else jobs.DONE)
            return
        feed = self._feeds.get(job.tenant, found.id)
        if feed is None or feed.over or job.attempts > 1:
            feed = self._feeds.open(job.tenant, _without_answer(found))
        feed.working = True
        self._leases[job.id] = lease
        turn = _Turn(self, found, feed, lease)
        try:
            await turn.run()
        finally:
            del self._leases[job.id]
            feed.end()
            self.contexts.pop(job.id, None)
            if not feed.followers:
                self._feeds.drop(job.tenant, feed)

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Fail a task whose turns broke off repeatedly."""
        found = await self._store.load(lease.job.tenant, str(lease.job.payload.get("task")))
        if found is None:
            await self._jobs.finish(lease.job, jobs.FAILED, str(error))
            return
        task = _without_answer(found)
        task["status"] = _failure(task, encode.bug(), began=True)
        await self._store.save(found, task, lease.job, notices=_notices(task))

    async def context(self, found: StoredTask, job_id: str) -> Context:
        """The caller's context. Raises ``Unauthenticated`` if the key can no longer be used."""
        live = self.contexts.get(job_id)
        deadline = time.monotonic() + self._settings.timeout_s
        if live is not None:
            return dataclasses.replace(live, deadline=deadline, arrival=None, idempotency_key=None)
        if found.key_id.startswith(TOKEN):
            raise Unauthenticated("the token of this task was lost with a restart", remedy="Send the message again")
        try:
            key = await self._keys.get(found.tenant, found.key_id)
        except NotFound:
            raise Unauthenticated("the API key of this task is gone") from None
        if not key.usable(time.time()):
            raise Unauthenticated("the API key of this task was revoked or has expired")
        principal = dataclasses.replace(key.principal(), scopes=found.scopes, groups=found.groups)
        trace = TraceParent(found.trace_id or TraceParent.new().trace_id, TraceParent.new().span_id)
        return Context(principal, trace, deadline, allowance=Allowance(), consent=principal.consent)


class _Turn:
    """One turn being worked on."""

    def __init__(self, turns: Turns, found: StoredTask, feed: Feed, lease: Lease) -> None:
        self._turns = turns
        self._found = found
        self._feed = feed
        self._lease = lease
        self._text = ""
        self._artifact: Json | None = None
        self._citations: list[Citation] = []
        self._waits: Notice | None = None
        self._answer_id = self._run = ""
        self._saved = time.monotonic()

    @property
    def task(self) -> Json:
        return self._feed.task

    async def run(self) -> None:
        """Ask the agent, and leave the task in the state that its answer means."""
        message = self.task["history"][-1]
        turn = present.PresentTurn(message, self._found.id, self.task["contextId"])
        present.PRESENT.set(turn)
        working = asyncio.create_task(self._ask(message, turn), name=f"a2a: {self._found.id}")
        stopping = asyncio.create_task(_stopped(self._lease))
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait([working])
                # The caller that cancelled it has recorded that, or another process continues it.
                await self._turns._jobs.finish(self._lease.job, jobs.CANCELLED)
                return
            await working
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.wait([working, stopping])

    async def _ask(self, message: Mapping[str, Any], turn: present.PresentTurn) -> None:
        try:
            context = await self._turns.context(self._found, self._lease.job.id)
            await self._become(shapes.status(shapes.WORKING))
            response = await self._turns._responder.respond(self._request(message), context)
            self._answer_id = response.head.answer_id
            self._run = response.head.headers.get(RUN_HEADER, "")
            if self._run:
                await self._save()
            async with response:
                async for event in response:
                    await self._take(event)
        except MainspringError as error:
            await self._become(_failure(self.task, error, began=bool(self._text)))
        except Exception:
            _log.exception("unexpected failure of the task %s", self._found.id)
            await self._become(_failure(self.task, encode.bug(), began=True))
        else:
            await self._finish(turn)

    def _request(self, message: Mapping[str, Any]) -> ChatRequest:
        found = self._found
        options = dict(found.options.get("options", {}))
        options |= {RUN: found.options[RUN]} if found.options.get(RUN) else {}
        return ChatRequest(
            found.agent,
            (Message("user", shapes.text_of(message)),),
            session_id=f"own:{self.task['contextId']}",
            user=found.person or None,
            options=options,
        )

    async def _take(self, event: Event) -> None:
        match event:
            case Text(text=text, choice=0) if text:
                self._add(text)
            case Citation():
                self._citations.append(event)
            case Notice():
                self._waits = event if event.code in WAITS else self._waits
            case Progress():
                self._show(event)
            case Finish():
                return
            case _:
                return
        if time.monotonic() > self._saved + _SAVE_S:
            await self._save()

    def _add(self, text: str) -> None:
        append = self._artifact is not None
        if self._artifact is None:
            self._artifact = {"artifactId": ids.new("art_"), "name": ANSWER, "parts": [{"text": ""}]}
            self.task.setdefault("artifacts", []).append(self._artifact)
        self._text += text
        self._artifact["parts"][0]["text"] = self._text
        if not shapes.accepts_data(self._found.options):
            piece = {**self._artifact, "parts": [{"text": text}]}
            self._feed.tell(shapes.artifact_update(self.task, piece, append=append, last=False))

    def _show(self, event: Progress) -> None:
        """Followers see progress, and nothing stores it."""
        text = f"{event.stage}: {event.detail}" if event.detail else event.stage
        told = shapes.status(shapes.WORKING, shapes.message(self.task, [{"text": text}], {"progress": True}))
        update = shapes.status_update(self.task)
        update["statusUpdate"]["status"] = told
        self._feed.tell(update)

    async def _finish(self, turn: present.PresentTurn) -> None:
        if turn.as_message:
            said = shapes.message(self.task, [{"text": self._text}])
            del said["taskId"]
            self._feed.tell({"message": said})
            await self._turns._store.delete(self._found, self._lease.job)
            return
        self._close_answer()
        for made in turn.artifacts:
            artifact = {"artifactId": ids.new("art_"), **made}
            self.task.setdefault("artifacts", []).append(artifact)
            self._feed.tell(shapes.artifact_update(self.task, artifact, append=False, last=True))
        self.task["metadata"] = {**self.task.get("metadata", {}), **self._about()}
        if self._waits is None:
            await self._become(shapes.status(shapes.COMPLETED))
            return
        about = {"code": self._waits.code, **({"id": self._waits.id} if self._waits.id else {})}
        said = shapes.message(self.task, [{"text": self._waits.text or self._text}], about)
        await self._become(shapes.status(shapes.INPUT_REQUIRED, said))

    def _close_answer(self) -> None:
        """Tell the citations of the answer, or the whole of it as data."""
        if self._artifact is None:
            return
        data = shapes.as_data(self._text) if shapes.accepts_data(self._found.options) else None
        self._artifact |= shapes.cited(self._citations)
        if data is not None:
            self._artifact["parts"] = [data]
        whole = shapes.accepts_data(self._found.options)
        piece = self._artifact if whole else {**self._artifact, "parts": [{"text": ""}]}
        self._feed.tell(shapes.artifact_update(self.task, piece, append=not whole, last=True))

    def _about(self) -> Json:
        return {"traceId": self._found.trace_id, **({"answerId": self._answer_id} if self._answer_id else {})}

    async def _become(self, status: Json) -> None:
        """Keep the task with this status, then tell it."""
        settled = status["state"] in shapes.SETTLED
        before = self.task["status"]
        self.task["status"] = status
        if settled and status.get("message"):
            self.task["history"].append(status["message"])
        if await self._save(notify=True):
            self._feed.tell(shapes.status_update(self.task))
        else:
            self.task["status"] = before

    async def _save(self, *, notify: bool = False) -> bool:
        self._saved = time.monotonic()
        task = copy.deepcopy(self.task)
        notices = _notices(task) if notify else ()
        return await self._turns._store.save(
            self._found, task, self._lease.job, answer_id=self._answer_id, run=self._run, notices=notices
        )


async def _stopped(lease: Lease) -> None:
    waits = [asyncio.create_task(each.wait()) for each in (lease.cancelled, lease.lost)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


def _notices(task: Json) -> list[Json]:
    """The message of a new status to webhooks: the whole task once nobody works on it, else the status."""
    if task["status"]["state"] in shapes.SETTLED:
        return [{"task": task}]
    return [shapes.status_update(task)]


def _failure(task: Json, error: MainspringError, *, began: bool) -> Json:
    """The status of a task that ``error`` ended: rejected if it was the caller's fault and nothing was said."""
    state = shapes.REJECTED if error.status < 500 and not began else shapes.FAILED
    about: Json = {"code": error.code, **({"param": error.param} if error.param else {})}
    about |= {"retryAfter": error.retry_after} if error.retry_after is not None else {}
    return shapes.status(state, shapes.message(task, [{"text": error.told}], about))


def _without_answer(found: StoredTask) -> Json:
    """The task as it was before this turn began: its unfinished answer is dropped."""
    task = copy.deepcopy(found.task)
    kept = found.options.get("kept", 0)
    task["artifacts"] = task.get("artifacts", [])[:kept]
    if not task["artifacts"]:
        del task["artifacts"]
    return task

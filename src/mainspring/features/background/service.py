"""Makes responses in the background: each in a task of its own, with its events kept for those who want to read them.

A response is accepted once its row is durable. A process that dies leaves rows without signs of life: their readers
learn that the response has failed, and why.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer
from mainspring.core.types import ChatRequest, Context, Head, Message, Principal, Responder
from mainspring.features.background.settings import BackgroundSettings
from mainspring.features.background.store import BEAT_S, INTERRUPTED, BackgroundState, BackgroundStates, Status
from mainspring.http.openai import responses_stream
from mainspring.http.openai.encode import bug
from mainspring.http.openai.response_ids import response_id
from mainspring.http.openai.responses_encode import Shell
from mainspring.http.openai.responses_stream import Encoder, Frame
from mainspring.stores.sql import ids

_log = logging.getLogger("mainspring.gateway")
Ended = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Called with the response object of an answer before its end is sent."""


class BackgroundRun:
    """One response on its way: its events so far, and its object."""

    def __init__(self, shell: Shell, principal: Principal, said: Sequence[Message] = ()) -> None:
        self.principal = principal
        self.said = said
        self.body: Mapping[str, Any] = shell.body("queued")
        self.over = False
        self.task: asyncio.Task[None] | None = None
        self._frames: list[Frame] = []
        self._more = asyncio.Event()

    def tell(self, frames: list[Frame]) -> None:
        """Take events in, and wake those who read."""
        self._frames += frames
        for frame in frames:
            if isinstance(found := frame.get("response"), dict):
                self.body = found
            elif frame["type"] == "response.output_item.done":
                self.body = {**self.body, "output": [*self.body["output"], frame["item"]]}
        more, self._more = self._more, asyncio.Event()
        more.set()

    def end(self) -> None:
        """No more events come."""
        self.over = True
        self._more.set()

    async def read(self, after: int) -> AsyncGenerator[Frame, None]:
        """The events behind the one numbered ``after``, until there are no more."""
        number = after + 1
        while True:
            more = self._more
            while number < len(self._frames):
                yield self._frames[number]
                number += 1
            if self.over:
                return
            await more.wait()


class Background:
    """The responses in the background of this process, and what is known of those of others."""

    def __init__(self, states: BackgroundStates, settings: BackgroundSettings) -> None:
        self._states = states
        self._settings = settings
        self._runs: dict[tuple[str, str], BackgroundRun] = {}
        self._forget: set[asyncio.TimerHandle] = set()
        self._closing = False

    async def start(
        self,
        responder: Responder,
        request: ChatRequest,
        context: Context,
        shell: Shell,
        ended: Ended | None = None,
    ) -> BackgroundRun:
        """Begin a response of ``responder``; ``shell`` is without its id. Raises ``RateLimited`` if the tenant has too
        many in progress."""
        answer_id, principal = ids.new("ans_"), context.principal
        await self._states.open(principal, answer_id, request.model, self._settings.per_tenant)
        shell = dataclasses.replace(shell, id=response_id(answer_id))
        run = BackgroundRun(shell, principal, context.settlement.turn or request.messages)
        self._runs[principal.tenant, answer_id] = run
        context.settlement.planned_id = answer_id
        context = dataclasses.replace(context, deadline=time.monotonic() + self._settings.timeout_s)
        run.task = asyncio.create_task(
            self._make(run, responder, request, context, shell, ended), name=f"background: {answer_id}"
        )
        return run

    def run(self, principal: Principal, answer_id: str) -> BackgroundRun | None:
        """A response of this process that is in progress, or ended a short time ago."""
        found = self._runs.get((principal.tenant, answer_id))
        return found if found is not None and found.principal.key_id in principal.own_keys else None

    async def state(self, principal: Principal, answer_id: str) -> BackgroundState | None:
        """What is known of a response: also of one that another process makes, or made until it died."""
        found = await self._states.find(principal, answer_id)
        return None if found is None else found.seen

    async def cancel(self, principal: Principal, answer_id: str) -> None:
        """Stop a response, wherever it is made."""
        run = self.run(principal, answer_id)
        if run is None or run.task is None:
            await self._states.cancel(principal.tenant, answer_id)
            return
        run.task.cancel()
        await asyncio.wait([run.task])

    async def forget(self, principal: Principal, answer_id: str) -> None:
        """Delete what is known here of a response that has been deleted."""
        if (run := self.run(principal, answer_id)) is not None:
            if run.task is not None and not run.over:
                await self.cancel(principal, answer_id)
            self._runs.pop((principal.tenant, answer_id), None)
        await self._states.forget(principal.tenant, answer_id)

    async def close(self) -> None:
        """End all of them: what is not finished has failed."""
        self._closing = True
        for timer in self._forget:
            timer.cancel()
        open_ = {place: run for place, run in self._runs.items() if not run.over and run.task is not None}
        for run in open_.values():
            assert run.task is not None
            run.task.cancel()
        await asyncio.gather(*(run.task for run in open_.values() if run.task), return_exceptions=True)

    async def _make(
        self,
        run: BackgroundRun,
        responder: Responder,
        request: ChatRequest,
        context: Context,
        shell: Shell,
        ended: Ended | None,
    ) -> None:
        tenant, answer_id = context.principal.tenant, context.settlement.planned_id
        beating = asyncio.create_task(self._beat(tenant, answer_id, asyncio.current_task()))
        encoder = Encoder(shell)
        status: Status = "failed"
        code = INTERRUPTED
        try:
            queued = shell.body("queued")
            run.tell([encoder.frame(f"response.{kind}", response=queued) for kind in ("created", "queued")])
            await self._states.move(tenant, answer_id, "in_progress")
            async for frames in _frames(responder, request, context, shell, encoder):
                last = frames[-1]
                if last["type"] in responses_stream.ENDS:
                    body = last["response"]
                    status, code = body["status"], (body["error"] or {}).get("code", "")
                    if ended is not None and status != "failed":
                        await ended(body)
                run.tell(frames)
        except asyncio.CancelledError:
            # A server that stops ends what it makes; nobody asked for that.
            status, code = ("failed", INTERRUPTED) if self._closing else ("cancelled", "")
            run.body = {**run.body, "status": status, "output": encoder.items()}
            raise
        finally:
            beating.cancel()
            run.end()
            self._later(tenant, answer_id)
            await asyncio.shield(self._states.move(tenant, answer_id, status, code))

    async def _beat(self, tenant: str, answer_id: str, making: asyncio.Task[Any] | None) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                cancelled = await self._states.beat(tenant, answer_id)
            except MainspringError as error:
                _log.warning("a response in the background could not say that it is alive: %s", error)
                continue
            if cancelled and making is not None:
                making.cancel()
                return

    def _later(self, tenant: str, answer_id: str) -> None:
        """Forget the events of a finished response after a while."""

        def forget() -> None:
            self._forget.discard(timer)
            self._runs.pop((tenant, answer_id), None)

        timer = asyncio.get_running_loop().call_later(self._settings.kept_s, forget)
        self._forget.add(timer)


async def _frames(
    responder: Responder, request: ChatRequest, context: Context, shell: Shell, encoder: Encoder
) -> AsyncIterator[list[Frame]]:
    try:
        response = await responder.respond(request, context)
    except MainspringError as error:
        yield [encoder.frame("response.failed", response=shell.failed(error, _nothing(request), []))]
    except Exception:
        _log.exception("unexpected failure in the background")
        yield [encoder.frame("response.failed", response=shell.failed(bug(), _nothing(request), []))]
    else:
        async for frames in responses_stream.frames(response, shell, encoder):
            yield frames


def _nothing(request: ChatRequest) -> Answer:
    return Answer(Head(request.model))


@asynccontextmanager
async def opened(background: Background) -> AsyncIterator[Background]:
    """``background`` while the block runs."""
    try:
        yield background
    finally:
        await background.close()

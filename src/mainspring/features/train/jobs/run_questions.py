"""Answers what a run asks of served models (``training.asking``), over a socket that its process alone has.

A run asks as the key that ordered it, of its tenant, in its groups, with the right to chat alone, and only the names
that its order has. Each question goes through the whole request path at the priority of batches: guards see it, budgets
and the ledger count it, and it is an event of the kind ``replay`` under the job's id, which nothing learns from.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mainspring.core.errors import (
    BudgetExceeded,
    Forbidden,
    InvalidRequest,
    MainspringError,
    Overloaded,
    RateLimited,
    UnknownModel,
)
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Priority, PromptUse, Sampling, TraceParent
from mainspring.features.train.jobs.fields import about
from mainspring.serving import Path
from mainspring.training.asking import AT_ONCE, MOST_BYTES
from mainspring.training.folder import Folder, read_json, write_json
from mainspring.training.recipe import RecipeOptions

_log = logging.getLogger(__name__)
_TRIES, _LONGEST_WAIT_S, _QUESTION_S = 5, 30.0, 300.0
_COUNT, _NOTED = "asked.json", 10
_ROLES = ("system", "user", "assistant")
_OWN = ("application", "collection")


def names(options: RecipeOptions) -> frozenset[str]:
    """What a run with these options may ask; empty: it asks nothing."""
    return frozenset(str(getattr(options, name)) for name in options.asked if getattr(options, name))


async def check(path: Path | None, principal: Principal, options: RecipeOptions) -> None:
    """Raises ``Forbidden`` for a key that may not chat, ``UnknownModel``, and ``InvalidRequest`` without a server."""
    if not names(options):
        return
    if path is None:
        raise InvalidRequest(
            "this recipe asks served models, and none is served here",
            remedy="Order it at a running server",
            param="recipe",
        )
    if "chat" not in principal.scopes and "admin" not in principal.scopes:
        raise Forbidden(
            "this recipe asks models, and the key may not", remedy="Order it with a key of the scopes train and chat"
        )
    for each in options.asked:
        if getattr(options, each):
            with about(f"options.{each}"):
                await path.registry.find(str(getattr(options, each)), principal)


def count(folder: Folder) -> int:
    """The questions that a run has asked so far."""
    return int((read_json(folder.path / _COUNT) or {}).get("asked", 0))


def chatting(principal: Principal) -> Principal:
    """The same key with the right to chat alone."""
    return dataclasses.replace(principal, scopes=frozenset({"chat"}))


class Answering:
    """Answers one run. ``left`` are the questions that it may still ask, ``usable`` says whether its key is."""

    def __init__(
        self,
        path: Path,
        principal: Principal,
        allowed: frozenset[str],
        job: str,
        left: int,
        usable: Callable[[], Awaitable[bool]],
        folder: Folder,
    ) -> None:
        self._path = path
        self._principal = chatting(principal)
        self._allowed = allowed
        self._job = job
        self._usable = usable
        self._folder = folder
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._left = left
        self._before = count(folder)
        self.asked = 0

    async def serve(self, end: socket.socket) -> None:
        """Answer until the other end is closed. What is under way ends with it."""
        reader, writer = await asyncio.open_connection(sock=end, limit=MOST_BYTES)
        try:
            while line := await reader.readline():
                await self._gate.acquire()
                task = asyncio.create_task(self._answer(line, writer))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
        except (ValueError, OSError):
            # A line that is too long, or a process that died: it is asked no further.
            pass
        finally:
            for each in list(self._tasks):
                each.cancel()
            self.note()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def note(self) -> None:
        """Write down how many questions there were: they count when the run goes on in another process, too."""
        write_json(self._folder.path / _COUNT, {"asked": self._before + self.asked})

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._gate.release()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        told: dict[str, Any] = {"id": -1}
        try:
            question = json.loads(line)
            told["id"] = int(question["id"])
            told |= await self._asked(question)
        except (BudgetExceeded, Forbidden, UnknownModel) as error:
            told |= {"error": error.message, "remedy": error.remedy, "ends": True}
        except MainspringError as error:
            told["error"] = f"{error.code}: {error.told}"
        except (ValueError, KeyError, TypeError):
            told["error"] = "invalid_request_error: the question cannot be read"
        except Exception:
            # The run waits for each answer.
            _log.exception("a question of the run %s was not answered", self._job)
            told["error"] = "internal_error: see the log of the server"
        with contextlib.suppress(OSError):
            writer.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
            await writer.drain()

    async def _asked(self, question: Mapping[str, Any]) -> dict[str, Any]:
        model = str(question["model"])
        if model not in self._allowed:
            raise Forbidden(f"the run may not ask {model:.100}", remedy="Name it in the options of the order")
        if self.asked >= self._left:
            raise Forbidden("the run has asked as often as it may", remedy="Ask for fewer calls, or raise train.asked")
        if not await self._usable():
            raise Forbidden("the key that ordered the run is revoked or has expired")
        self.asked += 1
        if self.asked % _NOTED == 0:
            await asyncio.to_thread(self.note)
        request = await self._request(model, question)
        for attempt in range(1, _TRIES + 1):
            context = Context(
                self._principal,
                TraceParent.new(),
                deadline=time.monotonic() + _QUESTION_S,
                priority=Priority.BATCH,
                replay=self._job,
            )
            try:
                answer = await collect(await self._path.responder.respond(request, context))
            except BudgetExceeded:
                raise
            except (RateLimited, Overloaded) as error:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(min(error.retry_after or 1.0, _LONGEST_WAIT_S))
            else:
                return {"text": answer.text, "refused": None if answer.answered is None else not answer.answered}
        raise AssertionError("unreachable")

    async def _request(self, model: str, question: Mapping[str, Any]) -> ChatRequest:
        messages = tuple(
            Message(each["role"], str(each["content"])) for each in question["messages"] if each["role"] in _ROLES
        )
        instruction = str(question.get("instruction") or "")
        tokens, temperature = int(question["tokens"]), float(question["temperature"])
        sampling = Sampling(max_tokens=max(1, min(tokens, 4_096)), temperature=max(0.0, min(temperature, 2.0)))
        prompt = None
        if instruction:
            served = await self._path.registry.find(model, self._principal)
            told = Message("system", instruction)
            if served.kind in _OWN:
                prompt = PromptUse("", rendered=(told,), asked=messages, default=True)
            else:
                messages = (told, *(each for each in messages if each.role != "system"))
        return ChatRequest(model, messages, sampling, prompt=prompt, options={"cache": False}, store=False)


@asynccontextmanager
async def answered(answering: Answering | None) -> AsyncIterator[socket.socket | None]:
    """The end of the socket that the process of a run gets, while it is answered; None: it asks nothing. Close it here
    once the process has it."""
    if answering is None:
        yield None
        return
    ours, theirs = socket.socketpair()
    task = asyncio.create_task(answering.serve(ours), name="training: questions")
    try:
        yield theirs
    finally:
        theirs.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

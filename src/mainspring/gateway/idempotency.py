"""Requests that are sent again: the same ``Idempotency-Key`` creates something once and is answered alike for a day.

A client that did not see its answer cannot know whether it was given; with a key it may simply ask again. A key
belongs to the API key that sent it and to one route. While the first request runs, those that follow it wait. Only
answers that succeeded are kept: who was refused may try again under the same key. Answers into which personal data was
put back are not kept either: sent again, such a request is answered anew. They are kept in the answer cache,
which may be lost, and are not yet there when the process dies within its writing of an answer.
"""

# No postponed annotations here: FastAPI must see them.

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol
from weakref import WeakValueDictionary

import orjson
from fastapi import Header
from starlette.responses import Response as HttpResponse

from mainspring import cards
from mainspring.errors import Conflict, StoreError, Unsupported
from mainspring.stores import rows
from mainspring.stores.cache import made_for
from mainspring.types import Context

KEPT_S = 24 * 3600.0
REPLAYED = "idempotent-replayed"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        min_length=1,
        max_length=255,
        description="Sent again within a day with the same body, it gets the first answer and creates nothing",
    ),
]


_log = logging.getLogger(__name__)


class Answers(Protocol):
    """The answer cache. May raise ``StoreError``."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None: ...


class Idempotency:
    """Answers each key once."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        # A lock lives as long as somebody holds it or waits for it.
        self._running: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def once(
        self,
        key: str | None,
        route: str,
        body: Sequence[bytes],
        context: Context,
        work: Callable[[], Awaitable[HttpResponse]],
        *,
        basis: str = "",
        about: str = "",
    ) -> HttpResponse:
        """What ``work`` answers, or has answered under this key. ``body`` are the parts that must be the same.

        ``basis`` names what an answer was made of: one that was made of something else is not given again, but made
        anew, for it may tell what was deleted or closed to the caller since. ``about`` is the answer that this is about
        (where the response does not name it): erasing that erases this.

        Raises ``Conflict`` when the key was sent with another body, and whatever ``work`` raises.
        """
        if key is None:
            return await work()
        principal = context.principal
        name = "idempotent:" + rows.digest("\0".join((principal.tenant, principal.key_id, route, key)))
        digest = await asyncio.to_thread(_digest, body)
        lock = self._running.setdefault(name, asyncio.Lock())
        async with lock:
            kept = await self._kept(name)
            if kept is not None and (replayed := _replayed(kept, digest, basis)) is not None:
                return replayed
            response = await work()
            if response.status_code < 300 and not context.allowance.private:
                tags = {f"tenant:{principal.tenant}"}
                if about := about or response.headers.get("x-answer-id", ""):
                    tags.add(made_for(about))
                if basis:
                    tags.add(f"documents:{principal.tenant}")
                await self._keep(name, _packed(response, digest, basis), frozenset(tags))
            return response

    # A cache that fails must not cost an answer that has been made, nor keep one from being made.

    async def _kept(self, name: str) -> bytes | None:
        try:
            return await self._answers.get(name)
        except StoreError as error:
            _log.warning("an Idempotency-Key cannot be looked up: %s", error)
            return None

    async def _keep(self, name: str, value: bytes, tags: frozenset[str]) -> None:
        try:
            await self._answers.put(name, value, KEPT_S, tags)
        except StoreError as error:
            _log.warning("an answer cannot be kept under its Idempotency-Key: %s", error)


def refuse_key(key: str | None, wish: str) -> None:
    """Raise ``Unsupported`` naming ``wish``, the field with which an answer cannot be kept, where a key was sent."""
    if key is not None:
        raise Unsupported(
            f"an answer with {wish} is not kept, so it cannot be given again under an Idempotency-Key",
            remedy="Leave out the one or the other",
            param=wish.partition(":")[0],
        )


def _digest(parts: Sequence[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part))
        whole.update(part)
    return whole.hexdigest()


def _packed(response: HttpResponse, digest: str, basis: str) -> bytes:
    headers = {name: value for name, value in response.headers.items() if not name.startswith("x-ratelimit")}
    del headers["content-length"]
    facts = {"digest": digest, "basis": basis, "status": response.status_code, "headers": headers}
    body = bytes(response.body)
    return orjson.dumps(facts) + b"\n" + cards.scrub_json(body.decode("utf-8", "replace")).encode()


def _replayed(kept: bytes, digest: str, basis: str) -> HttpResponse | None:
    head, _, body = kept.partition(b"\n")
    facts = orjson.loads(head)
    if facts["digest"] != digest:
        raise Conflict(
            "this Idempotency-Key was sent with another body",
            remedy="Send a new key with each new request",
            param="idempotency-key",
        )
    if facts.get("basis", "") != basis:
        return None
    return HttpResponse(body, facts["status"], {**facts["headers"], REPLAYED: "true"})

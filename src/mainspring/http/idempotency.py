"""Requests that are sent again: the same ``Idempotency-Key`` creates something once and gets the same answer for a day.

A client that did not receive an answer cannot know whether the request was executed; with a key it can send the request
again. A key belongs to the API key that sent it and to one route. While the first request runs, those that follow it
wait. Only successful answers are stored: a refused request may be sent again under the same key. Answers with restored
personal data are not stored either: such a request is executed again. Answers are stored in the database, so all
processes that share the database see them. If a process dies while it answers, the waiting request starts again when
the lease ends. What creates something says so (``Makes``): its ids are planned with the claim, so the one that starts
again finds what was created.
"""

# No postponed annotations here: FastAPI must see them.

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Protocol
from weakref import WeakValueDictionary

import orjson
from fastapi import Header
from starlette.responses import Response as HttpResponse

from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound, StoreError, Unsupported
from mainspring.core.types import Context
from mainspring.http.request_body import ONCE
from mainspring.stores.cache.answers import made_for
from mainspring.stores.cache.idempotency import Plan, Repeats
from mainspring.stores.sql import ids, rows

KEPT_S = 24 * 3600.0
# How often one looks whether another process has answered, and a lease is renewed, in seconds.
PAUSE_S, MOST_PAUSE_S, RENEW_S = 0.05, 1.0, 5.0
REPLAYED = "idempotent-replayed"
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias=ONCE,
        min_length=1,
        max_length=255,
        description="Unique key of the request. A repeated request with the same key and body within a day gets "
        "the first answer",
    ),
]


_log = logging.getLogger(__name__)


class Answers(Protocol):
    """The answer cache. May raise ``StoreError``."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_s: float, tags: frozenset[str]) -> None: ...


Work = Callable[[], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True)
class Makes:
    """What a request creates, by the ``prefixes`` of its ids. ``shown`` gets the digits of its ids and answers for what
    is there; where that is nothing, or not all of it, it raises ``NotFound``, and the request is executed again with
    the same ids."""

    prefixes: Sequence[str]
    shown: Callable[[str], Awaitable[HttpResponse]]


def makes(prefix: str, shown: Callable[[str], Awaitable[HttpResponse]]) -> Makes:
    """One thing; ``shown`` answers for the one with this id, or raises ``NotFound``."""
    return Makes((prefix,), lambda digits: shown(prefix + digits))


class Idempotency:
    """Answers each key once: in all processes if there are ``claims``, which then keep the answers; else in this
    process, which keeps them in ``answers``."""

    def __init__(self, answers: Answers, claims: Repeats | None = None) -> None:
        self._answers = answers
        self._claims = claims
        self._beside: set[asyncio.Task[None]] = set()
        # A lock exists while a request holds it or waits for it.
        self._running: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def once(
        self,
        key: str | None,
        route: str,
        body: Sequence[bytes],
        context: Context,
        work: Work,
        *,
        basis: str = "",
        about: str = "",
        makes: Makes | None = None,
    ) -> HttpResponse:
        """The answer of ``work``, or the stored one under this key. ``body`` are the parts that must be the same;
        ``makes`` says what durable things ``work`` creates.

        ``basis`` names the sources of an answer. An answer with another basis is not replayed but made again: it could
        reveal data that has been deleted or closed to the caller. ``about`` is the answer that this is about (where the
        response does not name it): erasing that erases this.

        Raises ``Conflict`` when the key was sent with another body, and whatever ``work`` raises.
        """
        if key is None:
            return await work()
        principal = context.principal
        name = "idempotent:" + rows.digest("\0".join((principal.tenant, principal.key_id, route, key)))
        digest = await asyncio.to_thread(_digest, body)
        lock = self._running.setdefault(name, asyncio.Lock())
        async with lock:
            if self._claims is not None:
                return await self._claimed(self._claims, name, digest, basis, about, context, work, makes)
            kept = await self._kept(name)
            if kept is not None and (replayed := _replayed(kept, digest, basis)) is not None:
                return replayed
            response = await work()
            if response.status_code < 300 and not context.privacy.private:
                await self._keep(
                    name, _packed(response, digest, basis), _tags(principal.tenant, response, basis, about)
                )
            return response

    async def _claimed(
        self,
        claims: Repeats,
        name: str,
        digest: str,
        basis: str,
        about: str,
        context: Context,
        work: Work,
        makes: Makes | None,
    ) -> HttpResponse:
        tenant, owner, pause_s = context.principal.tenant, secrets.token_hex(8), PAUSE_S
        planned = digest if makes is not None else ""
        plan: Plan | None = None
        try:
            while (found := await claims.claim(tenant, name, owner, KEPT_S, planned)) != "mine":
                if isinstance(found, Plan):
                    plan = found
                    break
                if isinstance(found, bytes):
                    if (replayed := _replayed(found, digest, basis)) is not None:
                        return replayed
                    if await claims.retake(tenant, name, owner, found):
                        break
                    continue
                left = context.remaining()
                if left is not None and left <= pause_s:
                    raise Conflict(
                        "a request with this Idempotency-Key is still running",
                        remedy="Send it again later",
                        retry_after=1.0,
                    )
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, MOST_PAUSE_S)
        except StoreError as error:
            _log.warning("an Idempotency-Key cannot be looked up: %s", error)
            return await work()
        renewing = asyncio.create_task(_renew(claims, tenant, name, owner), name="idempotency")
        value: tuple[bytes, frozenset[str]] | None = None
        try:
            if plan is None or makes is None:
                response = await work()
            else:
                response = await _planned(
                    plan, digest, makes, work, lambda new: claims.replan(tenant, name, owner, new)
                )
            if response.status_code < 300 and not context.privacy.private:
                value = _packed(response, digest, basis), _tags(tenant, response, basis, about)
            return response
        finally:
            renewing.cancel()
            # A request that is cancelled in the meantime leaves no claim.
            ending = asyncio.create_task(_end(claims, tenant, name, owner, value))
            self._beside.add(ending)
            ending.add_done_callback(self._beside.discard)
            await asyncio.shield(ending)

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


async def _planned(
    plan: Plan, digest: str, makes: Makes, work: Work, replan: Callable[[Plan], Awaitable[None]]
) -> HttpResponse:
    """The answer of ``work`` with planned ids, or the one for what another process made with them before it died."""
    if plan.again:
        try:
            response = await makes.shown(plan.digits)
        except NotFound:
            if plan.digest != digest:
                await replan(Plan(plan.digits, digest))
        else:
            _check_same(plan.digest, digest)
            response.headers[REPLAYED] = "true"
            return response
    with ids.planning(makes.prefixes, plan.digits):
        return await work()


async def _renew(claims: Repeats, tenant: str, name: str, owner: str) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        with suppress(StoreError):
            await claims.renew(tenant, name, owner)


async def _end(claims: Repeats, tenant: str, name: str, owner: str, value: tuple[bytes, frozenset[str]] | None) -> None:
    try:
        if value is None:
            await claims.release(tenant, name, owner)
        else:
            await claims.done(tenant, name, owner, *value)
    except StoreError as error:
        _log.warning("an answer cannot be kept under its Idempotency-Key: %s", error)


def _tags(tenant: str, response: HttpResponse, basis: str, about: str) -> frozenset[str]:
    """The tags by which a stored answer is found for deletion."""
    tags = {f"tenant:{tenant}"}
    if about := about or response.headers.get("x-answer-id", ""):
        tags.add(made_for(about))
    if basis:
        tags.add(f"documents:{tenant}")
    return frozenset(tags)


def refuse_key(key: str | None, wish: str) -> None:
    """Raise ``Unsupported`` naming ``wish``, the field with which an answer cannot be kept, where a key was sent."""
    if key is not None:
        raise Unsupported(
            f"an answer with {wish} is not stored, so it cannot be repeated for an Idempotency-Key",
            remedy="Leave one of the two out",
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
    kept = {"digest": digest, "basis": basis, "status": response.status_code, "headers": headers}
    body = bytes(response.body)
    return orjson.dumps(kept) + b"\n" + cards.scrub_json(body.decode("utf-8", "replace")).encode()


def _check_same(before: str, digest: str) -> None:
    if before != digest:
        raise Conflict(
            "this Idempotency-Key was used with a different body",
            remedy="Use a new key for each new request",
            param=ONCE,
        )


def _replayed(kept: bytes, digest: str, basis: str) -> HttpResponse | None:
    head, _, body = kept.partition(b"\n")
    said = orjson.loads(head)
    _check_same(said["digest"], digest)
    if said.get("basis", "") != basis:
        return None
    return HttpResponse(body, said["status"], {**said["headers"], REPLAYED: "true"})

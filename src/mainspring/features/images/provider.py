"""A provider's side of an image: one request in OpenAI's shape, and its whole answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from mainspring.core.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MainspringError,
    RateLimited,
    UpstreamError,
)
from mainspring.core.types import Usage
from mainspring.engines.remote.openai_wire import error_of, retry_after
from mainspring.features.images.settings import DrawingModel

_BLAMED = (400, 413, 415, 422)
"""Statuses by which an endpoint blames the request."""
_ERROR_BYTES = 65_536
_IN_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, under the name of its field."""

    field: str
    name: str
    data: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class ImageOrder:
    """``fields`` as OpenAI's clients write them; with ``files`` they are sent as a form."""

    operation: str
    fields: Mapping[str, Any]
    files: Sequence[Upload] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """The endpoint's answer as it came, the number of images in it, and the tokens that it counted."""

    raw: bytes
    images: int
    usage: Usage


class Provider:
    """Belongs to one event loop. Nothing is sent twice: a request that may have arrived may have been paid for."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def draw(self, name: str, model: DrawingModel, wanted: ImageOrder) -> Drawn:
        """Raises ``InvalidRequest`` if the endpoint blames the request, ``RateLimited``, ``UpstreamError``,
        ``DeadlineExceeded``."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        url = f"{model.url.rstrip('/')}/images/{wanted.operation}"
        headers = {"authorization": f"Bearer {model.api_key}"} if model.api_key else {}
        fields = {**wanted.fields, "model": model.model}
        sent: dict[str, Any] = {"data": _form(fields, wanted.files)} if wanted.files else {"json": fields}
        timeout = aiohttp.ClientTimeout(total=model.timeout_s, sock_connect=10)
        try:
            # A redirect would carry the key to another host.
            async with self._session.post(
                url, headers=headers, timeout=timeout, allow_redirects=False, **sent
            ) as answer:
                if answer.status != 200:
                    raise _refusal(name, answer.status, answer.headers, await answer.content.read(_ERROR_BYTES))
                raw = await self._whole(name, answer)
                # A large one would hold the event loop.
                return await asyncio.to_thread(_read, name, raw) if len(raw) > _IN_LINE_BYTES else _read(name, raw)
        except TimeoutError:
            raise DeadlineExceeded(f"{name} made no image within {model.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(f"the connection to {name} failed: {type(error).__name__}") from None

    async def _whole(self, name: str, answer: aiohttp.ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in answer.content.iter_any():
            size += len(piece)
            if size > self._most:
                problem = f"{name} answered with more than {self._most >> 20} MB"
                raise UpstreamError(problem, remedy="Ask for fewer or smaller images, or raise images.answer_mb")
            pieces.append(piece)
        return b"".join(pieces)


def _form(fields: Mapping[str, Any], files: Sequence[Upload]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for field, value in fields.items():
        form.add_field(field, value if isinstance(value, str) else json.dumps(value))
    for each in files:
        form.add_field(each.field, each.data, filename=each.name, content_type=each.kind)
    return form


def _read(name: str, raw: bytes) -> Drawn:
    try:
        body = orjson.loads(raw)
        images = body["data"]
        if not all(isinstance(each, dict) and (each.get("b64_json") or each.get("url")) for each in images):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UpstreamError(f"{name} answered with no images") from None
    told = body.get("usage")
    counted = told if isinstance(told, dict) else {}
    usage = Usage(_count(counted.get("input_tokens")), _count(counted.get("output_tokens")))
    return Drawn(raw, len(images), usage)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _refusal(name: str, status: int, headers: Mapping[str, str], raw: bytes) -> MainspringError:
    message, _ = error_of(raw)
    said = f"{name} refused the request: {message or f'status {status}'}"
    if status in _BLAMED:
        return InvalidRequest(said, param=_param(raw))
    if status == 429:
        return RateLimited(said, retry_after=retry_after(headers.get("retry-after")))
    # What is wrong with our key there is not the caller's to read.
    hidden = status in (401, 403, 404) or 300 <= status < 400
    if hidden:
        problem = f"{name} answered with status {status}"
        return UpstreamError(problem, remedy="Check url, model and api_key in images.models")
    return UpstreamError(said)


def _param(raw: bytes) -> str | None:
    try:
        param = json.loads(raw)["error"]["param"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return param if isinstance(param, str) else None

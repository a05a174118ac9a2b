"""Any OpenAI-compatible endpoint as an engine: streamed over one aiohttp session.

Messages go to ``/chat/completions``, where the endpoint applies its own chat template; raw prompts go to
``/completions``. Only a connection that could not be made is tried again: a request that may have arrived may
have been paid for. Redirects are refused, since they would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

import aiohttp

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineError,
    InvalidRequest,
    MainspringError,
    PromptTooLong,
    RateLimited,
    UnknownModel,
    UpstreamError,
)
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import Event
from mainspring.engines.base import Capabilities, Capacity, EngineStream, Generation
from mainspring.engines.chat import limits
from mainspring.engines.chat.commit_point import commit
from mainspring.engines.chat.tools import declaration
from mainspring.engines.remote import openai_wire as wire
from mainspring.engines.remote.openai_http import StreamClient
from mainspring.telemetry.secrets import anonymous

_log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
# A server that restarts, or whose connection queue is full, accepts the next connection soon or not at all.
FIRST_PAUSE_S = 0.03
PARAMETERS = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "stop", "logit_bias"})


class RemoteEngine:
    """A model of an OpenAI-compatible endpoint. Implements ``Engine``.

    ``name`` is its key in ``models.remote``, whose ``parameters`` list the endpoint's sampling fields beyond OpenAI's.
    ``retries`` bounds further attempts at connecting. A seed is passed on; at best, it is honoured if nothing else runs
    there.
    """

    def __init__(
        self,
        name: str,
        settings: RemoteModel,
        *,
        retries: int = 2,
        max_connections: int = MAX_CONNECTIONS,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        grammars: frozenset[str] | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._retries = retries
        self._client = StreamClient(
            name,
            connector or (lambda: aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=30)),
            refuse=self._refusal,
            fail=self._failure,
            unreachable=self._unreachable,
            silence_s=settings.silence_timeout_s,
        )
        self._live = 0
        self._failures = 0
        self._capabilities = Capabilities(
            context_window=settings.context_window,
            parameters=PARAMETERS | frozenset(settings.parameters),
            grammars=frozenset(settings.grammars) if grammars is None else grammars,
            logprobs=20,
            max_choices=16,
            templates=True,
            seed="solo",
            images=settings.images,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def capacity(self) -> Capacity | None:
        return None

    async def start(self) -> None:
        """Open the connection pool; no request is sent yet."""
        await self._client.start()

    async def generate(self, generation: Generation) -> EngineStream:
        """Return at the first token.

        Raises ``UpstreamError`` (refused key, no such path, 5xx, unreadable, unreachable), ``RateLimited`` with
        ``retry_after``, ``InvalidRequest`` if the endpoint blames the request, ``PromptTooLong``,
        ``UnknownModel``, ``DeadlineExceeded``.
        """
        limits.check(generation.sampling, self._capabilities, self._name)
        window = self._capabilities.context_window
        if (generation.sampling.max_tokens or 0) > window:
            # Some endpoints (vLLM) would shorten it without a word.
            raise PromptTooLong(f"{self._name} has a context window of {window} tokens", param="max_tokens")
        return await commit(self._run(generation))

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        deadline = None if generation.timeout is None else loop.time() + generation.timeout
        path, body = self._request(generation)
        headers = dict(generation.headers)
        if generation.timeout is not None:
            # Work that will be too late should not start at the endpoint either; another mainspring respects it.
            headers["x-request-timeout"] = f"{max(generation.timeout, 0.001):.3f}"
        headers |= self._headers()
        # Jitter prevents many clients of one endpoint from returning together.
        tries = self._retries if generation.patient else 0
        pauses = tuple(partial(_pause, random.uniform(0.7, 1.0) * FIRST_PAUSE_S * 2**n) for n in range(tries))
        self._live += 1
        try:
            reader = wire.StreamReader(self._name, prompt_tokens=_estimated(generation))
            events = self._client.stream(f"{self._url}{path}", body, headers, deadline, pauses=pauses, reader=reader)
            async with contextlib.aclosing(events):
                async for event in events:
                    yield event
            self._failures = 0
        finally:
            self._live -= 1

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._settings.api_key}"} if self._settings.api_key else {}

    def _request(self, generation: Generation) -> tuple[str, dict[str, Any]]:
        """The path and the body that ask for ``generation``."""
        return wire.request(generation, self._settings.model)

    def _refusal(self, status: int, headers: Mapping[str, str], raw: bytes) -> MainspringError:
        message, code = wire.error_of(raw)
        retry_after = wire.retry_after(headers.get("retry-after"))
        shown = f"{self._name} answered {status}" + (f": {message}" if message else "")
        setting = f"models.remote.{self._name}"
        match status:
            case 401 | 403:
                return UpstreamError(f"{self._name} refused the key", remedy=f"Set {setting}.api_key")
            case 404 if code == "model_not_found" or "model" in message.lower():
                return UnknownModel(shown, remedy=f"Check {setting}.model")
            case 404:
                return UpstreamError(shown, remedy=f"Check {setting}.url (it usually ends in /v1)")
            case 429:
                return RateLimited(shown, retry_after=retry_after)
            case 400 | 422 if code == "context_length_exceeded" or "context length" in message.lower():
                return PromptTooLong(shown, param="messages")
            case 400 | 413 | 422:
                return InvalidRequest(shown)
            case 408 | 504:
                return DeadlineExceeded(shown)
            case _ if 300 <= status < 400:
                return UpstreamError(f"{shown} (a redirect)", remedy=f"Set {setting}.url to where it leads")
            case _:
                self._failures += 1
                return UpstreamError(shown, retry_after=retry_after)

    def _failure(self, problem: str) -> EngineError:
        self._failures += 1
        return UpstreamError(f"{self._name}: {problem}")

    def _unreachable(self, problem: str) -> EngineError:
        self._failures += 1
        # The address and the reason are for the operator: callers need not learn of the machines behind this one.
        _log.warning("%s at %s cannot be reached: %s", self._name, anonymous(self._url), anonymous(problem))
        return UpstreamError(
            f"{self._name} cannot be reached",
            remedy=f"Check models.remote.{self._name}.url and that its server runs",
        )

    async def count_tokens(self, text: str) -> int:
        """An estimate: a token per four bytes."""
        return _tokens(text)

    def healthy(self) -> bool:
        """Whether it is started and the last three requests did not all fail over there."""
        return self._client.is_open and self._failures < 3

    def statistics(self) -> dict[str, float]:
        return {"running": self._live, "waiting": 0.0, "kv_used_fraction": 0.0, "restarts": 0.0}

    async def close(self) -> None:
        await self._client.close()


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // 4)


def _estimated(generation: Generation) -> int:
    """Tokens of a prompt, for an endpoint that does not report them."""
    offered = sum(_tokens(json.dumps(declaration(tool))) for tool in generation.tools)
    return offered + _tokens(generation.prompt) + sum(_tokens(message.content) for message in generation.messages)

"""Providers with protocols of their own (Gemini, Cohere, Bedrock, Azure) as engines, by way of any-llm.

any-llm (Apache-2.0) has each provider's own client and converts their streams to OpenAI's chunks. It is in the extra
``providers``; nothing of it is imported before such a model is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
from collections.abc import AsyncGenerator
from typing import Any

from mainspring.core.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MainspringError,
    MissingExtra,
    PromptTooLong,
    RateLimited,
    SettingsError,
    UnknownModel,
    Unsupported,
    UpstreamError,
)
from mainspring.core.settings.endpoints import RemoteModel
from mainspring.core.types import Event
from mainspring.engines.base import Capabilities, Capacity, EngineStream, Generation
from mainspring.engines.chat import limits
from mainspring.engines.chat.commit_point import commit
from mainspring.engines.remote import openai_wire as wire

_log = logging.getLogger(__name__)
# The supported sampling fields of each client, and any-llm's names of the provider and its address.
_COMMON = frozenset({"temperature", "top_p"})
_PARAMETERS = {
    "gemini": _COMMON | {"stop", "presence_penalty", "frequency_penalty"},
    "cohere": _COMMON | {"stop", "presence_penalty", "frequency_penalty"},
    "bedrock": _COMMON | {"stop"},
    "azure": _COMMON | {"stop", "presence_penalty", "frequency_penalty"},
}
_CALLED = {"azure": "azureopenai"}
_ADDRESS = {"cohere": "base_url"}


class NativeEngine:
    """A model of ``remote.provider``. Implements ``Engine``; prompts without messages are refused.

    Raises ``MissingExtra`` if any-llm is not installed.
    """

    def __init__(self, name: str, remote: RemoteModel, retries: int = 2) -> None:
        if importlib.util.find_spec("any_llm") is None:
            raise MissingExtra(
                f"models.remote.{name}: {remote.provider} needs the extra `providers`, which is not installed",
                remedy="pip install 'mainspring[providers]'",
            )
        self._name = name
        self._remote = remote
        self._retries = retries
        self._client: Any = None
        self._live = 0
        self._failures = 0
        self._capabilities = Capabilities(
            context_window=remote.context_window,
            parameters=frozenset(_PARAMETERS[remote.provider]) | frozenset(remote.parameters),
            grammars=frozenset(remote.grammars),
            templates=True,
            variables=frozenset({"reasoning_effort"}),
            images=remote.images,
            seed="none" if remote.provider == "bedrock" else "solo",
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
        """Create the provider's client; no request is sent yet. Raises ``SettingsError`` for options that it lacks, and
        ``MissingExtra``."""
        if self._client is None:
            self._client = await asyncio.to_thread(self._made)

    def _made(self) -> Any:
        from any_llm import AnyLLM

        remote = self._remote
        options: dict[str, Any] = dict(remote.options)
        if remote.url:
            options[_ADDRESS.get(remote.provider, "api_base")] = remote.url
        called = _CALLED.get(remote.provider, remote.provider)
        try:
            return AnyLLM.create(
                called, api_key=remote.api_key or None, unified_exceptions=True, max_retries=self._retries, **options
            )
        except ImportError as error:
            raise MissingExtra(
                f"{self._name}: the client of {remote.provider} is not installed ({error})",
                remedy="pip install 'mainspring[providers]'",
            ) from None
        except Exception as error:
            raise SettingsError(
                f"models.remote.{self._name} cannot be opened: {error}", remedy="Check its api_key, url and options"
            ) from None

    async def generate(self, generation: Generation) -> EngineStream:
        """Return at the first token. Raises what ``RemoteEngine.generate`` raises."""
        limits.check(generation.sampling, self._capabilities, self._name)
        if not generation.messages:
            raise Unsupported(f"{self._name} takes messages, not prompts", param="prompt")
        window = self._capabilities.context_window
        if (generation.sampling.max_tokens or 0) > window:
            raise PromptTooLong(f"{self._name} has a context window of {window} tokens", param="max_tokens")
        return await commit(self._run(generation))

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        body = self._body(generation)
        reader = wire.StreamReader(self._name)
        self._live += 1
        try:
            async with asyncio.timeout(generation.timeout):
                chunks = await self._client.acompletion(**body)
                async with contextlib.aclosing(chunks):
                    async for chunk in chunks:
                        for event in reader.take(_plain(chunk)):
                            yield event
            for event in reader.end():
                yield event
            self._failures = 0
        except MainspringError:
            raise
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} was not done in time") from None
        except Exception as error:
            raise self._told(error) from error
        finally:
            self._live -= 1

    def _body(self, generation: Generation) -> dict[str, Any]:
        """Arguments of any-llm, which passes unknown ones on to the provider's client."""
        _, body = wire.request(generation, self._remote.model)
        del body["stream_options"]
        if body.get("tool_choice") == "auto":
            # Everybody's default, and not everybody has a word for it.
            del body["tool_choice"]
        if self._remote.provider == "cohere":
            names = {"top_p": "p", "stop": "stop_sequences"}
            body = {names.get(name, name): value for name, value in body.items()}
            if isinstance(choice := body.get("tool_choice"), str) and choice in ("required", "none"):
                body["tool_choice"] = choice.upper()
        return body

    def _told(self, error: Exception) -> MainspringError:
        """An error of any-llm, or of a client, as one of ours."""
        setting = f"models.remote.{self._name}"
        shown = f"{self._name} failed: {getattr(error, 'message', '') or error}"
        match type(error).__name__:
            case "AuthenticationError" | "MissingApiKeyError":
                return UpstreamError(f"{self._name} refused the key", remedy=f"Set {setting}.api_key")
            case "RateLimitError":
                return RateLimited(shown, retry_after=wire.retry_after(getattr(error, "retry_after", None)))
            case "ContextLengthExceededError":
                return PromptTooLong(shown, param="messages")
            case "ModelNotFoundError":
                return UnknownModel(shown, remedy=f"Check {setting}.model")
            case "UnsupportedParameterError":
                return Unsupported(shown, param=getattr(error, "parameter_name", None))
            case "InvalidRequestError" | "ContentFilterError":
                return InvalidRequest(shown)
            case "GatewayTimeoutError":
                return DeadlineExceeded(shown)
        self._failures += 1
        _log.warning("%s of %s failed: %s", self._name, self._remote.provider, error)
        return UpstreamError(f"{self._name} failed over there, or cannot be reached", remedy=f"Check {setting}.url")

    async def count_tokens(self, text: str) -> int:
        """An estimate: a token per four bytes."""
        return -(-len(text.encode("utf-8", "replace")) // 4)

    def healthy(self) -> bool:
        """Whether it is started and the last three requests did not all fail over there."""
        return self._client is not None and self._failures < 3

    def statistics(self) -> dict[str, float]:
        return {"running": self._live, "waiting": 0.0, "kv_used_fraction": 0.0, "restarts": 0.0}

    async def close(self) -> None:
        client, self._client = getattr(self._client, "client", None), None
        # Google's client has an asynchronous half; that of AWS is synchronous and needs no closing.
        leave = getattr(getattr(client, "aio", client), "__aexit__", None)
        if leave is not None:
            await leave(None, None, None)


def _plain(chunk: Any) -> dict[str, Any]:
    """A chunk of any-llm as OpenAI's: its reasoning is an object there."""
    found: dict[str, Any] = chunk.model_dump(exclude_none=True)
    for choice in found.get("choices") or ():
        delta = choice.get("delta") or {}
        if isinstance(thought := delta.get("reasoning"), dict):
            delta["reasoning"] = thought.get("content") or ""
    return found

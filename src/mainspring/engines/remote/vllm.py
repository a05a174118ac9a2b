"""vLLM as an engine: a server that runs elsewhere, or one that is started here and kept alive.

The one that is started serves on a Unix socket in a private directory, below a supervised child: it ends with its
parent, and is started again when it dies. Its own parameters are honoured: top_k, min_p, repetition_penalty,
ignore_eos, JSON schemas and regular expressions. Unset sampling means temperature 1, whatever the model's own
``generation_config.json`` says, unless ``arguments`` choose otherwise. A seed repeats an answer if nothing else runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from mainspring.core.errors import EngineDied, EngineError
from mainspring.core.settings.endpoints import RemoteModel, VllmModel
from mainspring.core.types import Event
from mainspring.engines.base import EngineStream, Generation
from mainspring.engines.process import sockets
from mainspring.engines.process.supervisor import Supervisor
from mainspring.engines.remote.engine import RemoteEngine

CHILD = "mainspring.engines.remote.vllm_child"
_PARAMETERS = ("top_k", "min_p", "repetition_penalty", "ignore_eos")
_PATIENCE_S = 30.0
_SHORT_CALL_S = 60.0


class _Unreached(EngineDied):
    """No server listens on the socket."""


class VllmEngine(RemoteEngine):
    """A model behind vLLM. Implements ``Engine``.

    ``spawn()`` starts its server without waiting, ``start()`` waits for it. Raises ``ModelError`` with vLLM's last
    words if it never becomes ready.
    """

    def __init__(self, name: str, settings: VllmModel, *, retries: int | None = None) -> None:
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._supervisor: Supervisor | None = None
        url, model, socket = settings.url, settings.model, ""
        if not url:
            self._directory, socket = sockets.folder("vllm.sock")
            url, model = "http://vllm/v1", name
            self._supervisor = Supervisor(
                CHILD,
                {
                    "command": _command(settings, name, socket),
                    "socket": socket,
                    "environment": settings.environment,
                },
                name=name,
                on_message=lambda _: None,
                on_death=lambda _: None,
                start_timeout=settings.start_timeout_s,
                remedy=f"Check models.vllm.{name}: its command and arguments must work in a shell",
            )
        endpoint = RemoteModel(
            url=url,
            model=model,
            api_key=settings.api_key,
            context_window=settings.context_window,
            parameters=_PARAMETERS,
            silence_timeout_s=settings.silence_timeout_s,
        )
        super().__init__(
            name,
            endpoint,
            retries=(0 if socket else 2) if retries is None else retries,
            connector=(lambda: aiohttp.UnixConnector(socket, limit=0)) if socket else None,
            grammars=frozenset({"json_schema", "regex"}),
        )

    @property
    def pid(self) -> int | None:
        """Process id of the supervised child, the server's parent; None if the server runs elsewhere."""
        return self._supervisor.pid if self._supervisor else None

    def spawn(self) -> None:
        """Start the server now; needs no event loop and does not wait. Idempotent."""
        if self._supervisor:
            self._supervisor.spawn()

    def kill(self) -> None:
        """Stop the server at once; a started engine starts it again."""
        if self._supervisor:
            self._supervisor.kill()

    async def start(self) -> None:
        await super().start()
        if self._supervisor:
            await self._supervisor.start()

    async def generate(self, generation: Generation) -> EngineStream:
        """See ``RemoteEngine.generate``; also raises ``EngineDied``."""
        try:
            return await super().generate(generation)
        except _Unreached:
            # Its end had not been noticed yet, and the request has gone nowhere.
            return await super().generate(generation)

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        if self._supervisor:
            await self._supervisor.ready(_PATIENCE_S)
        async with contextlib.aclosing(super()._run(generation)) as events:
            async for event in events:
                yield event

    def _request(self, generation: Generation) -> tuple[str, dict[str, Any]]:
        grammar = generation.sampling.grammar
        if grammar is None or grammar.kind != "regex":
            return super()._request(generation)
        plain = dataclasses.replace(generation, sampling=dataclasses.replace(generation.sampling, grammar=None))
        path, body = super()._request(plain)
        return path, body | {"structured_outputs": {"regex": grammar.source}}

    def _failure(self, problem: str) -> EngineError:
        error = super()._failure(problem)
        if self._supervisor is None:
            return error
        # A broken connection to a server of our own is its death.
        return EngineDied(error.message, remedy="Send the request again", retry_after=2.0)

    def _unreachable(self, problem: str) -> EngineError:
        error = super()._unreachable(problem)
        if self._supervisor is None:
            return error
        self._supervisor.kill()
        return _Unreached(error.message, remedy="Send the request again", retry_after=2.0)

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` in the model's vocabulary, which the server reports. Raises ``UpstreamError``."""
        if not text:
            return 0
        body = {"model": self._settings.model, "prompt": text, "add_special_tokens": False}
        url = f"{self._url.removesuffix('/v1')}/tokenize"
        found = await self._client.call(url, body, timeout=_SHORT_CALL_S, headers=self._headers())
        return int(found["count"])

    def healthy(self) -> bool:
        if self._supervisor:
            return self._client.is_open and self._supervisor.state == "ready"
        return super().healthy()

    def statistics(self) -> dict[str, float]:
        restarts = self._supervisor.restarts if self._supervisor else 0.0
        return super().statistics() | {"restarts": restarts}

    async def close(self) -> None:
        await super().close()
        if self._supervisor:
            await self._supervisor.close()
        if self._directory:
            self._directory.cleanup()


_CACHED_TOKENS = "--enable-prompt-tokens-details"


def _command(settings: VllmModel, name: str, socket: str) -> list[str]:
    arguments = list(settings.arguments)
    chosen = {argument.partition("=")[0] for argument in arguments}
    for option, value in (
        ("--served-model-name", name),
        ("--generation-config", "vllm"),
        ("--max-model-len", str(settings.context_window)),
    ):
        if option not in chosen:
            arguments += [option, value]
    # Prefix cache hits are reported only on request, and have a price of their own.
    if not chosen & {_CACHED_TOKENS, _CACHED_TOKENS.replace("--", "--no-")}:
        arguments.append(_CACHED_TOKENS)
    return [*settings.command, settings.model, *arguments, "--uds", socket]

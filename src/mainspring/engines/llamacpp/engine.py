"""The second engine: llama.cpp (extra ``gguf``) in a supervised child process, for any GGUF.

The child serves on a Unix socket in a private directory; there is no port. A seed guarantees the same output if nothing
else runs (``solo``). Unset sampling means temperature 1 over the whole vocabulary. Closing a stream frees its slot at
its next token, while its prompt is still being read at the end of that batch or, when other streams run, of that
prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import aiohttp
from cachetools import LRUCache

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineDied,
    EngineError,
    InvalidRequest,
    InvalidSchema,
    MainspringError,
    MissingExtra,
    ModelError,
    Overloaded,
    PromptTooLong,
)
from mainspring.core.settings import EnginesSettings
from mainspring.core.types import Event, Grammar, Sampling
from mainspring.engines.base import Capabilities, Capacity, EngineStream, Generation
from mainspring.engines.chat import limits
from mainspring.engines.chat.commit_point import commit
from mainspring.engines.chat.stops import stopped
from mainspring.engines.encode.tokens import SEND_TEXT
from mainspring.engines.llamacpp import wire as llamacpp_wire
from mainspring.engines.openvino.admission import Admission
from mainspring.engines.openvino.slots import spare_of
from mainspring.engines.process import file_damage, sockets
from mainspring.engines.process.protocol import Message
from mainspring.engines.process.supervisor import Supervisor
from mainspring.engines.process.turn_taking import Turns
from mainspring.engines.remote import openai_wire as wire
from mainspring.engines.remote.openai_http import StreamClient

CHILD = "mainspring.engines.llamacpp.child"
PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty"),
        *("frequency_penalty", "stop", "ignore_eos", "logit_bias"),
    }
)
_URL = "http://llamacpp"
_PATIENCE_S = 30.0
_SHORT_CALL_S = 60.0
_ATTEMPTS = 3
_NOTICE_S = 0.1
_TRIED_GRAMMARS = 256
# Room for trying a grammar out, which needs a slot and a few tokens of its own.
_TRIAL_SLOTS, _TRIAL_TOKENS = 1, 256
# No JSON value begins with it.
_NO_JSON = ("q", "~", "@")


class PulledGguf(Protocol):
    """The part of a pulled model that the engine needs: its files by role."""

    @property
    def files(self) -> Mapping[str, Path]: ...


class LlamaCppEngine:
    """Generates from a GGUF file through llama.cpp. Implements ``Engine``.

    At most ``settings.max_sequences`` sequences run, within ``settings.kv_tokens`` tokens in all;
    ``settings.max_waiting`` requests wait and more is ``Overloaded`` at once. Raises ``MissingExtra`` if
    llama.cpp is not installed, ``ModelError`` if ``model`` has no GGUF.
    """

    def __init__(self, model: Path | PulledGguf, settings: EnginesSettings, name: str, context_window: int) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("llama.cpp is not installed", remedy="Run `pip install 'mainspring[gguf]'`")
        self._name = name
        self._settings = settings
        self._directory, socket = sockets.folder("llama.sock")
        self._capabilities = Capabilities(
            context_window=min(context_window, settings.kv_tokens),
            parameters=PARAMETERS,
            grammars=frozenset({"json_schema", "ebnf"}),
            logprobs=20,
            max_choices=min(16, settings.max_sequences),
            seed="solo",
            compiled=True,
        )
        self._supervisor = Supervisor(
            CHILD,
            _configuration(_weights(model, name), socket, settings),
            name=name,
            on_message=lambda _: None,
            on_death=lambda _: None,
            start_timeout=settings.start_timeout_s,
            damaged=file_damage.of(model),
            remedy=f"Run `mainspring models remove {name}` and `mainspring models pull {name}`",
        )
        self._client = StreamClient(
            name,
            lambda: aiohttp.UnixConnector(socket, limit=0, force_close=True),
            refuse=self._refusal,
            fail=self._death,
            unreachable=self._death,
        )
        self._admission: Admission[asyncio.Future[None]] = Admission(
            settings.max_sequences, settings.kv_tokens, spare=spare_of(settings.max_sequences)
        )
        self._waiting: set[asyncio.Future[None]] = set()
        self._outstanding = 0
        self._grammars: LRUCache[str, str] = LRUCache(_TRIED_GRAMMARS)
        self._trial = Turns()
        self._prefix: list[int] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def capacity(self) -> Capacity | None:
        most = self._settings.max_sequences
        return Capacity(most, self._settings.kv_tokens, spare_of(most))

    @property
    def pid(self) -> int | None:
        """Process id of the child."""
        return self._supervisor.pid

    def spawn(self) -> None:
        """Start the child process now; needs no event loop and does not wait. Idempotent."""
        self._supervisor.spawn()

    def kill(self) -> None:
        """End the child at once; a started engine restarts it."""
        self._supervisor.kill()

    async def start(self) -> None:
        await self._client.start()
        await self._supervisor.start()

    async def generate(self, generation: Generation) -> EngineStream:
        """See ``Engine.generate``; also raises ``Overloaded``, ``InvalidSchema`` and ``DeadlineExceeded``."""
        limits.check(generation.sampling, self._capabilities, self._name)
        most = self._settings.max_sequences
        bound = most + max(self._settings.max_waiting, spare_of(most))
        if self._outstanding >= bound:
            raise Overloaded(
                f"{self._name} has {self._outstanding} requests running and waiting",
                remedy="Try again later, or raise engines.max_waiting",
                retry_after=2.0,
            )
        return await commit(self._run(generation))

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        deadline = None if generation.timeout is None else loop.time() + generation.timeout
        sampling, share = generation.sampling, 0
        self._outstanding += 1
        try:
            tokens, share = await self._prepare(generation, deadline)
            reader = wire.StreamReader(self._name, usage_per_choice=True)
            body = llamacpp_wire.body(tokens, sampling, self._settings)
            events = self._client.stream(
                f"{_URL}/v1/completions", body, {}, deadline, pauses=(self._revived,), reader=reader
            )
            if sampling.stop:
                # llama.cpp loses text held back for a stop string if the answer ends for another reason.
                events = stopped(events, sampling.stop, choices=sampling.n, prompt_tokens=len(tokens))
            async with contextlib.aclosing(events):
                async for event in events:
                    yield llamacpp_wire.fewer(event, sampling.logprobs)
        finally:
            self._outstanding -= 1
            if share:
                self._admission.release(width=sampling.n, tokens=share, tenant=generation.tenant)
                self._admit_next()

    async def _prepare(self, generation: Generation, deadline: float | None) -> tuple[list[int], int]:
        """The prompt's tokens and the share of the cache that is now reserved for them and the answer."""
        sampling = generation.sampling
        try:
            async with asyncio.timeout_at(deadline):
                tokens = await self._read(generation)
                share = self._share(len(tokens), sampling)
                await self._admit(sampling.n, share, generation.tenant)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._name} did not answer within its deadline") from None
        return tokens, share

    async def _read(self, generation: Generation) -> list[int]:
        """The prompt's tokens, once the grammar is tried out; both are asked again of a child that was replaced."""
        for _ in range(_ATTEMPTS):
            await self._supervisor.ready(_PATIENCE_S)
            try:
                if generation.sampling.grammar:
                    await self._try(generation.sampling.grammar, generation.tenant)
                return await self._tokens(generation.prompt)
            except EngineDied as error:
                death = error
                # The broken connection is seen before the supervisor sees the child's end.
                await asyncio.sleep(_NOTICE_S)
        raise death

    async def _revived(self) -> None:
        await asyncio.sleep(_NOTICE_S)
        await self._supervisor.ready(_PATIENCE_S)

    # --- admission ---------------------------------------------------------------------------------------------

    def _share(self, prompt: int, sampling: Sampling) -> int:
        """The maximum KV tokens of a request. Raises ``PromptTooLong``."""
        window = self._capabilities.context_window
        wanted = sampling.max_tokens or max(1, min(window, self._settings.kv_tokens // sampling.n) - prompt)
        if prompt + wanted > window:
            raise PromptTooLong.counted(prompt + wanted, window)
        share = sampling.n * (prompt + wanted)
        if share > self._settings.kv_tokens:
            raise PromptTooLong(
                f"{sampling.n} choices need {share} tokens of cache, there are {self._settings.kv_tokens}",
                remedy="Ask for fewer choices, or raise engines.kv_tokens",
                param="n",
            )
        return share

    async def _admit(self, width: int, tokens: int, tenant: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = self._admission.arrive()
        self._admission.push(turn, place=place, priority=0, width=width, tokens=tokens, tenant=tenant)
        self._waiting.add(turn)
        self._admit_next()
        try:
            await turn
        except BaseException:
            if not self._admission.withdraw(turn):
                self._admission.release(width=width, tokens=tokens, tenant=tenant)
            self._admit_next()
            raise
        finally:
            self._waiting.discard(turn)

    def _admit_next(self) -> None:
        while (turn := self._admission.pop()) is not None:
            if not turn.done():
                turn.set_result(None)

    # --- short calls -------------------------------------------------------------------------------------------

    async def _tokens(self, text: str) -> list[int]:
        if self._prefix is None:
            self._prefix = await self._tokenize("")
        tokens = await self._tokenize(text)
        # A template that writes the first token itself would get it twice.
        if self._prefix and tokens[: 2 * len(self._prefix)] == self._prefix * 2:
            tokens = tokens[len(self._prefix) :]
        # llama.cpp refuses to begin with nothing; a line break is the least that it can begin with.
        return tokens or await self._tokenize("\n")

    async def _tokenize(self, text: str, *, begin: bool = True) -> list[int]:
        body = {"content": text, "add_special": begin, "parse_special": True}
        answer = await self._client.call(f"{_URL}/tokenize", body, timeout=_SHORT_CALL_S)
        return list(answer["tokens"])

    async def _try(self, grammar: Grammar, tenant: str) -> None:
        """Raise ``InvalidSchema`` unless llama.cpp enforces ``grammar``: one that it cannot compile it ignores.

        The server is asked for one token with a bias towards one that begins no JSON value: if that token comes, no
        grammar is in force, unless it begins what another grammar admits, so that others are tried.
        """
        problem = self._grammars.get(grammar.source)
        if problem is None:
            async with self._trial.turn(tenant):
                problem = self._grammars.get(grammar.source)
                if problem is None:
                    problem = await self._tried(grammar)
        if problem:
            raise InvalidSchema(problem, param="response_format")

    async def _tried(self, grammar: Grammar) -> str:
        """The fault of ``grammar``; empty: none."""
        body = {
            "prompt": "a",
            "n_predict": 1,
            "temperature": 0,
            **llamacpp_wire.constraint(grammar),
            "cache_prompt": False,
        }
        problem = "llama.cpp cannot enforce this schema"
        try:
            for text in _NO_JSON:
                biased = {**body, "logit_bias": [[text, 1000.0]]}
                answer = await self._client.call(f"{_URL}/completion", biased, timeout=_SHORT_CALL_S)
                if not str(answer["content"]).startswith(text):
                    problem = ""
                    break
        except InvalidRequest as error:
            problem = error.message
        self._grammars[grammar.source] = problem
        return problem

    async def text_of(self, tokens: Sequence[int]) -> str:
        """See ``Decodes``."""
        await self._supervisor.ready(_PATIENCE_S)
        body = {"tokens": list(tokens)}
        try:
            return str((await self._client.call(f"{_URL}/detokenize", body, timeout=_SHORT_CALL_S))["content"])
        except EngineDied:
            raise
        except EngineError:
            raise InvalidRequest(f"these are not tokens of {self._name}", remedy=SEND_TEXT) from None

    async def count_tokens(self, text: str) -> int:
        await self._supervisor.ready(_PATIENCE_S)
        return len(await self._tokenize(text, begin=False))

    # --- the child's state -------------------------------------------------------------------------------------

    def _refusal(self, status: int, _headers: Mapping[str, str], raw: bytes) -> MainspringError:
        message, code = wire.error_of(raw)
        if "exceed_context_size" in code or "context size" in message:
            return PromptTooLong(message, param="messages")
        if status == 400:
            return InvalidRequest(message or "llama.cpp refuses the request")
        return EngineError(f"{self._name} answered {status}: {message}")

    def _death(self, problem: str) -> EngineDied:
        return EngineDied(
            f"the engine of {self._name} ended: {problem}", remedy="Send the request again", retry_after=2.0
        )

    def healthy(self) -> bool:
        return self._supervisor.state == "ready"

    def statistics(self) -> dict[str, float]:
        return {
            "running": self._admission.running,
            "waiting": self._admission.waiting,
            "kv_used_fraction": self._admission.reserved / self._settings.kv_tokens,
            "restarts": self._supervisor.restarts,
            "down_s": self._supervisor.down_s,
        }

    async def close(self) -> None:
        for turn in list(self._waiting):
            if not turn.done():
                turn.set_exception(EngineDied(f"the engine of {self._name} was closed"))
        await self._client.close()
        await self._supervisor.close()
        self._directory.cleanup()


def _weights(model: Path | PulledGguf, name: str) -> Path:
    path = model if isinstance(model, Path) else model.files.get("gguf")
    if path is None:
        raise ModelError(f"{name} has no GGUF file", remedy="Set engines.kind to openvino, or choose another model")
    return path


def _configuration(model: Path, socket: str, settings: EnginesSettings) -> Message:
    return {
        "model": str(model),
        "socket": socket,
        "kv_tokens": settings.kv_tokens + _TRIAL_TOKENS,
        "slots": settings.max_sequences + spare_of(settings.max_sequences) + _TRIAL_SLOTS,
        "batch": settings.max_batched_tokens,
        "threads": settings.threads or os.cpu_count() or 1,
    }

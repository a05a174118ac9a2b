"""A deterministic engine with scripted output. For tests of everything above it, and for replay.

engine = ScriptedEngine({"refund": ["Thirty", " days", "."]})
engine = ScriptedEngine(lambda generation: ["It", " is", EngineError("the cable was pulled")])
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from mainspring.core.errors import DeadlineExceeded, EngineDied, EngineError, Overloaded, PromptTooLong
from mainspring.core.types import Event, Finish, FinishReason, Text, TokenLogprob, Usage
from mainspring.engines.base import Capabilities, Capacity, EngineStream, Generation
from mainspring.engines.chat import limits, markers
from mainspring.engines.chat.commit_point import commit

Piece = str | Exception | asyncio.Event
"""One step of a script: a token's text, an error to raise there, or an event to wait for."""

Script = Callable[[Generation], Sequence[Piece]] | Mapping[str, Sequence[Piece]]
"""The script for a generation. A mapping answers with the first key that occurs in the prompt or messages."""

PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty"),
        *("frequency_penalty", "stop", "seed", "ignore_eos", "logit_bias"),
    }
)
_TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


def words(text: str) -> list[str]:
    """``text`` in pieces of a word or a mark each, white space in front; joined they give it back."""
    return _TOKEN.findall(text)


def echo(generation: Generation) -> list[str]:
    """A script that repeats the last message, or the prompt if there are none."""
    return words(generation.messages[-1].content if generation.messages else generation.prompt)


class ScriptedEngine:
    """Says what its script says, a piece a token. Implements ``Engine``.

    ``delay`` seconds before each token; ``slots`` generations at a time (0: any number), ``max_waiting`` more wait and
    further ones fail with ``Overloaded``. ``templates`` makes it accept messages, like a remote engine. ``seen`` holds
    every generation, ``live`` and ``peak`` how many run now and ran at once at most, ``cancelled`` how many were closed
    before their end. ``n`` choices say the same, in turns; a grammar is accepted and the script is trusted to keep to
    it.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        name: str = "scripted",
        context_window: int = 4096,
        delay: float = 0.0,
        slots: int = 0,
        max_waiting: int | None = None,
        templates: bool = False,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.script = script
        self.delay = delay
        self.seen: list[Generation] = []
        self.live = self.peak = self.waiting = self.cancelled = 0
        self._name = name
        self._width = slots
        self._slots = asyncio.Semaphore(slots) if slots else None
        self._max_waiting = max_waiting
        self._closed = asyncio.Event()
        self._capabilities = capabilities or Capabilities(
            context_window=context_window,
            parameters=PARAMETERS,
            grammars=frozenset({"json_schema", "regex", "ebnf"}),
            logprobs=20,
            max_choices=16,
            max_beams=16,
            templates=templates,
            seed="exact",
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def capacity(self) -> Capacity | None:
        return Capacity(self._width, self._capabilities.context_window * self._width) if self._width else None

    async def start(self) -> None:
        self._closed.clear()

    async def generate(self, generation: Generation) -> EngineStream:
        """Return at the script's first piece. Raises the script's errors, ``PromptTooLong``, ``Overloaded``,
        ``DeadlineExceeded`` after ``generation.timeout``, ``EngineDied`` when closed."""
        limits.check(generation.sampling, self.capabilities, self.name)
        self.seen.append(generation)
        return await commit(self._run(generation))

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        deadline = None if generation.timeout is None else loop.time() + generation.timeout
        await self._enter(deadline)
        finished = False
        try:
            prompt_tokens = self._check(generation)
            pieces = self._pieces(generation)
            choices = [_Choice(index, generation) for index in range(generation.sampling.n)]
            for piece in pieces:
                if all(choice.reason for choice in choices):
                    break
                if isinstance(piece, Exception):
                    raise piece
                await self._wait(piece, deadline)
                if isinstance(piece, str):
                    for choice in choices:
                        for event in choice.push(piece):
                            yield event
            for choice in choices:
                for event in choice.end():
                    yield event
            yield Usage(prompt_tokens, sum(choice.tokens for choice in choices))
            finished = True
            for choice in choices:
                yield Finish(choice.reason or "stop", choice.index, choice.stopped_by)
        except GeneratorExit:
            self.cancelled += not finished
            raise
        finally:
            self.live -= 1
            if self._slots:
                self._slots.release()

    async def _enter(self, deadline: float | None) -> None:
        if self._closed.is_set():
            raise EngineDied(f"engine {self.name} is closed")
        if self._slots:
            if self._slots.locked() and self._max_waiting is not None and self.waiting >= self._max_waiting:
                raise Overloaded(f"{self.waiting} requests wait for engine {self.name}", retry_after=1.0)
            self.waiting += 1
            try:
                async with asyncio.timeout_at(deadline):
                    await self._slots.acquire()
            except TimeoutError:
                raise DeadlineExceeded(f"no slot of engine {self.name} became free in time") from None
            finally:
                self.waiting -= 1
        self.live += 1
        self.peak = max(self.peak, self.live)

    async def _wait(self, piece: Piece, deadline: float | None) -> None:
        """Let ``delay`` pass, or ``piece`` happen, unless the engine closes or the deadline passes first."""
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                if isinstance(piece, asyncio.Event):
                    await self._until(piece)
                elif self.delay:
                    async with asyncio.timeout(self.delay):
                        await self._closed.wait()
                else:
                    await asyncio.sleep(0)
        except TimeoutError:
            if limit.expired():
                raise DeadlineExceeded(f"engine {self.name} was not done within its timeout") from None
        if self._closed.is_set():
            raise EngineDied(f"engine {self.name} was closed while it answered")

    async def _until(self, event: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._closed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _check(self, generation: Generation) -> int:
        text = generation.prompt or "".join(message.content for message in generation.messages)
        tokens, window = len(words(text)), self.capabilities.context_window
        if tokens + (generation.sampling.max_tokens or 1) > window:
            raise PromptTooLong.counted(tokens, window)
        return tokens

    def _pieces(self, generation: Generation) -> Sequence[Piece]:
        if not isinstance(self.script, Mapping):
            return self.script(generation)
        text = generation.prompt + "\n".join(message.content for message in generation.messages)
        for key, pieces in self.script.items():
            if key in text:
                return pieces
        raise EngineError(f"the script of {self.name} has no answer to {text[-80:]!r}")

    async def count_tokens(self, text: str) -> int:
        return len(words(text))

    def healthy(self) -> bool:
        return not self._closed.is_set()

    def statistics(self) -> dict[str, float]:
        return {"running": self.live, "waiting": self.waiting, "kv_used_fraction": 0.0, "restarts": 0.0}

    async def close(self) -> None:
        self._closed.set()


class _Choice:
    """One choice of a generation: counts tokens, honours stop strings and the token limit."""

    def __init__(self, index: int, generation: Generation) -> None:
        self.index = index
        self.tokens = 0
        self.reason: FinishReason | None = None
        self.stopped_by = ""
        self._sampling = generation.sampling
        self._text = ""
        self._pending = 0
        self._logprobs: list[TokenLogprob] = []

    def push(self, piece: str) -> list[Event]:
        if self.reason:
            return []
        self.tokens += 1
        self._pending += 1
        self._text += piece
        self._note(piece)
        found = markers.first(self._text, self._sampling.stop)
        if found:
            self._text, self.reason, self.stopped_by = self._text[: found[0]], "stop", found[1]
        elif self._sampling.max_tokens is not None and self.tokens >= self._sampling.max_tokens:
            self.reason = "length"
        return self._release(0 if self.reason else markers.length_of_partial_marker(self._text, self._sampling.stop))

    def end(self) -> list[Event]:
        self.reason = self.reason or "stop"
        return self._release(0)

    def _note(self, piece: str) -> None:
        asked = self._sampling.logprobs
        if asked is not None:
            top = [(piece, -0.1)] + [(f"{piece}~{rank}", -2.0 - rank) for rank in range(1, asked)]
            self._logprobs.append(TokenLogprob(piece, -0.1, tuple(top[:asked])))

    def _release(self, keep: int) -> list[Event]:
        ready, self._text = self._text[: len(self._text) - keep], self._text[len(self._text) - keep :]
        if not ready:
            return []
        event = Text(ready, self.index, self._pending, tuple(self._logprobs))
        self._pending, self._logprobs = 0, []
        return [event]

"""The default engine: OpenVINO GenAI's continuous batching in a supervised child process.

A seed guarantees the same output for the same request if nothing else runs (``solo``); the composition of a batch
changes the rounding. Unset sampling means temperature 1 over the whole vocabulary, as in OpenAI's API.
Log-probabilities are those of the chosen token after penalties and temperature. Beam search is deterministic and
delivers its text at the end.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Protocol

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineDied,
    EngineError,
    InvalidRequest,
    MainspringError,
    ModelError,
    Overloaded,
    PromptTooLong,
    Unsupported,
)
from mainspring.core.settings import EnginesSettings
from mainspring.core.types import Sampling, Text, Usage
from mainspring.engines.base import Capabilities, Capacity, Generation
from mainspring.engines.chat import limits
from mainspring.engines.encode.tokens import no_token
from mainspring.engines.grammar.trials import GrammarTrial
from mainspring.engines.openvino import token_logprobs
from mainspring.engines.openvino.runtime import BLOCK
from mainspring.engines.openvino.slots import spare_of
from mainspring.engines.process import file_damage
from mainspring.engines.process.in_flight import EventJob, finishes
from mainspring.engines.process.protocol import Message
from mainspring.engines.process.supervisor import Supervisor

CHILD = "mainspring.engines.openvino.child"
_PARAMETERS = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"),
        *("stop", "ignore_eos", "max_tokens"),
    }
)
_MAX_BEAMS = 8
# Parameters that influence sampling, with their neutral values.
_DRAWN = ("temperature", "top_p", "top_k", "min_p", "seed")
_NEUTRAL = {"temperature": 0, "top_p": 1, "top_k": 0, "min_p": 0}
_PATIENCE_S = 30.0
_KINDS: dict[str, type[MainspringError]] = {"too_long": PromptTooLong, "invalid": InvalidRequest}


class Pulled(Protocol):
    """The part of a pulled model that the engine needs: its files by role."""

    @property
    def files(self) -> Mapping[str, Path]: ...


class OpenVinoEngine:
    """Generates from an OpenVINO IR directory or a GGUF file. See ``engines.base.Engine``.

    ``spawn()`` starts the child without waiting, before heavy imports and without an event loop; ``start()`` waits for
    it. At most ``settings.max_sequences`` sequences run and ``settings.max_waiting`` requests wait; further ones get
    ``Overloaded`` at once.
    """

    def __init__(
        self,
        model: Path | Pulled,
        settings: EnginesSettings,
        name: str,
        context_window: int,
        draft: Path | Pulled | None = None,
    ) -> None:
        """``model`` is a pulled model (its IR if there is one, else its GGUF) or the path of either; so is
        ``draft``, which guesses where ``settings.speculation`` says so."""
        path = model if isinstance(model, Path) else _weights(model, name)
        self._name = name
        self._settings = settings
        self._capabilities = Capabilities(
            context_window=min(context_window, self._kv_blocks(settings) * BLOCK - BLOCK),
            parameters=_PARAMETERS,
            grammars=frozenset({"json_schema", "regex", "ebnf"}),
            logprobs=1,
            max_choices=settings.max_sequences,
            max_beams=min(_MAX_BEAMS, settings.max_sequences),
            seed="solo",
            speculates=settings.speculation != "off",
            compiled=True,
            # The runtime tells them only of what it reads: never of what is in the prefix cache.
            prompt_logprobs=not settings.prefix_cache and settings.speculation == "off",
        )
        self._supervisor = Supervisor(
            CHILD,
            _configuration(path, settings, context_window, _path(draft, settings.draft_model)),
            name=name,
            on_message=self._on_message,
            on_death=self._on_death,
            start_timeout=settings.start_timeout_s,
            damaged=file_damage.of(model),
            remedy=_pull_again(name),
            busy=lambda: bool(self._began or self._counts),
            silence=settings.step_timeout_s,
        )
        self._grammars = GrammarTrial(path, name)
        self._ids = count(1)
        self._jobs: dict[int, EventJob] = {}
        self._numbers: dict[EventJob, int] = {}
        self._began: dict[int, float] = {}
        self._counts: dict[int, asyncio.Future[tuple[int | str | None, int]]] = {}
        self._duration = 2.0
        self._gauges = (0, 0, 0.0, 0, 0)

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def capacity(self) -> Capacity | None:
        most = self._settings.max_sequences
        return Capacity(most, self._kv_blocks(self._settings) * BLOCK - BLOCK, spare_of(most))

    @property
    def pid(self) -> int | None:
        """Process id of the child."""
        return self._supervisor.pid

    def spawn(self) -> None:
        """Start the child process now; needs no event loop and does not wait. Idempotent."""
        self._supervisor.spawn()

    def kill(self) -> None:
        """End the child at once; needs no event loop. A started engine restarts it."""
        self._supervisor.kill()

    async def start(self) -> None:
        await self._supervisor.start()

    async def generate(self, generation: Generation) -> EventJob:
        """See ``Engine.generate``; also raises ``Overloaded``, ``InvalidSchema`` and ``DeadlineExceeded``."""
        _check(generation.sampling, self._capabilities, self._name)
        self._refuse_overload()
        job = EventJob(self._cancel)
        number = next(self._ids)
        # Counted before the first wait: a burst must not pass the bound while it waits for a restart.
        self._jobs[number], self._numbers[job] = job, number
        try:
            await self._submit(number, job, generation)
            await job.wait()
        except BaseException:
            await job.aclose()
            raise
        return job

    async def _submit(self, number: int, job: EventJob, generation: Generation) -> None:
        grammar, timeout = generation.sampling.grammar, generation.timeout
        late = DeadlineExceeded(f"{self._name} did not answer within {timeout or 0:g} s")
        if timeout is not None:
            job.expire(max(0.0, timeout), late)
        try:
            async with asyncio.timeout(timeout):
                if grammar is not None:
                    await self._grammars.check(grammar, generation.tenant)
                await self._supervisor.ready(_PATIENCE_S)
        except TimeoutError:
            raise late from None
        if not job.over:
            self._began[number] = time.monotonic()
            self._supervisor.send(_request(number, generation))

    async def count_tokens(self, text: str) -> int:
        count, _ = await self._tokenizer({"text": text})
        return int(count or 0)

    async def text_of(self, tokens: Sequence[int]) -> str:
        """See ``Decodes``."""
        text, size = await self._tokenizer({"tokens": list(tokens)})
        if text is None:
            raise no_token(self._name, size)
        return str(text)

    async def _tokenizer(self, asked: Message) -> tuple[int | str | None, int]:
        """What the child's tokenizer says, and how many tokens it has."""
        await self._supervisor.ready(_PATIENCE_S)
        number = next(self._ids)
        future: asyncio.Future[tuple[int | str | None, int]] = asyncio.get_running_loop().create_future()
        self._counts[number] = future
        try:
            self._supervisor.send({"op": "tokenizer", "id": number, **asked})
            return await future
        finally:
            self._counts.pop(number, None)

    def healthy(self) -> bool:
        return self._supervisor.state == "ready"

    def statistics(self) -> dict[str, float]:
        running, waiting, used, speculated, aside = self._gauges
        return {
            "running": running,
            "waiting": waiting,
            "kv_used_fraction": used,
            "restarts": self._supervisor.restarts,
            "down_s": self._supervisor.down_s,
            "speculated": speculated,
            "stood_aside": aside,
        }

    async def close(self) -> None:
        self._on_death(f"the engine of {self._name} was closed")
        await self._supervisor.close()
        await self._grammars.close()

    # --- from the child ----------------------------------------------------------------------------------------

    def _on_message(self, message: Message) -> None:
        jobs = self._jobs
        for number, choice, rows in message.get("p", ()):
            if (job := jobs.get(number)) is not None:
                job.push(Text("", choice, 0, token_logprobs.of_prompt(rows)))
        for number, choice, text, tokens, logprobs in message.get("t", ()):
            if (job := jobs.get(number)) is not None:
                job.push(Text(text, choice, tokens, token_logprobs.generated(logprobs) if logprobs else ()))
        for number, prompt, generated, reasons, cached in message.get("e", ()):
            if (job := jobs.get(number)) is not None:
                self._measure(number)
                self._forget(job)
                job.end(Usage(prompt, generated, cached), *finishes(reasons))
        for number, kind, text in message.get("x", ()):
            if (job := jobs.get(number)) is not None:
                self._forget(job)
                job.fail(_error(kind, text))
        for number, *said in message.get("c", ()):
            if (future := self._counts.get(number)) is not None and not future.done():
                future.set_result((said[0], said[1]))
        running, waiting, used, speculated, aside = message.get("g", self._gauges)
        self._gauges = (running, waiting, used, speculated, aside)

    def _on_death(self, cause: str) -> None:
        self._gauges = (0, 0, 0.0, 0, 0)
        for number, job in list(self._jobs.items()):
            # Jobs that wait for a restart have not been sent and are not lost.
            if number in self._began or self._supervisor.state in ("failed", "closed"):
                self._forget(job)
                job.fail(EngineDied(cause, remedy="Send the request again", retry_after=2.0))
        for future in self._counts.values():
            if not future.done():
                future.set_exception(EngineDied(cause, remedy="Send the request again", retry_after=2.0))

    # --- admission ---------------------------------------------------------------------------------------------

    def _refuse_overload(self) -> None:
        outstanding = len(self._jobs)
        most = self._settings.max_sequences
        bound = most + max(self._settings.max_waiting, spare_of(most))
        if outstanding >= bound:
            wait = self._duration * (outstanding - self._settings.max_sequences + 1) / self._settings.max_sequences
            raise Overloaded(
                f"{self._name} has {outstanding} requests running and waiting",
                remedy="Try again later, or raise engines.max_waiting",
                retry_after=round(min(60.0, max(1.0, wait)), 1),
            )

    def _measure(self, number: int) -> None:
        began = self._began.get(number)
        if began is not None:
            self._duration += 0.1 * (time.monotonic() - began - self._duration)

    def _cancel(self, job: EventJob) -> None:
        number = self._numbers.get(job)
        if number is None:
            return
        sent = number in self._began
        self._forget(job)
        if sent and self._supervisor.state == "ready":
            self._supervisor.send({"op": "cancel", "id": number})

    def _forget(self, job: EventJob) -> None:
        number = self._numbers.pop(job, None)
        if number is not None:
            self._jobs.pop(number, None)
            self._began.pop(number, None)

    @staticmethod
    def _kv_blocks(settings: EnginesSettings) -> int:
        return max(2, settings.kv_tokens // BLOCK)


def _path(model: Path | Pulled | None, name: str) -> str:
    if model is None:
        return ""
    return str(model if isinstance(model, Path) else _weights(model, name))


def _weights(model: Pulled, name: str) -> Path:
    path = model.files.get("ir") or model.files.get("gguf")
    if path is None:
        raise ModelError(f"{name} has neither OpenVINO IR nor a GGUF file", remedy=_pull_again(name))
    return path


def _pull_again(name: str) -> str:
    return f"Fetch it again: mainspring models pull {name} --force"


def _configuration(model: Path, settings: EnginesSettings, context_window: int, draft: str) -> Message:
    properties: dict[str, str] = {"INFERENCE_PRECISION_HINT": settings.precision}
    if settings.precision == "f32":
        # Full precision is asked for to have the same output in every batch: then nothing may be rounded.
        properties |= {"KV_CACHE_PRECISION": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    return {
        "model": str(model),
        "context_window": context_window,
        "kv_blocks": OpenVinoEngine._kv_blocks(settings),
        "max_sequences": settings.max_sequences,
        "spare": spare_of(settings.max_sequences),
        "max_batched_tokens": settings.max_batched_tokens,
        "prefix_cache": settings.prefix_cache,
        "threads": settings.threads,
        "properties": properties,
        "speculation": settings.speculation,
        "speculation_tokens": settings.speculation_tokens,
        "draft": draft,
    }


def _check(sampling: Sampling, capabilities: Capabilities, name: str) -> None:
    limits.check(sampling, capabilities, name)
    greedy = sampling.temperature == 0
    if sampling.logprobs and not greedy:
        raise Unsupported(
            f"engine {name} knows the chosen token's log-probability only, which is the likeliest only if greedy",
            remedy="Set top_logprobs to 0, or temperature to 0",
            param="logprobs",
        )
    if sampling.grammar is not None and sampling.ignore_eos:
        raise Unsupported(f"engine {name} cannot honour ignore_eos with a grammar", param="ignore_eos")
    if sampling.beams > 1:
        if drawn := [each for each in _DRAWN if getattr(sampling, each) not in (None, _NEUTRAL.get(each))]:
            raise Unsupported(
                f"engine {name} searches beams without sampling",
                remedy=f"Leave {' and '.join(drawn)} out",
                param=drawn[0],
            )
        if sampling.grammar is not None:
            raise Unsupported(f"engine {name} cannot honour a grammar in beam search", param="num_beams")
        if sampling.n > sampling.beams:
            raise InvalidRequest(f"n must be at most beams ({sampling.beams})", param="n")


def _request(number: int, generation: Generation) -> Message:
    sampling = generation.sampling
    # The runtime's own default is one fixed seed for everybody.
    seed = random.getrandbits(48) if sampling.seed is None else sampling.seed
    grammar = [sampling.grammar.kind, sampling.grammar.source] if sampling.grammar else None
    return {
        "op": "add",
        "id": number,
        "prompt": generation.prompt,
        "priority": generation.priority,
        "tenant": generation.tenant,
        "expected": generation.expected,
        "shown": generation.shown,
        "speculate": generation.speculate,
        "sampling": {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repetition_penalty": sampling.repetition_penalty,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "stop": sampling.stop,
            "seed": seed,
            "n": sampling.n,
            "logprobs": sampling.logprobs,
            "prompt_logprobs": sampling.prompt_logprobs,
            "beams": sampling.beams,
            "ignore_eos": sampling.ignore_eos,
            "grammar": grammar,
        },
    }


def _error(kind: str, text: str) -> MainspringError:
    remedy = "Shorten the prompt or ask for fewer tokens" if kind == "too_long" else ""
    return _KINDS.get(kind, EngineError)(text, remedy=remedy, param="messages" if kind == "too_long" else None)

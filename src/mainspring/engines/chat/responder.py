"""Models as responders: ``ModelResponder`` puts template, grammar and tool parsing around an engine, and
``EmbedResponder`` answers embedding requests from an embedder."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import MappingProxyType

from mainspring.core.errors import DeadlineExceeded, InvalidRequest, Unsupported
from mainspring.core.nearest import nearest
from mainspring.core.types import (
    IGNORED_HEADER,
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Ending,
    Event,
    Finish,
    Head,
    Request,
    Response,
    Sampling,
    Text,
    Tool,
    ToolCallDelta,
    Usage,
    Vectors,
)
from mainspring.engines.base import Embedder, Engine, EngineStream, Generation
from mainspring.engines.catalogue.entries import FimEntry
from mainspring.engines.chat import dialects, limits
from mainspring.engines.chat import tools as tool_calls
from mainspring.engines.chat.output_bound import OutputBound, lowered
from mainspring.engines.chat.output_lengths import OutputLengths
from mainspring.engines.chat.reasoning import OPEN as THINK
from mainspring.engines.chat.reasoning import ReasoningParser
from mainspring.engines.chat.template import ChatTemplate, unread
from mainspring.engines.chat.tool_parser import ToolParser
from mainspring.engines.grammar.translation import enforceable

SPECULATION = "speculation"
# Extensions that a request to a model may carry: each layer above removes its own, and only the last ones remain.
_OPTIONS = ("cache", "preset", "repair", "scaling", "session", SPECULATION)


class ModelResponder:
    """A chat model: answers ``ChatRequest`` and ``CompletionRequest``.

    ``fingerprint`` names the weights (None: unknown, as with remote models; answers are then never cached).
    ``template`` is None for engines that take messages, and for models that only complete text. Without ``max_tokens``,
    an answer gets ``default_output_tokens`` (0: any number). Every answer has at most ``max_output_tokens`` (None: any
    number) and the rest of the context window; a header tells where that is less than was asked for. ``stop`` ends
    every answer that does not ignore its end, in addition to the request's own stop strings. ``drawn`` are the model's
    own temperature, top_p, top_k and min_p: they apply to unset fields of requests without a temperature. ``fim`` is
    how it fills in the middle of a text (None: it does not). The answer's fingerprint does not depend on the sampling:
    the cache decides whether a sampled answer may be cached.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        model_name: str,
        fingerprint: str | None,
        template: ChatTemplate | None = None,
        default_output_tokens: int = 0,
        max_output_tokens: int | None = None,
        stop: Sequence[str] = (),
        drawn: Mapping[str, float] = MappingProxyType({}),
        fim: FimEntry | None = None,
    ) -> None:
        self.engine = engine
        self.fim = fim
        self._drawn = dict(drawn)
        self.template = template
        self._model = model_name
        self._fingerprint = _digest(fingerprint, template, stop, drawn) if fingerprint else None
        self._stop = tuple(stop)
        self._bound = OutputBound(engine, default_output_tokens, max_output_tokens)
        self._lengths = OutputLengths()

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return self._fingerprint

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer once the first token is there.

        Raises ``InvalidRequest`` (``Unsupported``, ``InvalidSchema``, ``PromptTooLong``) naming the parameter,
        ``DeadlineExceeded``, and whatever the engine raises.
        """
        match request:
            case ChatRequest():
                limits.check_images(request, self.engine.capabilities, self._model)
                generation, parsers = self._chat(request)
                response = await self._generate(generation, parsers, context)
                if request.variables and (names := unread(request.variables, generation.variables)):
                    response.with_head(headers={**response.head.headers, IGNORED_HEADER: ", ".join(names)})
                return response
            case CompletionRequest():
                return await self._generate(self._completion(request), None, context)
            case _:
                raise InvalidRequest(f"{self._model} is a chat model and does not embed", param="model")

    async def prompt_tokens(self, request: ChatRequest | CompletionRequest) -> int:
        """Tokens that ``request`` sends to the engine, template and tools included; of a remote model an estimate.

        Raises ``InvalidRequest`` like ``respond``.
        """
        generation = self._chat(request)[0] if isinstance(request, ChatRequest) else self._completion(request)
        text = generation.prompt
        if generation.messages and self.engine.capabilities.templates:
            offered = [json.dumps(tool_calls.declaration(tool)) for tool in generation.tools]
            text = "\n".join([*(f"{message.role}\n{message.content}" for message in generation.messages), *offered])
        return await self.engine.count_tokens(text)

    def rendered(self, request: Request) -> str:
        """The text that a chat request becomes by the model's template; empty if its endpoint applies its own."""
        return self._chat(request)[0].prompt if isinstance(request, ChatRequest) else ""

    async def _generate(self, generation: Generation, parsers: _Parsers | None, context: Context) -> Response:
        asked, own = generation.sampling, (context.principal.tenant,)
        sampling = await self._bound.of(generation)
        generation = dataclasses.replace(
            generation,
            sampling=sampling,
            expected=self._lengths.expected(own, sampling.max_tokens),
            timeout=self._timeout(context),
            priority=context.priority,
            headers=context.trace.headers(),
            patient=not context.elsewhere,
            tenant=context.principal.tenant,
        )
        stream = await self.engine.generate(generation)
        ending = getattr(stream, "ending", None) or Ending()
        ending.watch(lambda usage: self._learn(own, usage, max(sampling.n, sampling.beams, 1)))
        head = Head(self._model, headers=lowered(asked, sampling))
        return Response(head, _parsed(stream, parsers, ending), on_close=stream.aclose, ending=ending)

    def _learn(self, key: tuple[str, ...], usage: Usage | None, width: int) -> None:
        if usage is not None and usage.completion_tokens:
            self._lengths.learn(key, usage.completion_tokens // width)

    def _chat(self, request: ChatRequest) -> tuple[Generation, _Parsers]:
        tools = tool_calls.offered(request.tools, request.tool_choice)
        begun = request.messages[-1].content if request.continues else ""
        speculate = self._speculation(request)
        if self.engine.capabilities.templates:
            if begun:
                remedy = "End messages with one of the user's"
                raise Unsupported(f"{self._model} does not continue an answer", remedy=remedy, param="messages")
            sampling = self._checked(request.sampling)
            parallel = request.parallel_tool_calls
            passed = self.engine.capabilities.variables
            variables = {name: value for name, value in request.variables.items() if passed is None or name in passed}
            generation = Generation(
                "", sampling, request.messages, tools, request.tool_choice, parallel, variables=variables
            )
            parsers = _Parsers((), thinking=False, parallel=parallel, stops=request.sampling.stop)
            return generation, parsers
        if self.template is None:
            remedy = "Use /v1/completions, or give the model a chat template in its catalogue entry"
            raise Unsupported(f"{self._model} has no chat template", remedy=remedy, param="messages")
        forced = tool_calls.forced(request.tool_choice)
        sampling = self._checked(request.sampling)
        sampling = self._forcing(sampling, tools) if forced else sampling
        variables = self.template.steered(request.variables) if request.variables else {}
        prompt = self.template.render(request.messages[:-1] if begun else request.messages, tools, **variables)
        prompt += self.template.neutral(begun)
        thinking = prompt.rstrip().endswith(THINK) and sampling.grammar is None
        parallel, stops = request.parallel_tool_calls, request.sampling.stop
        dialect = dialects.BARE if forced else self.template.dialect
        parsers = _Parsers(tools, dialect, thinking=thinking, parallel=parallel, stops=stops)
        shown = dialect.shown if tools else ()
        return Generation(prompt, sampling, shown=shown, speculate=speculate, variables=variables), parsers

    def _speculation(self, request: ChatRequest) -> bool | None:
        """The wish in ``options.speculation``; None: speculate when it pays. Raises ``InvalidRequest``,
        ``Unsupported``."""
        for name in request.options:
            if name not in _OPTIONS:
                close = nearest(name, _OPTIONS)
                remedy = f"Did you mean {close}?" if close else f"Models take {', '.join(_OPTIONS)}"
                raise InvalidRequest(f"a model has no option {name!r}", remedy=remedy, param=f"options.{name}")
        wish = request.options.get(SPECULATION, "auto")
        if wish not in ("auto", "on", "off"):
            raise InvalidRequest("speculation must be auto, on or off", param=f"options.{SPECULATION}")
        if wish == "on" and not self.engine.capabilities.speculates:
            remedy = "Set engines.speculation, on OpenVINO"
            raise Unsupported(f"{self._model} does not speculate", remedy=remedy, param=f"options.{SPECULATION}")
        if wish == "on" and (request.sampling.beams > 1 or request.sampling.grammar is not None):
            problem = "beams and grammars cannot follow guesses"
            raise Unsupported(problem, remedy="Leave speculation out", param=f"options.{SPECULATION}")
        return None if wish == "auto" else wish == "on"

    def _completion(self, request: CompletionRequest) -> Generation:
        if request.suffix:
            return self._middle(request)
        if not request.prompt:
            raise InvalidRequest("prompt is empty", param="prompt")
        rendered = self.fim is not None and self.fim.rendered(request.prompt)
        return self._filled(request.prompt, request.sampling, self.fim.stop if self.fim and rendered else ())

    def _middle(self, request: CompletionRequest) -> Generation:
        if self.fim is None:
            remedy = "Leave suffix out, or ask a model whose catalogue entry has fim"
            raise Unsupported(f"{self._model} does not fill in the middle of a text", remedy=remedy, param="suffix")
        return self._filled(self.fim.prompt(request.prompt, request.suffix), request.sampling, self.fim.stop)

    def _filled(self, prompt: str, asked: Sampling, stops: tuple[str, ...]) -> Generation:
        sampling = self._checked(asked)
        if stops and not sampling.ignore_eos:
            sampling = dataclasses.replace(sampling, stop=(*sampling.stop, *stops))
        # The model's own stop tokens end the text only if they are part of it.
        return Generation(prompt, sampling, shown=stops)

    def _forcing(self, sampling: Sampling, tools: Sequence[Tool]) -> Sampling:
        if sampling.grammar:
            raise InvalidRequest("a tool call cannot be required beside a response_format", param="tool_choice")
        able = self.engine.capabilities
        if "json_schema" not in able.grammars:
            remedy = "Use tool_choice auto"
            problem = f"engine {self.engine.name} has no grammars and cannot be made to call a tool"
            raise Unsupported(problem, remedy=remedy, param="tool_choice")
        return dataclasses.replace(
            sampling, grammar=enforceable(tool_calls.constraint(tools), able.compiled, param="tools")
        )

    def _checked(self, sampling: Sampling) -> Sampling:
        limits.check(sampling, self.engine.capabilities, self.engine.name)
        sampling = self._by_default(sampling)
        if self._stop and not sampling.ignore_eos:
            sampling = dataclasses.replace(sampling, stop=(*sampling.stop, *self._stop))
        if sampling.grammar is None:
            return sampling
        return dataclasses.replace(sampling, grammar=enforceable(sampling.grammar, self.engine.capabilities.compiled))

    def _by_default(self, sampling: Sampling) -> Sampling:
        """With the model's own way of drawing, if the request has none. Beams draw nothing."""
        if sampling.temperature is not None or sampling.beams > 1:
            return sampling
        able = self.engine.capabilities.parameters
        own = {name: value for name, value in self._drawn.items() if name in able and getattr(sampling, name) is None}
        return dataclasses.replace(sampling, **own) if own else sampling  # type: ignore[arg-type]

    def _timeout(self, context: Context) -> float | None:
        remaining = context.remaining()
        if remaining is not None and remaining <= 0:
            raise DeadlineExceeded(f"the deadline passed before {self._model} was asked")
        return remaining


def _digest(fingerprint: str, template: ChatTemplate | None, stop: Sequence[str], drawn: Mapping[str, float]) -> str:
    parts = (fingerprint, template.fingerprint if template else "", *stop, *(f"{name}={drawn[name]}" for name in drawn))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


class _Parsers:
    """The parsers of a chat answer's choices: thoughts first, then tool calls, the first of them only where calls are
    not to be ``parallel``. ``stops`` are the request's own: only these are reported."""

    def __init__(
        self,
        tools: Sequence[Tool],
        dialect: dialects.Dialect = dialects.HERMES,
        *,
        thinking: bool,
        parallel: bool = True,
        stops: Sequence[str] = (),
    ) -> None:
        self._names = frozenset(tool.name for tool in tools)
        self._fits = tool_calls.checks(tools)
        self._dialect = dialect
        self._thinking = thinking
        self._parallel = parallel
        self._stops = frozenset(stops)
        self._choices: dict[int, tuple[ReasoningParser, ToolParser | None]] = {}
        self._called: set[int] = set()
        self.plain: set[int] = set()
        """Choices whose text needs no more parsing."""

    def push(self, event: Text) -> list[Event]:
        reasoning, calls = self._choice(event.choice)
        events = self._call(calls, reasoning.push(event))
        if calls is None and reasoning.over:
            self.plain.add(event.choice)
        return events

    def flush(self, choice: int | None = None) -> list[Event]:
        """The text held back for ``choice``, or for all choices."""
        events: list[Event] = []
        for index in sorted(self._choices) if choice is None else [choice]:
            reasoning, calls = self._choice(index)
            events += self._call(calls, reasoning.flush())
            events += calls.flush() if calls else []
        self._note(events)
        return self.wanted(events)

    def wanted(self, events: list[Event]) -> list[Event]:
        """``events`` without the calls that are too many."""
        if self._parallel:
            return events
        return [event for event in events if not (isinstance(event, ToolCallDelta) and event.index > 0)]

    def finish(self, event: Finish) -> Finish:
        if event.stopped_by and event.stopped_by not in self._stops:
            event = dataclasses.replace(event, stopped_by="")
        called = event.choice in self._called and event.reason == "stop"
        return dataclasses.replace(event, reason="tool_calls") if called else event

    def _choice(self, index: int) -> tuple[ReasoningParser, ToolParser | None]:
        if index not in self._choices:
            calls = ToolParser(self._names, index, dialect=self._dialect, fits=self._fits) if self._names else None
            self._choices[index] = (ReasoningParser(index, thinking=self._thinking), calls)
        return self._choices[index]

    def _call(self, calls: ToolParser | None, events: list[Event]) -> list[Event]:
        if calls is None:
            return events
        parsed: list[Event] = []
        for event in events:
            parsed += calls.push(event) if isinstance(event, Text) else [event]
        self._note(parsed)
        return self.wanted(parsed)

    def _note(self, events: list[Event]) -> None:
        self._called.update(event.choice for event in events if isinstance(event, ToolCallDelta))


async def _parsed(stream: EngineStream, parsers: _Parsers | None, ending: Ending) -> AsyncGenerator[Event, None]:
    if parsers is None:
        async for event in stream:
            if type(event) is Text:
                ending.written += event.tokens
            elif type(event) is Usage:
                ending.tell(event)
            yield event
        return
    plain = parsers.plain
    async for event in stream:
        if type(event) is Text:
            ending.written += event.tokens
            if event.choice in plain:
                yield event
                continue
        match event:
            case Text():
                for parsed in parsers.push(event):
                    yield parsed
            case Usage():
                ending.tell(event)
                for parsed in parsers.flush():
                    yield parsed
                yield event
            case Finish():
                for parsed in parsers.flush(event.choice):
                    yield parsed
                yield parsers.finish(event)
            case _:
                for wanted in parsers.wanted([event]):
                    yield wanted


class EmbedResponder:
    """An embedding model: answers ``EmbedRequest`` with ``Vectors``, ``Usage`` and ``Finish``.

    Texts longer than the model reads are cut; the head's ``x-mainspring-truncated`` says how many.
    """

    def __init__(self, embedder: Embedder, *, model_name: str, fingerprint: str | None = None) -> None:
        self.embedder = embedder
        self._model = model_name
        self._fingerprint = fingerprint

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return self._fingerprint

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer when all texts are embedded. Raises ``InvalidRequest`` for other requests and empty inputs."""
        if not isinstance(request, EmbedRequest):
            raise InvalidRequest(f"{self._model} is an embedding model and does not chat", param="model")
        if not request.inputs or not all(request.inputs):
            raise InvalidRequest("input must have at least one text, and no empty ones", param="input")
        try:
            async with asyncio.timeout(context.remaining()):
                embedded = await self.embedder.embed(request.inputs, request.kind)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._model} did not embed the texts in time") from None
        headers = {"x-mainspring-truncated": str(embedded.truncated)} if embedded.truncated else {}
        events = _events(Vectors(embedded.vectors), Usage(prompt_tokens=embedded.tokens), Finish("stop"))
        return Response(Head(self._model, headers=headers), events)


async def _events(*events: Event) -> AsyncGenerator[Event, None]:
    for event in events:
        yield event

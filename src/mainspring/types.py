"""The shared nouns: requests, events, responses, contexts and the Responder protocol.

Everything that answers (a model, an application, a router) is a ``Responder``; everything that wraps an answer
is a layer, which takes a Responder and is one. Rooms meet through the types of this module and nothing else.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Role = Literal["system", "developer", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
GrammarKind = Literal["json_schema", "regex"]


# --- requests -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an assistant message made. ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``content`` is plain text; other modalities have requests of their own."""

    role: Role
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. ``parameters`` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grammar:
    """A constraint on the generated text: a JSON schema (as JSON text) or a regular expression."""

    kind: GrammarKind
    source: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. ``None`` leaves the engine's default; an engine refuses what it cannot honour.

    ``temperature`` 0 is greedy. ``logprobs`` is the number of alternatives a token (0: the chosen one only,
    None: none). ``beams`` above 1 is beam search.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int = 1
    logprobs: int | None = None
    beams: int = 1
    ignore_eos: bool = False
    grammar: Grammar | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued by the model, application or collection named ``model``.

    ``options`` are the application's own (``mode``, ``top_k`` of document-qa, say). ``previous`` is the answer that the
    conversation continues, whose turns stand before the new messages already. ``tool_choice`` is
    ``auto``, ``none``, ``required`` or the name of one tool; without ``parallel_tool_calls`` an answer calls one at
    most.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    session_id: str | None = None
    user: str | None = None
    store: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Raw text to be continued, with no chat template. ``echo`` returns the prompt's own log-probabilities."""

    model: str
    prompt: str
    sampling: Sampling = Sampling()
    user: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to be embedded. ``kind`` lets models that tell queries from passages do so."""

    model: str
    inputs: tuple[str, ...]
    kind: Literal["query", "passage"] = "passage"
    user: str | None = None


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """Documents to be scored for their relevance to ``query``."""

    model: str
    query: str
    documents: tuple[str, ...]
    user: str | None = None


Request = ChatRequest | CompletionRequest | EmbedRequest | RerankRequest


# --- events ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token and its natural-log probability. ``top`` holds (token, logprob) alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Generated text. ``tokens`` counts the tokens that it came from (0 where the engine does not say)."""

    text: str
    choice: int = 0
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Text that a reasoning model thinks aloud; kept apart from the answer."""

    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: ``id`` and ``name`` come with the first piece of each ``index``."""

    choice: int
    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that supports the answer, attached and verified by the system, never by the model.

    ``start`` and ``end`` are character offsets into the parsed text of the document; ``quote`` is exactly
    ``text[start:end]``. ``support`` is the heuristic support score of generated sentences (None: verbatim).
    ``vector_store_id`` and ``file_id`` (None: the document was not uploaded) are where the passage can be opened.
    """

    index: int
    document_id: str
    source: str
    quote: str
    start: int
    end: int
    page: int | None = None
    heading: str = ""
    support: float | None = None
    choice: int = 0
    vector_store_id: str = ""
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A part of the question of which the documents say nothing, in the question's words."""

    part: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a cited source says where sources disagree. ``citation`` is the number of its citation, ``modified_at`` its
    document's time in Unix seconds; ``newest`` marks the latest of the documents (none where all have one time)."""

    citation: int
    value: str
    source: str
    modified_at: float
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Cited sources that give different values for the same thing: found by rules, no proof that either is wrong."""

    about: str
    claims: tuple[Claim, ...]
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """What whoever reads an answer should know about it, and is no part of it. ``code`` is stable."""

    code: str
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a long answer is doing, for people who watch it."""

    stage: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings: one row a text, L2-normalised float32 of shape (texts, dimensions)."""

    rows: Any


@dataclass(frozen=True, slots=True)
class Scores:
    """Relevance in [0, 1], one a document: float32 of shape (documents,)."""

    values: Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money spent. ``cost_nanousd`` is fixed-point: billionths of a US dollar."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nanousd: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cost_nanousd + other.cost_nanousd,
        )

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Finish:
    """One choice is complete. What it acknowledges is durable before it is sent. ``stopped_by`` is the stop string
    that ended it (empty: none, or the engine does not say)."""

    reason: FinishReason
    choice: int = 0
    stopped_by: str = ""


Event = (
    Text
    | Reasoning
    | ToolCallDelta
    | Citation
    | Missing
    | Contradiction
    | Notice
    | Progress
    | Vectors
    | Scores
    | Usage
    | Finish
)


# --- what happened --------------------------------------------------------------------------------------------

EventKind = Literal["call", "answer", "retrieval", "guard", "tool", "feedback", "score", "label", "erased"]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A fact about a request: transactional, never sampled. ``facts`` is JSON; text goes into ``content``.

    ``subject`` is what it is about (an answer id), ``parent_id`` the event that it follows, ``at`` Unix seconds.
    """

    id: str
    at: float
    tenant: str
    trace_id: str
    kind: EventKind
    subject: str
    facts: Mapping[str, Any]
    content: str | None = None
    parent_id: str | None = None
    version: int = 1
    consent: bool = False
    retention: str = "default"


# --- contexts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TraceParent:
    """W3C trace context: 32 and 16 lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    sampled: bool = True

    @classmethod
    def new(cls) -> TraceParent:
        return cls(os.urandom(16).hex(), os.urandom(8).hex())


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: decided by the gateway, part of every key in every store."""

    tenant: str
    key_id: str
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


class Allowance:
    """What one request and all its inner calls may still spend, and what they did. Shared by child contexts.

    ``records`` are the facts that wait for the request's one settling commit: the call ring adds them, the
    Record layer writes them. ``turn`` are the messages by which the request lengthens its session: they settle
    in the same commit, followed by the answer.
    """

    def __init__(self, tokens: int | None = None, steps: int | None = None) -> None:
        self.tokens = tokens
        self.steps = steps
        self.spent = Usage()
        self.records: list[EventRecord] = []
        self.turn: tuple[Message, ...] = ()

    def spend(self, usage: Usage) -> None:
        self.spent = self.spent + usage
        if self.tokens is not None:
            self.tokens -= usage.total_tokens


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks, under which trace, until when and with what allowance. Frozen; carries no services.

    ``deadline`` is a ``time.monotonic()`` value.
    """

    principal: Principal
    trace: TraceParent = field(default_factory=TraceParent.new)
    deadline: float | None = None
    priority: int = 0
    allowance: Allowance = field(default_factory=Allowance)
    depth: int = 0
    policy: str = "default"
    consent: bool = False
    retention: str = "default"
    region: str | None = None
    idempotency_key: str | None = None
    arms: Mapping[str, str] = field(default_factory=dict)

    def under(self, trace: TraceParent) -> Context:
        """The same context below another span."""
        # Written out: ``replace`` takes three times as long, and every step of a request comes here.
        return Context(
            self.principal,
            trace,
            self.deadline,
            self.priority,
            self.allowance,
            self.depth,
            self.policy,
            self.consent,
            self.retention,
            self.region,
            self.idempotency_key,
            self.arms,
        )

    def nested(self) -> Context:
        """The context of an inner call: same allowance, one level deeper."""
        return dataclasses.replace(self, depth=self.depth + 1)

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()


# --- responses ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """What is known when an answer is committed: it becomes response headers.

    ``answer_id`` names the answer in events and feedback; ``model`` is what really answers; ``cache`` is
    ``""``, ``"miss"`` or ``"hit"``; ``headers`` are further response headers (rate limits).
    """

    model: str
    answer_id: str = ""
    arm: str = ""
    cache: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Close = Callable[[], Awaitable[None]]


class Events(AsyncIterator[Event]):
    """The events of a response on their way through a layer: iterating costs nothing over their source.

    ``aclose()`` closes the response that they are of, with everything beneath it. A layer that needs what those
    callbacks leave behind calls it where the events have ended; else they run before its own when all is over.
    """

    __slots__ = ("_iterator", "aclose")

    def __init__(self, iterator: AsyncIterator[Event], aclose: Close) -> None:
        self._iterator = iterator
        self.aclose = aclose

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._iterator

    def __anext__(self) -> Awaitable[Event]:
        return self._iterator.__anext__()


Transform = Callable[[Events], AsyncGenerator[Event, None]]


class Response:
    """A committed answer: a head and a stream of events.

    Iterate it to the end or call ``aclose()``; both release what runs beneath, inner before outer, in the
    caller's own task. (Nested bare async generators finalise outer first, or in another task altogether.)
    A late failure is raised from the iteration. Use as ``async with response: async for event in response``.
    """

    __slots__ = ("_callbacks", "_events", "_finished", "_inner", "_iterator", "head")

    def __init__(self, head: Head, events: AsyncIterator[Event], *, on_close: Close | None = None) -> None:
        self.head = head
        self._events = events
        self._iterator = events.__aiter__()
        self._inner: Response | None = None
        self._callbacks: list[Close] = [on_close] if on_close else []
        self._finished = False

    def through(self, transform: Transform, *, head: Head | None = None, on_close: Close | None = None) -> Response:
        """This response with its events passed through ``transform``, an async generator function."""
        outer = Response(head or self.head, transform(Events(self._iterator, self.aclose)), on_close=on_close)
        outer._inner = self
        return outer

    def with_head(self, **changes: Any) -> Response:
        """This response under a changed head; the stream is untouched."""
        self.head = dataclasses.replace(self.head, **changes)
        return self

    def on_close(self, callback: Close) -> Response:
        """Run ``callback`` exactly once when the stream has ended, failed or been closed."""
        self._callbacks.append(callback)
        return self

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self._iterator.__anext__()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close inner responses, then this one's generator, then run its callbacks. Idempotent."""
        if self._finished:
            return
        self._finished = True
        try:
            if self._inner is not None:
                await self._inner.aclose()
        finally:
            try:
                close = getattr(self._events, "aclose", None)
                if close is not None:
                    await close()
            finally:
                await self._release()

    async def _release(self) -> None:
        # One callback that fails, or is cancelled, must not keep the others from freeing what they hold.
        try:
            while self._callbacks:
                await self._callbacks.pop(0)()
        finally:
            if self._callbacks:
                await self._release()

    async def __aenter__(self) -> Response:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


@runtime_checkable
class Responder(Protocol):
    """Everything that answers.

    Returning is the commit point: before ``respond`` returns, a failure is an exception, becomes an HTTP
    status and may be retried or rerouted; after it, never.
    """

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer, or raise a ``MainspringError``."""
        ...

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """What the answer depends on besides the request: weights, prompt, policy, collection versions,
        access groups. None: never cache these answers."""
        ...

"""The engine protocols: generating and embedding text.

Engines know tokens and text (or, for remote endpoints that apply their own chat template, messages). Chat
templates, grammar validation and tool parsing belong to ``ModelResponder``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from mainspring.core.types import Context, Event, Message, Sampling, Tool


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The parameters that an engine supports; all others are refused with ``Unsupported`` before the call.

    ``logprobs`` is the most alternatives a token (None: no log-probabilities at all; 1: the chosen token).
    ``templates`` is true where the engine takes messages and applies a chat template itself. ``seed`` says what a seed
    guarantees: ``solo`` repeats an answer only if nothing else runs in the batch. ``speculates``: tokens may be guessed
    and checked several at once. ``variables`` are those of its template that are passed on (None: all of them), where
    it applies one itself.
    """

    context_window: int
    parameters: frozenset[str] = frozenset()
    grammars: frozenset[str] = frozenset()
    logprobs: int | None = None
    max_choices: int = 1
    max_beams: int = 1
    templates: bool = False
    seed: Literal["exact", "solo", "none"] = "none"
    speculates: bool = False
    compiled: bool = False
    """JSON schemas reach the engine as context-free grammars of ours."""
    variables: frozenset[str] | None = None
    images: bool = False
    """The model reads pictures in messages."""
    prompt_logprobs: bool = False
    """It tells the log-probabilities of a prompt's tokens."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """An engine's capacity: ``sequences``, within ``kv_tokens`` tokens of cache in all, and ``spare`` further ones if
    several tenants ask (``engines.openvino.slots``)."""

    sequences: int
    kv_tokens: int
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """One job for an engine: a rendered ``prompt``, or ``messages`` where ``Capabilities.templates``, with the
    ``variables`` of the template.

    ``timeout`` is in seconds from now; of the jobs that wait, those of higher ``priority`` run first. ``shown`` are
    special tokens that belong to the text of this answer: the markers of tool calls. ``speculate`` asks for it (None:
    where it pays). A call that is not ``patient`` is not retried: another engine will answer. ``tenant`` is whose it
    is. ``expected`` is how many tokens of output it will probably have at most (None: as many as it may).
    """

    prompt: str
    sampling: Sampling
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel_tool_calls: bool = True
    timeout: float | None = None
    priority: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    speculate: bool | None = None
    patient: bool = True
    tenant: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    expected: int | None = None


EngineStream = AsyncGenerator[Event, None]
"""``Text`` events, then one ``Usage``, then a ``Finish`` for each choice. ``aclose()`` cancels the job and
frees its slot within one bounded step."""


class Engine(Protocol):
    """Generates text. Implementations pass ``mainspring.testing.EngineSuite``."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def capacity(self) -> Capacity | None:
        """The number of concurrent requests, beyond which others queue; None if unknown."""
        ...

    async def start(self) -> None:
        """Return when the engine can answer. Raises ``ModelError`` when its weights cannot be used."""
        ...

    async def generate(self, generation: Generation) -> EngineStream:
        """Return when the first token (or the end) is there: up to then failures are exceptions.

        Raises ``PromptTooLong``, ``Unsupported``, ``EngineDied``, ``EngineError``, ``UpstreamError``.
        """
        ...

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` in this engine's vocabulary (an estimate for remote engines)."""
        ...

    def healthy(self) -> bool:
        """Whether a request sent now has a chance."""
        ...

    def statistics(self) -> dict[str, float]:
        """Gauges for metrics: running, waiting, kv_used_fraction, restarts."""
        ...

    async def close(self) -> None:
        """Stop; running requests fail with ``EngineDied``."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """An engine or embedder that has its tokenizer here."""

    async def text_of(self, tokens: Sequence[int]) -> str:
        """The text of these tokens of its vocabulary. Raises ``InvalidRequest`` for a number that is none of them."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """``vectors``: float32 array (texts, dimensions), L2-normalised; ``tokens``: tokens read in all;
    ``truncated``: how many texts were longer than the model reads."""

    vectors: Any
    tokens: int
    truncated: int = 0


class Embedder(Protocol):
    """Maps texts to vectors."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without special tokens."""
        ...

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        """Embed; never blocks the event loop. Texts longer than ``max_tokens`` are cut and counted."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reranked:
    """``scores``: float32 (passages,), the relevance of each in [0, 1]; ``tokens``: tokens read in all;
    ``truncated``: how many passages were longer than the model reads beside the query; ``spans``: the characters of
    each passage that answer the query if anything in it does (empty: the model does not say)."""

    scores: Any
    tokens: int
    truncated: int = 0
    spans: Sequence[tuple[int, int]] = ()


class Reranker(Protocol):
    """Reads a query and a passage together and returns the passage's relevance."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Changes when scores may."""
        ...

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """Score each passage against ``query``; never blocks the event loop."""
        ...

    async def close(self) -> None: ...


COMPUTES_HERE = "computes_here"
"""Attribute of rerankers: true if they take processor time of this process, and not of a server that they wait for."""


class ChatReranker(Reranker, Protocol):
    """A reranker that asks a chat model. Each call is charged to the context of a request."""

    def within(self, context: Context) -> Reranker:
        """The same reranker, asking within ``context``."""
        ...

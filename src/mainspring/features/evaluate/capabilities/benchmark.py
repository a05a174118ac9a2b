"""The shape of a benchmark: items that are read from a file, how they are asked, and how answers are scored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mainspring.core.types import Message

Way = Literal["text", "completion", "prompt-logprobs", "token-logprobs", "grammar"]
"""How an item is asked: in a chat, for a text; for what continues a raw prompt; for the likelihood of each option as
the continuation of a raw prompt; in a chat for the likelihood of each option's letter as the first token, or for a
letter that a grammar enforces."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Group = Literal["knowledge", "mathematics", "code", "reasoning", "multilingual", "grounding", "safety"]


@dataclass(frozen=True, slots=True)
class Item:
    """One task. ``messages`` are for a chat, ``prompt`` is raw text that is continued. ``options`` are what a multiple
    choice offers, under the letters of ``LETTERS``; ``continuations`` are what the prompt goes on with for each.
    ``right`` are the numbers of right options, ``references`` right answers in words.

    Items of one ``cluster`` are alike (questions about one document): the interval counts them together. ``tags`` are
    for slices; ``extra`` are fields that the score reads.
    """

    id: str
    messages: tuple[Message, ...] = ()
    prompt: str = ""
    options: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    references: tuple[str, ...] = ()
    cluster: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a ``text``, or for each option the summed natural-log probability of its continuation or letter
    (``likelihoods``)."""

    text: str = ""
    likelihoods: tuple[float, ...] = ()
    finish: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """The scores of one reply by metric, in [0, 1]; ``read`` is what was taken for the answer (None: nothing was)."""

    scores: Mapping[str, float]
    read: str | None = None


class Judging(Protocol):
    """What some scores need."""

    async def passes(self, program: str) -> bool:
        """Whether a program runs to its end without an error, in a sandbox."""
        ...

    async def faithfulness(self, answer: str, passages: Sequence[str], question: str) -> float | None:
        """The share of an answer's statements that the passages support; None without statements."""
        ...

    async def toxicity(self, text: str) -> tuple[float, float]:
        """The chance that a text is toxic, and the threshold beyond which the guards take it for toxic."""
        ...


Score = Callable[[Item, Reply], Marks]
Judge = Callable[[Item, Reply, Judging], Awaitable[Marks]]


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` as the scores have it. Of ``better`` "lower" less is better; "middle": the ideal is in ``about``."""

    name: str
    about: str
    better: Literal["higher", "lower", "middle"] = "higher"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark. ``read`` raises ``InvalidRequest`` naming file, line and field. It has a ``score`` or a ``judge``.
    ``ways`` are those that it can be asked in, the best first. ``metrics`` begin with the headline. ``cluster`` says
    what items have in common, ``extraction`` how an answer is found in a text. ``tokens`` bound an answer; ``stop``
    ends one of raw text. ``source`` says where to get the file, ``licence`` under which terms. ``version`` changes with
    prompts, reading and scoring."""

    name: str
    about: str
    group: Group
    read: Callable[[Path], Sequence[Item]]
    score: Score | None
    metrics: tuple[Metric, ...]
    source: str
    licence: str
    judge: Judge | None = None
    ways: tuple[Way, ...] = ("text",)
    tokens: int = 512
    stop: tuple[str, ...] = ()
    cluster: str = ""
    extraction: str = ""
    version: int = 1

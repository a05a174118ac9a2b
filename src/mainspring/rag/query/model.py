"""Asking a chat model about a query: a few tokens, a limit of time, and no failure that reaches the search."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mainspring.core.errors import MainspringError
from mainspring.core.path import Answer, collect
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling
from mainspring.rag.query.plan import PlanStep

_TIMEOUT_S = 20.0
_MARKER = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):]|Q\d*:)\s*")


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's text, and its input and output tokens."""

    text: str
    tokens: int = 0


class Ask(Protocol):
    """Gives a model's reply to ``text`` under ``instruction``, in at most ``max_tokens`` tokens."""

    async def __call__(self, instruction: str, text: str, max_tokens: int) -> Reply: ...


class ModelAsk:
    """Asks the chat model ``model`` through ``responder``, within one request's ``context``.

    ``capable`` says that the model follows such instructions; others are asked for texts only, never for decisions.
    ``redact`` is how the model may read a text.
    """

    def __init__(
        self,
        responder: Responder,
        model: str,
        context: Context,
        *,
        capable: bool,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._responder = responder
        self._model = model
        self._context = context
        self._redact = redact
        self.capable = capable

    async def __call__(self, instruction: str, text: str, max_tokens: int) -> Reply:
        request = ChatRequest(
            self._model,
            (Message("system", instruction), Message("user", self._redact(text))),
            sampling=Sampling(max_tokens=max_tokens, temperature=0.0),
            store=False,
        )
        answer = await collect(await self._responder.respond(request, self._context.nested()))
        return Reply(answer.text.strip(), answer.usage.total_tokens)

    async def yes(self, instruction: str, text: str) -> float | None:
        """The model's probability of "yes" as its first word; None if it says something else than yes or no.

        Raises what the model's responder raises: ``Unsupported`` if its engine does not tell probabilities.
        """
        request = ChatRequest(
            self._model,
            (Message("system", instruction), Message("user", self._redact(text))),
            sampling=Sampling(max_tokens=1, temperature=0.0, logprobs=0),
            store=False,
        )
        return likelihood(await collect(await self._responder.respond(request, self._context.nested())))


def likelihood(reply: Answer) -> float | None:
    """The probability of "yes" from the first token of ``reply``; None if it is missing or neither yes nor no."""
    told = reply.choices[0].logprobs if reply.choices else []
    if not told:
        return None
    first = told[0]
    word, chance = first.token.strip().lower(), math.exp(first.logprob)
    return chance if word.startswith("y") else 1 - chance if word.startswith("n") else None


async def soft(ask: Ask, step: PlanStep, instruction: str, text: str, max_tokens: int, room: int) -> str:
    """The reply's text, or an empty one where the model fails, is too slow or has no ``room`` (tokens) left: the
    search goes on without it, and ``step`` says why."""
    if max_tokens > room:
        step.note = "the token budget is spent"
        return ""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reply = await ask(instruction, text, max_tokens)
    except TimeoutError:
        step.note = f"the model took longer than {_TIMEOUT_S:.0f} s"
        return ""
    except MainspringError as error:
        step.note = f"the model failed: {error.code}"
        return ""
    step.tokens += reply.tokens
    if not reply.text.strip():
        step.note = "the model wrote nothing"
    return reply.text.strip()


def lines(text: str, most: int) -> Sequence[str]:
    """The lines of a reply without list markers and quotes, at most ``most``, none twice."""
    found = (_MARKER.sub("", line).strip().strip("\"'") for line in text.splitlines())
    return list(dict.fromkeys(line for line in found if re.search(r"\w", line)))[:most]

"""Estimates the confidence in a small model's answer, in [0, 1].

``logprob`` is the geometric mean of its tokens' probabilities, ``agreement`` how much further samples say the same,
``judge`` a model's word for it. Whatever is asked, an answer of broken form has confidence 0.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections import Counter
from typing import Protocol

from mainspring.core.path import Answer, Choice, collect, together
from mainspring.core.types import ChatRequest, CompletionRequest, Context, Message, Responder, Sampling

Asking = ChatRequest | CompletionRequest
_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_REFUSALS = re.compile(
    r"^\W*(?:i(?:'m| am)? (?:don'?t know|do not know|not sure|sorry|cannot|can'?t|unable)|sorry\b|as an ai\b)", re.I
)
_JUDGED_CHARACTERS = 8000
_VERDICT = """Question:
{question}

Answer:
{answer}

Is the answer correct and complete? Reply with yes or no only."""


class Confidence(Protocol):
    """A signal. ``logprobs`` is whether the answer must come with its tokens' log-probabilities."""

    @property
    def name(self) -> str: ...

    @property
    def logprobs(self) -> bool: ...

    async def of(self, request: Asking, context: Context, answer: Answer) -> float:
        """The confidence in ``answer``'s first choice. Its model calls are charged to ``context``."""
        ...


class Logprob:
    """exp of the mean log-probability of the answer's tokens; 1 for an answer of tool calls alone."""

    name = "logprob"
    logprobs = True

    async def of(self, request: Asking, context: Context, answer: Answer) -> float:  # noqa: ARG002
        tokens = answer.choices[0].logprobs if answer.choices else []
        if not tokens:
            return 1.0 if answer.choices and answer.choices[0].tool_calls else 0.0
        return math.exp(sum(max(token.logprob, -100.0) for token in tokens) / len(tokens))


class Format:
    """Form alone: 1, since malformed answers do not get here."""

    name = "format"
    logprobs = False

    async def of(self, request: Asking, context: Context, answer: Answer) -> float:  # noqa: ARG002
        return 1.0


class Agreement:
    """The mean overlap (F1 of words) of the answer with ``samples`` further ones, drawn at ``temperature``.

    Self-consistency (Wang et al., 2022) without an extractor: a word that changes from sample to sample is a guess.
    """

    name = "agreement"
    logprobs = False

    def __init__(self, model: Responder, *, samples: int, temperature: float = 0.7) -> None:
        self._model = model
        self._samples = samples
        self._temperature = temperature

    async def of(self, request: Asking, context: Context, answer: Answer) -> float:
        texts = await together(*(self._sample(request, context, seed) for seed in range(self._samples)))
        return sum(overlap(answer.text, text) for text in texts) / len(texts)

    async def _sample(self, request: Asking, context: Context, seed: int) -> str:
        sampling = dataclasses.replace(request.sampling, temperature=self._temperature, seed=seed, logprobs=None)
        asked = dataclasses.replace(request, sampling=sampling)
        return (await collect(await self._model.respond(asked, context.nested()))).text


class AnswerJudge:
    """A model is asked whether the answer is right; the score is its probability of ``yes`` if it gives
    log-probabilities."""

    name = "judge"
    logprobs = False

    def __init__(self, model: Responder, model_name: str, *, logprobs: bool) -> None:
        self._model = model
        self._model_name = model_name
        self._tells = logprobs

    async def of(self, request: Asking, context: Context, answer: Answer) -> float:
        question = _VERDICT.format(question=_said(request)[-_JUDGED_CHARACTERS:], answer=answer.text)
        sampling = Sampling(max_tokens=3, temperature=0, logprobs=0 if self._tells else None)
        asked = ChatRequest(self._model_name, (Message("user", question),), sampling, store=False)
        verdict = await collect(await self._model.respond(asked, context.nested()))
        word = next(iter(_WORD.findall(verdict.text.lower())), "")
        if word not in ("yes", "no"):
            return 0.0
        logprobs = verdict.choices[0].logprobs
        sure = math.exp(logprobs[0].logprob) if logprobs else 1.0
        return sure if word == "yes" else 1 - sure


def well_formed(request: Asking, answer: Answer) -> bool:
    """Whether the answer is whole, not empty, no refusal, and of the form that was asked for."""
    if not answer.choices:
        return False
    choice = answer.choices[0]
    if choice.finish == "tool_calls":
        return isinstance(request, ChatRequest) and bool(choice.tool_calls) and all(map(_parses, choice.tool_calls))
    if choice.finish == "length" and request.sampling.max_tokens is None:
        # It continued to a limit that the caller had not set.
        return False
    return bool(choice.text.strip()) and not _REFUSALS.match(choice.text) and _in_grammar(request, choice)


def _in_grammar(request: Asking, choice: Choice) -> bool:
    grammar = request.sampling.grammar
    if grammar is None:
        return True
    if grammar.kind == "regex":
        return choice.finish == "stop"
    return _is_json(choice.text)


def _parses(call: object) -> bool:
    return _is_json(str(getattr(call, "arguments", "")))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _said(request: Asking) -> str:
    if isinstance(request, CompletionRequest):
        return request.said
    return "\n".join(message.content for message in request.messages if message.role == "user")


def overlap(one: str, other: str) -> float:
    """F1 of the words of two texts, in any case; 1 for two empty ones."""
    left, right = (Counter(_WORD.findall(text.lower())) for text in (one, other))
    if not left and not right:
        return 1.0
    common = sum((left & right).values())
    return 2 * common / (sum(left.values()) + sum(right.values()))

"""Structured output without a grammar: the model's output is validated, and the model is asked again with the fault.

For engines that cannot be held to a JSON schema or an expression while they generate, and for schemas that cannot be
enforced there (``options.repair``). Every round is a call of its own: metered, priced and bounded.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from mainspring.core.errors import InvalidRequest, UnfitAnswer, Unsupported
from mainspring.core.facts.operations import RepairFacts
from mainspring.core.path import Answer, Layer, collect
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    EventRecord,
    Finish,
    Grammar,
    Message,
    Progress,
    Reasoning,
    Request,
    Responder,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.engines.chat.dialects import balanced
from mainspring.engines.grammar import checks as grammars
from mainspring.engines.grammar import validation
from mainspring.stores.sql import ids

OPTION = "repair"
MAX_ROUNDS = 5
HEADER = "x-mainspring-structured"
Validator = Callable[[str], tuple[str, str]]
"""The value in a text, in the model's spelling, and its fault (empty: none)."""
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


class Repair(Layer):
    """Validates and asks again if the engine has no grammar of the requested kind.

    ``enforced`` are the kinds that it has: those pass through, unless ``options.repair`` asks for this (a number of
    rounds, true for ``rounds``). After the last round the answer fails with ``UnfitAnswer``. Nothing of an answer is
    shown before it is valid; progress events report the rounds.
    """

    def __init__(self, inner: Responder, model: str, enforced: frozenset[str], *, rounds: int) -> None:
        super().__init__(inner)
        self._model = model
        self._enforced = enforced
        self._rounds = rounds

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidSchema``, ``InvalidRequest`` and ``Unsupported`` naming the field, besides what ``inner``
        raises in the first round."""
        if not isinstance(request, ChatRequest):
            return await self.inner.respond(request, context)
        request, rounds = self._wish(request)
        wanted = request.sampling.grammar
        if wanted is None or not rounds or wanted.kind == "ebnf":
            return await self.inner.respond(request, context)
        validate = validator(wanted)
        if request.sampling.n > 1:
            raise Unsupported(
                "answers that are validated afterwards come one at a time", remedy="Leave n out", param="n"
            )
        asked = dataclasses.replace(
            request,
            messages=(*request.messages, Message("user", instruction(wanted))),
            sampling=dataclasses.replace(request.sampling, grammar=None),
        )
        first = await self.inner.respond(asked, context.nested())
        head = dataclasses.replace(first.head, headers={**first.head.headers, HEADER: "validated"})
        run = _Run(self.inner, asked, context, validate, rounds, self._model)
        return Response(head, run.events(first), on_close=first.aclose)

    def _wish(self, request: ChatRequest) -> tuple[ChatRequest, int]:
        """The request without our option, and the rounds of repair that it gets."""
        wish = request.options.get(OPTION)
        if OPTION in request.options:
            options = {name: value for name, value in request.options.items() if name != OPTION}
            request = dataclasses.replace(request, options=options)
        if wish is True:
            return request, max(1, self._rounds)
        if wish is not None and (not isinstance(wish, int) or not 0 <= wish <= MAX_ROUNDS):
            raise InvalidRequest(f"repair must be a number of rounds from 0 to {MAX_ROUNDS}", param=f"options.{OPTION}")
        grammar = request.sampling.grammar
        native = grammar is None or grammar.kind in self._enforced
        return request, int(wish) if wish is not None else 0 if native else self._rounds


def further(request: Request, enforced: frozenset[str], rounds: int) -> int:
    """How many more calls a repair of the answer may take, of a model that enforces these kinds of grammars."""
    if not isinstance(request, ChatRequest):
        return 0
    wish, grammar = request.options.get(OPTION), request.sampling.grammar
    if grammar is None or grammar.kind == "ebnf":
        return 0
    if isinstance(wish, int):
        return max(1, rounds) if wish is True else max(0, min(wish, MAX_ROUNDS))
    return 0 if grammar.kind in enforced else rounds


class _Run:
    """The rounds of one answer."""

    def __init__(
        self, inner: Responder, request: ChatRequest, context: Context, validate: Validator, rounds: int, model: str
    ) -> None:
        self._inner = inner
        self._request = request
        self._context = context
        self._validate = validate
        self._rounds = rounds
        self._model = model
        self._problems: list[str] = []

    async def events(self, response: Response) -> AsyncGenerator[Event, None]:
        usage, request = Usage(), self._request
        for left in range(self._rounds, -1, -1):
            answer = await collect(response)
            usage = usage + answer.usage
            if answer.choices and answer.choices[0].tool_calls:
                for event in _called(answer):
                    yield event
                yield usage
                yield Finish("tool_calls")
                return
            value, problem = self._judged(answer)
            if not problem:
                self._note("valid")
                for event in _said(answer, value):
                    yield event
                yield usage
                yield Finish("stop")
                return
            self._problems.append(problem)
            if left == 0 or self._spent():
                break
            yield Progress("repair", f"round {len(self._problems)}: {problem}")
            request = dataclasses.replace(request, messages=(*request.messages, *_again(answer, problem)))
            response = await self._inner.respond(request, self._context.nested())
        self._note("unfit")
        raise UnfitAnswer(
            f"{self._model} gave no valid answer in {len(self._problems)} rounds: {self._problems[-1]}",
            remedy="Simplify the schema, allow more rounds with options.repair, or use a model with grammars",
        )

    def _judged(self, answer: Answer) -> tuple[str, str]:
        reason = answer.choices[0].finish if answer.choices else "stop"
        value, problem = self._validate(answer.text)
        if problem and reason == "length":
            problem = "the answer was cut at max_tokens; be shorter"
        return value, problem

    def _spent(self) -> bool:
        allowance, remaining = self._context.allowance, self._context.remaining()
        return any(left is not None and left <= 0 for left in (allowance.tokens, allowance.money, remaining))

    def _note(self, outcome: str) -> None:
        """A fact for the settling commit: the number of rounds, and the fault in each."""
        context = self._context
        record = EventRecord(
            id=ids.new("evt_"),
            at=time.time(),
            tenant=context.principal.tenant,
            trace_id=context.trace.trace_id,
            subject="",
            facts=RepairFacts(model=self._model, outcome=outcome, rounds=len(self._problems), problems=self._problems),
            consent=context.consent,
            retention=context.retention,
        )
        context.settlement.records.append(record)


def instruction(grammar: Grammar) -> str:
    """The instruction for the model that replaces ``grammar``."""
    if grammar.kind == "regex":
        return (
            f"Answer with a text that matches this regular expression as a whole, and nothing else:\n{grammar.source}"
        )
    return f"Answer with one JSON value that fits this JSON schema, and nothing else:\n{grammar.source}"


def validator(grammar: Grammar) -> Validator:
    """Looks for the value in a text. Raises ``InvalidSchema``."""
    if grammar.kind == "regex":
        grammars.check(grammar)
        matches = validation.pattern(f"^(?:{grammar.source})$")

        def matched(text: str) -> tuple[str, str]:
            stripped = text.strip()
            return stripped, "" if matches(stripped) else "the text does not match the expression"

        return matched
    fault = validation.validator(grammar.source)

    def fits(text: str) -> tuple[str, str]:
        source = _json_in(text)
        try:
            value = json.loads(source)
            error = fault(value)
        except (ValueError, RecursionError):
            return "", "the answer is not one JSON value"
        if error is None:
            return source, ""
        # The message repeats values; the place and the rule say enough, and nothing of the text.
        return "", f"{error.json_path} does not satisfy {error.validator}: {_short(error.validator_value)}"

    return fits


def _json_in(text: str) -> str:
    """The JSON value in ``text``: the whole text, the content of a fence, or the first object or list."""
    stripped = text.strip()
    fenced: list[str] = [found.strip() for found in _FENCE.findall(stripped)]
    for candidate in (stripped, *fenced):
        try:
            json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        return candidate
    start = min((at for at in (stripped.find("{"), stripped.find("[")) if at >= 0), default=None)
    if start is None:
        return stripped
    end = balanced(stripped, start)
    return stripped[start:end] if end is not None else stripped


def _again(answer: Answer, problem: str) -> tuple[Message, Message]:
    told = f"That answer is not valid: {problem}. Answer again, with the corrected value and nothing else."
    return Message("assistant", answer.text), Message("user", told)


def _said(answer: Answer, value: str) -> list[Event]:
    choice = answer.choices[0]
    thought: list[Event] = [Reasoning(choice.reasoning)] if choice.reasoning else []
    # Log-probabilities belong to the original text: beside a part of it they would be wrong.
    logprobs = tuple(choice.logprobs) if value == choice.text else ()
    return [*thought, Text(value, tokens=answer.usage.completion_tokens, logprobs=logprobs)]


def _called(answer: Answer) -> list[Event]:
    calls = enumerate(answer.choices[0].tool_calls)
    return [ToolCallDelta(0, index, call.id, call.name, call.arguments) for index, call in calls]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."

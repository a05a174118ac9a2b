"""Structured output beyond grammars: the model's output is validated, and the model is asked again with the fault.

For engines that cannot be held to a JSON schema or an expression while they generate, and for the parts of schemas that
grammars omit. Every round is a call of its own: metered, priced and bounded.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncGenerator, Callable
from math import isfinite
from typing import Any

from jsonschema import ValidationError

from mainspring.core.errors import InvalidRequest, InvalidSchema, UnfitAnswer, Unsupported
from mainspring.core.facts.operations import RepairFacts
from mainspring.core.path import Answer, Layer, collect
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
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
from mainspring.engines.chat import tools as tool_calls
from mainspring.engines.chat.dialects import balanced
from mainspring.engines.grammar import checks as grammars
from mainspring.engines.grammar import validation
from mainspring.engines.grammar.translation import keywords
from mainspring.serving.ring.structured import BY_VALIDATION, StructuredPlan, planned, planned_calls, told
from mainspring.stores.events.of_request import request_event

OPTION = "repair"
MAX_ROUNDS = 5
HEADER = "x-mainspring-structured"
Validator = Callable[[str], tuple[str, str]]
"""The value in a text, in the model's spelling, and its fault (empty: none)."""
_FENCE = re.compile(r"```(?:json)?(.*?)```", re.DOTALL)


class Repair(Layer):
    """Validates answers that no grammar enforces, and asks again.

    ``enforced`` are the kinds of grammars that the engine has (``compiled``: schemas as grammars of ours). The parts of
    a schema that such a grammar omits are validated afterwards; the whole schema is validated if the engine has no
    grammar or cannot compile it. ``options.repair`` asks for validation alone, in a number of rounds (true:
    ``rounds``). After the last round the answer fails with ``UnfitAnswer``. Nothing of an answer that is validated is
    shown before it is valid; progress events report the rounds. A required call of a strict tool is treated in the same
    way.
    """

    def __init__(
        self, inner: Responder, model: str, enforced: frozenset[str], *, rounds: int, compiled: bool = False
    ) -> None:
        super().__init__(inner)
        self._model = model
        self._enforced = enforced
        self._compiled = compiled
        self._rounds = rounds

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidSchema``, ``InvalidRequest`` and ``Unsupported`` naming the field, besides what ``inner``
        raises in the first round."""
        if not isinstance(request, ChatRequest):
            return await self.inner.respond(request, context)
        request, wish = self._wish(request)
        wanted = request.sampling.grammar
        if wanted is None:
            return await self._called(request, context, self._rounds if wish is None else wish)
        if wanted.kind == "ebnf":
            return await self.inner.respond(request, context)
        plan = planned(wanted, self._enforced, compiled=self._compiled)
        if wish and not plan.checked:
            plan = BY_VALIDATION
        rounds = self._rounds if wish is None else wish
        if not rounds and plan.grammar and plan.validated:
            raise InvalidSchema(
                f"{keywords(plan.checked)} cannot be enforced while generating",
                remedy="Leave them out, or allow repairs with options.repair or serving.repair_rounds",
                param=grammars.PARAM,
            )
        if not plan.validated or not rounds:
            try:
                response = await self.inner.respond(request, context)
            except InvalidSchema:
                # The engine's own compiler cannot follow it.
                if not rounds or wanted.kind != "json_schema" or not self._compiled:
                    raise
                return await self._validated(request, context, BY_VALIDATION, rounds)
            return self._noted(response, plan) if wanted.kind == "json_schema" and self._compiled else response
        try:
            return await self._validated(request, context, plan, rounds)
        except InvalidSchema:
            if not plan.grammar:
                raise
            return await self._validated(request, context, BY_VALIDATION, rounds)

    async def _validated(self, request: ChatRequest, context: Context, plan: StructuredPlan, rounds: int) -> Response:
        wanted = request.sampling.grammar
        assert wanted is not None
        validate = validator(wanted)
        if request.sampling.n > 1:
            raise Unsupported(
                "answers that are validated afterwards come one at a time", remedy="Leave n out", param="n"
            )
        if plan.grammar:
            text, sampling = told(wanted.source, plan.checked), request.sampling
        else:
            text, sampling = instruction(wanted), dataclasses.replace(request.sampling, grammar=None)
        messages = (*request.messages, Message("user", text)) if text else request.messages
        asked = dataclasses.replace(request, messages=messages, sampling=sampling)
        return await self._run(asked, context, validate, plan, rounds)

    async def _run(
        self, asked: ChatRequest, context: Context, validate: Validator, plan: StructuredPlan, rounds: int
    ) -> Response:
        first = await self.inner.respond(asked, context.nested())
        head = dataclasses.replace(first.head, headers={**first.head.headers, HEADER: plan.note})
        run = _Run(self.inner, asked, context, validate, rounds, self._model, cut=plan.grammar)
        return Response(head, run.events(first), on_close=first.aclose)

    async def _called(self, request: ChatRequest, context: Context, rounds: int) -> Response:
        """The answer to a request for text, or for a call; one of a strict tool has to fit its schema."""
        if not (self._compiled and rounds and request.tools and tool_calls.forced(request.tool_choice)):
            return await self.inner.respond(request, context)
        plan = planned_calls(request, compiled=True)
        if not plan.validated or request.sampling.n > 1:
            return self._noted(await self.inner.respond(request, context), plan)
        return await self._run(request, context, _misfit(request), plan, rounds)

    def _noted(self, response: Response, plan: StructuredPlan) -> Response:
        return response.with_head(headers={**response.head.headers, HEADER: plan.note})

    def _wish(self, request: ChatRequest) -> tuple[ChatRequest, int | None]:
        """The request without our option, and the rounds of repair that it asks for."""
        wish = request.options.get(OPTION)
        if OPTION in request.options:
            options = {name: value for name, value in request.options.items() if name != OPTION}
            request = dataclasses.replace(request, options=options)
        if wish is True:
            return request, max(1, self._rounds)
        if wish is not None and (not isinstance(wish, int) or not 0 <= wish <= MAX_ROUNDS):
            raise InvalidRequest(f"repair must be a number of rounds from 0 to {MAX_ROUNDS}", param=f"options.{OPTION}")
        return request, None if wish is None else int(wish)


def further(request: Request, enforced: frozenset[str], rounds: int, *, compiled: bool = False) -> int:
    """How many more calls a repair of the answer may take, of a model that enforces these kinds of grammars."""
    if not isinstance(request, ChatRequest):
        return 0
    wish, grammar = request.options.get(OPTION), request.sampling.grammar
    if isinstance(wish, int):
        rounds = max(1, rounds) if wish is True else max(0, min(wish, MAX_ROUNDS))
    try:
        if grammar is None:
            if not (compiled and request.tools and tool_calls.forced(request.tool_choice)):
                return 0
            return rounds if planned_calls(request, compiled=True).validated else 0
        if grammar.kind == "ebnf":
            return 0
        plan = planned(grammar, enforced, compiled=compiled)
    except InvalidRequest:
        # It is refused before any call.
        return 0
    return rounds if plan.validated or isinstance(wish, int) else 0


class _Run:
    """The rounds of one answer. ``cut``: an answer that ends at ``max_tokens`` is given as it is."""

    def __init__(
        self,
        inner: Responder,
        request: ChatRequest,
        context: Context,
        validate: Validator,
        rounds: int,
        model: str,
        *,
        cut: bool = False,
    ) -> None:
        self._cut = cut
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
            if self._cut and answer.choices and answer.choices[0].finish == "length":
                for event in _said(answer, answer.text):
                    yield event
                yield usage
                yield Finish("length")
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
        record = request_event(
            context,
            RepairFacts(model=self._model, outcome=outcome, rounds=len(self._problems), problems=self._problems),
        )
        context.settlement.records.append(record)


def _misfit(request: ChatRequest) -> Validator:
    """What is wrong with the text of a call that a strict tool's schema refuses."""
    faults = {
        tool.name: validation.validator(tool_calls.parameters(tool), param="tools")
        for tool in request.tools
        if tool.strict
    }

    def wrong(text: str) -> tuple[str, str]:
        try:
            call = json.loads(text)
            error = faults[call["name"]](call["arguments"])
        except (ValueError, RecursionError, LookupError, TypeError):
            return "", "the answer is not a call of one of the tools"
        return "", _problem(error) if error is not None else "the answer is not a call of one of the tools"

    return wrong


def _problem(error: ValidationError) -> str:
    """The place and the rule. The error's own message repeats values of the text."""
    return f"{error.json_path} does not satisfy {error.validator}: {_short(error.validator_value)}"


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
            value = json.loads(source, parse_float=_finite, parse_constant=_finite)
            error = fault(value)
        except (ValueError, RecursionError):
            return "", "the answer is not one JSON value"
        if error is None:
            return source, ""
        return "", _problem(error)

    return fits


def _finite(text: str) -> float:
    """The number; ``ValueError`` for those that JSON has no value for, such as 1e999."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


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

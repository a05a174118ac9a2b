"""More computation for one answer: chain of thought, best of several, self-consistency, a small tree."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic import ValidationError

from mainspring.core.errors import EngineError, InvalidRequest
from mainspring.core.facts.operations import ScalingFacts
from mainspring.core.path import Layer
from mainspring.core.settings.serving.scaling import ScaledModel, ScalingPlan
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    FinishReason,
    Notice,
    Progress,
    Reasoning,
    Request,
    Responder,
    Response,
    Text,
)
from mainspring.serving.scaling import extract, tree
from mainspring.serving.scaling.candidates import AnswerCandidate, Sampler
from mainspring.stores.events.of_request import request_event

OPTION = "scaling"
PARAM = f"options.{OPTION}"
HEADER = "x-mainspring-scaling"


class Scale(Layer):
    """Answers requests with ``options.scaling``; other requests pass. ``most`` bounds the answers of one."""

    def __init__(self, inner: Responder, *, most: int) -> None:
        super().__init__(inner)
        self._most = most

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest) or OPTION not in request.options:
            return await self.inner.respond(request, context)
        options = {name: value for name, value in request.options.items() if name != OPTION}
        plan = planned(request.options[OPTION], self._most)
        return await scaled(self.inner, plan, dataclasses.replace(request, options=options), context)


class Scaled:
    """A served name that asks ``plan.model`` through ``inner``, which knows models by name."""

    def __init__(self, inner: Responder, plan: ScaledModel) -> None:
        self._inner = inner
        self._plan = plan

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest`` if it is no chat."""
        if not isinstance(request, ChatRequest):
            raise InvalidRequest(f"{request.model} only answers chats", param="model")
        return await scaled(self._inner, self._plan, dataclasses.replace(request, model=self._plan.model), context)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        inner = self._inner.fingerprint(dataclasses.replace(request, model=self._plan.model), context)
        return None if inner is None or self._plan.judge else f"{inner}:{self._plan.model_dump_json()}"


def planned(value: Any, most: int) -> ScalingPlan:
    """The plan that a request writes. Raises ``InvalidRequest`` naming the field."""
    if not isinstance(value, dict):
        raise InvalidRequest('scaling must be an object, as {"method": "self_consistency"}', param=PARAM)
    try:
        plan = ScalingPlan.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(
            f"scaling: {place or 'the plan'}: {first['msg']}", param=f"{PARAM}.{place}".rstrip(".")
        ) from None
    if plan.calls > most:
        problem = f"the plan writes up to {plan.calls} answers, this server writes at most {most}"
        raise InvalidRequest(problem, remedy="Ask for less, or raise serving.max_samples", param=PARAM)
    return plan


async def scaled(inner: Responder, plan: ScalingPlan, request: ChatRequest, context: Context) -> Response:
    """Commit at the first call; progress, the chosen answer, one usage for all calls, and a notice of the choice."""
    _refuse(plan, request)
    asked = _asked(plan, request)
    sampler = Sampler(inner, request, context, plan)
    count = plan.branches if plan.method == "tree" else plan.calls
    first, width = await sampler.open(tree.stepping(asked, "") if plan.method == "tree" else asked, count)
    run = _Run(plan, asked, sampler, context)
    events = run.chain(first) if plan.method == "chain_of_thought" else run.chosen(first, width, count)
    headers = {**first.head.headers, HEADER: f"{plan.method}; samples={plan.calls}"}
    return Response(dataclasses.replace(first.head, headers=headers), events, on_close=first.aclose)


def _refuse(plan: ScalingPlan, request: ChatRequest) -> None:
    sampling = request.sampling
    wrong = {
        "n": sampling.n > 1,
        "num_beams": sampling.beams > 1,
        "tools": bool(request.tools),
        "response_format": sampling.grammar is not None and plan.method != "best_of",
    }
    for name, found in wrong.items():
        if found:
            raise InvalidRequest(f"{name} cannot be combined with scaling by {plan.method}", param=name)
    if plan.score == "schema" and sampling.grammar is None:
        raise InvalidRequest("the score schema needs a response_format", param="response_format")


def _asked(plan: ScalingPlan, request: ChatRequest) -> ChatRequest:
    """The request as each candidate is asked for: with the template's words, and drawn."""
    messages = request.messages
    template = "none" if plan.method == "tree" and plan.template == "steps" else plan.template
    if words := extract.instruction(template, plan.answer):
        last = messages[-1]
        messages = (*messages[:-1], dataclasses.replace(last, content=f"{last.content}\n\n{words}"))
    sampling = request.sampling
    if plan.method != "chain_of_thought" and not sampling.temperature:
        sampling = dataclasses.replace(sampling, temperature=plan.temperature)
    if plan.method in ("best_of", "tree") and plan.score == "logprob":
        sampling = dataclasses.replace(sampling, logprobs=0)
    elif plan.method != "chain_of_thought":
        sampling = dataclasses.replace(sampling, logprobs=None)
    grammar = None if plan.score == "schema" else sampling.grammar
    return dataclasses.replace(request, messages=messages, sampling=dataclasses.replace(sampling, grammar=grammar))


class _Run:
    """One scaled answer."""

    def __init__(self, plan: ScalingPlan, asked: ChatRequest, sampler: Sampler, context: Context) -> None:
        self._plan = plan
        self._asked = asked
        self._sampler = sampler
        self._context = context

    async def chain(self, first: Response) -> AsyncGenerator[Event, None]:
        """One answer whose steps stream as reasoning, and whose end is the answer."""
        pieces: list[str] = []
        reason: FinishReason = "stop"
        hidden = self._plan.show == "answer" and self._plan.answer != "whole"
        async with first:
            async for event in first:
                if isinstance(event, Text):
                    pieces.append(event.text)
                    yield Reasoning(event.text) if hidden else event
                elif isinstance(event, Finish):
                    reason = event.reason
                else:
                    yield event
        text = "".join(pieces)
        found = extract.answer(text, self._plan.answer)
        if hidden:
            yield Text(text if found is None else found)
        self._note(answers=int(found is not None))
        yield Finish(reason)

    async def chosen(self, first: Response, width: int, count: int) -> AsyncGenerator[Event, None]:
        """The best of several, or of a tree."""
        plan, sampler = self._plan, self._sampler
        candidates: list[AnswerCandidate] = []
        request = tree.stepping(self._asked, "") if plan.method == "tree" else self._asked
        async for some in sampler.rest(request, first, width, count):
            candidates += some
            yield Progress("scaling", f"{len(candidates)} of {count}")
        if plan.method == "tree":
            grown = tree.Tree(plan, self._asked, sampler)
            async for progress in grown.grow(candidates):
                yield progress
            candidates = grown.ends
        if not candidates:
            raise EngineError("none of the candidates came to an end")
        votes: int | None = None
        answers: int | None = None
        score: float | None = None
        if plan.method == "self_consistency":
            best, told, votes, answers = _majority(candidates)
        else:
            if plan.method == "best_of":
                await sampler.score(candidates)
            best = max(candidates, key=lambda each: (each.answer is not None, each.score))
            told = f"{plan.method}: the best of {len(candidates)} by {plan.score}"
            score = round(best.score, 4)
        for event in self._shown(best):
            yield event
        yield Notice("scaling", told)
        self._note(candidates=len(candidates), answers=answers, votes=votes, score=score)
        yield sampler.spent.usage
        yield Finish("length" if best.finish == "length" else "stop")

    def _shown(self, best: AnswerCandidate) -> list[Event]:
        events: list[Event] = [Reasoning(best.reasoning)] if best.reasoning else []
        if self._plan.show == "full" or self._plan.answer == "whole" or best.answer is None:
            return [*events, Text(best.text)]
        return [*events, Reasoning(best.text), Text(best.answer)]

    def _note(
        self,
        *,
        candidates: int | None = None,
        answers: int | None = None,
        votes: int | None = None,
        score: float | None = None,
    ) -> None:
        context, spent = self._context, self._sampler.spent
        record = request_event(
            context,
            ScalingFacts(
                method=self._plan.method,
                calls=max(1, spent.calls),
                candidates=candidates,
                answers=answers,
                votes=votes,
                score=score,
            ),
        )
        context.settlement.records.append(record)


def _majority(candidates: Sequence[AnswerCandidate]) -> tuple[AnswerCandidate, str, int, int | None]:
    """The first candidate with the answer of most votes (with equal votes the earliest), the note about it, its votes,
    and the number of answers."""
    votes: dict[str, list[AnswerCandidate]] = defaultdict(list)
    for each in candidates:
        if each.answer is not None:
            votes[each.answer].append(each)
    if not votes:
        return candidates[0], f"self_consistency: no answer was found in {len(candidates)} candidates", 0, None
    won = max(votes.values(), key=len)
    told = f"self_consistency: {len(won)} of {len(candidates)} agree on {won[0].answer}"
    return won[0], told, len(won), len(votes)

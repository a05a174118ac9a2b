"""A small tree search over steps (Yao et al. 2023): several next steps are tried, and the best paths continue."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator

from mainspring.core.settings.serving.scaling import ScalingPlan
from mainspring.core.types import ChatRequest, Progress
from mainspring.serving.scaling import extract
from mainspring.serving.scaling.candidates import AnswerCandidate, Sampler

STEP_TOKENS = 96


def stepping(request: ChatRequest, sofar: str) -> ChatRequest:
    """``request`` as it asks for the one step behind those ``sofar``."""
    last = request.messages[-1]
    steps = f"\n\nSteps so far:\n{sofar}" if sofar else ""
    words = (
        f"{last.content}{steps}\n\nWrite only the next step, in one line. "
        f"If the answer is known, write '{extract.MARK}' and the answer instead."
    )
    most = min(request.sampling.max_tokens or STEP_TOKENS, STEP_TOKENS)
    sampling = dataclasses.replace(request.sampling, stop=("\n",), max_tokens=most)
    messages = (*request.messages[:-1], dataclasses.replace(last, content=words))
    return dataclasses.replace(request, messages=messages, sampling=sampling)


class Tree:
    """Grows paths from their first steps; ``ends`` are those that reached an answer, else the remaining ones."""

    def __init__(self, plan: ScalingPlan, request: ChatRequest, sampler: Sampler) -> None:
        self._plan = plan
        self._request = request
        self._sampler = sampler
        self.ends: list[AnswerCandidate] = []

    async def grow(self, ways: list[AnswerCandidate]) -> AsyncGenerator[Progress, None]:
        """Up to ``depth`` steps; the scores of a way's steps are averaged."""
        plan, sampler = self._plan, self._sampler
        done: list[AnswerCandidate] = []
        await sampler.score(ways)
        for depth in range(1, plan.depth + 1):
            done += [way for way in ways if self._ended(way)]
            ways = sorted((way for way in ways if not self._ended(way)), key=lambda way: -way.score)[: plan.width]
            if not ways or depth == plan.depth or len(done) >= plan.width or sampler.exhausted():
                break
            yield Progress("scaling", f"step {depth} of at most {plan.depth}")
            ways = [longer for way in ways for longer in await self._longer(way, depth)]
        self.ends = done or ways
        for way in self.ends:
            way.answer = extract.answer(way.text, plan.answer)

    async def _longer(self, way: AnswerCandidate, depth: int) -> list[AnswerCandidate]:
        steps = await self._sampler.several(stepping(self._request, way.text), self._plan.branches)
        await self._sampler.score(steps)
        found = []
        for step in steps:
            text = f"{way.text}\n{step.text.strip()}".strip()
            score = (way.score * depth + step.score) / (depth + 1)
            found.append(dataclasses.replace(step, text=text, score=score, answer=None))
        return found

    def _ended(self, way: AnswerCandidate) -> bool:
        last = way.text.strip().splitlines()[-1:]
        return not last or extract.MARK.lower() in last[0].lower() or "\\boxed{" in last[0]

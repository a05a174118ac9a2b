"""Fits how much of the documents an answer shows: the run of the recipe ``answers-shown``.

Verbatim answers show the best sentence and those near it. How near is a weight (``near``), as are the bonus of the
next sentence and what a second sentence of one document loses. People who edit answers keep what they need of them: the
weights are chosen with which answers are most like what was kept (F1 of words), among those that lose hardly any of it.
The questions are answered by the real parts, in this process, over the home that the settings name.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

from mainspring.core.errors import NothingLearned
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling
from mainspring.features.improve.recipes import ShownOptions
from mainspring.rag.answer.variation import Variation
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, ChoiceWeights
from mainspring.rag.library import Library
from mainspring.stores.documents.collections import Collection
from mainspring.training.checkpoints import latest, save
from mainspring.training.recipe import Interrupted, Made, Side, Work

_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")
_AT_ONCE = 2


def fit(work: Work) -> Made:
    """Raises ``NothingLearned`` without rows, or where no weights are better than those that ship."""
    return asyncio.run(_Fitting(work).made())


class _Fitting:
    """One run. What was tried is a checkpoint: a killed run does not try it again."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._options = cast("ShownOptions", work.options)
        found = latest(work.checkpoints)
        text = None if found is None else (found / "tried.json").read_text(encoding="utf-8")
        self._tried: dict[str, list[list[float]]] = {} if text is None else json.loads(text)

    async def made(self) -> Made:
        pairs = _pairs(self._work, "train", self._options.questions)
        held = _pairs(self._work, "test", self._options.questions)
        if len(pairs) < 5:
            raise NothingLearned(f"{len(pairs)} rows have a question and what people kept", remedy="Collect more")
        async with AsyncExitStack() as stack:
            # What everybody of the tenant may see: a run has no groups.
            answers = await _Answers.open(stack, str(getattr(self._work, "tenant", "")), self._options.collection)
            best = await self._search(answers, pairs)
            if not best:
                raise NothingLearned("no other weights are better than those that ship", remedy="Collect more edits")
            before = await self._scores("test", {}, answers, held)
            after = await self._scores("test", best, answers, held)
        return _told(best, before, after, len(pairs))

    async def _search(self, answers: _Answers, pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
        """One weight after the other; the best that loses hardly anything."""
        shipped = await self._scores("train", {}, answers, pairs)
        best: dict[str, float] = {}
        top = _mean(shipped, 0) + self._options.gain
        for name, values in self._options.tried.items():
            for value in values:
                given = {**best, name: value}
                scores = await self._scores("train", given, answers, pairs)
                kept = _mean(scores, 1) >= _mean(shipped, 1) - self._options.lost
                if kept and _mean(scores, 0) > top + 1e-6:
                    best, top = given, _mean(scores, 0)
        return best

    async def _scores(
        self, side: str, given: Mapping[str, float], answers: _Answers, pairs: Sequence[tuple[str, str]]
    ) -> list[list[float]]:
        """F1, and the share of what was kept that is shown, of each question."""
        key = json.dumps([side, dict(sorted(given.items()))])
        if key not in self._tried:
            self._tried[key] = await answers.scores(given, pairs)
            step = len(self._tried)
            self._work.log(step, f1=_mean(self._tried[key], 0), kept=_mean(self._tried[key], 1))
            save(self._work.checkpoints, step, self._keep)
            if self._work.stopping():
                raise Interrupted
        return self._tried[key]

    def _keep(self, folder: Path) -> None:
        (folder / "tried.json").write_text(json.dumps(self._tried), encoding="utf-8")


class _Answers:
    """The collection, answered from with any weights."""

    def __init__(self, library: Library, collection: Collection) -> None:
        self._library, self._collection = library, collection

    @classmethod
    async def open(cls, stack: AsyncExitStack, tenant: str, name: str) -> _Answers:
        """The rooms that answering needs, as the settings of this process's environment have them."""
        from mainspring import engines, rag, serving, stores, telemetry

        settings = await engines.filled(load().settings)
        enter = stack.enter_async_context
        opened = await enter(engines.open(settings))
        kept = await enter(stores.open(settings))
        told = await enter(telemetry.open(settings, kept.spans))
        path = await enter(serving.open(settings, kept, told, opened))
        library = await enter(rag.open(settings, kept, told, opened, path))
        collection = await kept.collections.get(tenant or "default", name)
        return cls(library, collection)

    async def scores(self, given: Mapping[str, float], pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        choice = ChoiceWeights.of(given) if given else SHIPPED
        responder: Responder = self._library.answering(self._collection, Variation(choice=choice))
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(question: str, kept: str) -> list[float]:
            async with gate:
                return _score(await self._answer(responder, question), kept)

        return list(await asyncio.gather(*(one(*each) for each in pairs)))

    async def _answer(self, responder: Responder, question: str) -> str:
        principal = Principal(self._collection.tenant, "training", frozenset({"admin"}))
        request = ChatRequest(
            self._collection.name,
            (Message("user", question),),
            Sampling(temperature=0.0),
            store=False,
        )
        answer = await collect(await responder.respond(request, Context(principal)))
        return _MARK.sub("", answer.text)


def _pairs(work: Work, side: Side, most: int) -> list[tuple[str, str]]:
    """Questions with what people kept: the answer of a row of ``sft``, or what was preferred."""
    found: dict[str, str] = {}
    for row in work.rows(side):
        said = row.get("messages") or [*(row.get("prompt") or ()), *(row.get("chosen") or ())]
        questions = [each["content"] for each in said if each.get("role") == "user"]
        kept = said[-1]["content"] if said and said[-1].get("role") == "assistant" else ""
        if questions and kept and len(found) < most:
            found[str(questions[-1])] = _MARK.sub("", str(kept))
    return list(found.items())


def _score(said: str, kept: str) -> list[float]:
    from mainspring.evaluation.texts.measures import plain

    ours, theirs = plain(said).split(), plain(kept).split()
    both = sum(min(ours.count(word), theirs.count(word)) for word in set(theirs))
    if not both:
        return [0.0, 0.0]
    return [2 * both / (len(ours) + len(theirs)), both / len(theirs)]


def _mean(scores: Sequence[Sequence[float]], place: int) -> float:
    return sum(each[place] for each in scores) / max(1, len(scores))


def _told(
    best: Mapping[str, float], before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], n: int
) -> Made:
    from mainspring.statistics.significance import interval

    figures, intervals, counted = {"rows": float(n)}, {}, {"rows": n}
    old: dict[str, float] = {}
    if after:
        for place, name in enumerate(("f1", "kept")):
            found = interval([each[place] for each in after])
            figures[name], intervals[name], counted[name] = found.value, (found.low, found.high), found.n
            old[name] = _mean(before, place)
    return Made("answering", (), figures, intervals, counted, old, value={"weights": dict(best)})

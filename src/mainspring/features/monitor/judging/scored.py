"""Scorers over the sampled live answers, beside the measures of the panel: a tenant's own judges, and any other scorer
that an experiment can name."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Mapping

from mainspring.core.errors import InvalidRequest, MainspringError, SettingsError
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import Context, EventRecord, Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.scorers import ScorerSource, wanted
from mainspring.features.monitor.judging.judges import context_of, settle
from mainspring.features.monitor.judging.live_judging import JudgePanel
from mainspring.rag.triad.live import GivenAnswer, Verdict
from mainspring.serving.ring.ports import EventLog

_log = logging.getLogger(__name__)
_SETTING = "monitor.judging.scorers"


class WithScorers:
    """Adds to the verdicts of ``inner`` the scores of ``scorers``, written as ``NAME:OPTION=VALUE`` under a label each.
    One that cannot score an answer leaves its score out. ``permits`` says whether work for a context's request is
    allowed here."""

    def __init__(
        self, inner: JudgePanel, scorers: Mapping[str, str], events: EventLog, *, permits: Callable[[Context], bool]
    ) -> None:
        self._inner = inner
        self._wanted = dict(scorers)
        self._events = events
        self._permits = permits
        self._source: ScorerSource | None = None
        told = hashlib.sha256(repr(sorted(self._wanted.items())).encode()).hexdigest()
        self.name = f"{inner.name}+{told[:8]}"

    def open(self, source: ScorerSource | None) -> None:
        """Take scorers from ``source``. Raises ``SettingsError`` for one that it does not make."""
        if source is None:
            raise SettingsError(f"{_SETTING}: no feature makes scorers", remedy="Leave it empty")
        for label, text in self._wanted.items():
            try:
                source.scorer(*wanted(text))
            except InvalidRequest as error:
                raise SettingsError(f"{_SETTING}.{label}: {error.told}", remedy=error.remedy) from None
        self._source = source

    async def judge(self, answer: EventRecord, given: GivenAnswer) -> Verdict | None:
        """See ``JudgePanel``. Of a refusal only the inner panel judges."""
        found = await self._inner.judge(answer, given)
        if found is None or AnswerFacts.of(answer.facts).answered is False:
            return found
        return dataclasses.replace(found, scores={**found.scores, **await self._scores(answer, given)})

    async def _scores(self, answer: EventRecord, given: GivenAnswer) -> dict[str, float]:
        context, facts = context_of(answer), AnswerFacts.of(answer.facts)
        if self._source is None or not self._permits(context):
            return {}
        passages = tuple(given.passages)
        example = Example(answer.id, (Message("user", given.question),), passages=passages)
        answered = ExampleAnswer(
            given.answer,
            model=facts.model,
            passages=passages,
            refused=None if facts.answered is None else not facts.answered,
            cost_nanousd=facts.cost_nanousd,
            duration_s=facts.duration_s,
            ttft_s=facts.ttft_s,
        )
        found: dict[str, float] = {}
        try:
            for label, text in self._wanted.items():
                try:
                    # Made anew: a judge may have another definition, or figures, since the last answer.
                    score = await self._source.scorer(*wanted(text)).score(example, answered, context)
                except MainspringError as error:
                    _log.info("answer %s has no score %s: %s", answer.id, label, error.told)
                    continue
                if score is not None:
                    found[label] = score.value
        finally:
            await settle(self._events, answer, context)
        return found

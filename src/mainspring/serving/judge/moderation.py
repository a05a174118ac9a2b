"""Moderation: what the detectors and the rules say about texts, in OpenAI's categories and our own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.errors import Unsupported
from mainspring.core.types import Context
from mainspring.guards.detect import injection
from mainspring.serving.judge.detection import Detection
from mainspring.serving.ring.ports import EventLog
from mainspring.telemetry.metrics import Metrics

MODEL = "mainspring-moderation"
OPENAI = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    *("self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors"),
    *("violence", "violence/graphic"),
)
"""The categories that clients expect; those without a detector are never found, and the answer says that they apply to
no input."""
OWN = {"toxicity": "toxicity", "injection": "prompt_injection"}
"""Our own categories, by the detector that they come from."""


@dataclass(frozen=True, slots=True)
class ModerationVerdict:
    """About one text: probabilities by category, and which of them are findings."""

    scores: Mapping[str, float]
    found: frozenset[str]

    @property
    def flagged(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True, slots=True)
class Moderated:
    """``judged`` are the categories that were looked for, ``tokens`` those that were embedded."""

    verdicts: list[ModerationVerdict]
    judged: frozenset[str]
    version: str
    tokens: int


class Moderator:
    """Judges texts for a caller; embedding leaves call events, which settle before it returns."""

    def __init__(
        self,
        detecting: Detection | None,
        events: EventLog,
        metrics: Metrics,
    ) -> None:
        self._detecting = detecting
        self._events = events
        self._metrics = metrics

    def tokens(self, texts: Sequence[str]) -> int:
        """An estimate of the tokens to embed, for the limits of a key: a refused request is not tokenised."""
        return sum(map(estimate.text_tokens, texts))

    async def judge(self, texts: Sequence[str], context: Context) -> Moderated:
        """One verdict a text. Raises ``Unsupported`` if the detectors' embedding model is not the loaded one."""
        if self._detecting is None:
            raise Unsupported(
                "the detectors were fitted on another embedding model than the loaded one",
                remedy="Set models.embedding to all-minilm-l6-v2",
                param="model",
            )
        heads = self._detecting.heads
        before = context.allowance.spent.prompt_tokens
        scores = await self._detecting(texts, context)
        ruled = await asyncio.to_thread(lambda: [bool(injection.scan(text)) for text in texts])
        verdicts = []
        for each, rule in zip(scores, ruled, strict=True):
            shown = {OWN.get(name, name): value for name, value in each.items() if name != "indirect"}
            found = {OWN.get(name, name) for name, value in each.items() if value >= heads.heads[name].threshold}
            if rule:
                # A rule has no probability: a finding counts as 1.
                shown["prompt_injection"] = 1.0
                found.add("prompt_injection")
            verdicts.append(ModerationVerdict(shown, frozenset(found - {"indirect"})))
        for name in sorted({name for verdict in verdicts for name in verdict.found}):
            count = sum(name in verdict.found for verdict in verdicts)
            self._metrics.guard("moderation", "flag", name, count)
        records = list(context.settlement.records)
        context.settlement.records.clear()
        if records:
            await self._events.append(*records)
        judged = frozenset(OWN.get(name, name) for name in heads.heads) - {"indirect"}
        return Moderated(verdicts, judged, heads.version, context.allowance.spent.prompt_tokens - before)

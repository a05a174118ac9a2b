"""Redacts finished texts that are shown outside of the request ring, like answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mainspring.core.types import Context
from mainspring.guards.policy import scanners
from mainspring.guards.policy.scanners import TextGuard
from mainspring.serving.guard.layers import Policies, note
from mainspring.telemetry.metrics import Metrics


class FinishedTextRedactor:
    """Redacts the texts of one response; ``guards`` of plugins that look at answers are asked too. Call
    ``note`` with the findings after the last text."""

    def __init__(self, policy: Policies, metrics: Metrics, guards: Mapping[str, TextGuard], context: Context) -> None:
        self._policy = policy.under(context.settlement.application)
        self._metrics = metrics
        self._answering = scanners.answering(guards)
        self._context = context
        self._counts: Counter[str] = Counter()

    def __call__(self, text: str) -> str:
        """The text as it may be shown."""
        redactor = self._policy.output_stream(self._answering)
        if redactor is None or not text:
            return text
        shown = redactor.push(text) + redactor.flush()
        self._counts.update(redactor.counts)
        return shown

    def note(self) -> None:
        """Add the decisions to the context's settlement."""
        note(self._context, self._policy.output_decisions(self._counts), "output", "search", self._metrics)

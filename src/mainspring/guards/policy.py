"""The guards as one named, versioned policy: what is checked, what is done, and the decisions that it records."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.errors import GuardRefused
from mainspring.guards import injection, pii
from mainspring.guards.stream import StreamRedactor
from mainspring.settings import GuardsSettings

Action = Literal["flag", "redact", "refuse"]
PII_VERSION = 2
"""Raise it whenever the patterns of ``guards.pii`` change."""


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """What a guard did about ``count`` findings of one kind. It never holds the text that matched."""

    guard: str
    action: Action
    kind: str
    count: int

    def facts(self) -> dict[str, Any]:
        """For the ``guard`` event."""
        return {"guard": self.guard, "action": self.action, "kind": self.kind, "count": self.count}


@dataclass(frozen=True, slots=True)
class Checked:
    """A text as it may go on, and what was decided about it."""

    text: str
    decisions: tuple[GuardDecision, ...] = ()

    @property
    def refused(self) -> tuple[GuardDecision, ...]:
        """The decisions for which the text must not go on."""
        return tuple(decision for decision in self.decisions if decision.action == "refuse")


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Which guards act and how."""

    name: str = "default"
    injection: Literal["off", "flag", "refuse"] = "flag"
    pii_input: Literal["off", "redact", "refuse"] = "redact"
    pii_output: Literal["off", "redact"] = "redact"
    pii_output_kinds: tuple[str, ...] = GuardsSettings().pii_output_kinds
    spotlight: bool = True

    @classmethod
    def of(cls, settings: GuardsSettings, name: str = "default") -> GuardPolicy:
        """The policy that the ``guards`` section describes."""
        return cls(
            name,
            settings.injection,
            settings.pii_input,
            settings.pii_output,
            settings.pii_output_kinds,
            settings.spotlight,
        )

    @property
    def version(self) -> str:
        """Changes whenever the same text might be decided otherwise; part of what cached answers depend on."""
        content = (self.injection, self.pii_input, self.pii_output, sorted(self._output_kinds), self.spotlight)
        text = f"{content} {injection.RULES_VERSION} {PII_VERSION}"
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def inspect(self, text: str) -> Checked:
        """Decide about a user's or tool's text; time is linear in its length."""
        decisions: list[GuardDecision] = []
        if self.injection != "off":
            found = Counter(finding.kind for finding in injection.scan(text))
            decisions += _decisions("injection", self.injection, found)
        if self.pii_input != "off":
            redacted, findings = pii.redact(text)
            decisions += _decisions("pii_input", self.pii_input, Counter(finding.kind for finding in findings))
            if findings and self.pii_input == "redact":
                text = redacted
        return Checked(text, tuple(decisions))

    def check_input(self, text: str) -> Checked:
        """``inspect``, raising ``GuardRefused`` (which names the kinds, never the text) where it must not go on."""
        checked = self.inspect(text)
        if checked.refused:
            kinds = ", ".join(dict.fromkeys(decision.kind for decision in checked.refused))
            raise GuardRefused(
                f"The text was refused by policy {self.name}: it contains {kinds}",
                remedy="Remove it, or have the `guards` settings changed",
                param="messages",
            )
        return checked

    def output_stream(self) -> StreamRedactor | None:
        """A redactor for one text of an answer; None where output is not guarded."""
        return StreamRedactor(self._output_kinds) if self._output_kinds else None

    @property
    def _output_kinds(self) -> frozenset[str]:
        return frozenset(self.pii_output_kinds if self.pii_output == "redact" else ())

    def output_decisions(self, counts: Mapping[str, int]) -> tuple[GuardDecision, ...]:
        """The decisions that a redactor's ``counts`` amount to."""
        return tuple(_decisions("pii_output", "redact", counts))


def _decisions(guard: str, action: Action, counts: Mapping[str, int]) -> Iterable[GuardDecision]:
    return [GuardDecision(guard, action, kind, count) for kind, count in sorted(counts.items())]

"""Failures that are the client's own, with the reason. A check that is named here and passes is reported, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.clients.outcomes import Outcome

REASONS: dict[tuple[str, str], str] = {
    ("LlamaIndex", "anthropic.chat"): (
        "its Anthropic class makes a message of a type that is a union in the newest anthropic package; use OpenAILike"
    ),
}
"""(client, call) -> why it fails."""


def reason(outcome: Outcome) -> str:
    return REASONS.get((outcome.client, outcome.call), "")


def stale(outcomes: Iterable[Outcome]) -> list[str]:
    """The entries whose checks passed."""
    return [
        f"{outcome.client} {outcome.call}" for outcome in outcomes if outcome.outcome == "passed" and reason(outcome)
    ]

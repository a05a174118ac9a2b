"""How messages ended, for the record and as metrics."""

from pathlib import Path

import pytest

from mainspring.core.facts.dialogues import DialogueFacts
from tests.features.support.shop_dialogue import CONTEXT, Customer


def _told() -> list[DialogueFacts]:
    found = [each.facts for each in CONTEXT.settlement.records if isinstance(each.facts, DialogueFacts)]
    CONTEXT.settlement.records.clear()
    return found


@pytest.mark.parametrize(
    ("said", "outcome", "tools"),
    [
        ("Please cancel order LS-21422", "asked", 0),
        ("what is the balance of my gift card 6093157861118706?", "done", 1),
        ("what is the balance of my gift card 6093157861118700?", "refused", 1),
        ("I want to speak to a human", "passed_on", 1),
        ("asdf", "unknown", 0),
    ],
)
async def test_each_message_leaves_one_event_of_how_it_ended(
    tmp_path: Path, said: str, outcome: str, tools: int
) -> None:
    _told()
    await Customer(tmp_path).say(said)
    [facts] = _told()
    assert (facts.agent, facts.outcome, facts.tools) == ("support", outcome, tools)

"""What embedding for an advice takes is charged to whoever asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.errors import BudgetExceeded
from mainspring.core.facts.calls import CallFacts
from mainspring.features.advise.trying import knowledge
from tests.world import opened, use_engines


async def test_embedding_is_in_the_ledger_and_in_budgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, {})
    async with opened(tmp_path) as world:
        rooms, key = world.system.rooms, world.keys["red"]
        papers = await world.store(key, "papers", frozenset({"red"}))
        await world.add(key, papers, frozenset({"red"}))
        info, _ = await rooms.stores.keys.create(
            "asker", tenant=key.tenant, scopes=frozenset({"chat"}), groups=key.groups
        )
        who = info.principal()
        budgets = rooms.stores.budgets
        made = await budgets.create(key.tenant, "key", info.id, window="day", limit_tokens=100_000)
        found = await knowledge.history(rooms, who, "papers")
        before = await budgets.spending(made)
        cost = await knowledge.ingestion(rooms, who, "papers", found)
        assert cost["pieces"] > 0
        after = await budgets.spending(made)
        (call,) = [each for each in await rooms.stores.events.find(key.tenant, kind="call") if each.subject == "advise"]
        facts = CallFacts.of(call.facts)
        assert facts.key_id == info.id
        assert facts.prompt_tokens > 0
        assert call.content is None
        assert after.spent_tokens - before.spent_tokens == facts.prompt_tokens
        assert after.reserved_tokens == 0
        await budgets.change(key.tenant, made.id, limit_tokens=after.spent_tokens + 1)
        with pytest.raises(BudgetExceeded, match="embedding"):
            await knowledge.ingestion(rooms, who, "papers", found)

"""Which model an agent has that names none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import UnknownModel
from mainspring.core.types import Context, Principal
from mainspring.features.agents.settings import AgentsSettings
from mainspring.features.agents.surroundings import SystemModels

SMALL, LARGER = "smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct"


@pytest.mark.parametrize(
    ("served", "configured", "expected"),
    [
        ([SMALL, LARGER], "", LARGER),
        ([SMALL], "", SMALL),
        ([SMALL, "own"], "", "own"),
        ([SMALL, LARGER, "own"], "own", "own"),
    ],
)
async def test_the_larger_model_acts_once_it_is_served(served: list[str], configured: str, expected: str) -> None:
    models = SimpleNamespace(models=SimpleNamespace(larger=LARGER))
    chat: dict[str, Any] = {}
    rooms: Any = SimpleNamespace(path=SimpleNamespace(chat=chat, registry=None), settings=models, engines=None)
    found = SystemModels(rooms, AgentsSettings(model=configured), None)
    with pytest.raises(UnknownModel):
        await SystemModels(rooms, AgentsSettings(), None).find("", Context(Principal("t", "k")))
    # It may join later.
    chat.update(dict.fromkeys(served, object()))
    assert (await found.find("", Context(Principal("t", "k"))))[0] == expected

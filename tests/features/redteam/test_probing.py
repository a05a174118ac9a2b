"""Attacks on a candidate and on what is current: they are the same word by word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mainspring.core.types import Principal
from mainspring.feature import Rooms
from mainspring.features.redteam import probing
from mainspring.features.redteam.judge import Bait


async def test_a_candidate_is_attacked_with_the_words_of_what_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[str] = []

    async def attack(*_: Any, seed: str) -> Any:
        seeds.append(seed)
        return SimpleNamespace(results=[], innocent=0, refused=0)

    monkeypatch.setattr(probing, "attack", attack)
    monkeypatch.setattr(probing, "SystemTarget", lambda *_, **__: None)
    team = probing.RedTeam(cast(Rooms, None), None)
    for name in ("handbook", f"handbook@cand_{24 * '0'}", "other"):
        await team.probe(Principal("default", "key"), name, 1)
    current, candidate, other = (Bait.of(f"{each} 0") for each in seeds)
    assert current == candidate != other
    assert Bait.new() != Bait.new()

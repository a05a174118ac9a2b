"""A clock that is set back: new ids and the turns of conversations keep their order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Message
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql import ids


def said(text: str) -> SessionTurn:
    return SessionTurn("acme", "s", (Message("user", text),), "t", time.time())


def test_an_id_after_another_sorts_behind_it() -> None:
    later = ids.new("turn-")
    for _ in range(100):
        following = ids.after(later, "turn-")
        assert following > later
        assert ids.is_id(following, "turn-")
        later = following


async def test_turns_stay_in_order_when_the_clock_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    async with stores.open(Settings(home=tmp_path)) as opened:
        await opened.events.settle([], [said("first")])
        monkeypatch.setattr(time, "time_ns", lambda: real() - 3600 * 10**9)
        await opened.events.settle([], [said("second"), said("third")])
        await opened.events.settle([], [said("fourth")])
        monkeypatch.setattr(time, "time_ns", real)
        await opened.events.settle([], [said("fifth")])
        found = await opened.sessions.history("acme", "s", 10)
    assert [each.content for each in found] == ["first", "second", "third", "fourth", "fifth"]

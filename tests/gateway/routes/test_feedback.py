"""Every caller who may see an answer may rate it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.features.monitor.traffic.tally import Tally
from mainspring.stores.events.feed import Fact
from tests.world import EVERYONE, Doc, Key, World, opened, use_engines


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, {})


async def key_of(world: World, name: str, *groups: str, scope: str = "chat") -> Key:
    _, secret = await world.system.stores.keys.create(name, scopes=frozenset({scope}), groups=frozenset(groups))
    return Key(name, "default", frozenset(groups), secret)


async def asked(world: World, key: Key, doc: Doc, session: str = "") -> str:
    body = {"session_id": session} if session else {"options": {"collections": [doc.store], "cache": False}}
    return (await world.chat(key, doc, body=body)).headers["x-answer-id"]


async def rated(world: World, key: Key, answer_id: str) -> int:
    body = {"answer_id": answer_id, "rating": "up", "comment": key.name}
    return (await world.call(key, "POST", "/v1/feedback", body)).status_code


async def test_who_may_see_an_answer_may_rate_it_and_nobody_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        red, _, both, stranger = world.keys.values()
        open_doc = await world.add(both, await world.store(both, "for all"), EVERYONE)
        red_doc = await world.add(red, await world.store(red, "for red", red.groups), red.groups)
        asker, colleague = await key_of(world, "asker", "red"), await key_of(world, "colleague", "red")
        seller, auditor = await key_of(world, "seller", "blue"), await key_of(world, "auditor", "blue", scope="admin")

        alone = await asked(world, asker, open_doc)
        assert [await rated(world, each, alone) for each in (asker, red, colleague, seller, stranger)] == [
            *(201, 201, 404, 404, 404)
        ]
        together = await asked(world, asker, open_doc, "planning")
        assert [await rated(world, each, together) for each in (asker, colleague, seller, stranger)] == [
            *(201, 201, 404, 404)
        ]
        restricted = await asked(world, asker, red_doc)
        assert [await rated(world, each, restricted) for each in (asker, red, both, auditor)] == [201, 201, 201, 404]

        await world.narrow(red_doc, frozenset({"blue"}))
        assert await rated(world, asker, restricted) == 404
        assert await rated(world, asker, "ans_nothing") == 404
        given = await world.system.stores.events.find("default", kind="feedback")
        assert [each.facts.plain()["comment"] for each in given] == [
            "asker",
            "red",
            "asker",
            "colleague",
            "asker",
            "red",
            "both",
        ]


async def test_a_thumb_that_is_changed_counts_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        red = next(iter(world.keys.values()))
        doc = await world.add(red, await world.store(red, "for all"), EVERYONE)
        answer = await asked(world, red, doc)
        for rating in ("up", "down", "down"):
            body = {"answer_id": answer, "rating": rating}
            assert (await world.call(red, "POST", "/v1/feedback", body)).status_code == 201
        given = await world.system.stores.events.find("default", kind="feedback")
        assert [each.facts.plain().get("instead_of") for each in given] == [None, "up", "down"]
        tally = Tally()
        for each in given:
            tally.add(Fact(0, each.at, each.tenant, each.id, each.trace_id, each.subject, each.facts, None))
        assert (tally.counts["up"], tally.counts["down"]) == (0, 1)


async def test_a_thumb_that_is_changed_after_the_key_was_replaced_counts_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        admin = next(iter(world.keys.values()))
        doc = await world.add(admin, await world.store(admin, "for all"), EVERYONE)
        red = await key_of(world, "asker", "red")
        answer = await asked(world, red, doc)
        keys = world.system.stores.keys
        key_id = (await keys.authenticate(red.secret)).key_id
        for rating in ("up", "down", "up"):
            body = {"answer_id": answer, "rating": rating}
            assert (await world.call(red, "POST", "/v1/feedback", body)).status_code == 201
            replaced, red.secret = await keys.rotate("default", key_id)
            key_id = replaced.id
        assert await rated(world, admin, answer) == 201
        assert await rated(world, await key_of(world, "another", "red"), answer) == 404
        given = await world.system.stores.events.find("default", kind="feedback")
        assert [each.facts.plain().get("instead_of") for each in given] == [None, "up", "down", None]
        tally = Tally()
        for each in given:
            tally.add(Fact(0, each.at, each.tenant, each.id, each.trace_id, each.subject, each.facts, None))
        assert (tally.counts["up"], tally.counts["down"]) == (2, 0)

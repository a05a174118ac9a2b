"""A candidate that was made of what a group alone may see is read and shown by that group alone."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.features.variants.kinds.readers import check_readers
from mainspring.features.variants.store import StoredCandidate
from mainspring.serving.ring.registry import Served
from mainspring.training.ports import Candidate, Version
from mainspring.training.recipe import Made
from tests.features.variants.test_door import door, repeating
from tests.world import Key, World, opened, use_engines

RED = Principal("default", "root", frozenset({"admin"}), frozenset({"red"}))
ANYBODY = Principal("default", "other", frozenset({"admin"}))
SHOT = {"question": "What is the secret?", "answer": "It is 42."}


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small"))
    async with opened(tmp_path) as found:
        yield found


class Versions:
    """One version, of the group ``red``."""

    async def version(self, tenant: str, label: str) -> Version:
        assert (tenant, label) == ("default", "shots@1")
        made = Made("prompt")
        return Version(tenant, "shots", 1, made.makes, made, Path(), "r", "job", groups=frozenset({"red"}))


async def test_what_a_version_of_a_group_is_made_into_stays_with_the_group(world: World) -> None:
    variants = door(world)
    variants.making.versions = cast(Any, Versions())
    # Somebody admitted the same by hand before.
    by_hand = Candidate("examples", "small", {"examples": [SHOT]})
    await variants.admit(ANYBODY, by_hand)
    assert (await variants.store.get("default", by_hand.id)).groups == frozenset()
    candidate = dataclasses.replace(by_hand, version="shots@1")
    name = await variants.admit(RED, candidate)
    assert (await variants.store.get("default", candidate.id)).groups == {"red"}
    for place in (variants.shadow(RED, candidate, 0.5), variants.canary(RED, candidate, 0.5)):
        with pytest.raises(InvalidRequest, match="red"):
            await place
    with pytest.raises(InvalidRequest, match="red"):
        await variants.promote(RED, candidate)
    assert (await variants.placement("default", "small")).candidate is None
    assert await variants.find(name, RED) is not None
    assert await variants.find(name, ANYBODY) is None
    for groups, seen in ((frozenset({"red"}), True), (frozenset[str](), False)):
        stores = world.system.stores
        _, secret = await stores.keys.create("a", tenant="default", scopes=frozenset({"admin"}), groups=groups)
        key = Key("a", "default", groups, secret)
        answer = await world.call(key, "GET", f"/v1/variants/candidates/{candidate.id}")
        assert ("It is 42." in answer.text) == seen
        assert answer.status_code == (200 if seen else 404)
        listed = await world.call(key, "GET", "/v1/variants/candidates")
        assert ("It is 42." in listed.text) == seen
        body = {"action": "withdraw"}
        if not seen:
            # Whoever may not read it may take it away.
            answer = await world.call(key, "POST", f"/v1/variants/candidates/{candidate.id}", body)
            assert answer.status_code == 200


async def test_a_candidate_of_a_group_s_data_set_answers_that_group_alone(world: World) -> None:
    variants = door(world)
    candidate = Candidate("examples", "small", {"examples": [SHOT]}, groups=frozenset({"red"}))
    name = await variants.admit(RED, candidate)
    assert (await variants.store.get("default", candidate.id)).groups == {"red"}
    assert await variants.find(name, RED) is not None
    assert await variants.find(name, ANYBODY) is None
    # It stays so if somebody brings the same without saying so.
    await variants.admit(RED, Candidate("examples", "small", {"examples": [SHOT]}))
    assert await variants.find(name, ANYBODY) is None
    with pytest.raises(InvalidRequest, match="red"):
        await variants.promote(RED, candidate)


class Rerankers:
    """One reranker, of the group ``red``."""

    def __init__(self) -> None:
        self.asked = 0

    async def version(self, tenant: str, label: str) -> Version:
        assert tenant == "default"
        made = Made("reranker")
        return Version(tenant, "late", 1, made.makes, made, Path(), "r", "job", groups=frozenset({"red"}))

    async def engine(self, *_: str) -> Any:
        self.asked += 1


async def test_a_reranker_of_a_group_is_nobody_else_s(world: World) -> None:
    variants, versions = door(world), Rerankers()
    variants.making.versions = cast(Any, versions)
    candidate = Candidate("reranker", "document-qa", {"version": "late@1"})
    with pytest.raises(InvalidRequest, match="there is no version late@1"):
        await variants.admit(ANYBODY, candidate)
    assert versions.asked == 0
    assert await variants.admit(RED, candidate) == f"document-qa@{candidate.id}"
    assert versions.asked == 1


async def test_an_example_of_a_group_s_answer_needs_the_group(world: World) -> None:
    variants, red = door(world), world.keys["red"]
    doc = await world.add(red, await world.store(red, "papers", frozenset({"red"})), frozenset({"red"}))
    source = (await world.chat(red, doc)).headers["x-answer-id"]
    candidate = Candidate("examples", "small", {"examples": [{**SHOT, "source": source}]})
    with pytest.raises(InvalidRequest, match=source):
        await variants.admit(ANYBODY, candidate)
    await variants.admit(RED, candidate)
    assert (await variants.store.get("default", candidate.id)).groups == {"red"}
    with pytest.raises(InvalidRequest, match="red"):
        await variants.promote(RED, candidate)


def test_readers_of_one_group_have_it() -> None:
    kept = StoredCandidate(Candidate("prompt", "a", {}), "cand_1", "admitted", "", "", 0.0, frozenset({"red"}))
    served = Served("a", "application", cast(Any, None))
    check_readers(dataclasses.replace(kept, groups=frozenset()), served)
    check_readers(kept, dataclasses.replace(served, groups=frozenset({"red"})))
    for groups in ({"red", "blue"}, {"blue"}, set()):
        with pytest.raises(InvalidRequest):
            check_readers(kept, dataclasses.replace(served, groups=frozenset(groups)))

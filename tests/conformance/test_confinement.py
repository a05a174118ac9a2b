"""What confined keys see on every SQL database, and who sees the answers to a token."""

from __future__ import annotations

import hashlib

import pytest

from mainspring.core.errors import NotFound
from mainspring.core.types import TOKEN, Reach, confined
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from mainspring.stores.sql.pages import Page
from tests.conformance.stored import event
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
ALL: frozenset[str] = frozenset()
PLANS = confined(ALL, frozenset({"plans"}))
BOTH = confined(ALL, frozenset({"plans", "secrets"}))


async def shelf(opened: Stores, name: str, groups: frozenset[str] = ALL) -> Collection:
    return await opened.collections.create("a", name, groups, embedder="e")


async def attached(opened: Stores, collection: Collection, name: str) -> str:
    """A file in a collection."""
    file = await opened.files.add("a", name, name.encode(), "assistants", ALL)
    digest = hashlib.sha256(name.encode()).hexdigest()
    await opened.collections.begin(collection, file.id, digest, name, file_id=file.id)
    return file.id


async def test_no_other_collections_are_there(opened: Stores) -> None:
    restricted = await shelf(opened, "plans", frozenset({"hr"}))
    plans, secrets = await shelf(opened, "plans"), await shelf(opened, "secrets")

    async def seen(groups: frozenset[str]) -> set[str]:
        listed = {each.id for each in await opened.collections.list("a", groups=groups)}
        paged = {each.id for each in (await opened.collections.page("a", Page(10), groups=groups)).rows}
        assert listed == paged
        return listed

    assert await seen(ALL) == {plans.id, secrets.id}
    assert await seen(PLANS) == {plans.id}
    assert await seen(BOTH) == {plans.id, secrets.id}
    # By its id, too; and groups are needed besides.
    assert await seen(confined(ALL, frozenset({secrets.id}))) == {secrets.id}
    assert await seen(confined(frozenset({"hr"}), frozenset({"plans"}))) == {plans.id, restricted.id}
    for name in ("secrets", secrets.id):
        with pytest.raises(NotFound):
            await opened.collections.get("a", name, groups=PLANS)
    assert plans.visible_to(PLANS)
    assert not secrets.visible_to(PLANS)


async def test_files_are_those_of_its_collections_and_of_those_confined_alike(opened: Stores) -> None:
    plans, secrets = await shelf(opened, "plans"), await shelf(opened, "secrets")
    shown, hidden = await attached(opened, plans, "shown"), await attached(opened, secrets, "hidden")
    loose = (await opened.files.add("a", "loose", b"x", "assistants", ALL)).id
    answers = (await opened.files.add("a", "answers", b"y", "batch_output", ALL)).id
    mine = (await opened.files.add("a", "mine", b"z", "assistants", PLANS)).id

    async def seen(groups: frozenset[str]) -> set[str]:
        listed = {each.id for each in await opened.files.list("a", groups=groups)}
        for file_id in (shown, hidden, loose, answers, mine):
            if file_id not in listed:
                with pytest.raises(NotFound):
                    await opened.files.get("a", file_id, groups=groups)
        return listed

    assert await seen(ALL) == {shown, hidden, loose, answers}
    assert await seen(PLANS) == {shown, mine}
    assert await seen(BOTH) == {shown, hidden}


async def test_keys_keep_what_they_are_limited_to(opened: Stores) -> None:
    reach = Reach(frozenset({"echo"}), frozenset({"plans"}), frozenset({"eu", "ch"}))
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), reach=reach)
    principal = await opened.keys.authenticate(secret)
    assert (principal.reach, principal.groups) == (reach, PLANS)
    _, later = await opened.keys.rotate("a", info.id)
    assert (await opened.keys.authenticate(later)).reach == reach
    assert {each.reach for each in await opened.keys.list("a")} == {reach}


async def test_what_a_token_was_answered_is_for_those_in_its_groups(opened: Stores) -> None:
    """Its record does not say what it was made of: it is part of a session."""
    facts = {"session_id": "tea", "key_id": f"{TOKEN}1", "groups": ["hr"], "status": "completed"}
    await opened.events.append(event(id="ans_1", facts=facts, subject="ans_1"))
    for groups, count in ((ALL, 0), (frozenset({"sales"}), 0), (frozenset({"hr"}), 1), (frozenset({"hr", "sales"}), 1)):
        found = await opened.events.page("a", Page(10), groups=groups)
        assert len(found.rows) == count, groups

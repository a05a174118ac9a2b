"""Prompts in every SQL database: numbers given once, labels that move and come back, and moves at the same time."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.core.errors import Conflict, NotFound, Outdated
from mainspring.core.types import Message
from mainspring.stores import Stores
from mainspring.stores.sql.pages import Page
from mainspring.stores.work.prompts import PromptVersion
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
WHO = "key_1"


async def add(opened: Stores, text: str, name: str = "greet", tenant: str = "a") -> PromptVersion:
    made, _ = await opened.prompts.add(tenant, name, [Message("system", text)], ["x"], note="n", author=WHO)
    return made


async def test_versions_are_numbered_and_what_says_the_same_is_not_added(opened: Stores) -> None:
    first, second = await add(opened, "one {{x}}"), await add(opened, "two {{x}}")
    assert (first.version, second.version) == (1, 2)
    assert first.sha256 != second.sha256
    again, created = await opened.prompts.add("a", "greet", [Message("system", "two {{x}}")], ["x"])
    assert (again, created) == (second, False)
    # It was said before, and not last: that is a change.
    assert (await add(opened, "one {{x}}")).version == 3
    found = await opened.prompts.find("a", "greet", "1")
    assert (found.messages, found.variables, found.author, found.note) == (
        (Message("system", "one {{x}}"),),
        ("x",),
        WHO,
        "n",
    )
    assert (await opened.prompts.find("a", "greet", "latest")).version == 3
    assert [each.version for each in await opened.prompts.versions("a", "greet")] == [3, 2, 1]


async def test_versions_added_at_once_have_numbers_of_their_own(opened: Stores) -> None:
    made = await asyncio.gather(*(add(opened, f"text {number}") for number in range(20)))
    assert sorted(each.version for each in made) == list(range(1, 21))


async def test_a_label_moves_and_goes_back_step_by_step(opened: Stores) -> None:
    prompts = opened.prompts
    for text in "abc":
        await add(opened, text)
    for version in (1, 2, 3):
        await prompts.move("a", "greet", "production", version, note=f"to {version}", author=WHO)
        assert (await prompts.find("a", "greet", "production")).version == version
    back = await prompts.rollback("a", "greet", "production", author=WHO, note="bad")
    assert (back.version, back.kind, back.revision) == (2, "rollback", 4)
    assert (await prompts.find("a", "greet", "production")).version == 2
    assert (await prompts.rollback("a", "greet", "production", author=WHO)).version == 1
    with pytest.raises(Conflict, match="nowhere to go back to"):
        await prompts.rollback("a", "greet", "production", author=WHO)
    await prompts.move("a", "greet", "production", 3, author=WHO)
    await prompts.unlabel("a", "greet", "production", author=WHO)
    with pytest.raises(NotFound, match="has no label 'production'"):
        await prompts.find("a", "greet", "production")
    assert (await prompts.rollback("a", "greet", "production", author=WHO)).version == 3
    history = await prompts.history("a", "greet", "production")
    assert [each.version for each in history] == [3, None, 3, 1, 2, 3, 2, 1]
    assert [each.revision for each in history] == list(range(8, 0, -1))
    assert (history[-1].note, history[4].note) == ("to 1", "bad")


async def test_of_moves_at_once_the_last_counts_and_all_are_in_the_history(opened: Stores) -> None:
    for text in "abc":
        await add(opened, text)
    moves = [opened.prompts.move("a", "greet", "production", version, author=str(version)) for version in (1, 2, 3) * 4]
    made = await asyncio.gather(*moves)
    assert sorted(each.revision for each in made) == list(range(1, 13))
    last = max(made, key=lambda each: each.revision)
    assert (await opened.prompts.find("a", "greet", "production")).version == last.version
    assert len(await opened.prompts.history("a", "greet", "production")) == 12


async def test_of_moves_that_saw_the_same_revision_one_is_made(opened: Stores) -> None:
    for text in "abc":
        await add(opened, text)
    first = await opened.prompts.move("a", "greet", "production", 1, seen=0, author=WHO)
    tried = await asyncio.gather(
        *(opened.prompts.move("a", "greet", "production", n, seen=first.revision, author=WHO) for n in (2, 3) * 5),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Outdated) for each in tried) == 9
    assert len(await opened.prompts.history("a", "greet", "production")) == 2


async def test_what_a_label_points_to_is_not_deleted_and_numbers_are_not_given_again(opened: Stores) -> None:
    prompts = opened.prompts
    for text in "ab":
        await add(opened, text)
    await prompts.move("a", "greet", "production", 1, author=WHO)
    await prompts.move("a", "greet", "production", 2, author=WHO)
    with pytest.raises(Conflict, match="what production points to"):
        await prompts.delete("a", "greet", 2)
    with pytest.raises(Conflict, match="what production points to"):
        await prompts.delete("a", "greet")
    assert await prompts.delete("a", "greet", 1) == 1
    with pytest.raises(NotFound, match="has no version 1"):
        await prompts.find("a", "greet", "1")
    with pytest.raises(Conflict, match=r"version 1 .* is deleted"):
        await prompts.rollback("a", "greet", "production", author=WHO)
    kept = {each.version: each for each in await prompts.versions("a", "greet")}
    assert kept[1].messages == ()
    assert kept[1].deleted_at is not None
    await prompts.unlabel("a", "greet", "production", author=WHO)
    assert await prompts.delete("a", "greet") == 1
    with pytest.raises(NotFound, match="there is no prompt 'greet'"):
        await prompts.get("a", "greet")
    assert (await prompts.page("a", Page())).rows == []
    assert (await add(opened, "b")).version == 3


async def test_tenants_have_prompts_of_their_own_and_near_names_are_suggested(opened: Stores) -> None:
    await add(opened, "ours")
    await add(opened, "theirs", tenant="b")
    assert (await opened.prompts.find("b", "greet", "1")).messages[0].content == "theirs"
    with pytest.raises(NotFound, match="Did you mean greet"):
        await opened.prompts.find("a", "gret", "1")
    with pytest.raises(NotFound, match="GET /v1/prompts lists"):
        await opened.prompts.find("c", "gret", "1")


async def test_prompts_are_listed_in_pages(opened: Stores) -> None:
    for number in range(5):
        await add(opened, "text", f"p{number}")
    await opened.prompts.move("a", "p1", "staging", 1, author=WHO)
    first = await opened.prompts.page("a", Page(3, "asc"))
    assert [each.name for each in first.rows] == ["p0", "p1", "p2"]
    assert first.more
    assert [(each.label, each.version) for each in first.rows[1].labels] == [("staging", 1)]
    rest = await opened.prompts.page("a", Page(3, "asc", after="p2"))
    assert [each.name for each in rest.rows] == ["p3", "p4"]


async def test_a_move_by_another_process_is_heeded(opened: Stores) -> None:
    from mainspring.stores.work.prompts import REMEMBERED_S, Prompts

    for text in "ab":
        await add(opened, text)
    other = Prompts(opened.database)
    await opened.prompts.move("a", "greet", "production", 1, author=WHO)
    assert (await opened.prompts.find("a", "greet", "production")).version == 1
    await other.move("a", "greet", "production", 2, author=WHO)
    for _ in range(100):
        if (await opened.prompts.find("a", "greet", "production")).version == 2:
            break
        await asyncio.sleep(REMEMBERED_S / 10)
    assert (await opened.prompts.find("a", "greet", "production")).version == 2

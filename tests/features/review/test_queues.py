"""What enters a queue, with which probability, and how much."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.evaluation.strata import chosen
from mainspring.features.review import feature
from mainspring.features.review.definition import Definition
from mainspring.features.review.store.filling import Filling
from mainspring.stores import Stores
from mainspring.stores.schema import events
from mainspring.stores.sql.pages import Page
from tests.features.review.world import CURATOR, World, down

EVERY = Page(100)
SHARE = {"rule": {"share": 0.0}}


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def entered(world: World, name: str = "all") -> dict[str, tuple[str, float | None]]:
    queue = await world.review.queues.get("acme", name)
    found = await world.review.items.page(queue, EVERY)
    return {row.answer_id: (row.stratum, row.probability) for row in found.rows}


async def test_errors_refusals_and_thumbs_down_enter_in_full_and_a_known_share_of_the_rest(opened: Stores) -> None:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 0.25}})
    failed = await world.answer(status="failed", error="engine_error")
    refused = await world.answer(answered=False)
    rated = await world.answer(more=[down()])
    plain = [await world.answer() for _ in range(40)]
    # Neither is an answer of ours to a user, and of the last there is no text.
    await world.answer(status="failed", error="invalid_request")
    await world.answer(cache="hit")
    await world.answer(stored=False)
    await world.review.look()
    found = await entered(world)
    assert found.pop(failed) == ("error", 1.0)
    assert found.pop(refused) == ("refusal", 1.0)
    assert found.pop(rated) == ("down", 1.0)
    assert found == {each: ("rest", 0.25) for each in plain if chosen(each, 0.25)}
    queue = await world.review.queues.get("acme", "all")
    assert queue.seen == {"error": 1, "refusal": 1, "down": 1, "rest": 40}
    assert queue.entered["rest"] == len(found)


async def test_a_later_thumb_moves_an_answer_to_its_stratum_once(opened: Stores) -> None:
    world = World(opened)
    await world.queue(definition={"rule": {"share": 0.5, "certain": ["down", "edited"], "below": {"faithful": 0.5}}})
    answers = [await world.answer() for _ in range(20)]
    await world.review.look()
    inside, outside = (next(each for each in answers if chosen(each, 0.5) is wanted) for wanted in (True, False))
    low = next(each for each in reversed(answers) if not chosen(each, 0.5))
    for _ in range(2):
        await world.tell(inside, down())
        await world.tell(outside, FeedbackFacts(key_id="k", rating=None, comment=None, edited=True))
        await world.review.look()
    await world.judged(low, faithful=0.2)
    await world.judged(answers[0], faithful=0.9)
    await world.review.look()
    found = await entered(world)
    assert (found[inside], found[outside], found[low]) == (("down", 1.0), ("edited", 1.0), ("low", 1.0))
    queue = await world.review.queues.get("acme", "all")
    assert queue.seen == {"down": 1, "edited": 1, "low": 1, "rest": 17}
    assert sum(queue.entered.values()) == len(found)


async def test_a_rule_names_applications_and_reads_nothing_from_before_it(opened: Stores) -> None:
    world = World(opened)
    await world.answer(at=time.time() - 60)
    await world.queue(definition={"rule": {"share": 1.0, "applications": ["support"]}})
    await world.answer()
    wanted = await world.answer(requested="support")
    await world.answer(who=Principal("other", "key_9"), requested="support")
    await world.review.look()
    assert list(await entered(world)) == [wanted]
    assert await world.review.look() == Counter()


async def test_a_full_queue_drops_and_tells_and_refuses_what_is_put_there(opened: Stores) -> None:
    world = World(opened, open_items=2)
    await world.queue()
    answers = [await world.answer() for _ in range(5)]
    await world.review.look()
    queue = await world.review.queues.get("acme", "all")
    assert (queue.seen, queue.entered, queue.dropped) == ({"rest": 5}, {"rest": 2}, {"rest": 3})
    with pytest.raises(QuotaExceeded, match=r"review\.open_items"):
        await world.review.put(CURATOR, queue, [answers[4]])
    assert len(await world.review.put(CURATOR, queue, [next(iter(await entered(world)))])) == 1
    with pytest.raises(NotFound, match="nothing"):
        await world.review.put(CURATOR, queue, ["nothing"])


async def test_a_tenant_has_so_many_queues_each_with_its_versions(opened: Stores) -> None:
    world = World(opened, queues=2)
    first = await world.queue("one")
    with pytest.raises(Conflict):
        await world.queue("one")
    await world.queue("two")
    with pytest.raises(QuotaExceeded, match=r"review\.queues"):
        await world.queue("three")
    await world.queue("one", who=Principal("other", "key_9"))
    assert (await world.review.queues.change(CURATOR, "one", None, "# How to label")).version == 1
    changed = await world.review.queues.change(CURATOR, "one", Definition(title="New"), None)
    assert (changed.version, changed.guideline) == (2, "# How to label")
    assert [row.version for row in await world.review.queues.versions("acme", "one")] == [2, 1]
    with pytest.raises(NotFound):
        await world.review.queues.get("other", first.id)
    await world.review.queues.delete("acme", "one")
    with pytest.raises(NotFound):
        await world.review.queues.get("acme", "one")
    assert (await world.review.queues.get("other", "one")).tenant == "other"


async def test_only_what_may_be_learnt_from_enters_if_so_set(opened: Stores) -> None:
    world = World(opened, consented=True)
    await world.queue()
    await world.answer()
    await world.review.look()
    assert await entered(world) == {}


async def test_a_page_is_smaller_the_more_queues_look_at_it(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(opened)
    for place in range(50):
        await world.queue(f"q{place}")
    for _ in range(60):
        await world.answer()
    sizes: list[int] = []
    write = Filling.write

    async def noted(self: Filling, found: Any, *rest: Any) -> Any:
        sizes.append(sum(len(arrived) for _, arrived in found))
        return await write(self, found, *rest)

    monkeypatch.setattr(Filling, "write", noted)
    await world.review.look()
    assert max(sizes) <= 2_000
    assert sum(sizes) == 50 * 60


async def test_the_rounds_go_on_after_any_error() -> None:
    told: list[float] = []
    again = asyncio.Event()

    async def look(*, every_s: float) -> None:
        told.append(every_s)
        if len(told) == 1:
            raise ValueError("a bug")
        again.set()

    review: Any = SimpleNamespace(settings=SimpleNamespace(every_s=0.0, deliver_every_s=60.0), look=look)
    rounds, waiting = asyncio.create_task(feature._look(review)), asyncio.create_task(again.wait())
    await asyncio.wait([rounds, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert not rounds.done()
    for each in (rounds, waiting):
        each.cancel()


async def test_an_answer_that_cannot_be_read_keeps_no_other_out(opened: Stores) -> None:
    world = World(opened)
    await world.queue()
    damaged = [await world.answer(), await world.answer()]
    good = await world.answer()
    for answer_id, facts in zip(damaged, ("{no json", '{"status": "completed", "groups": "all"}'), strict=True):
        damage = sa.update(events).where(events.c.id == answer_id).values(facts=facts)
        await opened.database.write(lambda connection, damage=damage: connection.execute(damage) and None)  # type: ignore[misc]
    await world.tell(damaged[0], down())
    await world.review.look()
    assert list(await entered(world)) == [good]

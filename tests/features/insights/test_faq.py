"""Gaps and drafts of a FAQ: what makes them, what never stands in them, who sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.core.errors import NotFound
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.features.insights.store.faqs import Entry
from mainspring.features.insights.store.views import Period
from mainspring.features.insights.work.drafting import markdown, readable
from mainspring.stores import Stores
from tests.features.insights.world import READER, World

EVER = Period(0.0, 10.0**12)
CITED = [{"index": 1, "document_id": "doc_1", "source": "terms.md", "quote": "Within 30 days.", "start": 0, "end": 15}]
REFUSED = RetrievalFacts.from_json({"collections": [], "mode": "hybrid", "refused": True, "hits": [], "cited": []})
DOWN = FeedbackFacts.from_json({"key_id": "key_1", "rating": "down"})
UNSUPPORTED = ScoreFacts(metric="support", sentences=4, unsupported=3)


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def asked(world: World, count: int, text: str = "return period for a lamp", **more: Any) -> None:
    for place in range(count):
        await world.say(text, "Within 30 days.", session=f"{text} {place}", citations=CITED, **more)
    await world.insights.look()


async def drafts(world: World, who: Principal = READER) -> list[Entry]:
    await world.insights.drafting.draft(Context(who), EVER, 20)
    return await world.insights.drafting.entries.all(who)


async def test_questions_without_good_answers_are_gaps_with_their_reasons(opened: Stores) -> None:
    world = World(opened)
    for place in range(3):
        await world.say("does the garden shed have windows", session=f"a{place}", more=[REFUSED])
    await world.say("does the garden shed have large windows", session="b", more=[DOWN])
    await world.say("warranty for kitchen knives", session="c", more=[UNSUPPORTED])
    await world.say("opening hours downtown", session="d", citations=CITED)
    await world.insights.look()
    gaps = await world.insights.gaps.find(Context(READER), EVER, 20, nearest=False)
    assert [(each.question, each.conversations, dict(each.reasons)) for each in gaps] == [
        ("does the garden shed have windows", 4, {"refused": 3, "thumb down": 1}),
        ("warranty for kitchen knives", 1, {"low support": 1}),
    ]
    row, text = gaps[0].examples[0]
    assert text == "does the garden shed have windows"
    assert (await opened.events.find("acme", trace_id=row.trace_id))[0].subject == row.id
    assert await world.insights.gaps.find(Context(Principal("other", "key_2")), EVER, 20, nearest=False) == []


async def test_a_gap_names_the_nearest_passage_of_the_readers_own_collections(opened: Stores) -> None:
    world = World(opened)
    await world.say("does the garden shed have windows", session="a", more=[REFUSED])
    await world.insights.look()
    searched = []

    async def search(context: Context, store: str, wanted: Any) -> Any:
        searched.append((context.principal, store, wanted.queries))
        hit = SimpleNamespace(document_id="doc", source=f"{store}.md", text="Sheds.", dense_score=0.4 + len(searched))
        return SimpleNamespace(hits=[SimpleNamespace(hit=hit)])

    async def collections(who: Principal) -> list[Any]:
        return [SimpleNamespace(id="one", name="One"), SimpleNamespace(id="two", name="Two")]

    object.__setattr__(
        world.rooms, "library", SimpleNamespace(collections=collections, search=SimpleNamespace(search=search))
    )
    (gap,) = await world.insights.gaps.find(Context(READER), EVER, 20, nearest=True)
    assert gap.nearest is not None
    assert (gap.nearest.collection, gap.nearest.source) == ("Two", "two.md")
    assert {who for who, _, _ in searched} == {READER}


async def test_a_frequent_question_with_a_cited_answer_becomes_a_draft_once(opened: Stores) -> None:
    world = World(opened)
    await asked(world, 3)
    (entry,) = await drafts(world)
    assert (entry.question, entry.answer, entry.status) == ("return period for a lamp", "Within 30 days.", "draft")
    assert (entry.conversations, entry.citations[0]["source"], len(entry.answers)) == (3, "terms.md", 3)
    await world.insights.drafting.entries.change(READER, entry.id, {"status": "rejected", "decided_by": "key"})
    assert [each.id for each in await drafts(world)] == [entry.id]


@pytest.mark.parametrize(
    ("count", "more"),
    [
        (2, {}),
        (3, {"more": [DOWN]}),
        (3, {"more": [UNSUPPORTED]}),
        (3, {"text": "return period for ada@example.org"}),
        (3, {"text": "return period for a lamp, call +1 212 555 0123"}),
    ],
)
async def test_no_draft_is_made_of_too_few_or_bad_answers_or_personal_data(
    opened: Stores, count: int, more: dict[str, Any]
) -> None:
    world = World(opened)
    await asked(world, count, **more)
    assert await drafts(world) == []


async def test_a_question_with_a_word_of_one_person_is_not_taken(opened: Stores) -> None:
    world = World(opened)
    for place, name in enumerate(("Gwendolyn", "Bartholomew", "Xanthippe")):
        text = f"return period for a lamp of {name}"
        await world.say(text, "Within 30 days.", session=f"s{place}", citations=CITED)
    await world.insights.look()
    assert await drafts(world) == []
    await asked(world, 3)
    (entry,) = await drafts(world)
    assert entry.question == "return period for a lamp"
    assert entry.conversations == 6


async def test_answers_of_tools_are_nobodys_faq(opened: Stores) -> None:
    from mainspring.core.facts.guards import ToolFacts

    world = World(opened)
    await asked(world, 3, more=[ToolFacts(tool="order", outcome="ok")])
    assert await drafts(world) == []


async def test_entries_are_seen_and_changed_within_their_groups(opened: Stores) -> None:
    world = World(opened)
    staff = Principal("acme", "key_staff", groups=frozenset({"staff"}))
    await asked(world, 3, who=staff)
    (entry,) = await drafts(world, staff)
    assert await world.insights.drafting.entries.all(READER) == []
    with pytest.raises(NotFound):
        await world.insights.drafting.entries.change(READER, entry.id, {"status": "approved"})
    with pytest.raises(NotFound):
        await world.insights.drafting.entries.delete(READER, entry.id)
    for groups, allowed in (((), False), (("staff",), True), (("staff", "guests"), False)):
        collection: Any = SimpleNamespace(groups=frozenset(groups))
        assert readable(entry, collection) is allowed


async def test_approved_entries_are_written_with_their_sources(opened: Stores) -> None:
    world = World(opened)
    await asked(world, 3)
    (entry,) = await drafts(world)
    approved = await world.insights.drafting.entries.change(READER, entry.id, {"status": "approved"})
    assert markdown([approved]).splitlines()[2:] == [
        "## return period for a lamp",
        "",
        "Within 30 days.",
        "",
        "Sources: terms.md",
    ]

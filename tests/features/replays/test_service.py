"""Replays: the repeated request, permitted changes, permissions, and stored results."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import Conflict, MainspringError, NotFound, Unsupported
from mainspring.core.facts.registry import read
from mainspring.core.path import Answer, collect
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EventRecord,
    Grammar,
    Message,
    Principal,
    PromptUse,
    Sampling,
    Tool,
    TraceParent,
)
from mainspring.engines.base import Generation
from mainspring.features.replays.agreement import words
from mainspring.features.replays.recorded_requests import Changes
from mainspring.features.replays.service import Filter, Replay
from mainspring.serving.memory.layer import stored_name
from mainspring.stores.erase.data_subjects import Subject, find
from mainspring.stores.sql.pages import Page
from tests.serving.house import visitor
from tests.serving.talk import POLICIES, Talk, talk
from tests.told import told

GREEDY = Sampling(temperature=0, max_tokens=32)
ME = Principal("acme", "key_1", frozenset({"chat", "replay"}))
ADMIN = Principal("acme", "key_9", frozenset({"admin"}))


def script(generation: Generation) -> list[str]:
    """What was asked last, under which system prompt, as words."""
    system = next((each.content for each in generation.messages if each.role == "system"), "none")
    last = generation.messages[-1].content if generation.messages else generation.prompt
    return [f"{system}: ", last, f" at {generation.sampling.temperature}", f" of {len(generation.messages)}"]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talk(tmp_path, script) as opened:
        opened.serve("other", lambda _: ["Something", " else", "."])
        yield opened


def mine(principal: Principal = ME) -> Context:
    return Context(principal)


async def ask(home: Talk, text: str = "Hello", context: Context | None = None, **fields: Any) -> Answer:
    return await home.say(text, context, **{"session_id": None, "sampling": GREEDY, **fields})


async def replay(home: Talk, answer: Answer, context: Context | None = None, **changes: Any) -> Replay:
    return await home.replays.run(answer.head.answer_id, Changes(**changes), context or mine())


async def events(home: Talk, kind: str) -> list[EventRecord]:
    return await home.stores.events.find("acme", kind=kind)


async def test_unchanged_it_is_the_same_answer_and_really_asked(home: Talk) -> None:
    answer = await ask(home)
    made = await replay(home, answer)
    assert len(home.engine.seen) == 2
    assert home.engine.seen[0].sampling == home.engine.seen[1].sampling
    assert made.replay.text == answer.text == "none: Hello at 0 of 1"
    assert made.agreement is not None
    assert (made.agreement.exact, made.agreement.similarity) == (True, 1.0)
    again = await home.replays.get(made.replay.answer.id, ME)
    assert (again.original, again.replay, again.agreement) == (made.original, made.replay, made.agreement)


async def test_another_model_answers_beside_it(home: Talk) -> None:
    made = await replay(home, await ask(home), model="other")
    assert made.original is not None
    assert (made.original.text, made.replay.text) == ("none: Hello at 0 of 1", "Something else.")
    assert made.agreement is not None
    assert not made.agreement.exact
    assert made.agreement.similarity is not None
    assert made.agreement.similarity < 0.5
    assert made.replay.answer.facts.plain()["model"] == "other"
    assert made.replay.answer.facts.plain()["cost_nanousd"] > 0


async def test_everything_of_the_request_is_asked_again(home: Talk) -> None:
    tool = Tool("look", "Looks", {"type": "object", "properties": {"at": {"type": "string"}}})
    fields: dict[str, Any] = {
        "messages": (
            Message("system", "Be kind."),
            Message("user", "Hi"),
            Message("assistant", "Yo"),
            Message("user", "So?"),
        ),
        "sampling": Sampling(temperature=0.5, top_p=0.9, seed=7, max_tokens=12, stop=("x", "y"), presence_penalty=0.1),
        "tools": (tool,),
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "user": "u1",
    }
    await replay(home, await ask(home, **fields))
    first, second = home.engine.seen
    assert dataclasses.replace(first, timeout=None, headers={}, priority=0) == dataclasses.replace(
        second, timeout=None, headers={}, priority=0
    )
    grammar = Grammar("regex", "[a-z]+")
    await replay(home, await ask(home, sampling=Sampling(max_tokens=8, grammar=grammar)))
    assert home.engine.seen[-1].sampling.grammar == grammar


async def test_sampling_is_changed_by_parameters(home: Talk) -> None:
    made = await replay(home, await ask(home), parameters={"temperature": 0.7, "max_tokens": 9})
    assert made.replay.text == "none: Hello at 0.7 of 1"
    assert made.replay.answer.facts.plain()["sampling"] == {"temperature": 0.7, "max_tokens": 9}


async def test_it_is_no_users_traffic(home: Talk) -> None:
    answer = await ask(home)
    made = await replay(home, answer, mine(ADMIN))
    assert [each.id for each in await events(home, "answer")] == [answer.head.answer_id]
    (record,) = await events(home, "replay")
    assert record.parent_id == answer.head.answer_id
    assert record.facts.plain()["key_id"] == "key_9"
    calls = await events(home, "call")
    assert [each.facts.plain()["key_id"] for each in calls if each.subject == record.id] == ["key_9"]
    # It is not rated, and not continued.
    with pytest.raises(NotFound):
        await home.stores.events.answer_for(ADMIN, record.id)
    measured = home.services.metrics.requests  # type: ignore[attr-defined]
    assert [operation for operation, *_ in measured] == ["chat", "replay"]
    roots = [span for span in home.tracing.spans if span.name == "request"]
    assert roots[1].attributes["mainspring.replay_of"] == answer.head.answer_id
    assert made.replay.answer.consent is False
    # Nor does it fill or read the cache.
    assert (await ask(home, "Fresh")).head.cache == "miss"
    fresh = await ask(home, "Fresh")
    assert fresh.head.cache == "hit"
    assert (await replay(home, fresh)).replay.answer.facts.plain()["cache"] == ""


async def test_another_prompt_version_has_the_recorded_variables(home: Talk) -> None:
    for text in ("Old {{who}}", "New {{who}}"):
        await home.prompts.add("acme", "p", [Message("system", text)])
    answer = await ask(home, prompt=PromptUse("p", "1", {"who": "Ada"}))
    same = await replay(home, answer)
    assert same.replay.text == answer.text == "Old Ada: Hello at 0 of 2"
    other = await replay(home, answer, prompt=PromptUse("p", "2"))
    assert other.replay.text == "New Ada: Hello at 0 of 2"
    assert other.replay.answer.facts.plain()["prompt"]["version"] == 2
    given = await replay(home, answer, prompt=PromptUse("p", "2", {"who": "Bob"}))
    assert given.replay.text.startswith("New Bob")
    # The words are recorded: a version that is deleted since can be replayed.
    await home.stores.prompts.delete("acme", "p", 1)
    assert (await replay(home, answer)).replay.text == answer.text


async def test_another_policy_decides_otherwise(home: Talk) -> None:
    answer = await ask(home, "I am ada@example.com")
    assert "ada@example.com" in answer.text
    made = await replay(home, answer, policy="strict")
    assert "ada@example.com" not in made.replay.text
    assert made.original is not None
    assert made.original.guards == []
    assert {each.facts.plain()["policy"].split("-")[0] for each in made.replay.guards} == {"strict"}
    # Whoever counts what guards did for users can tell.
    assert {each.facts.plain()["replay_of"] for each in made.replay.guards} == {answer.head.answer_id}
    assert not home.services.metrics.guards  # type: ignore[attr-defined]
    again = await replay(home, Answer(answer.head), policy="strict")
    assert again.agreement is not None
    assert not again.agreement.exact


async def test_a_turn_of_a_session_is_asked_with_what_it_was_shown_and_outside_of_the_session(home: Talk) -> None:
    await home.say("one", sampling=GREEDY, messages=(Message("system", "Be kind."), Message("user", "one")))
    second = await home.say("two", sampling=GREEDY)
    await home.say("three", sampling=GREEDY)
    before = await home.stores.sessions.all_messages("acme", stored_name(ME, "s"))
    made = await replay(home, second)
    assert made.replay.text == second.text == "Be kind.: two at 0 of 4"
    assert home.engine.seen[-1].messages == home.engine.seen[1].messages
    assert await home.stores.sessions.all_messages("acme", stored_name(ME, "s")) == before
    assert "session_id" not in made.replay.answer.facts.plain()


async def test_what_a_session_is_reminded_of_is_not_kept_and_said(tmp_path: Path) -> None:
    said = "hierarchical"
    async with talk(tmp_path, script, strategy=said, max_tokens=96, recalled_tokens=40, summary_tokens=32) as home:
        for number in range(12):
            answer = await home.say(
                f"the red fox number {number} jumps over the lazy dog near the river", sampling=GREEDY
            )
        shown = home.engine.seen[-1].messages
        assert any("From earlier" in each.content or "Notes on" in each.content for each in shown)
        made = await replay(home, answer)
        assert any(each.startswith("not kept, and left out") for each in made.notices)
        asked = home.engine.seen[-1].messages
        assert asked[-1].content == "the red fox number 11 jumps over the lazy dog near the river"
        assert not any("From earlier" in each.content or "Notes on" in each.content for each in asked)


async def test_a_response_is_asked_with_those_before_it_and_its_instructions(home: Talk) -> None:
    async def respond(text: str, previous: str | None = None, told: str = "") -> Answer:
        context = visitor()
        context.settlement.turn = (Message("user", text),)
        context.settlement.shown = {"instructions": told} if told else {}
        history = [Message("user", "one"), Message("assistant", first.text)] if previous else []
        system = (Message("system", told),) if told else ()
        messages = (*system, *history, Message("user", text))
        request = ChatRequest("chat", messages, sampling=GREEDY, previous=previous)
        return await collect(await home.ring.respond(request, context))

    first = await respond("one", told="Be brief.")
    second = await respond("two", first.head.answer_id, told="Be kind.")
    assert (await replay(home, first)).replay.text == first.text == "Be brief.: one at 0 of 2"
    assert (await replay(home, second)).replay.text == second.text == "Be kind.: two at 0 of 4"
    assert home.engine.seen[-1].messages == home.engine.seen[1].messages
    await home.stores.events.erase("acme", first.head.answer_id)
    with pytest.raises(Conflict, match="which this answer continues, is not kept"):
        await replay(home, second)


async def test_a_completion_is_asked_again(home: Talk) -> None:
    request = CompletionRequest("chat", "Once upon", GREEDY)
    answer = await collect(await home.ring.respond(request, visitor()))
    made = await replay(home, answer)
    assert made.replay.text == answer.text
    with pytest.raises(Unsupported, match="takes no prompt"):
        await replay(home, answer, prompt=PromptUse("p", "1"))


async def test_what_is_not_kept_cannot_be_asked_again(home: Talk) -> None:
    unstored = await ask(home, store=False)
    with pytest.raises(Conflict, match="is not kept: it was asked with store: false"):
        await replay(home, unstored)
    await home.say("one", sampling=GREEDY)
    second = await home.say("two", sampling=GREEDY)
    made = await replay(home, second)
    await home.stores.sessions.delete("acme", stored_name(ME, "s"))
    with pytest.raises(Conflict, match="is not kept"):
        await replay(home, second)
    # What was asked again goes with what was asked.
    left = await home.replays.get(made.replay.answer.id, ME)
    assert left.original is not None
    assert left.original.content is None
    assert left.replay.content is None


async def test_an_erased_turn_is_missed(home: Talk) -> None:
    first = await home.say("one", sampling=GREEDY)
    second = await home.say("two", sampling=GREEDY)
    await home.stores.events.erase("acme", first.head.answer_id)
    with pytest.raises(Conflict, match="2 of the 3 messages of this turn's conversation are not kept any more"):
        await replay(home, second)


async def test_erasing_an_answer_erases_its_replays(home: Talk) -> None:
    answer = await ask(home, "the password is swordfish")
    made = await replay(home, answer)
    assert "swordfish" in made.replay.text
    await home.stores.events.erase("acme", answer.head.answer_id)
    texts = [each.content for each in await home.stores.events.find("acme")]
    assert not any("swordfish" in text for text in texts if text)


async def test_erasing_a_person_reaches_what_was_asked_again(home: Talk) -> None:
    answer = await ask(home, "my words", user="ada")
    made = await replay(home, answer)
    await replay(home, await ask(home, "others", user="bob"))
    held = await home.stores.database.read(lambda c: find(c, Subject("acme", "user", "ada"), time.time() + 1))
    assert set(held.answers) == {answer.head.answer_id, made.replay.answer.id}


async def test_what_was_redacted_is_asked_as_it_was_kept_and_said(tmp_path: Path) -> None:
    async with talk(tmp_path, script, policy=POLICIES["strict"]) as home:
        answer = await ask(home, "I am ada@example.com")
        made = await replay(home, answer)
        assert "the request is kept as the guards let it pass: 1 finding replaced" in made.notices
        assert made.replay.text == answer.text
        assert "[EMAIL]" in home.prompt


@pytest.mark.parametrize(
    "who",
    [
        Principal("acme", "key_2", frozenset({"chat", "replay"})),
        Principal("other", "key_1", frozenset({"admin"})),
    ],
)
async def test_only_what_may_be_seen_is_replayed(home: Talk, who: Principal) -> None:
    answer = await ask(home)
    with pytest.raises(NotFound):
        await replay(home, answer, mine(who))
    made = await replay(home, answer)
    with pytest.raises(NotFound):
        await home.replays.get(made.replay.answer.id, who)
    assert (await home.replays.page(who, Page())).rows == []
    assert await home.replays.matching(Filter(), who) == []
    assert len((await home.replays.page(ME, Page())).rows) == 1


async def test_answers_are_chosen_by_a_filter(home: Talk) -> None:
    first, second, third = [await ask(home, text) for text in ("a", "b", "c")]
    other = await ask(home, "d", model="other")
    for answer, rating in ((first, "down"), (second, "down"), (third, "up"), (second, "up")):
        about = answer.head.answer_id
        rated = EventRecord(f"{about}-{rating}", 2e9, "acme", "t", about, read("feedback", {"rating": rating}))
        await home.stores.events.append(rated)

    async def chosen(**wanted: Any) -> list[str]:
        return [each.id for each in await home.replays.matching(Filter(**wanted), ME)]

    def ids(*answers: Answer) -> list[str]:
        return [each.head.answer_id for each in answers]

    assert await chosen() == ids(other, third, second, first)
    assert await chosen(limit=2) == ids(other, third)
    assert await chosen(model="other") == ids(other)
    # The last word on an answer counts.
    assert await chosen(feedback="down") == ids(first)
    assert await chosen(feedback="up") == ids(third, second)
    record = await home.stores.events.get("acme", third.head.answer_id)
    assert await chosen(since=record.at) == ids(other, third)


async def test_the_answer_under_a_trace_is_found(home: Talk) -> None:
    context = visitor(trace=TraceParent.new())
    answer = await ask(home, "a", context)
    assert await home.replays.answer_of(context.trace.trace_id, ME) == answer.head.answer_id
    await ask(home, "b", dataclasses.replace(context, trace=TraceParent(context.trace.trace_id, "1" * 16)))
    with pytest.raises(Conflict, match=r"has 2 answers.*answer_id"):
        await home.replays.answer_of(context.trace.trace_id, ME)
    with pytest.raises(NotFound):
        await home.replays.answer_of("0" * 32, ME)


async def test_an_older_record_says_what_it_lacks(home: Talk) -> None:
    answer = await ask(home)
    record = await home.stores.events.get("acme", answer.head.answer_id)
    content = json.dumps({"messages": [{"role": "user", "content": "Old"}], "choices": [{"text": "x"}]})
    old = dataclasses.replace(record, id="ans_old", subject="ans_old", version=1, content=content)
    await home.stores.events.append(
        dataclasses.replace(old, facts=read("answer", {k: v for k, v in told(record).items() if k != "sampling"}))
    )
    made = await home.replays.run("ans_old", Changes(), mine())
    assert "recorded by an earlier version" in made.notices[-1]


async def test_what_fails_is_shown_as_it_is(home: Talk) -> None:
    answer = await ask(home)
    with pytest.raises(MainspringError, match="no model"):
        await replay(home, answer, model="nothing")
    assert [each.facts.plain()["status"] for each in await events(home, "replay")] in (["failed"], [])


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_difference_of_words_gives_both_texts_back(one: str, other: str) -> None:
    pieces = words(one, other)
    assert "".join(each.text for each in pieces if each.kind != "added") == one
    assert "".join(each.text for each in pieces if each.kind != "removed") == other

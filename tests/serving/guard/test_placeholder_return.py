from __future__ import annotations

import json
from typing import Any

import pytest

from mainspring.core.path import Answer, collect
from mainspring.core.types import (
    Citation,
    CompletionRequest,
    Event,
    Finish,
    Grammar,
    Head,
    Message,
    Response,
    Sampling,
    Text,
    ToolCall,
    ToolCallDelta,
)
from mainspring.engines.scripted import echo, words
from mainspring.guards.policy.policies import GuardPolicy
from mainspring.guards.rewrite.placeholders import Placeholders
from mainspring.serving.guard.placeholder_return import put_back
from tests.serving.house import GREEDY, Build, House, visitor

TOKENISE = GuardPolicy(pii_input="tokenise")
ANA, BOB = "ana@example.org", "bob@example.org"


def everything(home: House) -> str:
    """All that was written or told anywhere."""
    spans = [(span.name, span.attributes) for span in home.tracing.spans]
    return repr((home.events.commits, home.events.appended, home.answers.values, spans))


async def test_the_model_and_the_stores_see_placeholders_alone(house: Build) -> None:
    home = house(echo, TOKENISE)
    answer = await home.ask(f"Write to {ANA} and {BOB}.", sampling=GREEDY)
    assert answer.text == f"Write to {ANA} and {BOB}."
    assert home.engine.seen[0].messages[-1].content == "Write to [EMAIL_1] and [EMAIL_2]."
    assert ANA not in everything(home)
    assert BOB not in everything(home)
    [guard] = home.events.of("guard")
    assert guard.facts.plain() == {
        "stage": "input",
        "role": "user",
        "guard": "pii_input",
        "action": "tokenise",
        "kind": "email",
        "count": 2,
        "policy": TOKENISE.version,
        "application": "chat",
    }


async def test_a_cached_answer_gets_the_values_of_whoever_asks(house: Build) -> None:
    home = house(echo, TOKENISE)
    assert (await home.ask(f"Greet {ANA}", sampling=GREEDY)).text == f"Greet {ANA}"
    await home.background.close()
    again = await home.ask(f"Greet {BOB}", sampling=GREEDY)
    assert (again.text, again.head.cache) == (f"Greet {BOB}", "hit")
    assert len(home.engine.seen) == 1


async def test_answers_that_are_said_again_are_hidden_again(house: Build) -> None:
    home = house(echo, TOKENISE)
    call = ToolCall("c1", "send", json.dumps({"to": BOB}))
    messages = (
        Message("system", "You write mails for desk@example.org."),
        Message("user", f"Greet {ANA}"),
        Message("assistant", f"Dear {ANA}", tool_calls=(call,)),
        Message("tool", f"sent to {BOB}", tool_call_id="c1"),
        Message("user", f"Which was {ANA}?"),
    )
    answer = await home.ask("", messages=messages)
    seen = home.engine.seen[0].messages
    assert [each.content for each in seen] == [
        *("You write mails for desk@example.org.", "Greet [EMAIL_1]", "Dear [EMAIL_1]"),
        *("sent to [EMAIL_2]", "Which was [EMAIL_1]?"),
    ]
    assert seen[2].tool_calls[0].arguments == '{"to": "[EMAIL_2]"}'
    assert answer.text == f"Which was {ANA}?"


async def test_a_session_keeps_its_placeholders(house: Build) -> None:
    home = house(echo, TOKENISE)
    await home.ask(f"I am {ANA}", session_id="s")
    await home.ask(f"My friend is {BOB}", session_id="s")
    answer = await home.ask("So: [EMAIL_1], [EMAIL_2]", session_id="s")
    assert [each.content for each in home.engine.seen[-1].messages if each.role == "user"] == [
        *("I am [EMAIL_1]", "My friend is [EMAIL_2]", "So: [EMAIL_1], [EMAIL_2]"),
    ]
    assert answer.text == f"So: {ANA}, {BOB}"
    assert ANA not in everything(home)
    # Another tenant's session of this name is another one.
    other = await home.ask("So: [EMAIL_1]", visitor("rival"), session_id="s")
    assert other.text == "So: [EMAIL_1]"


async def test_what_an_earlier_life_named_stands_for_nothing_else(house: Build) -> None:
    home = house(echo, TOKENISE)
    await home.ask(f"I am {ANA}", session_id="s")
    reborn = house(echo, TOKENISE)
    reborn.events.commits.extend(home.events.commits)
    answer = await reborn.ask(f"[EMAIL_1] is not {BOB}", session_id="s")
    assert reborn.engine.seen[-1].messages[-1].content == "[EMAIL_1] is not [EMAIL_2]"
    assert answer.text == f"[EMAIL_1] is not {BOB}"


async def test_an_answer_is_continued_by_its_name(house: Build) -> None:
    home = house(echo, TOKENISE)
    first = await home.ask(f"I am {ANA}")
    messages = (
        Message("user", "I am [EMAIL_1]"),
        Message("assistant", "I am [EMAIL_1]"),
        Message("user", "[EMAIL_1]?"),
    )
    again = await home.ask("", messages=messages, previous=first.head.answer_id)
    assert again.text == f"{ANA}?"
    stranger = await home.ask("", visitor("rival"), messages=messages, previous=first.head.answer_id)
    assert stranger.text == "[EMAIL_1]?"


async def test_structured_answers_and_prompts(house: Build) -> None:
    home = house(lambda _: words('{"to": "[EMAIL_1]"}'), TOKENISE)
    grammar = Grammar("json_schema", '{"type":"object"}')
    answer = await home.ask(f"To {ANA}", sampling=Sampling(temperature=0, grammar=grammar))
    assert json.loads(answer.text) == {"to": ANA}
    context = visitor()
    raw = await collect(await home.ring.respond(CompletionRequest("chat", f"Mail {ANA}"), context))
    assert raw.text == json.dumps({"to": ANA})
    assert home.engine.seen[-1].prompt == "Mail [EMAIL_1]"
    assert context.privacy.private


async def test_nothing_is_private_where_there_is_nothing(house: Build) -> None:
    home, context = house(echo, TOKENISE), visitor()
    await home.ask("How are you?", context)
    assert not context.privacy.private


@pytest.mark.parametrize("action", ["tokenise", "redact"])
async def test_what_is_new_is_recorded_as_it_was_rewritten(house: Build, action: Any) -> None:
    home, context = house(echo, GuardPolicy(pii_input=action)), visitor()
    # As the route of responses does, which sends what came before too.
    context.settlement.turn = (Message("user", f"I am {ANA}"),)
    said = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", f"I am {ANA}"))
    await home.ask("", context, messages=said)
    assert ANA not in everything(home)
    [record] = home.events.of("answer")
    [kept] = json.loads(record.content or "")["messages"]
    assert kept["content"] == ("I am [EMAIL_1]" if action == "tokenise" else "I am [EMAIL]")


async def test_a_dry_run_changes_nothing(house: Build) -> None:
    home = house(echo, GuardPolicy(pii_input="tokenise", dry_run=True))
    await home.ask(f"I am {ANA}")
    assert home.engine.seen[0].messages[-1].content == f"I am {ANA}"
    [guard] = home.events.of("guard")
    assert (guard.facts.plain()["action"], guard.facts.plain()["dry_run"]) == ("tokenise", True)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_arguments_come_back_however_they_are_cut(size: int) -> None:
    held = Placeholders()
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    held.hide(f"{ANA} {key}")
    arguments = '{"to": "[EMAIL_1]", "key": "[SECRET_1]"}'
    quote = Citation(1, "d", "a.md", "[EMAIL_1]", 0, 9)
    events: list[Event] = [quote]
    events += [Text("Sending to [EMAIL_1"[start : start + size]) for start in range(0, 19, size)]
    events += [ToolCallDelta(0, 0, "c", "send", "")]
    events += [ToolCallDelta(0, 0, None, None, arguments[at : at + size]) for at in range(0, len(arguments), size)]
    collected = await _collected([*events, Finish("tool_calls")], held)
    assert collected.text == "Sending to [EMAIL_1"
    assert json.loads(collected.choices[0].tool_calls[0].arguments) == {"to": ANA, "key": key}
    assert collected.citations == [quote]


async def _collected(events: list[Event], held: Placeholders) -> Answer:
    async def say() -> Any:
        for event in events:
            yield event

    return await collect(Response(Head("m"), put_back(say(), held)))

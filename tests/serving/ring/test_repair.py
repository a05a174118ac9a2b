import dataclasses
import json
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, InvalidSchema, UnfitAnswer, Unsupported
from mainspring.core.path import Answer, collect
from mainspring.core.types import ChatRequest, Grammar, Message, Progress, Sampling, Tool
from mainspring.engines.base import Capabilities
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.scripted import PARAMETERS, ScriptedEngine
from mainspring.serving.ring.registry import Served
from mainspring.serving.ring.repair import HEADER, Repair, validator
from tests.serving.house import Build, House, visitor

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
PERSON = Grammar("json_schema", json.dumps(SCHEMA))
GOOD = '{"name": "Ann",  "age": 3}'


def weak(house: House, *texts: str, rounds: int = 2, enforced: frozenset[str] = frozenset()) -> ScriptedEngine:
    """Serve ``weak``: a model without grammars that says ``texts``, one a call."""
    said = iter(texts)
    able = Capabilities(4096, PARAMETERS, frozenset(), 5, 4, templates=True, seed="exact")
    engine = ScriptedEngine(lambda _: [next(said)], capabilities=able)
    house.serve("inner", ModelResponder(engine, model_name="weak", fingerprint="w"))
    inner = house.registry.fixed("inner", visitor().principal)
    assert inner is not None
    house.registry.add(Served("weak", "chat", Repair(inner.responder, "weak", enforced, rounds=rounds)))
    return engine


async def ask(house: House, grammar: Grammar = PERSON, **fields: Any) -> Answer:
    sampling = Sampling(grammar=grammar, **fields.pop("sampling", {}))
    return await house.ask("Invent a person.", model="weak", sampling=sampling, **fields)


async def test_a_valid_answer_is_given_as_it_was_written(house: Build) -> None:
    built = house()
    engine = weak(built, GOOD)
    answer = await ask(built)
    assert answer.text == GOOD
    assert answer.head.headers[HEADER] == "validated"
    assert answer.choices[0].finish == "stop"
    assert "additionalProperties" in engine.seen[0].messages[-1].content
    assert engine.seen[0].sampling.grammar is None


@pytest.mark.parametrize(
    "said",
    [f"Sure:\n```json\n{GOOD}\n```\nAnything else?", f"Here it is: {GOOD}. Good?", f"\n{GOOD}\n"],
)
async def test_the_value_is_found_in_what_surrounds_it(house: Build, said: str) -> None:
    built = house()
    weak(built, said)
    assert (await ask(built)).text == GOOD


async def test_what_is_wrong_is_reported_and_every_round_is_paid(house: Build) -> None:
    built = house()
    engine = weak(built, '{"name": "Ann"}', "no idea", GOOD)
    answer = await ask(built)
    assert answer.text == GOOD
    told = [generation.messages[-1].content for generation in engine.seen[1:]]
    assert "$ does not satisfy required" in told[0]
    assert "not one JSON value" in told[1]
    calls = built.events.of("call")
    assert len(calls) == 3
    assert answer.usage.total_tokens == sum(
        c.facts.plain()["prompt_tokens"] + c.facts.plain()["completion_tokens"] for c in calls
    )
    (fact,) = built.events.of("repair")
    assert fact.facts.plain()["rounds"] == 2
    assert fact.facts.plain()["outcome"] == "valid"
    assert "Ann" not in json.dumps(fact.facts.plain())


async def test_after_the_last_round_it_fails_and_is_paid(house: Build) -> None:
    built = house()
    engine = weak(built, *["nothing"] * 9)
    with pytest.raises(UnfitAnswer, match="in 3 rounds"):
        await ask(built)
    assert len(engine.seen) == 3
    assert len(built.events.of("call")) == 3
    assert built.events.of("answer")[0].facts.plain()["status"] == "failed"
    assert built.events.of("repair")[0].facts.plain()["outcome"] == "unfit"


async def test_progress_is_reported_and_nothing_invalid_is_shown(house: Build) -> None:
    built = house()
    weak(built, "wrong", GOOD)
    request = ChatRequest("weak", (Message("user", "x"),), Sampling(grammar=PERSON))
    response = await built.ring.respond(request, visitor())
    events = [event async for event in response]
    assert [type(event).__name__ for event in events] == ["Progress", "Text", "Usage", "Finish"]
    assert isinstance(events[0], Progress)


async def test_an_expression_is_matched_as_a_whole(house: Build) -> None:
    built = house()
    weak(built, "2024", "2024-11")
    assert (await ask(built, Grammar("regex", "[0-9]{4}-[0-9]{2}"))).text == "2024-11"


async def test_engines_with_grammars_are_left_alone_unless_it_is_asked_for(house: Build) -> None:
    built = house()
    engine = weak(built, GOOD, GOOD, enforced=frozenset({"json_schema"}))
    with pytest.raises(Unsupported):
        await ask(built)  # this engine has none: the request came to it as it was
    answer = await ask(built, options={"repair": 1})
    assert answer.text == GOOD
    assert len(engine.seen) == 1


async def test_rounds_are_bounded_by_the_request(house: Build) -> None:
    built = house()
    engine = weak(built, *["nothing"] * 9)
    with pytest.raises(UnfitAnswer, match="in 2 rounds"):
        await ask(built, options={"repair": 1})
    assert len(engine.seen) == 2
    for wrong in (9, -1, "yes"):
        with pytest.raises(InvalidRequest) as caught:
            await ask(built, options={"repair": wrong})
        assert caught.value.param == "options.repair"
    with pytest.raises(Unsupported) as refused:
        await ask(built, options={"repair": 0})
    assert refused.value.param == "response_format"


async def test_an_allowance_that_is_used_up_ends_the_rounds(house: Build) -> None:
    built = house()
    engine = weak(built, *["nothing"] * 9)
    context = visitor()
    context.allowance.tokens = 120
    with pytest.raises((UnfitAnswer, InvalidRequest)):
        await collect(
            await built.ring.respond(ChatRequest("weak", (Message("user", "x"),), Sampling(grammar=PERSON)), context)
        )
    assert len(engine.seen) == 1


async def test_several_choices_are_refused(house: Build) -> None:
    built = house()
    weak(built, GOOD)
    with pytest.raises(Unsupported) as caught:
        await ask(built, sampling={"n": 2})
    assert caught.value.param == "n"


@pytest.mark.parametrize(
    "source",
    [
        "{",
        '{"type": "nonsense"}',
        '{"$ref": "http://elsewhere"}',
        '{"$dynamicRef": "http://elsewhere"}',
        '{"properties": {"a": {"$dynamicRef": "file:///etc/passwd"}}}',
        '{"patternProperties": {"(": {}}}',
        '{"patternProperties": {"a": {}}, "unevaluatedProperties": false}',
        '{"pattern": "("}',
    ],
)
def test_a_bad_schema_is_refused(source: str) -> None:
    with pytest.raises(InvalidSchema):
        validator(Grammar("json_schema", source))


def test_expressions_cannot_run_for_ever() -> None:
    schema = {"type": "string", "pattern": "^(a+)+$"}
    text = json.dumps("a" * 200 + "b")
    assert validator(Grammar("json_schema", json.dumps(schema)))(text)[1]
    assert validator(Grammar("regex", "(a|a)*"))("a" * 200 + "b")[1]


def test_keywords_that_no_grammar_enforces_are_validated() -> None:
    schema = dataclasses.replace(PERSON, source='{"type": "array", "uniqueItems": true}')
    assert validator(schema)("[1, 2]") == ("[1, 2]", "")
    assert "uniqueItems" in validator(schema)("[1, 1]")[1]


def compiled(house: House, *texts: str, rounds: int = 2) -> ScriptedEngine:
    """Serve ``weak``: a model that gets schemas as grammars, and says ``texts``, one a call."""
    said = iter(texts)
    able = Capabilities(
        4096, PARAMETERS, frozenset({"json_schema", "ebnf"}), 5, 4, templates=True, seed="exact", compiled=True
    )
    engine = ScriptedEngine(lambda _: [next(said)], capabilities=able)
    house.serve("inner", ModelResponder(engine, model_name="weak", fingerprint="w"))
    inner = house.registry.fixed("inner", visitor().principal)
    assert inner is not None
    repair = Repair(inner.responder, "weak", able.grammars, rounds=rounds, compiled=True)
    house.registry.add(Served("weak", "chat", repair))
    return engine


TAGS = Grammar(
    "json_schema",
    json.dumps({"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}, "x-order": 1}),
)


async def test_what_a_grammar_enforces_streams_and_says_so(house: Build) -> None:
    built = house()
    engine = compiled(built, GOOD)
    answer = await ask(built)
    assert answer.head.headers[HEADER] == "grammar"
    assert engine.seen[0].sampling.grammar is not None
    assert engine.seen[0].sampling.grammar.kind == "ebnf"
    assert len(engine.seen[0].messages) == 1
    assert not built.events.of("repair")


async def test_what_a_grammar_leaves_is_validated_and_named(house: Build) -> None:
    built = house()
    engine = compiled(built, '{"tags": [1, 1]}', '{"tags": [1, 2]}')
    answer = await ask(built, TAGS)
    assert answer.text == '{"tags": [1, 2]}'
    assert answer.head.headers[HEADER] == "grammar; validated=uniqueItems; ignored=x-order"
    assert all(each.sampling.grammar is not None for each in engine.seen)
    assert "tags uniqueItems true" in engine.seen[0].messages[-1].content
    assert "$.tags does not satisfy uniqueItems" in engine.seen[1].messages[-1].content


async def test_without_rounds_what_a_grammar_leaves_is_refused_by_name(house: Build) -> None:
    built = house()
    compiled(built, "", rounds=0)
    with pytest.raises(InvalidSchema, match="uniqueItems cannot be enforced while generating"):
        await ask(built, TAGS)


async def test_what_the_engine_cannot_compile_is_validated(house: Build) -> None:
    built = house()
    engine = compiled(built, GOOD)
    generate = engine.generate

    async def refuse(generation: Any) -> Any:
        if generation.sampling.grammar is not None:
            raise InvalidSchema("the grammar cannot be enforced: it takes too long", param="response_format")
        return await generate(generation)

    engine.generate = refuse  # type: ignore[method-assign]
    answer = await ask(built)
    assert answer.text == GOOD
    assert answer.head.headers[HEADER] == "validated"


async def test_numbers_without_a_value_are_no_json() -> None:
    fits = validator(Grammar("json_schema", '{"type": "number"}'))
    assert fits("1e999")[1]
    assert fits("1e9") == ("1e9", "")


CALL = Tool("tag", "", {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}, strict=True)


def calling(house: House, *texts: str) -> ScriptedEngine:
    """Serve ``weak``, which is made to call tools by grammars and says ``texts``."""
    said = iter(texts)
    able = Capabilities(4096, PARAMETERS, frozenset({"json_schema", "ebnf"}), 5, 4, seed="exact", compiled=True)
    engine = ScriptedEngine(lambda _: [next(said)], capabilities=able)
    house.serve("inner", ModelResponder(engine, model_name="weak", fingerprint="w", template=ChatTemplate()))
    inner = house.registry.fixed("inner", visitor().principal)
    assert inner is not None
    house.registry.add(Served("weak", "chat", Repair(inner.responder, "weak", able.grammars, rounds=1, compiled=True)))
    return engine


@pytest.mark.parametrize("choice", ["required", "tag"])
async def test_a_required_call_of_a_strict_tool_is_validated(house: Build, choice: str) -> None:
    built = house()
    wrong, right = (f'{{"name": "tag", "arguments": {{"tags": [1, {last}]}}}}' for last in (1, 2))
    engine = calling(built, wrong, right)
    answer = await built.ask("Tag it.", model="weak", tools=(CALL,), tool_choice=choice)
    assert [call.arguments for call in answer.choices[0].tool_calls] == ['{"tags": [1, 2]}']
    assert answer.head.headers[HEADER] == "grammar; validated=uniqueItems"
    assert len(engine.seen) == 2


async def test_a_required_call_of_another_tool_is_what_the_model_wrote(house: Build) -> None:
    built = house()
    engine = calling(built, '{"name": "tag", "arguments": {"tags": [1, 1]}}')
    loose = dataclasses.replace(CALL, strict=False)
    answer = await built.ask("Tag it.", model="weak", tools=(loose,), tool_choice="required")
    assert [call.arguments for call in answer.choices[0].tool_calls] == ['{"tags": [1, 1]}']
    assert len(engine.seen) == 1


async def test_a_required_call_that_stays_wrong_is_an_error(house: Build) -> None:
    built = house()
    calling(built, *['{"name": "tag", "arguments": {"tags": [1, 1]}}'] * 2)
    with pytest.raises(UnfitAnswer, match="uniqueItems"):
        await built.ask("Tag it.", model="weak", tools=(CALL,), tool_choice="required")

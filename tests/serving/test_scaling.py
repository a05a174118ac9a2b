import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import EngineDied, InvalidRequest, UnknownModel, Unsupported
from mainspring.core.settings.serving.scaling import ScaledModel, ScalingPlan
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Grammar,
    Head,
    Message,
    Progress,
    Request,
    Response,
    Sampling,
    Text,
    TokenLogprob,
    Tool,
    Usage,
)
from mainspring.engines.base import Capabilities
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import PARAMETERS, ScriptedEngine
from mainspring.serving.admit.token_estimate import request_tokens
from mainspring.serving.ring.registry import Select, Served
from mainspring.serving.scaling import extract
from mainspring.serving.scaling.scale import HEADER, Scaled
from tests.serving.house import Build, House, visitor

VOTE = {"method": "self_consistency", "samples": 5, "answer": "number"}


class Several:
    """Says ``texts`` one after the other, one a choice, each with a mean log-probability."""

    def __init__(self, texts: Sequence[str | Exception], logprobs: Sequence[float] = (), *, wide: bool = True) -> None:
        self.left = list(texts)
        self.logprobs = list(logprobs)
        self.wide = wide
        self.seen: list[ChatRequest] = []

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        if request.sampling.n > 1 and not self.wide:
            raise Unsupported("one at a time", param="n")
        self.seen.append(request)
        texts = [self.left.pop(0) for _ in range(request.sampling.n)]
        if isinstance(texts[0], Exception):
            raise texts[0]
        return Response(Head("several"), self._say([str(text) for text in texts], request.sampling))

    async def _say(self, texts: list[str], sampling: Sampling) -> AsyncGenerator[Event, None]:
        for choice, text in enumerate(texts):
            value = self.logprobs.pop(0) if self.logprobs else -1.0
            rows = (TokenLogprob(text, value),) if sampling.logprobs is not None else ()
            yield Text(text, choice, 3, rows)
        yield Usage(10, 3 * len(texts))
        for choice in range(len(texts)):
            yield Finish("stop", choice)


def serve(house: House, responder: Several, name: str = "several") -> None:
    house.serve(name, responder)


async def ask(house: House, plan: dict[str, Any], model: str = "several", **fields: Any) -> Any:
    return await house.ask("What is 6 x 7?", model=model, options={"scaling": plan}, **fields)


@pytest.mark.parametrize("wide", [True, False])
async def test_the_answer_that_most_give_wins(house: Build, wide: bool) -> None:
    built = house()
    several = Several(["Answer: 41", "so 6 x 7 = 42. Answer: 42", "Answer: 42.0", "hm", "#### 42"], wide=wide)
    serve(built, several)
    answer = await ask(built, VOTE)
    assert answer.text == "42"
    assert answer.choices[0].reasoning == "so 6 x 7 = 42. Answer: 42"
    assert answer.notices[0].text == "self_consistency: 3 of 5 agree on 42"
    assert answer.head.headers[HEADER] == "self_consistency; samples=5"
    # Prompts of one call are read once: that is what several choices of it save.
    assert answer.usage == Usage(10 if wide else 50, 15, 0, answer.usage.cost_nanousd)
    assert [request.sampling.n for request in several.seen] == ([5] if wide else [1] * 5)
    assert all(request.sampling.temperature == 0.7 for request in several.seen)
    assert "step by step" in several.seen[0].messages[-1].content
    calls = built.events.of("call")
    assert sum(call.facts.plain()["completion_tokens"] for call in calls) == 15
    assert sum(call.facts.plain()["cost_nanousd"] for call in calls) == answer.usage.cost_nanousd > 0
    (fact,) = built.events.of("scaling")
    assert (fact.facts.plain()["votes"], fact.facts.plain()["candidates"]) == (3, 5)


async def test_without_any_answer_the_first_is_shown(house: Build) -> None:
    built = house()
    serve(built, Several(["no", "idea", "at", "all", "!"]))
    answer = await ask(built, VOTE)
    assert answer.text == "no"
    assert "no answer was found" in answer.notices[0].text


async def test_the_likeliest_of_several(house: Build) -> None:
    built = house()
    serve(built, Several(["a", "b", "c"], [-2.0, -0.5, -1.0]))
    answer = await ask(built, {"method": "best_of", "samples": 3})
    assert answer.text == "b"
    assert not answer.choices[0].logprobs


async def test_a_judge_rates_and_is_paid(house: Build) -> None:
    built = house()
    serve(built, Several(["bad", "good", "fair"]))
    judge = Several(["3", "I say 9", "nonsense"])
    serve(built, judge, "judge")
    answer = await ask(built, {"method": "best_of", "samples": 3, "score": "judge", "judge": "judge"})
    assert answer.text == "good"
    assert "good" in judge.seen[1].messages[0].content
    assert answer.usage.prompt_tokens == 10 + 3 * 10
    assert {call.facts.plain()["model"] for call in built.events.of("call")} == {"several", "judge"}


async def test_arithmetic_and_schemas_verify(house: Build) -> None:
    built = house()
    serve(built, Several(["6 x 7 = 41 so 41", "6 x 7 = 42 so 42", "it is 42"]))
    plan = {"method": "best_of", "samples": 3, "score": "arithmetic", "answer": "number"}
    assert (await ask(built, plan)).text == "42"
    serve(built, Several(["[1]", '{"a": 1}', "none"]), "shaped")
    schema = Grammar("json_schema", json.dumps({"type": "object", "required": ["a"]}))
    plan = {"method": "best_of", "samples": 3, "score": "schema"}
    answer = await ask(built, plan, "shaped", sampling=Sampling(grammar=schema))
    assert answer.text == '{"a": 1}'


async def test_a_chain_of_thought_streams_its_steps_as_reasoning(house: Build) -> None:
    built = house()
    engine = ScriptedEngine(lambda _: ["6 x 7", " = 42.", "\nAnswer:", " 42"], templates=True)
    built.serve("thinker", ModelResponder(engine, model_name="thinker", fingerprint=None))
    answer = await ask(built, {"method": "chain_of_thought", "answer": "number"}, "thinker")
    assert answer.text == "42"
    assert answer.choices[0].reasoning == "6 x 7 = 42.\nAnswer: 42"
    full = await ask(built, {"method": "chain_of_thought", "answer": "number", "show": "full"}, "thinker")
    assert full.text == "6 x 7 = 42.\nAnswer: 42"


async def test_a_tree_keeps_the_best_steps(house: Build) -> None:
    built = house()
    several = Several(
        ["6 x 7 = 41", "6 x 7 = 42", "Answer: 42", "7 x 6 = 42"],
    )
    serve(built, several)
    plan = {"method": "tree", "width": 1, "branches": 2, "depth": 2, "score": "arithmetic", "answer": "number"}
    answer = await ask(built, plan)
    assert answer.text == "42"
    assert answer.choices[0].reasoning == "6 x 7 = 42\nAnswer: 42"
    assert "Steps so far:\n6 x 7 = 42" in several.seen[1].messages[-1].content
    assert several.seen[0].sampling.stop == ("\n",)


async def test_progress_is_streamed(house: Build) -> None:
    built = house()
    serve(built, Several(["Answer: 1"] * 10))
    request = ChatRequest("several", (Message("user", "x"),), options={"scaling": {**VOTE, "samples": 10}})
    events = [event async for event in await built.ring.respond(request, visitor())]
    assert [event.detail for event in events if isinstance(event, Progress)] == ["8 of 10", "10 of 10"]
    assert isinstance(events[-1], Finish)


async def test_an_allowance_that_is_used_up_ends_the_sampling(house: Build) -> None:
    built = house()
    several = Several(["Answer: 1"] * 16, wide=False)
    serve(built, several)
    context = visitor()
    context.allowance.tokens = 60
    answer = await built.ask("x", context, model="several", options={"scaling": {**VOTE, "samples": 16}})
    assert answer.text == "1"
    assert 2 <= len(several.seen) < 16  # the first, then as many as go at once


async def test_a_later_call_that_fails_is_left_out_and_the_first_is_not(house: Build) -> None:
    built = house(retries=0)
    serve(built, Several(["Answer: 1", EngineDied("it died"), "Answer: 1", "Answer: 2", "x"], wide=False))
    assert (await ask(built, VOTE)).text == "1"
    serve(built, Several([EngineDied("it died")]), "dead")
    with pytest.raises(EngineDied):
        await ask(built, {**VOTE, "samples": 1}, "dead")


async def test_a_name_may_be_served_by_a_plan(house: Build) -> None:
    built = house()
    several = Several(["Answer: 3", "Answer: 3"])
    serve(built, several)
    plan = ScaledModel(model="several", method="self_consistency", samples=2, answer="number")
    built.registry.add(Served("several-x2", "chat", Scaled(Select(built.registry), plan)))
    answer = await built.ask("x", model="several-x2")
    assert answer.text == "3"
    built.registry.add(
        Served("lost", "chat", Scaled(Select(built.registry), plan.model_copy(update={"model": "gone"})))
    )
    with pytest.raises(UnknownModel):
        await built.ask("x", model="lost")


@pytest.mark.parametrize(
    ("plan", "param"),
    [
        ({"method": "magic"}, "options.scaling.method"),
        ({}, "options.scaling.method"),
        ("best_of", "options.scaling"),
        ({"method": "best_of", "samples": 17}, "options.scaling"),
        ({"method": "best_of", "samples": 0}, "options.scaling.samples"),
        ({"method": "self_consistency"}, "options.scaling"),
        ({"method": "tree", "depth": 16, "width": 8}, "options.scaling"),
        ({"method": "best_of", "typo": 1}, "options.scaling.typo"),
        ({"method": "best_of", "score": "schema"}, "response_format"),
    ],
)
async def test_a_wrong_plan_names_its_field(house: Build, plan: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ask(house(), plan, "chat")
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"sampling": Sampling(n=2)}, "n"),
        ({"sampling": Sampling(beams=2)}, "num_beams"),
        ({"tools": (Tool("f"),)}, "tools"),
        ({"sampling": Sampling(grammar=Grammar("regex", "a"))}, "response_format"),
    ],
)
async def test_what_cannot_stand_beside_it(house: Build, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ask(house(), VOTE, "chat", **fields)
    assert caught.value.param == param


async def test_log_probabilities_that_an_engine_lacks_are_refused(house: Build) -> None:
    built = house()
    able = Capabilities(4096, PARAMETERS, templates=True, seed="exact", max_choices=4)
    built.serve("mute", ModelResponder(ScriptedEngine(capabilities=able), model_name="mute", fingerprint=None))
    with pytest.raises(Unsupported) as caught:
        await ask(built, {"method": "best_of", "samples": 2}, "mute")
    assert caught.value.param == "logprobs"


def test_what_is_reserved_grows_with_the_samples() -> None:
    plain = ChatRequest("m", (Message("user", "x" * 40),), Sampling(max_tokens=100))
    scaled = ChatRequest("m", plain.messages, plain.sampling, options={"scaling": {"method": "best_of", "samples": 4}})
    assert request_tokens(scaled, 512) == 4 * request_tokens(plain, 512)
    for wrong in ("x", {"samples": "many"}, {"samples": -3}):
        odd = ChatRequest("m", plain.messages, plain.sampling, options={"scaling": wrong})
        assert request_tokens(odd, 512) == request_tokens(plain, 512)


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("He has 3. So 3+4=7.\nAnswer: $1,234.50 dollars", "number", "1234.5"),
        ("#### 72", "number", "72"),
        ("The answer is \\boxed{18}.", "number", "18"),
        ("first 5 then 9", "number", "9"),
        ("none", "number", None),
        ("Answer: 12345678901234567890123456789012345", "number", "12345678901234567890123456789012345"),
        ("Answer: 3.14159265358979323846264338327950288", "number", "3.14159265358979323846264338327950288"),
        ("It is 1000.", "number", "1000"),
        ("It is 007", "number", "7"),
        ("It is -0.00", "number", "0"),
        ("-4.0", "number", "-4"),
        ("I think (B) is right. Answer: (C) since", "choice", "C"),
        ("It is B", "choice", "B"),
        ("nothing", "choice", None),
        ("Well.\nAnswer: The Eiffel Tower!", "text", "eiffel tower"),
        ("Denver Broncos", "text", "denver broncos"),
        ('so {"b": 1, "a": [2]} it is', "json", '{"a": [2], "b": 1}'),
        ("{broken", "json", None),
        (" x ", "whole", "x"),
    ],
)
def test_answers_are_found_and_made_equal(text: str, kind: str, found: str | None) -> None:
    assert extract.answer(text, kind) == found


@given(st.text(max_size=80), st.sampled_from(["number", "choice", "text", "json", "whole"]))
def test_any_text_has_an_answer_or_none(text: str, kind: str) -> None:
    found = extract.answer(text, kind)
    assert found is None or found


def test_equations_are_checked() -> None:
    assert extract.arithmetic("3 + 4 = 7 and 9 * 2 = $18.") == 1.0
    assert extract.arithmetic("3 + 4 = 8, 1,000 / 3 = 333.33") == 0.5
    assert extract.arithmetic("5 / 0 = 1") == 0.0
    assert extract.arithmetic("nothing") == 0.0


def test_plans_count_their_answers() -> None:
    assert ScalingPlan(method="tree", width=2, branches=3, depth=3).calls == 15
    assert ScalingPlan(method="chain_of_thought").calls == 1

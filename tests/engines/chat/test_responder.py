import asyncio
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy
import pytest

from mainspring.core.errors import (
    DeadlineExceeded,
    EngineError,
    InvalidRequest,
    InvalidSchema,
    MainspringError,
    PromptTooLong,
    Unsupported,
)
from mainspring.core.path import Answer, collect
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Grammar,
    Message,
    Principal,
    Sampling,
    Tool,
    ToolCall,
)
from mainspring.engines.base import Capabilities, Embedded
from mainspring.engines.catalogue.entries import FimEntry
from mainspring.engines.chat.responder import EmbedResponder, ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.scripted import Script, ScriptedEngine

CONTEXT = Context(Principal("default", "key"))
TOOL = Tool("weather", "Weather now", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ["<tool_", 'call>{"name": "weather", ', '"arguments": {"city": "Bern"}}</tool_call>']


def responder(script: Script, engine: ScriptedEngine | None = None, **options: Any) -> ModelResponder:
    options = {"model_name": "small", "fingerprint": "abc", "template": ChatTemplate(), **options}
    return ModelResponder(engine or ScriptedEngine(script), **options)


def chat(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest("small", (Message("user", text),), **fields)


async def ask(model: ModelResponder, request: Any) -> Answer:
    return await collect(await model.respond(request, CONTEXT))


async def test_a_chat_is_rendered_answered_and_counted() -> None:
    engine = ScriptedEngine(lambda _: ["Hello", "!"])
    answer = await ask(responder({}, engine), chat(sampling=Sampling(temperature=0.0, logprobs=1)))
    assert (answer.text, answer.choices[0].finish, answer.head.model) == ("Hello!", "stop", "small")
    assert answer.usage.completion_tokens == 2
    assert answer.usage.prompt_tokens > 0
    assert [logprob.token for logprob in answer.choices[0].logprobs] == ["Hello", "!"]
    [seen] = engine.seen
    assert seen.prompt == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert seen.headers["traceparent"] == f"00-{CONTEXT.trace.trace_id}-{CONTEXT.trace.span_id}-01"


async def test_the_contexts_priority_reaches_the_engine() -> None:
    engine = ScriptedEngine(lambda _: ["x"])
    await collect(await responder({}, engine).respond(chat(), dataclasses.replace(CONTEXT, priority=7)))
    assert engine.seen[0].priority == 7


async def test_a_model_draws_in_its_own_way_where_no_temperature_is_named() -> None:
    engine = ScriptedEngine(lambda _: ["x"])
    model = responder({}, engine, drawn={"temperature": 0.2, "top_p": 0.9})
    asked: list[dict[str, Any]] = [
        {},
        {"top_p": 0.5},
        {"temperature": 0.0},
        {"temperature": 1.0},
        {"beams": 2, "temperature": None},
    ]
    got = []
    for fields in asked:
        await ask(model, chat(sampling=Sampling(**fields)))
        sampling = engine.seen[-1].sampling
        got.append((sampling.temperature, sampling.top_p))
    assert got == [(0.2, 0.9), (0.2, 0.5), (0.0, None), (1.0, None), (None, None)]
    await ask(model, CompletionRequest("small", "Once"))
    assert engine.seen[-1].sampling.temperature == 0.2
    # Another way of drawing makes other answers: none is taken from before.
    assert model.fingerprint(chat(), CONTEXT) != responder({}, engine).fingerprint(chat(), CONTEXT)


async def test_a_completion_is_raw() -> None:
    engine = ScriptedEngine(lambda _: ["<think>", "raw"])
    answer = await ask(responder({}, engine), CompletionRequest("small", "<|im_start|>x"))
    assert answer.text == "<think>raw"
    assert engine.seen[0].prompt == "<|im_start|>x"


FIM = FimEntry(prefix="<p>", suffix="<s>", middle="<m>", stop=("<end>",))


async def test_the_middle_of_a_text_is_filled_in_between_the_models_markers() -> None:
    engine = ScriptedEngine(lambda _: ["return a", " + b", "<end>", "more"])
    model = responder({}, engine, fim=FIM)
    asked = CompletionRequest("small", "def add(a, b):\n    ", Sampling(stop=("x",)), suffix="\n\nadd(1, 2)")
    answer = await ask(model, asked)
    assert engine.seen[0].prompt == "<p>def add(a, b):\n    <s>\n\nadd(1, 2)<m>"
    assert (engine.seen[0].sampling.stop, engine.seen[0].shown) == (("x", "<end>"), ("<end>",))
    assert (answer.text, answer.choices[0].finish) == ("return a + b", "stop")
    counted = await model.prompt_tokens(asked)
    assert counted == await engine.count_tokens(engine.seen[0].prompt)
    assert answer.usage.prompt_tokens == counted
    # What stands before may be empty, and a completion without a suffix stays raw.
    await ask(model, CompletionRequest("small", "", suffix="after"))
    await ask(model, CompletionRequest("small", "before"))
    assert [each.prompt for each in engine.seen[1:]] == ["<p><s>after<m>", "before"]


async def test_a_model_without_markers_refuses_a_suffix_by_name() -> None:
    with pytest.raises(Unsupported, match="small does not fill in the middle") as caught:
        await ask(responder(lambda _: ["x"]), CompletionRequest("small", "a", suffix="b"))
    assert caught.value.param == "suffix"
    remote = ScriptedEngine(lambda _: ["x"])
    assert await responder({}, remote).prompt_tokens(CompletionRequest("small", "a b")) > 0


async def test_errors_before_the_first_token_are_exceptions_and_later_ones_are_raised_late() -> None:
    with pytest.raises(EngineError):
        await responder(lambda _: [EngineError("x")]).respond(chat(), CONTEXT)
    response = await responder(lambda _: ["a", EngineError("late")]).respond(chat(), CONTEXT)
    with pytest.raises(EngineError, match="late"):
        await collect(response)


@pytest.mark.parametrize("read", [0, 1])
async def test_closing_the_response_frees_the_engine(read: int) -> None:
    engine = ScriptedEngine(lambda _: ["a", asyncio.Event()])
    response = await responder({}, engine).respond(chat(), CONTEXT)
    for _ in range(read):
        await anext(aiter(response))
    assert engine.live == 1
    await response.aclose()
    assert (engine.live, engine.cancelled) == (0, 1)


async def test_tool_calls_are_parsed_and_finish_says_so() -> None:
    engine = ScriptedEngine(lambda _: CALL)
    answer = await ask(responder({}, engine), chat(tools=(TOOL,)))
    [choice] = answer.choices
    assert (choice.text, choice.finish) == ("", "tool_calls")
    [call] = choice.tool_calls
    assert (call.name, call.arguments) == ("weather", '{"city": "Bern"}')
    assert "weather" in engine.seen[0].prompt


@pytest.mark.parametrize("parallel", [True, False])
async def test_of_several_calls_only_the_first_is_left_where_they_are_not_parallel(parallel: bool) -> None:
    engine = ScriptedEngine(lambda _: [*CALL, *CALL])
    answer = await ask(responder({}, engine), chat(tools=(TOOL,), parallel_tool_calls=parallel))
    assert len(answer.choices[0].tool_calls) == (2 if parallel else 1)


async def test_the_stop_string_that_ended_an_answer_is_named_unless_it_is_the_models_own() -> None:
    engine = ScriptedEngine(lambda _: ["one", " END", " two"])
    assert (await ask(responder({}, engine), chat(sampling=Sampling(stop=("END",))))).choices[0].stopped_by == "END"
    assert (await ask(responder({}, engine, stop=("END",)), chat())).choices[0].stopped_by == ""


async def test_tools_are_hidden_under_none_and_their_marks_are_text() -> None:
    engine = ScriptedEngine(lambda _: CALL)
    answer = await ask(responder({}, engine), chat(tools=(TOOL,), tool_choice="none"))
    assert answer.text == "".join(CALL)
    assert answer.choices[0].finish == "stop"
    assert "weather" not in engine.seen[0].prompt


@pytest.mark.parametrize("choice", ["required", "weather"])
async def test_a_forced_call_is_a_grammar(choice: str) -> None:
    engine = ScriptedEngine(lambda _: ['{"name": "weather", ', '"arguments": {}}'])
    answer = await ask(responder({}, engine), chat(tools=(TOOL,), tool_choice=choice))
    assert answer.choices[0].tool_calls[0].name == "weather"
    grammar = engine.seen[0].sampling.grammar
    assert grammar is not None
    assert json.loads(grammar.source)["properties"]["name"] == {"const": "weather"}


async def test_each_choice_is_parsed_by_itself() -> None:
    answer = await ask(responder(lambda _: ["<think>a</think>", "b"]), chat(sampling=Sampling(n=2)))
    assert [(choice.reasoning, choice.text) for choice in answer.choices] == [("a", "b")] * 2


async def test_thoughts_are_counted_apart_from_the_answer() -> None:
    said = ["<think>", "one ", "two", "</think>", "Yes", "."]
    (choice,) = (await ask(responder(lambda _: said), chat())).choices
    assert (choice.reasoning, choice.text, choice.reasoning_tokens) == ("one two", "Yes.", 3)


async def test_reasoning_that_the_template_opens() -> None:
    template = ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}<think>\n")
    model = responder(lambda _: ["hm", "</think>", "\n\nyes"], template=template)
    answer = await ask(model, chat())
    assert (answer.choices[0].reasoning, answer.text) == ("hm", "yes")


NARROW = Capabilities(64, frozenset({"temperature"}))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"top_p": 0.5}, "top_p"),
        ({"stop": ("x",)}, "stop"),
        ({"seed": 1}, "seed"),
        ({"n": 2}, "n"),
        ({"beams": 2}, "num_beams"),
        ({"logprobs": 0}, "logprobs"),
        ({"ignore_eos": True}, "ignore_eos"),
        ({"grammar": Grammar("regex", "a")}, "response_format"),
    ],
)
async def test_what_an_engine_cannot_honour_is_refused(fields: dict[str, Any], param: str) -> None:
    engine = ScriptedEngine(capabilities=NARROW, name="tiny")
    with pytest.raises(Unsupported, match="tiny") as caught:
        await responder({}, engine).respond(chat(sampling=Sampling(**fields)), CONTEXT)
    assert caught.value.param == param
    assert caught.value.remedy
    assert not engine.seen


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"stop": ("",)}, "stop"),
        ({"stop": ("a",) * 17}, "stop"),
        ({"seed": -1}, "seed"),
    ],
)
async def test_values_out_of_range_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await responder(lambda _: ["a"]).respond(chat(sampling=Sampling(**fields)), CONTEXT)
    assert caught.value.param == param


async def test_a_bad_schema_never_reaches_the_engine() -> None:
    engine = ScriptedEngine(lambda _: ["{}"])
    request = chat(sampling=Sampling(grammar=Grammar("json_schema", '{"type": "objekt"}')))
    with pytest.raises(InvalidSchema):
        await responder({}, engine).respond(request, CONTEXT)
    assert not engine.seen


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        (['{"name": "weather", "argu', 'ments": {"city": "Be', "rn"], "weather", '{"city": "Bern'),
        (['{"name": "weather", "arguments": {"city": "Bern"}', " ", " "], "weather", '{"city": "Bern"}  '),
        (['{"name"', ': "weather"', ","], "weather", ""),
    ],
)
async def test_a_forced_call_that_is_cut_is_as_much_of_a_call_as_there_is(
    said: list[str], name: str, arguments: str
) -> None:
    asked = chat(tools=(TOOL,), tool_choice="required", sampling=Sampling(max_tokens=3))
    (choice,) = (await ask(responder(lambda _: [*said, "more"]), asked)).choices
    assert [(call.name, call.arguments) for call in choice.tool_calls] == [(name, arguments)]
    assert (choice.text, choice.finish) == ("", "length")


async def test_a_forced_call_without_a_whole_name_is_no_text() -> None:
    asked = chat(tools=(TOOL,), tool_choice="weather", sampling=Sampling(max_tokens=1))
    (choice,) = (await ask(responder(lambda _: ['{"name": "wea', "ther"]), asked)).choices
    assert (choice.text, choice.tool_calls, choice.finish) == ("", [], "length")


async def test_a_call_cannot_be_forced_without_grammars_or_beside_one() -> None:
    engine = ScriptedEngine(capabilities=NARROW)
    with pytest.raises(Unsupported) as caught:
        await responder({}, engine).respond(chat(tools=(TOOL,), tool_choice="required"), CONTEXT)
    assert caught.value.param == "tool_choice"
    request = chat(tools=(TOOL,), tool_choice="required", sampling=Sampling(grammar=Grammar("regex", "a")))
    with pytest.raises(InvalidRequest):
        await responder(lambda _: ["a"]).respond(request, CONTEXT)


async def test_the_output_fits_behind_the_prompt() -> None:
    engine = ScriptedEngine(lambda _: ["a"], context_window=40)
    model = responder({}, engine, default_output_tokens=100)
    await ask(model, chat())
    tokens = await engine.count_tokens(engine.seen[0].prompt)
    assert engine.seen[0].sampling.max_tokens == 40 - tokens - 2
    with pytest.raises(
        PromptTooLong, match=r"maximum context length is 40 tokens\. However, you requested 68 tokens"
    ) as caught:
        await model.respond(chat("word " * 50), CONTEXT)
    assert caught.value.param == "messages"


@pytest.mark.parametrize("cap", [39, 101, 32_000])
async def test_a_cap_above_what_fits_is_lowered_and_told(cap: int) -> None:
    engine = ScriptedEngine(lambda _: ["a "] * 200, context_window=40)
    response = await responder({}, engine).respond(chat(sampling=Sampling(max_tokens=cap)), CONTEXT)
    tokens = await engine.count_tokens(engine.seen[0].prompt)
    answer = await collect(response)
    assert answer.head.headers == {"x-mainspring-max-tokens": str(40 - tokens - 2)}
    assert (answer.choices[0].finish, answer.usage.completion_tokens) == ("length", 40 - tokens - 2)


@pytest.mark.parametrize(("cap", "most"), [(5000, 100), (99, 99), (None, 100)])
async def test_an_operators_bound_is_kept(cap: int | None, most: int) -> None:
    engine = ScriptedEngine(lambda _: ["a"])
    model = responder({}, engine, max_output_tokens=100)
    answer = await collect(await model.respond(chat(sampling=Sampling(max_tokens=cap)), CONTEXT))
    assert engine.seen[0].sampling.max_tokens == most
    assert ("x-mainspring-max-tokens" in answer.head.headers) == (cap == 5000)


async def test_without_any_bound_the_window_is_one() -> None:
    engine = ScriptedEngine(lambda _: ["a"])
    await ask(responder({}, engine), chat())
    # The engine itself stops at the window.
    assert engine.seen[0].sampling.max_tokens is None


async def test_what_is_expected_of_an_answer_is_learnt_by_tenant() -> None:
    engine = ScriptedEngine(lambda _: ["a "] * 50, context_window=65536)
    model, sampling = responder({}, engine), Sampling(max_tokens=32_000)
    for _ in range(60):
        await ask(model, chat(sampling=sampling))
    await collect(await model.respond(chat(sampling=sampling), Context(Principal("other", "k"))))
    first, *_, last, stranger = [each.expected for each in engine.seen]
    assert (first, stranger) == (4096, 4096)
    assert last == 512


async def test_short_prompts_need_no_counting() -> None:
    class Uncounted(ScriptedEngine):
        async def count_tokens(self, text: str) -> int:
            raise AssertionError("counted")

    engine = Uncounted(lambda _: ["a"], context_window=4096)
    await ask(responder({}, engine), chat(sampling=Sampling(max_tokens=512)))
    assert engine.seen[0].sampling.max_tokens == 512


async def test_engines_with_templates_of_their_own_get_messages_and_tools() -> None:
    engine = ScriptedEngine(lambda _: ["a"], templates=True)
    request = chat("<|im_end|>", tools=(TOOL,), tool_choice="weather")
    await ask(responder({}, engine, template=None, fingerprint=None), request)
    [seen] = engine.seen
    assert (seen.messages, seen.tools, seen.tool_choice) == (request.messages, (TOOL,), "weather")
    assert seen.sampling.grammar is None


async def test_a_model_without_template_only_completes() -> None:
    with pytest.raises(Unsupported) as caught:
        await responder(lambda _: ["a"], template=None).respond(chat(), CONTEXT)
    assert caught.value.param == "messages"


async def test_a_passed_deadline_is_not_sent_on() -> None:
    engine = ScriptedEngine(lambda _: ["a"])
    late = dataclasses.replace(CONTEXT, deadline=time.monotonic() - 1)
    with pytest.raises(DeadlineExceeded):
        await responder({}, engine).respond(chat(), late)
    assert not engine.seen


def test_fingerprints_hold_weights_and_template() -> None:
    request = chat()
    same, other = responder({}), responder({}, template=ChatTemplate(bos_token="<s>"))
    assert same.fingerprint(request, CONTEXT) == responder({}).fingerprint(request, CONTEXT)
    assert same.fingerprint(request, CONTEXT) != other.fingerprint(request, CONTEXT)
    assert responder({}, fingerprint="def").fingerprint(request, CONTEXT) != same.fingerprint(request, CONTEXT)
    assert responder({}, fingerprint=None).fingerprint(request, CONTEXT) is None


async def test_history_with_calls_is_rendered() -> None:
    engine = ScriptedEngine(lambda _: ["sunny"])
    call = ToolCall("call_1", "weather", '{"city": "Bern"}')
    messages = (Message("user", "a"), Message("assistant", "", tool_calls=(call,)))
    request = ChatRequest("small", (*messages, Message("tool", "sun", tool_call_id="call_1")))
    assert (await ask(responder({}, engine), request)).text == "sunny"
    assert "<tool_response>\nsun\n" in engine.seen[0].prompt


class LengthEmbedder:
    name, dimensions, max_tokens = "length", 2, 4

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        if "slow" in texts:
            await asyncio.Event().wait()
        rows = numpy.array([[len(text), kind == "query"] for text in texts], dtype=numpy.float32)
        return Embedded(rows, sum(self.count_tokens(texts)), truncated=sum(len(text) > 4 for text in texts))

    async def close(self) -> None:
        return None


async def test_embeddings() -> None:
    model = EmbedResponder(LengthEmbedder(), model_name="length")
    answer = await collect(await model.respond(EmbedRequest("length", ("ab", "abcde"), "query"), CONTEXT))
    assert answer.vectors is not None
    assert answer.vectors.rows.tolist() == [[2, 1], [5, 1]]
    assert (answer.usage.prompt_tokens, answer.head.headers["x-mainspring-truncated"]) == (7, "1")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (chat(), InvalidRequest),
        (EmbedRequest("length", ()), InvalidRequest),
        (EmbedRequest("length", ("a", "")), InvalidRequest),
        (EmbedRequest("length", ("slow",)), DeadlineExceeded),
    ],
)
async def test_embeddings_refused(request_: Any, error: type[MainspringError]) -> None:
    soon = dataclasses.replace(CONTEXT, deadline=time.monotonic() + 0.01)
    with pytest.raises(error):
        await EmbedResponder(LengthEmbedder(), model_name="length").respond(request_, soon)


async def test_a_chat_model_does_not_embed() -> None:
    with pytest.raises(InvalidRequest, match="does not embed"):
        await responder(lambda _: ["a"]).respond(EmbedRequest("small", ("a",)), CONTEXT)


async def test_a_models_own_stop_ends_its_answers() -> None:
    engine = ScriptedEngine(lambda _: ["One", "\n\nQ: ", "Two", "<x>"])
    model = responder({}, engine, stop=["\n\nQ:"])
    answer = await ask(model, chat(sampling=Sampling(stop=("<x>",))))
    assert (answer.text, answer.choices[0].finish) == ("One", "stop")
    assert engine.seen[0].sampling.stop == ("<x>", "\n\nQ:")
    raw = await ask(model, CompletionRequest("small", "Hi", Sampling(ignore_eos=True, max_tokens=4)))
    assert engine.seen[1].sampling.stop == ()
    assert "Two" in raw.text
    plain = responder({})
    assert model.fingerprint(chat(), CONTEXT) != plain.fingerprint(chat(), CONTEXT)


async def test_a_strict_tools_arguments_fit_or_it_is_not_called() -> None:
    needs = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "day": {"type": "string"}},
        "required": ["day"],
    }
    loose, strict = Tool("weather", "", needs), Tool("weather", "", needs, strict=True)
    assert (await ask(responder(lambda _: CALL), chat(tools=(loose,)))).choices[0].tool_calls
    answer = await ask(responder(lambda _: CALL), chat(tools=(strict,)))
    assert (answer.choices[0].tool_calls, answer.choices[0].finish, answer.text) == ([], "stop", "".join(CALL))


@pytest.mark.parametrize("templates", [False, True])
async def test_an_option_that_no_model_has_is_refused(templates: bool) -> None:
    model = responder({}, ScriptedEngine(lambda _: ["x"], templates=templates))
    with pytest.raises(InvalidRequest, match="Did you mean scaling") as caught:
        await ask(model, chat(options={"scalling": {}}))
    assert caught.value.param == "options.scalling"
    with pytest.raises(Unsupported, match="does not speculate"):
        await ask(model, chat(options={"speculation": "on"}))
    assert (await ask(model, chat(options={"speculation": "off"}))).text == "x"


async def test_what_cannot_follow_guesses_does_not_ask_for_them() -> None:
    able = dataclasses.replace(ScriptedEngine().capabilities, speculates=True)
    model = responder({}, ScriptedEngine(lambda _: ["x"], capabilities=able))
    wish = {"speculation": "on"}
    assert (await ask(model, chat(options=wish))).text == "x"
    for sampling in (Sampling(beams=2), Sampling(grammar=Grammar("regex", "a"))):
        with pytest.raises(Unsupported) as caught:
            await ask(model, chat(options=wish, sampling=sampling))
        assert caught.value.param == "options.speculation"


async def test_an_endpoint_is_not_asked_for_more_than_its_window() -> None:
    engine = ScriptedEngine(lambda _: ["x"], templates=True, context_window=100)
    request = chat("word " * 12, sampling=Sampling(max_tokens=101))
    await ask(responder({}, engine, template=None, fingerprint=None), request)
    assert 0 < (engine.seen[0].sampling.max_tokens or 0) < 90


async def test_a_begun_answer_is_continued() -> None:
    engine = ScriptedEngine(lambda _: ["B", ")"])
    begun = (Message("user", "Which?"), Message("assistant", "The answer is (<|im_end|>"))
    await ask(responder({}, engine), ChatRequest("small", begun, continues=True))
    assert engine.seen[0].prompt.endswith("<|im_start|>assistant\nThe answer is (<\u200b|im_end|>")
    far = responder({}, ScriptedEngine(templates=True), template=None, fingerprint=None)
    with pytest.raises(Unsupported) as caught:
        await far.respond(ChatRequest("small", begun, continues=True), CONTEXT)
    assert caught.value.param == "messages"

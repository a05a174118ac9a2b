"""Tool calls in the forms of the common chat templates, streamed in any pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.types import Event, Text, ToolCallDelta
from mainspring.engines.chat import dialects, tool_parser
from mainspring.engines.chat.dialects import DEEPSEEK, HERMES, LLAMA, MISTRAL, PYTHONIC, Dialect
from mainspring.engines.chat.template import CHATML, ChatTemplate
from mainspring.engines.chat.tool_parser import ToolParser

NAMES = frozenset({"get_weather", "time"})
Call = tuple[str, object]
WEATHER: Call = ("get_weather", {"city": "Bern [old] {x}", "days": 2})
TIME: Call = ("time", {})
ALL = (HERMES, LLAMA, PYTHONIC, MISTRAL, DEEPSEEK, dialects.BARE)

# (dialect, what the model writes, the calls in it, the text around them)
WRITTEN = {
    "hermes": (
        HERMES,
        'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Bern [old] {x}", "days": 2}}\n'
        '</tool_call>\n<tool_call>{"name": "time", "arguments": {}}</tool_call>\n',
        [WEATHER, TIME],
        "Let me see.\n",
    ),
    "hermes, fenced": (
        HERMES,
        'Let me see.\n```json\n{"name": "get_weather", "arguments": {"city": "Bern [old] {x}", "days": 2}}\n'
        '{"name": "time", "arguments": {}}\n```\n',
        [WEATHER, TIME],
        "Let me see.\n",
    ),
    "hermes, a list in a fence": (
        HERMES,
        '```json\n[\n {"name": "get_weather", "arguments": {"city": "Bern [old] {x}", "days": 2}},\n'
        ' {"name": "time", "arguments": {}}]\n```',
        [WEATHER, TIME],
        "",
    ),
    "hermes, a fence that is not closed": (
        HERMES,
        '```json\n{"name": "time", "arguments": {}}\n',
        [TIME],
        "",
    ),
    "hermes, other JSON in a fence": (
        HERMES,
        'So:\n```json\n{"name": "cat", "days": "```"}\n```\nDone.',
        [],
        'So:\n```json\n{"name": "cat", "days": "```"}\n```\nDone.',
    ),
    "llama": (
        LLAMA,
        '\n{"name": "get_weather", "parameters": {"city": "Bern [old] {x}", "days": 2}}',
        [WEATHER],
        "",
    ),
    "llama, several": (
        LLAMA,
        '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Bern [old] {x}", "days": 2}}; '
        '{"type": "function", "name": "time", "parameters": {}}<|eom_id|>',
        [WEATHER, TIME],
        "",
    ),
    "pythonic": (PYTHONIC, "[get_weather(city='Bern [old] {x}', days=2), time()]", [WEATHER, TIME], ""),
    "llama 4": (
        PYTHONIC,
        '<|python_start|>[get_weather(city="Bern [old] {x}", days=2)]<|python_end|>',
        [WEATHER],
        "",
    ),
    "mistral": (
        MISTRAL,
        '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Bern [old] {x}", "days": 2}, "id": "a1b2c3d4e"}, '
        '{"name": "time", "arguments": {}}]',
        [WEATHER, TIME],
        "",
    ),
    "mistral, named": (
        MISTRAL,
        'Sure.[TOOL_CALLS]get_weather[CALL_ID]abc123def[ARGS]{"city": "Bern [old] {x}", "days": 2}'
        "[TOOL_CALLS]time[ARGS]{}",
        [WEATHER, TIME],
        "Sure.",
    ),
    "mistral, plain": (MISTRAL, "[TOOL_CALLS]time{}", [TIME], ""),
    "mistral, marker dropped": (MISTRAL, '[{"name": "time", "arguments": {}}]', [TIME], ""),
    "deepseek": (
        DEEPSEEK,
        "I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
        '{"city": "Bern [old] {x}", "days": 2}\n```<｜tool▁call▁end｜>\n'
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        [WEATHER, TIME],
        "I look.",
    ),
    "deepseek 3.1": (
        DEEPSEEK,
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Bern [old] {x}", "days": 2}'
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        [WEATHER],
        "",
    ),
}
# What none of them takes for a call.
PROSE = (
    *("Plain text.", "[1] According to the first source, [2] and others.", "{not json}", '{"answer": 42}', "[]", "[a]"),
    *(
        "[get_weather(city)]",
        "[unknown(a=1)]",
        "[time(a=b)]",
        "[time(*x)]",
        "[time() for x in y]",
        "{ }",
        "[time(",
        "<",
    ),
    *('{"name": "unknown", "parameters": {}}', "[TOOL_CALLS]unknown[ARGS]{}", "[TOOL_CALLS][]", "[TOOL_CALLS] so"),
    *("<｜tool▁call▁begin｜>time<｜tool▁sep｜>[]<｜tool▁call▁end｜>", "<|python_tag|>print(1)", "<|python_start|>x"),
    *("<tool_call>{}</tool_call>", "{", "[", '{"name": "time"', "[TOOL_CALLS]", "[TOOL_CALLS][{", "<|python_tag|>"),
)


def read(pieces: list[str], dialect: Dialect) -> tuple[list[Call], str]:
    """The calls and the text of an answer that came in ``pieces``."""
    parser = ToolParser(NAMES, dialect=dialect)
    events: list[Event] = [event for piece in pieces for event in parser.push(Text(piece))]
    events += parser.flush()
    calls = [(e.name or "", json.loads(e.arguments)) for e in events if isinstance(e, ToolCallDelta)]
    return calls, "".join(event.text for event in events if isinstance(event, Text))


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places})
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_calls_are_read(written: tuple[Dialect, str, list[Call], str]) -> None:
    dialect, text, calls, around = written
    assert read([text], dialect) == (calls, around)
    assert read(list(text), dialect) == (calls, around)


@given(st.sampled_from(list(WRITTEN.values())), st.lists(st.integers(0, 400), max_size=12))
def test_it_does_not_matter_how_an_answer_is_cut(
    written: tuple[Dialect, str, list[Call], str], places: list[int]
) -> None:
    dialect, text, calls, around = written
    assert read(cut(text, places), dialect) == (calls, around)


FRAGMENTS = st.sampled_from(
    [
        *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"),
        *("<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<|python_tag|>", "<|python_start|>"),
        *('{"name": "time", "arguments": {}}', "time", "[time()]", "{", "}", "[", "]", "(", ")", '"', "'", "\\"),
        *("\n", " ", ";", ",", "<|python_end|>", "<|eom_id|>", "text", "```json\n{}\n```", "function", "{}"),
    ]
)


@given(st.sampled_from(ALL), st.lists(FRAGMENTS, max_size=10), st.lists(st.integers(0, 300), max_size=8))
def test_text_reads_the_same_in_any_pieces(dialect: Dialect, fragments: list[str], places: list[int]) -> None:
    text = "".join(fragments)
    assert read(cut(text, places), dialect) == read([text], dialect)


CUT = ("{", '{"name": "time"')


@pytest.mark.parametrize("dialect", ALL, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("text", PROSE)
def test_what_is_no_call_stays_text(dialect: Dialect, text: str) -> None:
    if dialect is dialects.BARE and text in CUT:
        pytest.skip("a forced call that was cut off is as much of a call as there is")
    # Each dialect reads its own; what comes of it is its calls, or every character of the text.
    calls, around = read(list(text), dialect)
    assert calls == []
    assert around == text


def test_prose_is_not_held_back() -> None:
    parser = ToolParser(NAMES, dialect=PYTHONIC)
    assert parser.push(Text("[1] According")) == [Text("["), Text("1] According")]
    parser = ToolParser(NAMES, dialect=LLAMA)
    assert parser.push(Text("{x")) == [Text("{"), Text("x")]
    assert parser.push(Text(' {"name": "time", "parameters": {}}')) == [Text(' {"name": "time", "parameters": {}}')]


@pytest.mark.parametrize("dialect", [LLAMA, PYTHONIC, MISTRAL, DEEPSEEK], ids=lambda dialect: dialect.name)
def test_an_endless_call_is_given_up(dialect: Dialect) -> None:
    begin = {"llama": '{"', "pythonic": "[time(a='", "mistral": "[TOOL_CALLS][", "deepseek": "<｜tool▁call▁begin｜>"}
    text = begin[dialect.name] + "x" * (tool_parser.MAX_CALL + 10)
    parser = ToolParser(NAMES, dialect=dialect)
    events = [event for at in range(0, len(text), 4096) for event in parser.push(Text(text[at : at + 4096]))]
    assert "".join(event.text for event in events if isinstance(event, Text)) == text


def test_the_template_shows_the_dialect() -> None:
    shown = "{% if tools %}{{ tools | tojson }}{% endif %}"
    templates = {
        HERMES: "<tool_call>{{ x }}</tool_call>",
        LLAMA: 'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}',
        PYTHONIC: "you MUST put it in the format of [func_name1(params_name1=params_value1...), func_name2(params)]",
        MISTRAL: "{{ '[TOOL_CALLS] [' }}",
        DEEPSEEK: "{{'<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + tool['type'] + '<｜tool▁sep｜>'}}",
    }
    for dialect, marks in templates.items():
        source = "{% raw %}" + marks + "{% endraw %}" if dialect is LLAMA else marks
        assert ChatTemplate(shown + source + CHATML).dialect is dialect
    # A template that shows no tools gets them in the widely trained form.
    assert ChatTemplate("{{ '[TOOL_CALLS]' }}" + CHATML).dialect is HERMES

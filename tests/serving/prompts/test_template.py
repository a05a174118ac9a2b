"""The template language: variables, sections, and errors that name what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest, TooLarge
from mainspring.core.types import Message, PromptUse
from mainspring.serving.prompts.registry import MAX_RENDERED, rendered
from mainspring.serving.prompts.template import checked, parse
from mainspring.stores.work.prompts import PromptVersion


def render(text: str, **values: str) -> str:
    found = parse(text).render(values, 10**6)
    assert found is not None
    return found


def test_variables_and_sections_are_put_in() -> None:
    text = "Hi {{ name }}.{{#tone}} Be {{tone}}.{{/tone}}{{^tone}} Be brief.{{/tone}} \\{{name}} {one}"
    assert parse(text).variables == ("name", "tone")
    assert render(text, name="Ada", tone="kind") == "Hi Ada. Be kind. {{name}} {one}"
    assert render(text, name="", tone="") == "Hi . Be brief. {{name}} {one}"


def test_a_value_is_put_in_as_it_is() -> None:
    evil = "{{secret}} {{#name}}x{{/name}} \\{{ {% raise %}"
    assert render("{{name}}{{#secret}}{{/secret}}", name=evil, secret="s") == evil


@given(st.text(), st.text())
def test_text_without_braces_is_itself_and_every_value_is_there(text: str, value: str) -> None:
    plain = text.replace("{", "(")
    assert parse(plain).variables == ()
    assert render(plain) == plain
    assert render(f"({plain}){{{{v}}}}({plain})", v=value) == f"({plain}){value}({plain})"


@given(st.lists(st.sampled_from(["{{", "}}", "{{a}}", "{{#a}}", "{{/a}}", "{{^b}}", "{{/b}}", "x", "\n"])))
def test_whatever_is_written_is_read_or_refused(pieces: list[str]) -> None:
    try:
        made = parse("".join(pieces))
    except InvalidRequest:
        return
    # Marks and letters may become other names, such as {{xx}}.
    values = dict.fromkeys(made.variables, "") | {"a": "1"}
    assert "{{a}}" not in str(made.render(values, 10**6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{{ }}", "line 2: '{{' begins no variable"),
        ("{{a.b}}", "line 1: '{{' begins no variable"),
        ("{{__import__('os')}}", "begins no variable"),
        ("x{{/a}}", "{{/a}} ends no section: no section is open"),
        ("{{#a}}{{#b}}{{/a}}{{/b}}", "the section that is open is 'b'"),
        ("{{#a}}\n\nx", "line 1: section 'a' has no end"),
        ("{{#a}}" * 9 + "{{/a}}" * 9, "nest more than 8 deep"),
    ],
)
def test_what_cannot_be_read_is_reported_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse(text, "messages[0].content")
    assert message in str(raised.value)
    assert raised.value.param == "messages[0].content"


def test_missing_and_unknown_variables_are_all_named() -> None:
    checked(["a", "b"], {"b": "", "a": "1"}, "greet", "v")
    with pytest.raises(InvalidRequest) as raised:
        checked(["customer", "tone"], {"custmer": "x"}, "greet", "prompt.variables")
    said = str(raised.value)
    assert "needs 'customer', 'tone', which were not given and has no variable 'custmer'" in said
    assert "Did you mean customer?" in said
    assert raised.value.param == "prompt.variables.customer"
    with pytest.raises(InvalidRequest, match=r"has no variable 'x'\. It takes none"):
        checked([], {"x": ""}, "greet", "v")


def test_a_variable_that_stands_there_often_does_not_grow_without_end() -> None:
    """A megabyte put in a thousand times would be a gigabyte of the server's memory."""
    messages = tuple(Message("user", "{{x}}" * 1000) for _ in range(2))
    found = PromptVersion("p", 1, messages, ("x",), "0" * 64, "", "", 0.0)
    with pytest.raises(TooLarge, match=r"'p' with these variables has more than \d+ characters") as raised:
        rendered(found, PromptUse("p", "1", {"x": "A" * 1_000_000}))
    assert raised.value.param == "prompt.variables"
    # All messages together.
    each = MAX_RENDERED // 2000
    assert sum(len(said.content) for said in rendered(found, PromptUse("p", "1", {"x": "A" * each})).rendered) == (
        each * 2000
    )
    with pytest.raises(TooLarge):
        rendered(found, PromptUse("p", "1", {"x": "A" * (each + 1)}))

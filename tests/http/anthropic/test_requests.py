"""What Anthropic's requests become: tools of clients, documents, edits of the context, a begun answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mainspring.core.errors import MainspringError, PromptTooLong, Unsupported
from mainspring.core.types import ChatRequest
from mainspring.http.anthropic.citing import citations
from mainspring.http.anthropic.context_edits import CLEARED
from mainspring.http.anthropic.encode import error_body
from mainspring.http.anthropic.requests import MessagesBody
from mainspring.http.fields import REFUSED_FIELD
from mainspring.http.openai.encode import error_body as openai_error_body
from mainspring.http.openai.response_ids import answer_id, message_id

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}
TEXT = {"type": "text", "text": "Hi"}


def body(**fields: Any) -> MessagesBody:
    return MessagesBody.model_validate({"model": "m", "max_tokens": 8, "messages": [HELLO], **fields})


def request(**fields: Any) -> ChatRequest:
    return body(**fields).request(max_messages=100)


@pytest.mark.parametrize(
    ("tool", "needs"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "command"),
        ({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9000}, "old_str"),
        ({"type": "memory_20250818", "name": "memory"}, "old_path"),
        (
            {
                "type": "computer_20251124",
                "name": "computer",
                "display_width_px": 1024,
                "display_height_px": 768,
                "enable_zoom": True,
            },
            "action",
        ),
    ],
)
def test_tools_that_clients_run_are_functions_with_their_documented_schema(tool: dict[str, Any], needs: str) -> None:
    [made] = request(tools=[{**tool, "cache_control": {"type": "ephemeral"}}]).tools
    assert made.name == tool["name"]
    assert needs in made.parameters["properties"]
    assert ("1024 by 768" in made.description) == ("display_width_px" in tool)


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("web_fetch_20250910", "web_search_20250305"),
        ("code_execution_20250825", "code_execution_20250522"),
        ("advisor_20260301", "input_schema"),
    ],
)
def test_tools_that_nothing_here_runs_are_refused_by_name(kind: str, remedy: str) -> None:
    with pytest.raises(Unsupported, match=remedy) as caught:
        request(tools=[{"type": kind, "name": "it"}])
    assert caught.value.param == "tools[0].type"


def test_a_search_for_tools_is_not_needed_where_all_are_shown() -> None:
    schema = {"type": "object"}
    tools = [
        {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
        {"name": "later", "input_schema": schema, "defer_loading": True, "input_examples": [{"a": 1}]},
    ]
    [made] = request(tools=tools).tools
    assert made.name == "later"
    assert '{"a":1}' in made.description


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("container", "c"),
        ("thread", {"type": "create"}),
        ("fallbacks", [{"model": "other"}]),
        ("compaction", {"type": "summarize"}),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        body(**{field: value})
    [fault] = caught.value.errors()
    assert (fault["type"], fault["loc"]) == (REFUSED_FIELD, (field,))


def test_clients_are_told_to_send_all_messages_where_threads_are_refused() -> None:
    told = error_body(Unsupported("no", param="thread"), "trace")
    assert told["error"]["details"]["error_code"] == "thread_unsupported_request"
    assert "details" not in error_body(Unsupported("no", param="tools"), "trace")["error"]


def test_clients_know_by_the_words_that_a_prompt_is_too_long() -> None:
    told = error_body(PromptTooLong.counted(9000, 8192), "trace")["error"]
    assert told["message"] == "prompt is too long: 9000 tokens > 8192 maximum"
    assert (told["type"], told["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert error_body(PromptTooLong("too many characters"), "trace")["error"]["message"].startswith(
        "prompt is too long: "
    )


def test_openais_clients_know_by_the_code_in_the_words_that_a_prompt_is_too_long() -> None:
    for error in (PromptTooLong.counted(9000, 8192), PromptTooLong("It is too long.", remedy="Send less")):
        message = openai_error_body(error)["error"]["message"]
        assert message.endswith(" (context_length_exceeded)")
        assert message.count("context_length_exceeded") == 1


def test_what_coding_agents_send_unasked_is_accepted() -> None:
    made = request(
        max_tokens=32_000,
        thinking={"type": "enabled", "budget_tokens": 31_999},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        output_config={"effort": "high"},
        metadata={"user_id": "u"},
        system=[{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[
            HELLO,
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]},
            {
                "role": "assistant",
                "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "Hi"}],
            },
            {"role": "system", "content": "Now there are two agents."},
            HELLO,
        ],
    )
    assert made.sampling.max_tokens == 32_000
    assert [each.role for each in made.messages] == ["system", "user", "assistant", "system", "user"]
    assert "Hm" not in json.dumps([each.content for each in made.messages])


def test_an_effort_that_is_no_default_reaches_the_template() -> None:
    assert request(output_config={"effort": "low"}).variables == {"reasoning_effort": "low"}
    assert request(output_config={"effort": "max"}).variables == {"reasoning_effort": "high"}
    assert request(output_config={"effort": "high"}).variables == {}
    assert request(thinking={"type": "disabled"}).variables == {"reasoning_effort": "none"}


def test_a_begun_answer_is_continued() -> None:
    assert request(messages=[HELLO, {"role": "assistant", "content": "The answer is ("}]).continues
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert not request(messages=[HELLO, {"role": "assistant", "content": [call]}]).continues
    assert not request().continues


def test_a_note_that_is_to_go_goes_with_the_next_user_message() -> None:
    note = {"role": "system", "content": "Once.", "clear_at": "next_user_message"}
    assert len(request(messages=[HELLO, note]).messages) == 2
    assert len(request(messages=[HELLO, note, HELLO]).messages) == 2


def used(count: int) -> list[dict[str, Any]]:
    messages = [HELLO]
    for number in range(count):
        call = {"type": "tool_use", "id": f"t{number}", "name": f"f{number % 2}", "input": {"path": "x" * 40}}
        messages.append({"role": "assistant", "content": [call]})
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": f"result {number} " * 20}
        messages.append({"role": "user", "content": [result]})
    return messages


def test_old_results_of_tools_are_cleared_where_that_is_asked_for() -> None:
    edit = {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "tool_uses", "value": 4},
        "keep": {"type": "tool_uses", "value": 2},
        "exclude_tools": ["f1"],
        "clear_tool_inputs": True,
    }
    asked = body(messages=used(5), context_management={"edits": [edit]})
    made = asked.request(max_messages=100)
    results = [each.content for each in made.messages if each.role == "tool"]
    assert [each == CLEARED for each in results] == [True, False, True, False, False]
    calls = [call.arguments == "{}" for each in made.messages for call in each.tool_calls]
    assert calls == [True, False, True, False, False]
    assert asked.shown.edits is not None
    [told] = asked.shown.edits
    assert (told["type"], told["cleared_tool_uses"]) == ("clear_tool_uses_20250919", 2)
    assert told["cleared_input_tokens"] > 50
    # Below its trigger nothing happens.
    few = body(messages=used(4), context_management={"edits": [edit]})
    assert CLEARED not in [each.content for each in few.request(max_messages=100).messages]
    assert few.shown.context == {"context_management": {"applied_edits": []}}


def test_compaction_is_refused_once_it_would_happen() -> None:
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}
    request(context_management={"edits": [edit]})
    with pytest.raises(Unsupported) as caught:
        request(messages=[{"role": "user", "content": "word " * 60_000}], context_management={"edits": [edit]})
    assert caught.value.param == "context_management.edits[0]"


DOCUMENT = {
    "type": "document",
    "title": "Warranty",
    "source": {"type": "text", "media_type": "text/plain", "data": "It lasts. The warranty lasts two years."},
    "citations": {"enabled": True},
}
FOUND = {
    "type": "search_result",
    "source": "https://x/y",
    "title": "Shop",
    "content": [{"type": "text", "text": "Open daily."}, {"type": "text", "text": "The shop closes at six o'clock."}],
    "citations": {"enabled": True},
}


def test_documents_and_search_results_are_read_and_cited_word_for_word() -> None:
    asked = body(messages=[{"role": "user", "content": [DOCUMENT, FOUND, {"type": "text", "text": "How long?"}]}])
    [message] = asked.request(max_messages=4).messages
    assert "Warranty\nIt lasts. The warranty" in message.content
    assert message.content.endswith("How long?")
    text = "The warranty lasts two years. I think so. The shop closes at six o'clock."
    first, second = citations(text, asked.shown.sources)
    assert first == {
        "type": "char_location",
        "cited_text": "The warranty lasts two years.",
        "document_index": 0,
        "document_title": "Warranty",
        "start_char_index": 10,
        "end_char_index": 39,
    }
    assert (second["type"], second["search_result_index"], second["start_block_index"]) == (
        "search_result_location",
        0,
        1,
    )
    assert not [*citations("The warranty lasts three years.", asked.shown.sources)]


def test_documents_are_cited_only_where_that_is_asked_for() -> None:
    asked = body(messages=[{"role": "user", "content": [{**DOCUMENT, "citations": None}]}])
    asked.request(max_messages=4)
    assert asked.shown.sources == ()


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "eA=="}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "url"}}]},
        {"type": "container_upload", "file_id": "f"},
    ],
)
def test_what_models_do_not_read_is_refused_by_its_place(block: dict[str, Any]) -> None:
    with pytest.raises(MainspringError) as caught:
        request(messages=[{"role": "user", "content": [block]}])
    assert (caught.value.param or "").startswith("messages[0].content[0]")


def test_a_message_has_anthropics_prefix_and_is_found_again() -> None:
    assert message_id("ans_01") == "msg_01"
    assert answer_id("msg_01") == answer_id("ans_01") == "ans_01"

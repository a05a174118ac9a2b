"""The official Python client of Anthropic."""

import json

import anthropic
from checks import (
    BOTH,
    COLLECTION,
    KEY,
    PARIS,
    QUESTION,
    SCRIPTED,
    SMALL,
    URL,
    check,
    honoured_or_refused,
    raises,
    refused,
    run,
)
from pydantic import BaseModel

client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=120)
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def user(content):
    return [{"role": "user", "content": content}]


def said(content, **more):
    return client.messages.create(**{"model": SCRIPTED, "max_tokens": 100, "messages": user(content)} | more)


@check("messages.create")
def _():
    answer = said("SAY Good morning.")
    assert answer.content[0].text == "Good morning."
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0
    assert answer.id.startswith("msg_")


@check("messages.request_id")
def _():
    assert said("hello")._request_id


@check("messages.small_model")
def _():
    assert said("What is the capital of France?", model=SMALL, max_tokens=20).content[0].text


@check("messages.collection_citations")
def _():
    answer = said(QUESTION, model=COLLECTION)
    assert answer.content[0].citations[0].document_title


@check("messages.system_blocks")
def _():
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert said("SAY yes", system=system).content[0].text == "yes"


@check("messages.sampling")
def _():
    # The newest client has no arguments for them.
    sampling = {"temperature": 0.5, "top_p": 0.9, "top_k": 20}
    assert said("hello", model=SMALL, max_tokens=8, stop_sequences=["zzz"], extra_body=sampling).content


@check("messages.stop_sequence")
def _():
    answer = said("SAY one two three", stop_sequences=["two"])
    assert answer.stop_reason == "stop_sequence"
    assert answer.stop_sequence == "two"


@check("messages.max_tokens")
def _():
    assert said("SAY one two three four", max_tokens=2).stop_reason == "max_tokens"


@check("messages.large_max_tokens")
def _():
    assert (
        client.messages.create(model=SCRIPTED, max_tokens=32000, messages=user("SAY yes"), timeout=600).content[0].text
        == "yes"
    )


@check("messages.prefill")
def _():
    messages = [*user("What is the capital of France?"), {"role": "assistant", "content": "The capital is"}]
    answer = client.messages.create(model=SMALL, max_tokens=10, messages=messages)
    assert not answer.content[0].text.startswith("The capital is")


@check("messages.stream")
def _():
    kinds = [event.type for event in said("SAY one two three", stream=True)]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert {"content_block_start", "content_block_delta", "content_block_stop", "message_delta"} <= set(kinds)


@check("messages.stream_helper")
def _():
    with client.messages.stream(model=SCRIPTED, max_tokens=100, messages=user("SAY one two three")) as stream:
        assert "".join(stream.text_stream) == "one two three"
        assert stream.get_final_message().stop_reason == "end_turn"


@check("messages.raw_response")
def _():
    raw = client.messages.with_raw_response.create(model=SCRIPTED, max_tokens=10, messages=user("hello"))
    assert raw.headers["request-id"]


@check("messages.tools")
def _():
    answer = said(PARIS, tools=[WEATHER])
    used = next(block for block in answer.content if block.type == "tool_use")
    assert used.input == {"city": "Paris"}
    assert answer.stop_reason == "tool_use"


@check("messages.tools_parallel")
def _():
    used = [block.input["city"] for block in said(BOTH, tools=[WEATHER]).content if block.type == "tool_use"]
    assert used == ["Paris", "Rome"]


@check("messages.tools_not_parallel")
def _():
    answer = said(BOTH, tools=[WEATHER], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert len([block for block in answer.content if block.type == "tool_use"]) == 1


@check("messages.tools_round_trip")
def _():
    first = said(PARIS, tools=[WEATHER])
    used = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": used.id, "content": [{"type": "text", "text": "sunny"}]}
    messages = [*user(PARIS), {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    then = client.messages.create(model=SCRIPTED, max_tokens=100, messages=messages, tools=[WEATHER])
    assert then.content[0].text == "The tools said: sunny"


@check("messages.tool_result_error")
def _():
    first = said(PARIS, tools=[WEATHER])
    used = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": used.id, "content": "no such city", "is_error": True}
    messages = [*user(PARIS), {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    then = client.messages.create(model=SCRIPTED, max_tokens=100, messages=messages, tools=[WEATHER])
    assert "no such city" in then.content[0].text


@check("messages.tools_streamed")
def _():
    with client.messages.stream(model=SCRIPTED, max_tokens=100, messages=user(BOTH), tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        used = [block.input["city"] for block in stream.get_final_message().content if block.type == "tool_use"]
    assert "input_json" in kinds
    assert used == ["Paris", "Rome"]


@check("messages.tool_choice_any_small_model")
def _():
    answer = said("The weather of Paris", model=SMALL, tools=[WEATHER], tool_choice={"type": "any"})
    assert any(block.type == "tool_use" for block in answer.content)


@check("messages.tool_choice_tool")
def _():
    other = {"name": "other", "input_schema": {"type": "object", "properties": {}}}
    answer = said("hello", tools=[other, WEATHER], tool_choice={"type": "tool", "name": "get_weather"})
    assert answer.content[0].name == "get_weather"


@check("messages.tool_strict_and_cached")
def _():
    schema = {**WEATHER["input_schema"], "additionalProperties": False}
    tool = {**WEATHER, "type": "custom", "strict": True, "cache_control": {"type": "ephemeral"}, "input_schema": schema}
    assert any(block.type == "tool_use" for block in said(PARIS, tools=[tool]).content)


@check("messages.client_tools_of_anthropic")
def _():
    tools = [
        {"type": "bash_20250124", "name": "bash"},
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    ]
    answer = said('CALL bash {"command": "ls"}', tools=tools)
    assert next(block for block in answer.content if block.type == "tool_use").input == {"command": "ls"}


@check("messages.server_tools")
def _():
    refused(
        "web_search",
        lambda: said("hello", tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        anthropic.BadRequestError,
    )


@check("messages.code_execution")
def _():
    tools = [{"type": "code_execution_20250522", "name": "code_execution"}]
    asked = 'CALL code_interpreter {"code": "print(6 * 7)"}'
    answer = said(asked, tools=tools)
    assert [block.type for block in answer.content] == ["server_tool_use", "code_execution_tool_result", "text"]
    assert "42" in answer.content[1].content.stdout
    with client.messages.stream(model=SCRIPTED, max_tokens=100, messages=user(asked), tools=tools) as stream:
        whole = stream.get_final_message()
    assert whole.content[0].input == {"code": "print(6 * 7)"}
    assert whole.content[1].content == answer.content[1].content
    later = [*user(asked), {"role": "assistant", "content": answer.content}, *user("SAY done")]
    answer = client.messages.create(model=SCRIPTED, max_tokens=100, messages=later, tools=tools)
    assert answer.content[-1].text == "done"


@check("messages.output_format")
def _():
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    answer = said("A city", output_config={"format": {"type": "json_schema", "schema": schema}})
    assert "city" in json.loads(answer.content[0].text)


@check("messages.parse")
def _():
    class City(BaseModel):
        name: str
        people: int

    answer = client.messages.parse(model=SCRIPTED, max_tokens=100, messages=user("A city"), output_format=City)
    assert answer.parsed_output.people == 7


@check("messages.effort")
def _():
    assert said("SAY yes", output_config={"effort": "low"}).content[0].text == "yes"


@check("messages.thinking_budget")
def _():
    answer = said("SAY yes", max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
    assert answer.content[-1].text == "yes"


@check("messages.thinking_adaptive")
def _():
    assert said("SAY yes", thinking={"type": "adaptive"}).content[-1].text == "yes"


@check("messages.hints")
def _():
    answer = said("SAY yes", metadata={"user_id": "ada"}, service_tier="auto")
    assert answer.content[0].text == "yes"


@check("messages.inference_geo")
def _():
    assert said("SAY yes", inference_geo="global").content[0].text == "yes"
    honoured_or_refused("inference_geo", lambda: said("SAY yes", inference_geo="us"), anthropic.BadRequestError)


@check("messages.top_level_cache_control")
def _():
    assert said("SAY yes", cache_control={"type": "ephemeral"}).content[0].text == "yes"


@check("messages.beta")
def _():
    answer = client.beta.messages.create(
        model=SCRIPTED, max_tokens=100, messages=user("SAY yes"), betas=["interleaved-thinking-2025-05-14"]
    )
    assert answer.content[0].text == "yes"


@check("messages.beta_context_management")
def _():
    edits = [{"type": "clear_tool_uses_20250919"}]
    answer = client.beta.messages.create(
        model=SCRIPTED,
        max_tokens=100,
        messages=user("SAY yes"),
        betas=["context-management-2025-06-27"],
        context_management={"edits": edits},
    )
    assert answer.content[0].text == "yes"


@check("messages.beta_tool_runner")
def _():
    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """The weather of a city.

        Args:
            city: its name
        """
        return f"sunny in {city}"

    runner = client.beta.messages.tool_runner(model=SCRIPTED, max_tokens=100, messages=user(PARIS), tools=[get_weather])
    assert runner.until_done().content[0].text == "The tools said: sunny in Paris"


@check("messages.document_text")
def _():
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Tea is green."}}
    assert said([document, {"type": "text", "text": "SAY yes"}]).content[0].text == "yes"


@check("messages.search_result")
def _():
    block = {
        "type": "search_result",
        "source": "https://example.com",
        "title": "Tea",
        "content": [{"type": "text", "text": "Tea is green."}],
    }
    assert said([block, {"type": "text", "text": "SAY yes"}]).content[0].text == "yes"


@check("messages.image")
def _():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    refused("image", lambda: said([image], model=SMALL), anthropic.BadRequestError)


@check("messages.count_tokens")
def _():
    counted = client.messages.count_tokens(model=SMALL, messages=user("hello"), tools=[WEATHER], system="Be brief.")
    assert counted.input_tokens > 10


@check("messages.count_tokens_beyond_window")
def _():
    assert client.messages.count_tokens(model=SMALL, messages=user("word " * 20_000)).input_tokens > 20_000


@check("messages.batches")
def _():
    params = {"model": SCRIPTED, "max_tokens": 50, "messages": user("SAY yes")}
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    import time

    for _ in range(120):
        batch = client.messages.batches.retrieve(batch.id)
        if batch.processing_status == "ended":
            break
        time.sleep(0.5)
    (result,) = client.messages.batches.results(batch.id)
    assert result.result.message.content[0].text == "yes"
    assert any(one.id == batch.id for one in client.messages.batches.list())


@check("messages.batches_cancel")
def _():
    params = {"model": SCRIPTED, "max_tokens": 50, "messages": user("SAY yes")}
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    assert client.messages.batches.cancel(batch.id).processing_status in ("canceling", "ended")


@check("anthropic.models")
def _():
    models = {model.id: model for model in client.models.list()}
    assert models[SMALL].type == "model"
    assert models[SMALL].display_name
    assert client.models.retrieve(SMALL).created_at


@check("anthropic.errors_bad_request")
def _():
    error = raises(anthropic.BadRequestError, lambda: said("hello", extra_body={"temperature": 9}))
    assert error.body["error"]["type"] == "invalid_request_error"
    assert error.request_id


@check("anthropic.errors_unknown_model")
def _():
    error = raises(anthropic.NotFoundError, lambda: said("hello", model="nothing"))
    assert error.body["error"]["type"] == "not_found_error"


@check("anthropic.errors_authentication")
def _():
    other = anthropic.Anthropic(base_url=URL, api_key="ms-wrong", max_retries=0)
    raises(
        anthropic.AuthenticationError,
        lambda: other.messages.create(model=SCRIPTED, max_tokens=5, messages=user("hello")),
    )


@check("anthropic.errors_too_long")
def _():
    error = raises(anthropic.BadRequestError, lambda: said("word " * 20_000, model=SMALL))
    assert "prompt is too long" in str(error)


@check("anthropic.auth_token")
def _():
    other = anthropic.Anthropic(base_url=URL, auth_token=KEY, api_key=None, max_retries=0)
    assert other.messages.create(model=SCRIPTED, max_tokens=5, messages=user("SAY yes")).content[0].text == "yes"


@check("anthropic.async_stream")
async def _():
    other = anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0)
    async with other.messages.stream(model=SCRIPTED, max_tokens=9, messages=user("SAY one two")) as stream:
        assert "".join([text async for text in stream.text_stream]) == "one two"


if __name__ == "__main__":
    run("Anthropic (Python)", "anthropic")

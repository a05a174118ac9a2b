"""The official Python client of OpenAI: responses and conversations."""

import json
import time
from typing import Literal

import openai
from checks import BASE, BOTH, COLLECTION, KEY, PARIS, QUESTION, SCRIPTED, SMALL, check, raises, refused, run
from pydantic import BaseModel

client = openai.OpenAI(base_url=BASE, api_key=KEY, max_retries=0, timeout=120)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
FLAT = {"type": "function", "strict": False, **WEATHER["function"]}


class Step(BaseModel):
    explanation: str
    output: str


class Event(BaseModel):
    name: str
    kind: Literal["talk", "party"]
    count: int
    steps: list[Step]
    note: str | None = None


def responded(asked, **more):
    return client.responses.create(**{"model": SCRIPTED, "input": asked} | more)


@check("responses.create")
def _():
    answer = responded("SAY Good morning.")
    assert answer.output_text == "Good morning."
    assert answer.status == "completed"
    assert answer.id.startswith("resp_")
    assert answer.output[0].id.startswith("msg_")
    assert answer.usage.input_tokens_details.cached_tokens >= 0


@check("responses.instructions_and_items")
def _():
    items = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "SAY yes"}]},
    ]
    assert responded(items, instructions="Be brief.").output_text == "yes"


@check("responses.stream")
def _():
    kinds = [event.type for event in responded("SAY one two", stream=True)]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert {"response.output_item.added", "response.content_part.added", "response.output_text.delta"} <= set(kinds)


@check("responses.stream_helper")
def _():
    with client.responses.stream(model=SCRIPTED, input="SAY one two") as stream:
        for _event in stream:
            pass
        assert stream.get_final_response().output_text == "one two"


@check("responses.tools")
def _():
    answer = responded(BOTH, tools=[FLAT])
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    assert calls[0].id.startswith("fc_")


@check("responses.tools_round_trip")
def _():
    first = responded(PARIS, tools=[FLAT])
    call = first.output[0]
    items = [{"role": "user", "content": PARIS}, *first.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    assert responded(items, tools=[FLAT]).output_text == "The tools said: sunny"


@check("responses.tools_previous")
def _():
    first = responded(PARIS, tools=[FLAT])
    result = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "sunny"}
    then = responded([result], tools=[FLAT], previous_response_id=first.id)
    assert then.output_text == "The tools said: sunny"


@check("responses.tools_streamed")
def _():
    events = list(responded(BOTH, tools=[FLAT], stream=True))
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert [json.loads(event.arguments)["city"] for event in done] == ["Paris", "Rome"]


@check("responses.tools_required")
def _():
    assert responded("hello", tools=[FLAT], tool_choice="required").output[0].type == "function_call"


@check("responses.allowed_tools")
def _():
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]}
    assert responded(PARIS, tools=[FLAT], tool_choice=choice).output[0].type == "function_call"


@check("responses.custom_tool")
def _():
    answer = responded(
        'CALL shout {"input": "text"}', tools=[{"type": "custom", "name": "shout", "description": "Shouts"}]
    )
    assert answer.output[0].type == "custom_tool_call"


@check("responses.previous")
def _():
    first = responded("My name is Ada.")
    then = responded("Who am I?", previous_response_id=first.id)
    assert "read 3 messages" in then.output_text
    assert then.previous_response_id == first.id


@check("responses.conversation")
def _():
    conversation = client.conversations.create(metadata={"a": "b"})
    responded("My name is Ada.", conversation=conversation.id)
    then = responded("Who am I?", conversation={"id": conversation.id})
    assert "read 3 messages" in then.output_text
    assert len(list(client.conversations.items.list(conversation.id))) == 4


@check("conversations.lifecycle")
def _():
    made = client.conversations.create(items=[{"type": "message", "role": "user", "content": "Hello"}])
    assert client.conversations.retrieve(made.id).id == made.id
    assert client.conversations.update(made.id, metadata={"a": "c"}).metadata == {"a": "c"}
    added = client.conversations.items.create(
        made.id, items=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "More"}]}]
    )
    item = added.data[0].id
    assert client.conversations.items.retrieve(item, conversation_id=made.id)
    client.conversations.items.delete(item, conversation_id=made.id)
    assert client.conversations.delete(made.id).deleted


@check("responses.retrieve_and_delete")
def _():
    made = responded("SAY kept")
    assert client.responses.retrieve(made.id).output_text == "kept"
    assert list(client.responses.input_items.list(made.id))
    client.responses.delete(made.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(made.id))


@check("responses.retrieve_stream")
def _():
    made = responded("SAY kept", background=True)
    events = list(client.responses.retrieve(made.id, stream=True))
    assert events[-1].type == "response.completed"


@check("responses.background")
def _():
    made = responded("SAY later", background=True)
    assert made.status in ("queued", "in_progress", "completed")
    for _ in range(60):
        made = client.responses.retrieve(made.id)
        if made.status == "completed":
            break
        time.sleep(0.2)
    assert made.output_text == "later"


@check("responses.cancel")
def _():
    made = responded("SAY " + "word " * 5000, background=True)
    assert client.responses.cancel(made.id).status in ("cancelled", "completed")


@check("responses.structured")
def _():
    answer = client.responses.parse(model=SCRIPTED, input="An event", text_format=Event)
    assert answer.output_parsed.kind == "talk"


@check("responses.hints")
def _():
    answer = responded(
        "SAY yes",
        metadata={"a": "b"},
        user="ada",
        safety_identifier="ada",
        prompt_cache_key="k",
        service_tier="auto",
        include=["reasoning.encrypted_content"],
        text={"verbosity": "low"},
        reasoning={"effort": "low", "summary": "auto"},
        truncation="auto",
        max_tool_calls=3,
        store=False,
    )
    assert answer.output_text == "yes"


@check("responses.logprobs")
def _():
    answer = responded("SAY yes", include=["message.output_text.logprobs"], top_logprobs=2)
    assert answer.output[0].content[0].logprobs[0].top_logprobs


@check("responses.file_search")
def _():
    store = next(one for one in client.vector_stores.list() if one.name == COLLECTION)
    answer = responded(
        QUESTION, tools=[{"type": "file_search", "vector_store_ids": [store.id]}], include=["file_search_call.results"]
    )
    assert any(item.type == "file_search_call" for item in answer.output)


@check("responses.collection_citations")
def _():
    answer = responded(QUESTION, model=COLLECTION)
    cited = answer.output[-1].content[0].annotations[0]
    assert cited.type == "file_citation"
    assert client.files.content(cited.file_id).content


@check("responses.web_search")
def _():
    refused("web_search", lambda: responded("hello", tools=[{"type": "web_search"}]), openai.BadRequestError)


@check("responses.code_interpreter")
def _():
    asked = {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}
    question = 'CALL code_interpreter {"code": "print(6 * 7)"}'
    answer = responded(question, include=["code_interpreter_call.outputs"], **asked)
    assert [item.type for item in answer.output] == ["code_interpreter_call", "message"]
    assert answer.output[0].outputs[0].logs == "42\n"
    kinds = [event.type for event in responded(question, stream=True, **asked)]
    assert "response.code_interpreter_call_code.done" in kinds
    assert kinds[-1] == "response.completed"
    again = responded("SAY done", previous_response_id=answer.id)
    assert again.output_text == "done"


@check("responses.mcp")
def _():
    tool = {"type": "mcp", "server_label": "here", "server_url": "http://127.0.0.1:9/mcp"}
    refused("public", lambda: responded("hello", tools=[tool]), openai.APIStatusError)


@check("responses.input_tokens")
def _():
    assert client.responses.input_tokens.count(model=SMALL, input="hello").input_tokens > 0


@check("responses.compact")
def _():
    assert client.responses.compact(model=SCRIPTED, input=[{"role": "user", "content": "SAY short"}]).output


@check("responses.item_reference")
def _():
    first = responded("My name is Ada.")
    items = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Who am I?"}]
    assert "read 2 messages" in responded(items).output_text


if __name__ == "__main__":
    run("openai (Python)", "openai")

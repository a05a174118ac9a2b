"""The official Python client of OpenAI: chat completions and errors."""

import json
import time
from typing import Literal

import openai
from checks import (
    BASE,
    BOTH,
    COLLECTION,
    KEY,
    PARIS,
    QUESTION,
    SCRIPTED,
    SMALL,
    check,
    honoured_or_refused,
    raises,
    refused,
    run,
)
from pydantic import BaseModel, Field

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


class Short(BaseModel):
    name: str = Field(max_length=20)
    large: bool


class Event(BaseModel):
    name: str
    kind: Literal["talk", "party"]
    count: int
    steps: list[Step]
    note: str | None = None


def said(text, model=SCRIPTED, **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


@check("chat.create")
def _():
    answer = said("SAY Good morning.")
    assert answer.choices[0].message.content == "Good morning."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@check("chat.request_id")
def _():
    assert said("hello")._request_id


@check("chat.small_model")
def _():
    assert said("What is the capital of France?", SMALL, max_tokens=20).choices[0].message.content


@check("chat.collection")
def _():
    assert "9 months" in said(QUESTION, COLLECTION).choices[0].message.content


@check("chat.roles")
def _():
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello", "name": "ada"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": [{"type": "text", "text": "How are "}, {"type": "text", "text": "you?"}]},
    ]
    answer = client.chat.completions.create(model=SCRIPTED, messages=messages)
    assert "you?" in answer.choices[0].message.content


@check("chat.stream")
def _():
    chunks = list(said("SAY one two three", stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    assert chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 3


@check("chat.stream_helper")
def _():
    with client.chat.completions.stream(
        model=SCRIPTED, messages=[{"role": "user", "content": "SAY one two three"}]
    ) as stream:
        kinds = [event.type for event in stream]
        assert "content.delta" in kinds
        assert stream.get_final_completion().choices[0].message.content == "one two three"


@check("chat.raw_response")
def _():
    raw = client.chat.completions.with_raw_response.create(
        model=SCRIPTED, messages=[{"role": "user", "content": "hello"}]
    )
    assert raw.headers["x-request-id"]
    assert raw.parse().choices


@check("chat.sampling")
def _():
    answer = said("hello", SMALL, max_completion_tokens=8, temperature=0.5, top_p=0.9, seed=7, stop=["\n\n"], n=2)
    assert len(answer.choices) == 2


@check("chat.penalties")
def _():
    assert said("hello", SMALL, max_tokens=8, presence_penalty=0.1, frequency_penalty=0.1).choices


@check("chat.logprobs")
def _():
    answer = said("hello", SCRIPTED, max_tokens=4, logprobs=True, top_logprobs=2)
    assert len(answer.choices[0].logprobs.content[0].top_logprobs) == 2


@check("chat.hints")
def _():
    answer = said(
        "SAY yes",
        metadata={"run": "1"},
        store=False,
        user="ada",
        safety_identifier="ada",
        prompt_cache_key="k",
        service_tier="auto",
        verbosity="low",
        modalities=["text"],
    )
    assert answer.choices[0].message.content == "yes"


@check("chat.reasoning_effort")
def _():
    assert said("SAY yes", reasoning_effort="low").choices[0].message.content == "yes"


@check("chat.prediction")
def _():
    assert said("SAY yes", prediction={"type": "content", "content": "yes"}).choices[0].message.content == "yes"


@check("chat.nulls")
def _():
    answer = said("SAY yes", extra_body={"tools": None, "stop": None, "response_format": None, "logit_bias": None})
    assert answer.choices[0].message.content == "yes"


@check("chat.logit_bias")
def _():
    honoured_or_refused(
        "logit_bias", lambda: said("hello", SMALL, max_tokens=4, logit_bias={"15": -100}), openai.BadRequestError
    )


@check("chat.audio_output")
def _():
    refused(
        "modalities",
        lambda: said("hello", modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
        openai.BadRequestError,
    )


@check("chat.image")
def _():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    refused(
        "image",
        lambda: client.chat.completions.create(model=SMALL, messages=[{"role": "user", "content": [image]}]),
        openai.BadRequestError,
    )


@check("chat.image_for_a_model_that_sees")
def _():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
    text = {"type": "text", "text": "SAY a cat END"}
    assert said([image, text]).choices[0].message.content == "a cat"


@check("chat.extra_body")
def _():
    assert said("hello", SMALL, max_tokens=4, extra_body={"top_k": 5, "min_p": 0.1}).choices


@check("chat.no_max_tokens")
def _():
    assert said("SAY " + "word " * 3000).choices[0].finish_reason == "stop"


@check("chat.large_max_tokens")
def _():
    assert said("SAY yes", max_tokens=32000).choices[0].message.content == "yes"


@check("chat.stored")
def _():
    answer = said("SAY kept", store=True, metadata={"kept": "yes"})
    assert client.chat.completions.retrieve(answer.id).id == answer.id
    assert any(one.id == answer.id for one in client.chat.completions.list(metadata={"kept": "yes"}))
    assert list(client.chat.completions.messages.list(answer.id))
    client.chat.completions.update(answer.id, metadata={"kept": "no"})
    assert client.chat.completions.delete(answer.id).deleted


# --- tools of chat completions


@check("tools.auto")
def _():
    answer = said(PARIS, tools=[WEATHER])
    call = answer.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.id


@check("tools.parallel")
def _():
    calls = said(BOTH, tools=[WEATHER], parallel_tool_calls=True).choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]


@check("tools.not_parallel")
def _():
    assert len(said(BOTH, tools=[WEATHER], parallel_tool_calls=False).choices[0].message.tool_calls) == 1


@check("tools.round_trip")
def _():
    messages = [{"role": "user", "content": BOTH}]
    first = client.chat.completions.create(model=SCRIPTED, messages=messages, tools=[WEATHER]).choices[0].message
    messages.append(first)
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in first.tool_calls]
    then = client.chat.completions.create(model=SCRIPTED, messages=messages, tools=[WEATHER])
    assert then.choices[0].message.content == "The tools said: sunny; sunny"


@check("tools.streamed")
def _():
    arguments = {}
    for chunk in said(BOTH, tools=[WEATHER], stream=True):
        for part in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
            arguments[part.index] = arguments.get(part.index, "") + (part.function.arguments or "")
    assert [json.loads(text)["city"] for text in arguments.values()] == ["Paris", "Rome"]


@check("tools.stream_helper")
def _():
    strict = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
    strict["function"]["parameters"] = {**strict["function"]["parameters"], "additionalProperties": False}
    messages = [{"role": "user", "content": PARIS}]
    with client.chat.completions.stream(model=SCRIPTED, messages=messages, tools=[strict]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    assert final.choices[0].message.tool_calls[0].function.parsed_arguments == {"city": "Paris"}


@check("tools.required_small_model")
def _():
    call = said("The weather of Paris, please", SMALL, tools=[WEATHER], tool_choice="required", max_tokens=60)
    assert "city" in json.loads(call.choices[0].message.tool_calls[0].function.arguments)


@check("tools.named")
def _():
    other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}
    choice = {"type": "function", "function": {"name": "get_weather"}}
    call = said("hello", tools=[other, WEATHER], tool_choice=choice).choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"


@check("tools.none")
def _():
    assert not said(PARIS, tools=[WEATHER], tool_choice="none").choices[0].message.tool_calls


@check("tools.no_parameters")
def _():
    tool = {"type": "function", "function": {"name": "now", "description": "The time"}}
    assert said("CALL now {}", tools=[tool]).choices[0].message.tool_calls[0].function.name == "now"


@check("tools.allowed_tools")
def _():
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]},
    }
    assert said(PARIS, tools=[WEATHER], tool_choice=choice).choices[0].message.tool_calls


@check("tools.pydantic_function_tool")
def _():
    class GetWeather(BaseModel):
        city: str

    answer = client.chat.completions.parse(
        model=SCRIPTED,
        messages=[{"role": "user", "content": 'CALL GetWeather {"city": "Paris"}'}],
        tools=[openai.pydantic_function_tool(GetWeather)],
    )
    assert answer.choices[0].message.tool_calls[0].function.parsed_arguments.city == "Paris"


@check("tools.deprecated_functions")
def _():
    answer = said(PARIS, functions=[WEATHER["function"]], function_call="auto")
    assert json.loads(answer.choices[0].message.function_call.arguments) == {"city": "Paris"}


# --- structured output


@check("structured.parse")
def _():
    answer = client.chat.completions.parse(
        model=SCRIPTED, messages=[{"role": "user", "content": "An event"}], response_format=Event
    )
    assert answer.choices[0].message.parsed.kind == "talk"


@check("structured.parse_small_model")
def _():
    answer = client.chat.completions.parse(
        model=SMALL, messages=[{"role": "user", "content": "A city"}], response_format=Short, max_tokens=200
    )
    assert answer.choices[0].message.parsed.name is not None


@check("structured.json_object")
def _():
    answer = said("Answer in JSON", SMALL, response_format={"type": "json_object"}, max_tokens=60)
    assert answer.choices[0].finish_reason == "length" or isinstance(
        json.loads(answer.choices[0].message.content), dict
    )


@check("structured.streamed")
def _():
    with client.chat.completions.stream(
        model=SCRIPTED, messages=[{"role": "user", "content": "An event"}], response_format=Event
    ) as stream:
        for _event in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed.count


@check("structured.common_types")
def _():
    import datetime
    import enum
    import uuid

    class Colour(enum.Enum):
        RED = "red"

    class Common(BaseModel):
        id: uuid.UUID
        at: datetime.datetime
        day: datetime.date
        span: datetime.timedelta
        colour: Colour
        ratio: float
        pair: tuple[int, str]
        either: int | str

    answer = client.chat.completions.parse(
        model=SCRIPTED, messages=[{"role": "user", "content": "One"}], response_format=Common
    )
    assert answer.choices[0].message.parsed.colour is Colour.RED


@check("errors.bad_request")
def _():
    error = raises(openai.BadRequestError, lambda: said("hello", temperature=9))
    assert error.param == "temperature"
    assert error.code
    assert error.request_id


@check("errors.unknown_model")
def _():
    error = raises(openai.NotFoundError, lambda: said("hello", "nothing"))
    assert error.code == "model_not_found"


@check("errors.authentication")
def _():
    other = openai.OpenAI(base_url=BASE, api_key="ms-wrong", max_retries=0)
    assert raises(openai.AuthenticationError, other.models.list).code == "invalid_api_key"


@check("errors.context_length")
def _():
    error = raises(openai.BadRequestError, lambda: said("word " * 20_000, SMALL))
    assert error.code == "context_length_exceeded"
    assert "maximum context length is" in str(error)


@check("errors.not_found")
def _():
    raises(openai.NotFoundError, lambda: client.files.retrieve("file-nothing"))


@check("errors.unknown_field")
def _():
    refused("temprature", lambda: said("hello", extra_body={"temprature": 1}), openai.BadRequestError)


@check("errors.idempotency_header")
def _():
    answer = said("hello", extra_headers={"Idempotency-Key": f"k-{time.time_ns()}"})
    assert answer.choices


@check("async.chat_and_stream")
async def _():
    async with openai.AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0) as other:
        stream = await other.chat.completions.create(
            model=SCRIPTED, messages=[{"role": "user", "content": "SAY one two"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == "one two"


if __name__ == "__main__":
    run("openai (Python)", "openai")

"""LangChain: ``langchain-openai`` over chat completions and over responses, ``langchain-anthropic``, agents."""

import json
from contextlib import contextmanager
from typing import Literal

from checks import (
    BASE,
    BOTH,
    COLLECTION,
    EMBEDDER,
    KEY,
    PARIS,
    QUESTION,
    SCRIPTED,
    SMALL,
    URL,
    Skipped,
    check,
    raises,
    run,
)
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field
from requests.exceptions import ConnectionError as NoNetwork


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


class Event(BaseModel):
    """An event."""

    name: str = Field(description="its name")
    count: int
    kind: Literal["talk", "party"]
    note: str | None = None


def openai(model=SCRIPTED, **more):
    return ChatOpenAI(model=model, base_url=BASE, api_key=KEY, max_retries=0, **more)


def responses(model=SCRIPTED, **more):
    return openai(model, use_responses_api=True, **more)


def anthropic(model=SCRIPTED, **more):
    return ChatAnthropic(model=model, base_url=URL, api_key=KEY, max_retries=0, **more)


@contextmanager
def unless_offline():
    """The client fetches OpenAI's vocabulary from OpenAI."""
    try:
        yield
    except NoNetwork as error:
        raise Skipped("the client cannot fetch OpenAI's vocabulary here") from error


CHATS = {"openai": openai, "responses": responses, "anthropic": anthropic}


@check("invoke", CHATS)
def _(made):
    answer = made().invoke([SystemMessage("Be brief."), HumanMessage("SAY Good morning.")])
    assert answer.text == "Good morning."
    assert answer.usage_metadata["output_tokens"] > 0


@check("stream", CHATS)
def _(made):
    assert "".join(chunk.text for chunk in made().stream("SAY one two")) == "one two"


@check("ainvoke_and_astream", CHATS)
async def _(made):
    assert (await made().ainvoke("SAY yes")).text == "yes"
    assert "".join([chunk.text async for chunk in made().astream("SAY one two")]) == "one two"


@check("batch", CHATS)
def _(made):
    assert [answer.text for answer in made().batch(["SAY a", "SAY b"])] == ["a", "b"]


@check("tools_parallel", CHATS)
def _(made):
    calls = made().bind_tools([get_weather]).invoke(BOTH).tool_calls
    assert [call["args"]["city"] for call in calls] == ["Paris", "Rome"]


@check("tools_streamed", CHATS)
def _(made):
    whole = None
    for chunk in made().bind_tools([get_weather]).stream(BOTH):
        whole = chunk if whole is None else whole + chunk
    assert [call["args"]["city"] for call in whole.tool_calls] == ["Paris", "Rome"]


@check("tools_round_trip", CHATS)
def _(made):
    bound = made().bind_tools([get_weather])
    first = bound.invoke(PARIS)
    result = ToolMessage("sunny", tool_call_id=first.tool_calls[0]["id"])
    assert bound.invoke([HumanMessage(PARIS), first, result]).text == "The tools said: sunny"


@check("tool_choice_any", CHATS)
def _(made):
    assert made().bind_tools([get_weather], tool_choice="any").invoke("hello").tool_calls


@check("tool_choice_named", CHATS)
def _(made):
    assert made().bind_tools([get_weather], tool_choice="get_weather").invoke("hello").tool_calls


@check("tools_strict", CHATS)
def _(made):
    assert made().bind_tools([get_weather], strict=True).invoke(PARIS).tool_calls


@check("structured_json_schema", CHATS)
def _(made):
    assert made().with_structured_output(Event, method="json_schema").invoke("An event").kind == "talk"


@check("structured_function_calling", CHATS)
def _(made):
    assert made().with_structured_output(Event, method="function_calling").invoke("An event").kind == "talk"


@check("structured_default", CHATS)
def _(made):
    assert made().with_structured_output(Event).invoke("An event").kind == "talk"


@check("small_model", CHATS)
def _(made):
    assert made(SMALL, temperature=0.2, max_tokens=10).invoke("hello").text


@check("collection", CHATS)
def _(made):
    assert "9 months" in made(COLLECTION).invoke(QUESTION).text


@check("agent", CHATS)
def _(made):
    agent = create_agent(made(), [get_weather], system_prompt="Be brief.")
    said = agent.invoke({"messages": [{"role": "user", "content": BOTH}]})["messages"]
    assert said[-1].text == "The tools said: sunny in Paris; sunny in Rome"


@check("agent_streamed", CHATS)
def _(made):
    agent = create_agent(made(), [get_weather])
    parts = list(agent.stream({"messages": [{"role": "user", "content": PARIS}]}, stream_mode="messages"))
    assert "sunny in Paris" in "".join(part.text for part, _ in parts if isinstance(part, AIMessage))


@check("agent_response_format", CHATS)
def _(made):
    agent = create_agent(made(), [get_weather], response_format=Event)
    ended = agent.invoke({"messages": [{"role": "user", "content": PARIS}]})
    assert ended["structured_response"].kind == "talk"


@check("context_overflow", CHATS)
def _(made):
    raises(ContextOverflowError, lambda: made(SMALL).invoke("word " * 20_000))


@check("count_tokens", CHATS)
def _(made):
    with unless_offline():
        assert made(SMALL).get_num_tokens_from_messages([HumanMessage("hello")]) > 0


@check("openai.logprobs")
def _():
    answer = openai(logprobs=True, top_logprobs=2).invoke("SAY yes")
    assert answer.response_metadata["logprobs"]["content"]


@check("openai.json_mode")
def _():
    answer = openai().bind(response_format={"type": "json_object"}).invoke("Answer in JSON: SAY {}")
    assert isinstance(json.loads(answer.text), dict)


@check("openai.stream_usage")
def _():
    assert any(chunk.usage_metadata for chunk in openai(stream_usage=True).stream("SAY one two"))


@check("openai.reasoning_effort")
def _():
    assert openai(reasoning_effort="low").invoke("SAY yes").text == "yes"


@check("openai.multi_part_content")
def _():
    assert openai().invoke([HumanMessage([{"type": "text", "text": "SAY yes"}])]).text == "yes"


@check("responses.previous_response_id")
def _():
    chat = responses(use_previous_response_id=True)
    first = chat.invoke("My name is Ada.")
    assert "read 3 messages" in chat.invoke([HumanMessage("My name is Ada."), first, HumanMessage("Who?")]).text


@check("embeddings.documents")
def _():
    # By default it sends tokens of OpenAI's vocabulary.
    made = OpenAIEmbeddings(model=EMBEDDER, base_url=BASE, api_key=KEY, check_embedding_ctx_length=False)
    assert len(made.embed_documents(["one", "two"])[0]) == 384
    assert made.embed_query("one")


@check("embeddings.default_tokens")
def _():
    with unless_offline():
        assert OpenAIEmbeddings(model=EMBEDDER, base_url=BASE, api_key=KEY).embed_query("one")


@check("completions.invoke")
def _():
    assert OpenAI(model=SMALL, base_url=BASE, api_key=KEY, max_tokens=5).invoke("Once upon")


if __name__ == "__main__":
    run("LangChain", "langchain", "langchain-openai", "langchain-anthropic")

"""Haystack: generators over chat completions, responses and messages, embedders, a pipeline and an agent."""

import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["ANTHROPIC_BASE_URL"] = os.environ.get("CLIENTS_URL", "")

from checks import BASE, BOTH, COLLECTION, EMBEDDER, KEY, PARIS, QUESTION, SCRIPTED, SMALL, check, run
from haystack import Document, Pipeline
from haystack.components.agents import Agent
from haystack.components.builders import ChatPromptBuilder
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator, OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool
from haystack.utils import Secret
from haystack_integrations.components.generators.anthropic import AnthropicChatGenerator
from pydantic import BaseModel


class Event(BaseModel):
    name: str
    count: int


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat(name=SCRIPTED, **more):
    return OpenAIChatGenerator(Secret.from_token(KEY), name, api_base_url=BASE, max_retries=0, **more)


def responses(name=SCRIPTED, **more):
    return OpenAIResponsesChatGenerator(
        api_key=Secret.from_token(KEY), model=name, api_base_url=BASE, max_retries=0, **more
    )


def messages(name=SCRIPTED, **more):
    return AnthropicChatGenerator(Secret.from_token(KEY), name, max_retries=0, **more)


GENERATORS = {"chat": chat, "responses": responses, "messages": messages}
OPENAI = {"chat": chat, "responses": responses}


def user(text):
    return [ChatMessage.from_system("Be brief."), ChatMessage.from_user(text)]


@check("run", GENERATORS)
def _(made):
    reply = made().run(user("SAY yes"))["replies"][0]
    assert reply.text == "yes"
    assert reply.meta["usage"]


@check("streaming_callback", GENERATORS)
def _(made):
    parts = []
    made(streaming_callback=lambda chunk: parts.append(chunk.content)).run(user("SAY one two"))
    assert "".join(parts) == "one two"


@check("tools", GENERATORS)
def _(made):
    calls = made(tools=[get_weather]).run(user(BOTH))["replies"][0].tool_calls
    assert [call.arguments["city"] for call in calls] == ["Paris", "Rome"]


@check("tools_streamed", GENERATORS)
def _(made):
    generator = made(tools=[get_weather], streaming_callback=lambda _chunk: None)
    assert generator.run(user(PARIS))["replies"][0].tool_calls[0].arguments == {"city": "Paris"}


@check("agent", GENERATORS)
def _(made):
    ended = Agent(chat_generator=made(), tools=[get_weather]).run(messages=[ChatMessage.from_user(PARIS)])
    assert "sunny in Paris" in ended["last_message"].text


@check("small_model", GENERATORS)
def _(made):
    named = "max_output_tokens" if made is responses else "max_tokens"
    # The newest client of Anthropic has no argument for the temperature.
    warm = {} if made is messages else {"temperature": 0.2}
    assert made(SMALL, generation_kwargs={named: 20, **warm}).run(user("hello"))["replies"][0].text


@check("collection", GENERATORS)
def _(made):
    assert "9 months" in made(COLLECTION).run(user(QUESTION))["replies"][0].text


@check("structured", OPENAI)
def _(made):
    named = "text_format" if made is responses else "response_format"
    reply = made(generation_kwargs={named: Event}).run(user("An event"))["replies"][0]
    assert Event.model_validate_json(reply.text).count == 7


@check("tools_strict", OPENAI)
def _(made):
    assert made(tools=[get_weather], tools_strict=True).run(user(PARIS))["replies"][0].tool_calls


@check("pipeline.prompt_builder")
def _():
    pipeline = Pipeline()
    pipeline.add_component("prompt", ChatPromptBuilder(template=[ChatMessage.from_user("SAY {{ word }}")]))
    pipeline.add_component("llm", chat())
    pipeline.connect("prompt.prompt", "llm.messages")
    assert pipeline.run({"prompt": {"word": "yes"}})["llm"]["replies"][0].text == "yes"


@check("embedders.text_and_documents")
def _():
    shape = {"api_key": Secret.from_token(KEY), "model": EMBEDDER, "api_base_url": BASE}
    assert len(OpenAITextEmbedder(**shape).run("one")["embedding"]) == 384
    embedder = OpenAIDocumentEmbedder(**shape, progress_bar=False)
    assert embedder.run([Document(content="one")])["documents"][0].embedding


@check("chat.async")
async def _():
    assert (await chat().run_async(user("SAY yes")))["replies"][0].text == "yes"


if __name__ == "__main__":
    run("Haystack", "haystack-ai", "anthropic-haystack", "openai")

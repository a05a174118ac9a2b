"""pydantic-ai: agents over chat completions, responses and messages."""

from checks import BASE, BOTH, COLLECTION, EMBEDDER, KEY, PARIS, QUESTION, SCRIPTED, SMALL, URL, check, run
from pydantic import BaseModel
from pydantic_ai import Agent, Embedder, ModelHTTPError, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Event(BaseModel):
    name: str
    count: int
    note: str | None = None


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def chat(name=SCRIPTED):
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=BASE, api_key=KEY))


def responses(name=SCRIPTED):
    return OpenAIResponsesModel(name, provider=OpenAIProvider(base_url=BASE, api_key=KEY))


def messages(name=SCRIPTED):
    return AnthropicModel(name, provider=AnthropicProvider(base_url=URL, api_key=KEY))


MODELS = {"chat": chat, "responses": responses, "messages": messages}


@check("run", MODELS)
async def _(model):
    ended = await Agent(model(), instructions="Be brief.").run("SAY yes")
    assert ended.output == "yes"
    assert ended.usage.output_tokens > 0


@check("stream", MODELS)
async def _(model):
    async with Agent(model()).run_stream("SAY one two") as stream:
        assert "".join([part async for part in stream.stream_text(delta=True)]) == "one two"


@check("tools", MODELS)
async def _(model):
    assert "sunny in Paris; sunny in Rome" in (await Agent(model(), tools=[get_weather]).run(BOTH)).output


@check("tools_streamed", MODELS)
async def _(model):
    async with Agent(model(), tools=[get_weather]).run_stream(PARIS) as stream:
        assert "sunny in Paris" in await stream.get_output()


@check("output_type", MODELS)
async def _(model):
    assert (await Agent(model(), output_type=Event).run("An event")).output.name


@check("tool_output_with_tools", MODELS)
async def _(model):
    agent = Agent(model(), tools=[get_weather], output_type=ToolOutput(Event))
    assert (await agent.run(PARIS)).output.name


@check("native_output", {"chat": chat, "responses": responses})
async def _(model):
    assert (await Agent(model(), output_type=NativeOutput(Event)).run("An event")).output.name


@check("prompted_output", MODELS)
async def _(model):
    ended = await Agent(model(), output_type=PromptedOutput(Event)).run('SAY {"name": "a", "count": 7}')
    assert ended.output.count == 7


@check("history", MODELS)
async def _(model):
    agent = Agent(model())
    first = await agent.run("My name is Ada.")
    then = await agent.run("Who am I?", message_history=first.all_messages())
    assert "read 3 messages" in then.output


@check("settings_small_model", MODELS)
async def _(model):
    settings = {"temperature": 0.2, "max_tokens": 20, "top_p": 0.9, "timeout": 60}
    assert (await Agent(model(SMALL), model_settings=settings).run("hello")).output


@check("collection", MODELS)
async def _(model):
    assert "9 months" in (await Agent(model(COLLECTION)).run(QUESTION)).output


@check("error", MODELS)
async def _(model):
    status = 0
    try:
        await Agent(model("nothing")).run("hello")
    except ModelHTTPError as error:
        status = error.status_code
    assert status == 404


@check("chat.sync")
def _():
    # It runs a loop of its own, in a thread.
    import threading

    told = []
    thread = threading.Thread(target=lambda: told.append(Agent(chat()).run_sync("SAY yes").output))
    thread.start()
    thread.join(30)
    assert told == ["yes"]


@check("embeddings.query")
async def _():
    made = Embedder(OpenAIEmbeddingModel(EMBEDDER, provider=OpenAIProvider(base_url=BASE, api_key=KEY)))
    assert len((await made.embed_query("one")).embeddings[0]) == 384


if __name__ == "__main__":
    run("pydantic-ai", "pydantic-ai-slim", "openai", "anthropic")

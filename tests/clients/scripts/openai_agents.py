"""The OpenAI Agents SDK, over responses (its default) and over chat completions."""

import asyncio

from agents.exceptions import InputGuardrailTripwireTriggered
from checks import BASE, BOTH, COLLECTION, KEY, PARIS, QUESTION, SCRIPTED, SMALL, check, run
from openai import AsyncOpenAI
from pydantic import BaseModel

from agents import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    Runner,
    SQLiteSession,
    function_tool,
    handoff,
    input_guardrail,
    set_tracing_disabled,
)

set_tracing_disabled(True)


class Event(BaseModel):
    name: str
    count: int
    note: str | None = None


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def client():
    return AsyncOpenAI(base_url=BASE, api_key=KEY, max_retries=0)


def responses(name=SCRIPTED):
    return OpenAIResponsesModel(model=name, openai_client=client())


def chat(name=SCRIPTED):
    return OpenAIChatCompletionsModel(model=name, openai_client=client())


MODELS = {"responses": responses, "chat": chat}


@check("run", MODELS)
async def _(model):
    assert (await Runner.run(Agent("a", "Be brief.", model=model()), "SAY yes")).final_output == "yes"


@check("tools", MODELS)
async def _(model):
    agent = Agent("a", "Be brief.", model=model(), tools=[get_weather])
    assert "sunny in Paris; sunny in Rome" in (await Runner.run(agent, BOTH)).final_output


@check("streamed_tools", MODELS)
async def _(model):
    agent = Agent("a", "Be brief.", model=model(), tools=[get_weather])
    running = Runner.run_streamed(agent, PARIS)
    kinds = {event.type async for event in running.stream_events()}
    assert "sunny in Paris" in running.final_output
    assert {"raw_response_event", "run_item_stream_event"} <= kinds


@check("output_type", MODELS)
async def _(model):
    agent = Agent("a", "Be brief.", model=model(), output_type=Event)
    assert (await Runner.run(agent, "An event")).final_output.count == 7


@check("handoff", MODELS)
async def _(model):
    other = Agent("other", "Be kind.", model=model())
    agent = Agent("a", "Be brief.", model=model(), handoffs=[handoff(other)])
    assert (await Runner.run(agent, "CALL transfer_to_other {}")).last_agent.name == "other"


@check("agent_as_tool", MODELS)
async def _(model):
    inner = Agent("inner", "Be kind.", model=model())
    agent = Agent("a", model=model(), tools=[inner.as_tool("ask_inner", "Asks another agent")])
    ended = await Runner.run(agent, 'CALL ask_inner {"input": "SAY deep"}')
    assert "deep" in ended.final_output


@check("settings", MODELS)
async def _(model):
    settings = ModelSettings(
        temperature=0.3, top_p=0.9, max_tokens=50, parallel_tool_calls=True, store=False, metadata={"a": "b"}
    )
    agent = Agent("a", model=model(), tools=[get_weather], model_settings=settings)
    assert (await Runner.run(agent, "SAY yes")).final_output == "yes"


@check("tool_choice_required", MODELS)
async def _(model):
    settings = ModelSettings(tool_choice="required")
    agent = Agent("a", model=model(), tools=[get_weather], model_settings=settings)
    assert "sunny in" in (await Runner.run(agent, "hello")).final_output


@check("session", MODELS)
async def _(model):
    session = SQLiteSession(f"memory-{model.__name__}")
    agent = Agent("a", model=model())
    await Runner.run(agent, "My name is Ada.", session=session)
    assert "read 3 messages" in (await Runner.run(agent, "Who am I?", session=session)).final_output


@check("to_input_list", MODELS)
async def _(model):
    agent = Agent("a", model=model(), tools=[get_weather])
    first = await Runner.run(agent, PARIS)
    then = await Runner.run(agent, [*first.to_input_list(), {"role": "user", "content": "SAY again"}])
    assert then.final_output == "again"


@check("guardrail", MODELS)
async def _(model):
    @input_guardrail
    async def never(_context, _agent, _input):
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    try:
        await Runner.run(Agent("a", model=model(), input_guardrails=[never]), "hello")
    except InputGuardrailTripwireTriggered:
        return
    raise AssertionError("the guardrail did not trip")


@check("small_model", MODELS)
async def _(model):
    agent = Agent("a", model=model(SMALL), model_settings=ModelSettings(max_tokens=200, temperature=0))
    assert "Paris" in (await Runner.run(agent, "What is the capital of France?")).final_output


@check("collection", MODELS)
async def _(model):
    assert "9 months" in (await Runner.run(Agent("a", model=model(COLLECTION)), QUESTION)).final_output


@check("collection_with_tools", MODELS)
async def _(model):
    agent = Agent("a", "Answer from the documents.", model=model(COLLECTION), tools=[get_weather])
    assert "9 months" in (await Runner.run(agent, QUESTION)).final_output


@check("responses.previous_response_id")
async def _():
    agent = Agent("a", model=responses())
    first = await Runner.run(agent, "My name is Ada.")
    then = await Runner.run(agent, "Who am I?", previous_response_id=first.last_response_id)
    assert "read 3 messages" in then.final_output


@check("responses.conversations_session")
async def _():
    session = OpenAIConversationsSession(openai_client=client())
    agent = Agent("a", model=responses())
    await Runner.run(agent, "My name is Ada.", session=session)
    assert "read 3 messages" in (await Runner.run(agent, "Who am I?", session=session)).final_output


@check("responses.file_search_tool")
async def _():
    from agents import FileSearchTool

    stores = [store async for store in client().vector_stores.list()]
    handbook = next(store.id for store in stores if store.name == COLLECTION)
    agent = Agent("a", model=responses(), tools=[FileSearchTool(vector_store_ids=[handbook], max_num_results=3)])
    assert (await asyncio.wait_for(Runner.run(agent, QUESTION), 60)).final_output


if __name__ == "__main__":
    run("OpenAI Agents SDK", "openai-agents", "openai")

"""smolagents: agents that write code, and agents that call tools."""

from checks import BASE, COLLECTION, KEY, QUESTION, SCRIPTED, SMALL, check, run
from smolagents import ChatMessage, CodeAgent, OpenAIModel, ToolCallingAgent, tool


@tool
def get_weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: its name
    """
    return f"sunny in {city}"


def model(name=SCRIPTED, **more):
    return OpenAIModel(model_id=name, api_base=BASE, api_key=KEY, client_kwargs={"max_retries": 0}, **more)


def user(text):
    return [ChatMessage(role="user", content=[{"type": "text", "text": text}])]


@check("model.generate")
def _():
    assert model().generate(user("SAY yes")).content == "yes"


@check("model.generate_stream")
def _():
    assert "".join(part.content or "" for part in model().generate_stream(user("SAY one two"))) == "one two"


@check("model.flattened")
def _():
    assert model(flatten_messages_as_text=True).generate(user("SAY yes")).content == "yes"


@check("model.small_model")
def _():
    assert model(SMALL, max_tokens=20, temperature=0.2).generate(user("hello")).content


@check("model.collection")
def _():
    assert "9 months" in model(COLLECTION).generate(user(QUESTION)).content


@check("model.tools_required")
def _():
    assert model().generate(user("hello"), tools_to_call_from=[get_weather]).tool_calls


@check("tool_calling_agent.run")
def _():
    agent = ToolCallingAgent(tools=[get_weather], model=model(), max_steps=3, verbosity_level=0)
    assert agent.run('CALL get_weather {"city": "Paris"}')


@check("tool_calling_agent.streamed")
def _():
    agent = ToolCallingAgent(tools=[get_weather], model=model(), max_steps=3, verbosity_level=0, stream_outputs=True)
    assert list(agent.run('CALL get_weather {"city": "Paris"}', stream=True))


@check("code_agent.run")
def _():
    agent = CodeAgent(tools=[get_weather], model=model(), max_steps=2, verbosity_level=0)
    said = agent.run('SAY Thought: done.\n<code>\nfinal_answer(get_weather("Paris"))\n</code>')
    assert said == "sunny in Paris"


@check("code_agent.structured")
def _():
    agent = CodeAgent(tools=[], model=model(), max_steps=2, verbosity_level=0, use_structured_outputs_internally=True)
    assert agent.run("hello") is not None


if __name__ == "__main__":
    run("smolagents", "smolagents", "openai")

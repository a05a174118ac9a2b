"""What the larger chat model does, with its weights: `make test-writer`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mainspring.core.errors import ModelNotPulled, Unsupported
from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, CompletionRequest, Context, Message, Sampling, Tool
from mainspring.engines.catalogue.larger_model import choose
from mainspring.engines.catalogue.pull import Puller
from mainspring.system import System

pytestmark = [pytest.mark.writer, pytest.mark.timeout(600)]
NAME = "qwen2.5-coder-1.5b-instruct"
WEATHER = Tool(
    "get_weather",
    "The weather of a city now",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    try:
        Puller(settings).local(NAME)
    except ModelNotPulled as error:
        pytest.skip(f"{error.message}: {error.remedy}")
    return settings


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    """One that began with the small model alone."""
    async with System.open(settings) as system:
        await system.bring_in(NAME)
        yield system


def test_its_conversion_passed_the_gate(settings: Settings) -> None:
    pulled = Puller(settings).local(NAME)
    checked = pulled.manifest["checked"]
    assert abs(checked["perplexity"] / 21.271 - 1) < 0.01
    assert checked["tokenizer"] is True
    assert choose(settings, 2**35).settings.models.chat[-1] == NAME


async def test_it_answers_and_calls_tools(system: System) -> None:
    async def ask(text: str, tools: tuple[Tool, ...] = ()) -> Answer:
        sampling = Sampling(max_tokens=60, temperature=0.0)
        request = ChatRequest(NAME, (Message("user", text),), sampling, tools)
        return await collect(await system.respond(request, Context(system.local)))

    facts = (("What is the capital of France?", "Paris"), ("How many legs does a spider have?", "eight 8"))
    for question, words in facts:
        answer = await ask(question)
        assert any(word in answer.text.lower() for word in words.lower().split())
    called = await ask("What is the weather in Bern?", (WEATHER,))
    (choice,) = called.choices
    assert choice.finish == "tool_calls"
    (call,) = choice.tool_calls
    assert (call.name, json.loads(call.arguments)["city"].split(",")[0]) == ("get_weather", "Bern")


async def test_it_fills_in_the_middle_of_code(system: System) -> None:
    before = "def largest(numbers):\n    best = numbers[0]\n    for number in numbers:\n"
    asked = CompletionRequest(NAME, before, Sampling(max_tokens=60, temperature=0.0), suffix="    return best\n")
    answer = await collect(await system.respond(asked, Context(system.local)))
    assert "return best" not in answer.text
    assert answer.choices[0].finish == "stop"
    found: dict[str, Any] = {}
    exec(f"{before}{answer.text}    return best\n", found)
    assert found["largest"]([3, 9, 4]) == 9


async def test_the_small_model_refuses_a_suffix(system: System) -> None:
    with pytest.raises(Unsupported, match="does not fill in the middle"):
        await system.respond(CompletionRequest("smollm2-135m-instruct", "a", suffix="b"), Context(system.local))

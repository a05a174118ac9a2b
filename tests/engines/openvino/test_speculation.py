from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.settings import EnginesSettings
from mainspring.core.types import ChatRequest, Grammar, Message, Text
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.openvino.engine import OpenVinoEngine
from mainspring.engines.openvino.speculation import Speculation
from mainspring.engines.scripted import ScriptedEngine
from tests.conformance.engine_cases import DEFAULT_MODEL, default_model_missing, job, pulled_files, run

CONFIGURATION = {"speculation": "prompt_lookup", "speculation_tokens": 5, "kv_blocks": 34}
PLAIN = {"beams": 1, "grammar": None}
COPY = (
    "Repeat this text word by word: The warranty of the kettle lasts two years and covers manufacturing defects. It "
    "does not cover damage from limescale, drops or use with other power bases. To claim, write to the shop with the "
    "receipt number and a photograph of the defect. Replacement units are shipped within five working days."
)
needs_model = pytest.mark.skipif(bool(default_model_missing()), reason=default_model_missing() or "pulled")


def test_long_prompts_alone_speculate_of_themselves() -> None:
    speculation = Speculation(object(), CONFIGURATION)
    assert speculation.settings == {"num_assistant_tokens": 5, "max_ngram_size": 3}
    assert speculation.take(None, PLAIN, 100, 128, alone=True)
    assert not speculation.take(None, PLAIN, 100, 128, alone=False)
    assert not speculation.take(None, PLAIN, 10, 128, alone=True)
    assert speculation.take(True, PLAIN, 10, 128, alone=False)
    assert not speculation.take(False, PLAIN, 100, 128, alone=True)
    assert not speculation.take(True, {"beams": 2, "grammar": None}, 100, 128, alone=True)
    assert not speculation.take(True, {"beams": 1, "grammar": ["regex", "a"]}, 100, 128, alone=True)


def test_it_never_takes_more_than_its_cache() -> None:
    speculation = Speculation(object(), CONFIGURATION)
    assert speculation.take(True, PLAIN, 100, 1024, alone=True)
    assert not speculation.take(True, PLAIN, 100, 32, alone=True)
    speculation.give(1024)
    assert speculation.take(True, PLAIN, 100, 32, alone=True)
    assert not Speculation(None, CONFIGURATION).take(True, PLAIN, 100, 32, alone=True)


async def test_a_request_may_ask_for_it_or_not() -> None:
    responder = ModelResponder(ScriptedEngine(), model_name="m", fingerprint=None)
    for wish, error in (("on", Unsupported), ("maybe", InvalidRequest)):
        request = ChatRequest("m", (Message("user", "x"),), options={"speculation": wish})
        with pytest.raises(error) as caught:
            responder._speculation(request)
        assert caught.value.param == "options.speculation"
    assert responder._speculation(ChatRequest("m", (), options={"speculation": "off"})) is False
    assert responder._speculation(ChatRequest("m", ())) is None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[OpenVinoEngine]:
    settings = EnginesSettings(max_sequences=4, kv_tokens=4096, max_batched_tokens=256, speculation="prompt_lookup")
    opened = OpenVinoEngine(pulled_files()["ir"], settings, DEFAULT_MODEL, 4096)
    await opened.start()
    yield opened
    await opened.close()


async def speculated(engine: OpenVinoEngine) -> int:
    await asyncio.sleep(0.7)  # gauges come with the next message, at the latest after half a second
    return int(engine.statistics()["speculated"])


@needs_model
@pytest.mark.asyncio(loop_scope="module")
async def test_a_copied_answer_comes_whole_in_fewer_steps(engine: OpenVinoEngine) -> None:
    outcome = await run(engine, job(COPY, max_tokens=40, logprobs=0))
    texts = [event for event in outcome.events if isinstance(event, Text)]
    assert "lasts two years and covers manufacturing defects" in outcome.text()
    assert outcome.usage.completion_tokens == 40
    assert sum(event.tokens for event in texts) == 40
    assert len(texts) < 25
    rows = [row for event in texts for row in event.logprobs]
    assert "".join(row.token for row in rows) == outcome.text()
    assert await speculated(engine) == 1


@needs_model
@pytest.mark.asyncio(loop_scope="module")
async def test_what_does_not_pay_runs_as_ever(engine: OpenVinoEngine) -> None:
    before = await speculated(engine)
    await run(engine, job("Hello.", max_tokens=4))
    schema = Grammar("json_schema", '{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}')
    await run(engine, job(COPY, max_tokens=48, grammar=schema))
    await run(engine, job(COPY, max_tokens=4, beams=2, temperature=None))
    assert await speculated(engine) == before
    await asyncio.gather(*[run(engine, job(f"{number}. {COPY}", max_tokens=16)) for number in range(4)])
    assert await speculated(engine) - before <= 1


@needs_model
@pytest.mark.asyncio(loop_scope="module")
async def test_stops_choices_and_leaving_work_while_it_speculates(engine: OpenVinoEngine) -> None:
    stopped = await run(engine, job(COPY, max_tokens=64, stop=("manufacturing",)))
    assert stopped.finishes == {0: "stop"}
    assert stopped.text().endswith("covers ")
    several = await run(engine, job(COPY, max_tokens=8, n=2, temperature=1.0, seed=3))
    assert set(several.finishes) == {0, 1}
    for _ in range(20):
        stream = await engine.generate(job(COPY, max_tokens=1000))
        await stream.aclose()
    # Had any of them kept its share, the cache would have been full by now.
    before = await speculated(engine)
    await run(engine, job(COPY, max_tokens=32))
    assert await speculated(engine) == before + 1

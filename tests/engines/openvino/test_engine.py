from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring.core.errors import (
    EngineDied,
    InvalidRequest,
    InvalidSchema,
    ModelError,
    Overloaded,
    PromptTooLong,
    Unsupported,
)
from mainspring.core.settings import EnginesSettings
from mainspring.core.types import Grammar, Text
from mainspring.engines.base import EngineStream, Generation
from mainspring.engines.grammar.translation import translate
from mainspring.engines.openvino.engine import OpenVinoEngine
from tests.conformance.engine_cases import DEFAULT_MODEL, default_model_missing, job, pulled_files, run
from tests.engines.grammar.schema_corpus import KEYWORDS

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(bool(default_model_missing()), reason=default_model_missing() or "pulled"),
]

NARROW = EnginesSettings(max_sequences=2, max_waiting=2, kv_tokens=1024, max_batched_tokens=128)


def make(path: Path, **changes: object) -> OpenVinoEngine:
    return OpenVinoEngine(path, NARROW.model_copy(update=changes), DEFAULT_MODEL, 8192)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[OpenVinoEngine]:
    """Two slots, two places in the line, 1024 tokens of KV cache."""
    engine = make(pulled_files()["ir"])
    engine.spawn()
    await engine.start()
    yield engine
    await engine.close()


async def read(stream: EngineStream) -> None:
    async for _ in stream:
        pass


async def idle(engine: OpenVinoEngine) -> None:
    async with asyncio.timeout(60):
        while engine.statistics()["running"] or engine.statistics()["waiting"]:
            await asyncio.sleep(0.02)


async def test_overload_is_said_at_once(engine: OpenVinoEngine) -> None:
    tasks = [asyncio.create_task(run(engine, job("A story.", max_tokens=24, ignore_eos=True))) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as caught:
        await engine.generate(job("One more."))
    assert caught.value.retry_after
    assert not any(task.done() for task in tasks)
    outcomes = await asyncio.gather(*tasks)
    assert all(outcome.usage.completion_tokens == 24 for outcome in outcomes)
    await idle(engine)


async def test_never_more_than_its_slots_run(engine: OpenVinoEngine) -> None:
    seen: list[float] = []

    async def watch() -> None:
        while True:
            seen.append(engine.statistics()["running"])
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*[run(engine, job("A story.", n=2, temperature=1.0, max_tokens=24)) for _ in range(3)])
    watching.cancel()
    assert max(seen) == 2
    await idle(engine)


async def test_more_choices_than_fit_the_cache_together_all_finish(engine: OpenVinoEngine) -> None:
    generation = job("A story.", n=2, temperature=1.0, max_tokens=700, stop=(".", ",", " the", "\n"))
    outcome = await run(engine, generation)
    assert set(outcome.finishes) == {0, 1}
    await idle(engine)


async def test_cancelling_what_runs_and_what_waits(engine: OpenVinoEngine) -> None:
    endless = job("A story.", max_tokens=400, ignore_eos=True)
    running = [await engine.generate(endless) for _ in range(2)]
    waiting = asyncio.create_task(engine.generate(endless))
    await asyncio.sleep(0.1)
    waiting.cancel()
    for stream in running:
        await stream.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await idle(engine)
    assert engine.statistics()["kv_used_fraction"] == 0
    assert (await run(engine, job("Say hi."))).text()


async def test_output_beyond_the_cache_is_refused(engine: OpenVinoEngine) -> None:
    assert engine.capabilities.context_window < 1024
    with pytest.raises(PromptTooLong):
        await engine.generate(job("Hello.", max_tokens=1024))
    with pytest.raises(PromptTooLong):
        await engine.generate(job("word " * 1050, max_tokens=None))
    with pytest.raises(PromptTooLong):
        await engine.generate(job("x" * 10_000_000))
    outcome = await run(engine, job("word " * 960, max_tokens=None, temperature=1.0, ignore_eos=True))
    assert outcome.finishes == {0: "length"}
    assert outcome.usage.total_tokens == engine.capabilities.context_window


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("regex", "[0-9"),
        ("regex", "(?=a)b"),
        ("json_schema", '{"type": "nonsense"}'),
        ("json_schema", '{"enum": []}'),
        ("json_schema", '{"$ref": "#/nowhere"}'),
        ("json_schema", "{"),
    ],
)
async def test_bad_grammar_does_not_poison(engine: OpenVinoEngine, kind: str, source: str) -> None:
    other = asyncio.create_task(run(engine, job("A story.", max_tokens=32, ignore_eos=True)))
    restarts = engine.statistics()["restarts"]
    with pytest.raises(InvalidSchema):
        await engine.generate(job("Hello.", grammar=Grammar(kind, source)))  # type: ignore[arg-type]
    assert (await other).usage.completion_tokens == 32
    assert engine.statistics()["restarts"] == restarts


async def test_combinations_that_it_cannot_honour(engine: OpenVinoEngine) -> None:
    grammar = Grammar("regex", "[a-z]+")
    with pytest.raises(Unsupported, match="ignore_eos"):
        await engine.generate(job("Hello.", grammar=grammar, ignore_eos=True))
    with pytest.raises(Unsupported, match="grammar in beam search"):
        await engine.generate(job("Hello.", grammar=grammar, beams=2, temperature=None))
    with pytest.raises(Unsupported, match="without sampling"):
        await engine.generate(job("Hello.", beams=2, temperature=0.7))
    for drawn in ({"top_p": 0.5}, {"top_k": 3}, {"min_p": 0.1}, {"seed": 1}):
        with pytest.raises(Unsupported, match="without sampling") as caught:
            await engine.generate(job("Hello.", beams=2, temperature=None, **drawn))
        assert caught.value.param in drawn
    with pytest.raises(Unsupported, match="chosen token"):
        await engine.generate(job("Hello.", logprobs=1, temperature=1.0))
    with pytest.raises(InvalidRequest, match="max_tokens"):
        await engine.generate(job("Hello.", max_tokens=0))


async def test_lone_surrogates_are_the_callers_fault(engine: OpenVinoEngine) -> None:
    with pytest.raises(InvalidRequest, match="Unicode"):
        await engine.generate(job("\ud800"))
    assert (await run(engine, job("Say hi."))).text()


async def test_beams_respect_stop_strings(engine: OpenVinoEngine) -> None:
    outcome = await run(engine, job("Count from 1 to 9.", beams=2, temperature=None, max_tokens=40, stop=(" to ",)))
    assert " to " not in outcome.text()


async def test_shared_prompt_of_choices_is_read_once(engine: OpenVinoEngine) -> None:
    outcome = await run(engine, job("Tell me a story. " * 20, n=2, temperature=1.0, max_tokens=8))
    order = [event.choice for event in outcome.events if isinstance(event, Text)]
    assert order[0] == 0
    assert set(order) == {0, 1}


async def test_killed_under_load_fails_its_requests_and_comes_back(engine: OpenVinoEngine) -> None:
    restarts = engine.statistics()["restarts"]
    streams = [await engine.generate(job("A story.", max_tokens=400, ignore_eos=True)) for _ in range(2)]
    waiting = asyncio.create_task(engine.generate(job("Another.", max_tokens=400)))
    await asyncio.sleep(0.1)
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    for stream in streams:
        with pytest.raises(EngineDied) as caught:
            async for _ in stream:
                pass
        assert caught.value.retry_after
    with pytest.raises(EngineDied):
        await waiting
    # A request that arrives now waits for the restart and is answered.
    assert (await run(engine, job("Say hi."))).text()
    assert engine.healthy()
    assert engine.statistics()["restarts"] == restarts + 1


async def test_a_child_that_hangs_is_killed_and_comes_back() -> None:
    engine = make(pulled_files()["ir"], step_timeout_s=2.0)
    await engine.start()
    stream = await engine.generate(job("A story.", max_tokens=400, ignore_eos=True))
    stopped = engine.pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(EngineDied, match="said nothing for 2 s"):
        await asyncio.wait_for(read(stream), 60)
    assert (await run(engine, job("Say hi."))).text()
    assert engine.pid != stopped
    assert engine.statistics()["restarts"] == 1
    await engine.close()


async def test_truncated_gguf_is_a_clear_error(tmp_path: Path) -> None:
    whole = pulled_files()["gguf"].read_bytes()
    damaged = tmp_path / "model.gguf"
    damaged.write_bytes(whole[: len(whole) // 2])
    engine = make(damaged)
    with pytest.raises(ModelError) as caught:
        await engine.start()
    assert "mainspring models pull smollm2-135m-instruct --force" in str(caught.value)
    assert not engine.healthy()
    with pytest.raises(ModelError):
        await engine.generate(job("Hello."))
    await engine.close()


async def test_truncated_ir_is_a_clear_error(tmp_path: Path) -> None:
    copy = tmp_path / "ir"
    shutil.copytree(pulled_files()["ir"], copy)
    weights = copy / "openvino_model.bin"
    os.truncate(weights, weights.stat().st_size // 2)
    engine = make(copy)
    with pytest.raises(ModelError, match="could not load its model"):
        await engine.start()
    await engine.close()


async def test_no_model_is_a_clear_error(tmp_path: Path) -> None:
    engine = make(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="nowhere"):
        await engine.start()
    await engine.close()


async def test_close_fails_what_runs() -> None:
    engine = make(pulled_files()["ir"])
    await engine.start()
    stream = await engine.generate(job("A story.", max_tokens=400, ignore_eos=True))
    await engine.close()
    with pytest.raises(EngineDied):
        async for _ in stream:
            pass
    assert not engine.healthy()


async def test_the_cached_part_of_a_prompt_is_counted(engine: OpenVinoEngine) -> None:
    shared = "The quick brown fox jumps over the lazy dog. " * 20
    first = await run(engine, job(shared + "One", max_tokens=2))
    second = await run(engine, job(shared + "Two", max_tokens=2))
    assert first.usage.cached_tokens == 0
    assert 0.8 * second.usage.prompt_tokens < second.usage.cached_tokens < second.usage.prompt_tokens


async def test_the_likeliest_token_of_a_greedy_answer_is_reported(engine: OpenVinoEngine) -> None:
    found = await run(engine, job("Name a colour.", max_tokens=4, logprobs=1))
    told = [each for event in found.events if isinstance(event, Text) for each in event.logprobs]
    assert told
    assert all(each.top == ((each.token, each.logprob),) for each in told)
    plain = await run(engine, job("Name a colour.", max_tokens=4, logprobs=0))
    assert not any(each.top for event in plain.events if isinstance(event, Text) for each in event.logprobs)


async def test_answers_that_stand_aside_for_another_tenant_go_on_where_they_were() -> None:
    settings = {"precision": "f32", "max_sequences": 24, "kv_tokens": 8192, "max_waiting": 8}
    engine = make(pulled_files()["ir"], **settings)
    await engine.start()

    def asked(number: int, tenant: str, tokens: int) -> Generation:
        return dataclasses.replace(
            job(f"Count from {number} up:", max_tokens=tokens, ignore_eos=True, temperature=0), tenant=tenant
        )

    try:
        alone = [await run(engine, asked(number, "a", 64)) for number in range(17, 20)]
        long = [asyncio.create_task(run(engine, asked(number, "a", 64))) for number in range(20)]
        while engine.statistics()["running"] < 20:
            await asyncio.sleep(0.01)
        short = [await run(engine, asked(100, "b", 4)) for _ in range(2)]
        assert not all(task.done() for task in long)
        outcomes = await asyncio.gather(*long)
        assert engine.statistics()["stood_aside"] >= 5
    finally:
        await engine.close()
    assert [each.usage.completion_tokens for each in short] == [4, 4]
    assert [each.usage.completion_tokens for each in outcomes] == [64] * 20
    # The last to come are those that stood aside.
    assert [each.text() for each in outcomes[17:]] == [each.text() for each in alone]


async def test_the_runtime_compiles_the_grammars_of_schemas(engine: OpenVinoEngine) -> None:
    # Each third: llama.cpp's tests try all of them, which takes it less time.
    for name, schema in [*KEYWORDS.items()][::3]:
        found = translate(json.dumps(schema)).grammar
        assert found is not None
        try:
            await engine._grammars.check(Grammar("ebnf", found), name)
        except InvalidSchema as error:
            pytest.fail(f"{name}: {error.message}")


async def test_the_log_probabilities_of_a_prompt_do_not_depend_on_what_runs_beside_it() -> None:
    engine = make(pulled_files()["ir"], prefix_cache=False)
    engine.spawn()
    await engine.start()

    async def told() -> list[float]:
        outcome = await run(
            engine, job("The capital of France is", logprobs=0, prompt_logprobs=True, max_tokens=1, temperature=0.0)
        )
        return [row.logprob for event in outcome.events if isinstance(event, Text) for row in event.logprobs]

    try:
        expected = await told()
        for _ in range(4):
            other = asyncio.create_task(run(engine, job("A story.", max_tokens=24, ignore_eos=True)))
            # It writes by now.
            await asyncio.sleep(0.1)
            assert await told() == pytest.approx(expected, abs=0.01, nan_ok=True)
            await other
    finally:
        await engine.close()

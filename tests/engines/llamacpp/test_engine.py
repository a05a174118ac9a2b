import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mainspring.core.errors import (
    EngineDied,
    InvalidRequest,
    InvalidSchema,
    MissingExtra,
    ModelError,
    ModelNotPulled,
    Overloaded,
    PromptTooLong,
)
from mainspring.core.path import collect
from mainspring.core.settings import EnginesSettings, Settings
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Principal, Sampling, Text, Tool
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.chat.template import ChatTemplate
from mainspring.engines.grammar.translation import translate
from mainspring.engines.llamacpp.engine import LlamaCppEngine
from tests.conformance.engine_cases import DEFAULT_MODEL, job, run
from tests.engines.grammar.schema_corpus import KEYWORDS

SETTINGS = EnginesSettings(max_sequences=2, max_waiting=1, kv_tokens=2048, max_batched_tokens=256)


def model() -> Path:
    try:
        return Puller(Settings()).local(DEFAULT_MODEL).files["gguf"]
    except ModelNotPulled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    pytest.importorskip("xllamacpp", reason="pip install 'mainspring[gguf]'")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LlamaCppEngine]:
    opened = LlamaCppEngine(model(), SETTINGS, "small", 8192)
    await opened.start()
    yield opened
    await opened.close()


on_module_loop = pytest.mark.asyncio(loop_scope="module")


@on_module_loop
async def test_a_schema_that_llamacpp_would_ignore_is_refused(engine: LlamaCppEngine) -> None:
    ignored = json.dumps({"type": "object", "properties": {"a": {"type": "string", "pattern": "a(?=b)"}}})
    for _ in range(2):
        with pytest.raises(InvalidSchema) as caught:
            await engine.generate(job("Invent.", grammar=Grammar("json_schema", ignored)))
        assert caught.value.param == "response_format"
    kept = Grammar("json_schema", '{"type": "integer", "minimum": 10, "maximum": 99}')
    outcome = await run(engine, job("A number.", max_tokens=8, grammar=kept))
    assert 10 <= int(outcome.text()) <= 99


@on_module_loop
async def test_grammars_are_enforced(engine: LlamaCppEngine) -> None:
    chosen = await run(engine, job("Is it?", max_tokens=8, grammar=Grammar("ebnf", 'root ::= "quite" | "no"\n')))
    assert chosen.text() in ("quite", "no")
    with pytest.raises(InvalidSchema):
        await engine.generate(job("Is it?", grammar=Grammar("ebnf", "root ::= missing\n")))
    for name, schema in KEYWORDS.items():
        found = translate(json.dumps(schema)).grammar
        assert found is not None
        assert await engine._tried(Grammar("ebnf", found)) == "", name


@on_module_loop
async def test_alternatives_are_as_many_as_asked_for(engine: LlamaCppEngine) -> None:
    for asked in (0, 3):
        outcome = await run(engine, job("Hello.", max_tokens=3, logprobs=asked))
        rows = [row for event in outcome.events if isinstance(event, Text) for row in event.logprobs]
        assert rows
        assert all(len(row.top) == asked for row in rows)


@on_module_loop
async def test_a_token_that_is_forbidden_is_not_written(engine: LlamaCppEngine) -> None:
    free = (await run(engine, job("One, two,", max_tokens=3))).text()
    (first, *_) = await engine._tokenize(free, begin=False)
    other = (await run(engine, job("One, two,", max_tokens=3, logit_bias=((first, -100.0),)))).text()
    assert not other.startswith(await engine.text_of([first]))
    assert free.startswith(await engine.text_of([first]))


@on_module_loop
async def test_a_number_that_is_no_token_is_an_error_and_no_death(engine: LlamaCppEngine) -> None:
    before = engine.pid
    with pytest.raises(InvalidRequest):
        await engine.text_of([10_000_000])
    assert engine.pid == before


@on_module_loop
async def test_choices_are_counted_together(engine: LlamaCppEngine) -> None:
    outcome = await run(engine, job("Hello.", n=2, max_tokens=5, ignore_eos=True))
    assert outcome.usage.completion_tokens == 10


@on_module_loop
async def test_a_first_token_that_the_prompt_writes_itself_is_not_doubled(engine: LlamaCppEngine) -> None:
    engine._prefix = [1]  # as a model has it that begins every text with token 1, <|im_start|>
    try:
        assert await engine._tokens("<|im_start|>") == [1]
    finally:
        engine._prefix = None


@on_module_loop
async def test_what_does_not_fit_the_cache_waits_or_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(PromptTooLong) as caught:
        await engine.generate(job("Hello.", n=2, max_tokens=1500))
    assert caught.value.param == "n"
    first = await engine.generate(job("Tell a story.", max_tokens=1500, ignore_eos=True))
    second = asyncio.create_task(engine.generate(job("Hello.", max_tokens=1000)))
    while engine.statistics()["waiting"] == 0:
        await asyncio.sleep(0.01)
    assert engine.statistics()["running"] == 1
    await first.aclose()
    await (await second).aclose()
    assert engine.statistics()["kv_used_fraction"] == 0


@on_module_loop
async def test_more_than_may_wait_is_refused_at_once(engine: LlamaCppEngine) -> None:
    running = [await engine.generate(job("A story.", max_tokens=500, ignore_eos=True)) for _ in range(2)]
    waiting = asyncio.create_task(run(engine, job("Hello.", max_tokens=4)))
    while engine.statistics()["waiting"] == 0:
        await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await engine.generate(job("Hello."))
    for stream in running:
        await stream.aclose()
    assert (await waiting).text()


@on_module_loop
async def test_a_tool_call_can_be_forced(engine: LlamaCppEngine) -> None:
    model = ModelResponder(engine, model_name="small", fingerprint="x", template=ChatTemplate())
    tool = Tool("weather", "Weather now", {"properties": {"city": {"type": "string", "enum": ["Bern", "Oslo"]}}})
    request = ChatRequest(
        "small",
        (Message("user", "Weather in Oslo?"),),
        Sampling(max_tokens=60, temperature=0.0),
        (tool,),
        tool_choice="required",
    )
    answer = await collect(await model.respond(request, Context(Principal("default", "key"))))
    [call] = answer.choices[0].tool_calls
    assert (call.name, answer.choices[0].finish) == ("weather", "tool_calls")
    assert set(json.loads(call.arguments)) <= {"city"}


@on_module_loop
async def test_no_port_is_opened(engine: LlamaCppEngine) -> None:
    # The socket lies in a directory that nobody else can enter.
    directory = Path(engine._directory.name)
    assert directory.stat().st_mode & 0o077 == 0
    assert engine._supervisor.greeting["address"].startswith("unix:")
    listening = [Path(f"/proc/{engine.pid}/net/{kind}").read_text() for kind in ("tcp", "tcp6")]
    inodes = {link.name: link.readlink() for link in Path(f"/proc/{engine.pid}/fd").iterdir()}
    sockets = {str(target)[8:-1] for target in inodes.values() if str(target).startswith("socket:")}
    rows = [line.split() for table in listening for line in table.splitlines()[1:]]
    assert not [row for row in rows if row[9] in sockets]


@on_module_loop
async def test_a_killed_child_fails_its_requests_and_comes_back(engine: LlamaCppEngine) -> None:
    stream = await engine.generate(job("A story.", max_tokens=500, ignore_eos=True))
    engine.kill()
    with pytest.raises(EngineDied):
        [event async for event in stream]
    assert (await run(engine, job("Say hello."))).text()
    assert engine.statistics()["restarts"] == 1
    assert engine.statistics()["running"] == 0


async def test_closing_ends_what_runs_and_waits() -> None:
    engine = LlamaCppEngine(model(), SETTINGS, "small", 8192)
    await engine.start()
    directory = Path(engine._directory.name)
    running = await engine.generate(job("A story.", max_tokens=1900, ignore_eos=True))
    waiting = asyncio.create_task(engine.generate(job("Hello.", max_tokens=1900)))
    while engine.statistics()["waiting"] == 0:
        await asyncio.sleep(0.01)
    await engine.close()
    with pytest.raises(EngineDied):
        await waiting
    with pytest.raises(EngineDied):
        [event async for event in running]
    assert not directory.exists()
    with pytest.raises(EngineDied):
        await engine.generate(job("Hello."))


async def test_a_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    damaged = tmp_path / "model.gguf"
    damaged.write_bytes(model().read_bytes()[:1_000_000])
    engine = LlamaCppEngine(damaged, SETTINGS, "small", 8192)
    with pytest.raises(ModelError, match="small"):
        await engine.start()
    await engine.close()


def test_without_the_extra_or_a_gguf(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoGguf:
        files: dict[str, Path] = {}  # noqa: RUF012

    with pytest.raises(ModelError, match="no GGUF"):
        LlamaCppEngine(NoGguf(), SETTINGS, "small", 8192)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"mainspring\[gguf\]"):
        LlamaCppEngine(Path("x"), SETTINGS, "small", 8192)

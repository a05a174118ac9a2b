"""The contract of engines."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from mainspring.core.errors import DeadlineExceeded, PromptTooLong, Unsupported
from mainspring.core.types import Event, Finish, Grammar, Message, Sampling, Text, Usage
from mainspring.engines.base import Engine, Generation

PERSON = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
)
ODD_TEXTS = ("日本語で答えて。", "😀👩‍👩‍👧 flags 🇪🇸", "a\u0000b \u202e right to left", "é" * 200)


def job(text: str, *, timeout: float | None = None, raw: bool = False, **sampling: object) -> Generation:
    """A generation for any engine: ``text`` as the user's turn, both rendered and as a message.

    ``raw`` leaves the chat template out. Unless said otherwise it is greedy and short.
    """
    values: dict[str, object] = {"temperature": 0.0, "max_tokens": 16} | sampling
    prompt = text if raw else f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    messages = (Message("user", text),)
    return Generation(prompt, Sampling(**values), messages=messages, timeout=timeout)  # type: ignore[arg-type]


@dataclass
class Outcome:
    """A generation read to its end."""

    events: list[Event]

    def text(self, choice: int = 0) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text) and event.choice == choice)

    @property
    def usage(self) -> Usage:
        (usage,) = [event for event in self.events if isinstance(event, Usage)]
        return usage

    @property
    def finishes(self) -> dict[int, str]:
        return {event.choice: event.reason for event in self.events if isinstance(event, Finish)}


async def run(engine: Engine, generation: Generation) -> Outcome:
    """Generate and read everything."""
    stream = await engine.generate(generation)
    return Outcome([event async for event in stream])


def needs_model(engine: Engine, generates: bool) -> None:
    """Skip where no model chooses the words."""
    if not generates:
        pytest.skip(f"{engine.name} has no model behind it")


def needs_parameter(engine: Engine, *names: str) -> None:
    if missing := set(names) - engine.capabilities.parameters:
        pytest.skip(f"{engine.name} does not offer {', '.join(sorted(missing))}, and says so")


async def settled(engine: Engine) -> bool:
    """Whether the engine becomes idle; waits while it does not, within reason."""
    for _ in range(200):
        statistics = engine.statistics()
        if statistics["running"] == 0 and statistics["waiting"] == 0:
            return True
        await asyncio.sleep(0.05)
    return False


class EngineSuite:
    """A subclass, or its module, has a fixture ``engine``, which gives one that was started; ``loop_scope`` is how long
    the event loop lives that it was started in. ``generates`` is False if no model chooses the words: then nothing
    is asked that depends on them."""

    def __init_subclass__(cls, *, loop_scope: str = "function") -> None:
        cls.pytestmark = [pytest.mark.asyncio(loop_scope=loop_scope)]  # type: ignore[attr-defined]

    @pytest.fixture
    def generates(self) -> bool:
        return True

    async def test_streams_text_then_usage_then_finish(self, engine: Engine) -> None:
        outcome = await run(engine, job("Say hello.", max_tokens=12))
        kinds = [type(event) for event in outcome.events]
        assert kinds[-2:] == [Usage, Finish]
        assert set(kinds[:-2]) == {Text}
        assert outcome.text().strip()

    async def test_text_comes_in_pieces(self, engine: Engine) -> None:
        outcome = await run(engine, job("Tell me a story about a lighthouse.", max_tokens=24))
        assert sum(isinstance(event, Text) for event in outcome.events) > 3

    async def test_max_tokens_ends_in_length(self, engine: Engine, generates: bool) -> None:
        needs_parameter(engine, "ignore_eos")
        needs_model(engine, generates)
        outcome = await run(engine, job("Tell me a story.", max_tokens=8, ignore_eos=True))
        assert outcome.finishes == {0: "length"}
        assert outcome.usage.completion_tokens == 8

    async def test_natural_end_is_stop(self, engine: Engine) -> None:
        outcome = await run(engine, job("What is the capital of France?", max_tokens=200))
        assert outcome.finishes == {0: "stop"}

    async def test_usage_counts_the_prompt(self, engine: Engine) -> None:
        if engine.capabilities.templates:
            pytest.skip(f"{engine.name} renders its own prompt")
        generation = job("How many tokens are these, ünïcödé included?", max_tokens=4)
        outcome = await run(engine, generation)
        counted = await engine.count_tokens(generation.prompt)
        assert counted <= outcome.usage.prompt_tokens <= counted + 1  # a token may begin every text
        assert outcome.usage.completion_tokens == sum(e.tokens for e in outcome.events if isinstance(e, Text))

    async def test_stop_string_is_never_shown(self, engine: Engine) -> None:
        needs_parameter(engine, "stop")
        whole = (await run(engine, job("Tell me about the sea.", max_tokens=32))).text()
        # From the middle of one word to the middle of a later one: no token ends or begins where it does.
        middle = len(whole) // 2
        stop = whole[middle - 4 : middle + 3]
        outcome = await run(engine, job("Tell me about the sea.", max_tokens=32, stop=(stop, "\x00never")))
        assert outcome.text() == whole[: whole.index(stop)]
        assert outcome.finishes == {0: "stop"}

    async def test_unmatched_stop_changes_nothing(self, engine: Engine) -> None:
        needs_parameter(engine, "stop")
        plain = await run(engine, job("Tell me about the sea.", max_tokens=24))
        last = plain.text()[-1]
        # The answer ends in what could begin the stop string: held back, then released.
        outcome = await run(engine, job("Tell me about the sea.", max_tokens=24, stop=(last + "\x00never",)))
        assert outcome.text() == plain.text()
        assert outcome.finishes == plain.finishes

    async def test_choices_finish_one_by_one(self, engine: Engine) -> None:
        if engine.capabilities.max_choices < 2:
            pytest.skip(f"{engine.name} gives one choice, and says so")
        outcome = await run(engine, job("Tell me a story.", n=2, temperature=1.0, max_tokens=12))
        assert set(outcome.finishes) == {0, 1}
        assert outcome.text(0).strip()
        assert outcome.text(1).strip()
        assert sum(isinstance(event, Usage) for event in outcome.events) == 1

    async def test_greedy_repeats_alone(self, engine: Engine) -> None:
        first, second = [await run(engine, job("Tell me about bread.", max_tokens=20)) for _ in range(2)]
        assert first.text() == second.text()

    async def test_sampling_differs_from_request_to_request(self, engine: Engine, generates: bool) -> None:
        needs_model(engine, generates)
        texts = {(await run(engine, job("Tell me a story.", temperature=1.0))).text() for _ in range(3)}
        assert len(texts) > 1

    async def test_seed_repeats_alone(self, engine: Engine, generates: bool) -> None:
        if engine.capabilities.seed == "none":
            pytest.skip(f"{engine.name} promises nothing about seeds")
        needs_model(engine, generates)
        texts = [(await run(engine, job("A story.", temperature=1.0, seed=seed))).text() for seed in (7, 7, 8)]
        assert texts[0] == texts[1] != texts[2]

    async def test_beams_give_ranked_choices(self, engine: Engine) -> None:
        if engine.capabilities.max_beams < 3:
            pytest.skip(f"{engine.name} has no beam search, and says so")
        outcome = await run(engine, job("Count to five.", beams=3, n=2, temperature=None, max_tokens=8))
        assert set(outcome.finishes) == {0, 1}
        assert outcome.text(0).strip()

    async def test_logprobs_of_the_chosen_tokens(self, engine: Engine) -> None:
        if engine.capabilities.logprobs is None:
            pytest.skip(f"{engine.name} has no log-probabilities, and says so")
        outcome = await run(engine, job("Tell me about trees.", max_tokens=8, logprobs=0))
        rows = [row for event in outcome.events if isinstance(event, Text) for row in event.logprobs]
        assert "".join(row.token for row in rows) == outcome.text()
        assert all(row.logprob <= 0 for row in rows)

    async def test_too_many_choices_are_refused(self, engine: Engine) -> None:
        with pytest.raises(Unsupported) as caught:
            await engine.generate(job("Hello.", n=engine.capabilities.max_choices + 1))
        assert caught.value.param == "n"

    async def test_unsupported_parameter_is_refused(self, engine: Engine) -> None:
        known = engine.capabilities.parameters
        values: dict[str, Any] = {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "top_p": 0.9, "ignore_eos": True}
        missing = sorted(set(values) - known)
        if engine.capabilities.logprobs is None or engine.capabilities.logprobs < 5:
            missing, values = ["logprobs", *missing], values | {"logprobs": 5}
        if not missing:
            pytest.skip(f"{engine.name} honours everything")
        with pytest.raises(Unsupported) as caught:
            await engine.generate(job("Hello.", **{missing[0]: values[missing[0]]}))
        assert caught.value.param == missing[0]

    async def test_json_schema_holds(self, engine: Engine, generates: bool) -> None:
        if "json_schema" not in engine.capabilities.grammars:
            pytest.skip(f"{engine.name} has no JSON schemas, and says so")
        needs_model(engine, generates)
        generation = job("Invent a person.", max_tokens=96, grammar=Grammar("json_schema", PERSON))
        outcome = await run(engine, generation)
        person = json.loads(outcome.text())
        assert set(person) == {"name", "age"}
        assert isinstance(person["age"], int)
        assert outcome.finishes == {0: "stop"}

    async def test_regex_holds_for_every_choice(self, engine: Engine, generates: bool) -> None:
        if "regex" not in engine.capabilities.grammars:
            pytest.skip(f"{engine.name} has no regular expressions, and says so")
        needs_model(engine, generates)
        n = min(3, engine.capabilities.max_choices)
        grammar = Grammar("regex", "[0-9]{4}-[0-9]{2}-[0-9]{2}")
        outcome = await run(engine, job("A date, please.", n=n, temperature=1.0, max_tokens=32, grammar=grammar))
        for choice in range(n):
            assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", outcome.text(choice))

    async def test_closing_frees_the_slot(self, engine: Engine) -> None:
        stream = await engine.generate(job("Write a very long story.", max_tokens=400))
        async for _ in stream:
            break
        await stream.aclose()
        assert await settled(engine)
        assert (await run(engine, job("Say hello."))).text().strip()

    async def test_closing_an_unread_stream_frees_the_slot(self, engine: Engine) -> None:
        stream = await engine.generate(job("Write a very long story.", max_tokens=400))
        await stream.aclose()
        assert await settled(engine)

    async def test_cancelled_caller_frees_the_slot(self, engine: Engine) -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in await engine.generate(job("Write a very long story.", max_tokens=400)):
                begun.set()

        task = asyncio.create_task(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await settled(engine)

    async def test_eight_at_once_all_finish(self, engine: Engine) -> None:
        jobs = [job(f"Tell me a story about the number {number}.", max_tokens=16) for number in range(8)]
        outcomes = await asyncio.gather(*[run(engine, one) for one in jobs])
        assert all(len(outcome.finishes) == 1 and outcome.text().strip() for outcome in outcomes)
        assert await settled(engine)

    async def test_prompt_too_long_is_said_and_survived(self, engine: Engine) -> None:
        words = "word " * (engine.capabilities.context_window + 10)
        with pytest.raises(PromptTooLong):
            await engine.generate(job(words))
        assert (await run(engine, job("Say hello."))).text().strip()

    async def test_output_beyond_the_window_is_refused(self, engine: Engine) -> None:
        with pytest.raises(PromptTooLong):
            await engine.generate(job("Hello.", max_tokens=engine.capabilities.context_window + 1))

    @pytest.mark.parametrize(
        "text", ["日本語で答えて。", "😀👩‍👩‍👧 flags 🇪🇸", "a\u0000b \u202e right to left", "é" * 200]
    )
    async def test_unicode_is_survived(self, engine: Engine, text: str) -> None:
        outcome = await run(engine, job(text, temperature=1.0, max_tokens=24))
        assert len(outcome.finishes) == 1
        outcome.text().encode("utf-8")

    async def test_counts_tokens(self, engine: Engine) -> None:
        assert await engine.count_tokens("") == 0
        short, long = await engine.count_tokens("one"), await engine.count_tokens("one two three four five")
        assert 0 < short < long

    async def test_empty_prompt_is_answered(self, engine: Engine) -> None:
        outcome = await run(engine, job("", raw=True, max_tokens=6, temperature=1.0))
        assert len(outcome.finishes) == 1

    async def test_deadline_ends_it(self, engine: Engine, generates: bool) -> None:
        needs_model(engine, generates)
        # A model that happens to end its story before the deadline would prove nothing.
        endless = "ignore_eos" in engine.capabilities.parameters
        story = job("Write a very long story.", max_tokens=2000, timeout=0.3, temperature=1.0, ignore_eos=endless)
        with pytest.raises(DeadlineExceeded):
            await run(engine, story)
        assert await settled(engine)

    async def test_healthy_while_open(self, engine: Engine) -> None:
        assert engine.healthy()
        assert {"running", "waiting", "kv_used_fraction", "restarts"} <= set(engine.statistics())

"""Every field of ``Sampling`` is honoured or refused by every engine, and tokens are drawn as ``engines.chat.sampling``
defines it.

``HONOURED`` has a way to see each field at work; ``REFUSED`` a value of each that an engine without it must refuse. A
field that is in neither fails ``test_every_field_is_covered``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Grammar, Sampling, Text
from mainspring.engines.base import Engine
from mainspring.engines.chat import sampling as reference
from tests.conformance.engine_cases import Case, job, run
from tests.conformance.openai_server import sent

pytestmark = pytest.mark.asyncio(loop_scope="session")
Probe = Callable[[Engine], Awaitable[bool]]

PROMPT = "Answer with one word: is the sky blue?"
STORY = "Tell me a story about a lighthouse."
DATE = Grammar("regex", "[0-9]{4}-[0-9]{2}")
YES = Grammar("ebnf", 'root ::= ("yes" | "no") (" really"){2}')
FLAG = Grammar(
    "json_schema",
    json.dumps(
        {
            "type": "object",
            "properties": {"a": {"type": "boolean"}},
            "required": ["a"],
            "additionalProperties": False,
        }
    ),
)


async def texts(engine: Engine, text: str = STORY, **sampling: Any) -> list[str]:
    outcome = await run(engine, job(text, **{"max_tokens": 24, **sampling}))
    return [outcome.text(choice) for choice in sorted(outcome.finishes)]


async def held(engine: Engine, grammar: Grammar) -> str:
    """What comes of a grammar, at its own length."""
    return (await texts(engine, grammar=grammar, max_tokens=120))[0]


async def differ(engine: Engine, **sampling: Any) -> bool:
    """Whether greedy text with ``sampling`` is another than without."""
    plain: dict[str, Any] = {"max_tokens": 40}
    return await texts(engine, **plain, **sampling) != await texts(engine, **plain)


async def varied(engine: Engine, **sampling: Any) -> int:
    """How many different first words come of six draws at the highest temperature."""
    drawn = [await texts(engine, temperature=2.0, max_tokens=3, seed=seed, **sampling) for seed in range(6)]
    return len({each[0] for each in drawn})


async def max_tokens(engine: Engine) -> bool:
    outcome = await run(engine, job(STORY, max_tokens=3))
    return outcome.finishes == {0: "length"} and outcome.usage.completion_tokens == 3


async def temperature(engine: Engine) -> bool:
    return await varied(engine) > 1 and len({tuple(await texts(engine, temperature=0.0)) for _ in range(2)}) == 1


async def top_p(engine: Engine) -> bool:
    return await varied(engine, top_p=1e-6) == 1


async def top_k(engine: Engine) -> bool:
    return await varied(engine, top_k=1) == 1


async def min_p(engine: Engine) -> bool:
    return await varied(engine, min_p=1.0) == 1


async def repetition_penalty(engine: Engine) -> bool:
    return await differ(engine, repetition_penalty=1.8)


async def presence_penalty(engine: Engine) -> bool:
    return await differ(engine, presence_penalty=2.0)


async def frequency_penalty(engine: Engine) -> bool:
    return await differ(engine, frequency_penalty=2.0)


async def stop(engine: Engine) -> bool:
    (whole,) = await texts(engine)
    word = whole.split()[2]
    return await texts(engine, stop=(word,)) == [whole[: whole.index(word)]]


async def seed(engine: Engine) -> bool:
    # The first answer finds no prefix in the cache: another shape of its prompt rounds differently.
    drawn = [await texts(engine, temperature=1.0, max_tokens=8, seed=number) for number in (5, 5, 5, 6, 7)]
    _, first, again, *others = drawn
    return first == again and others != [first, first]


async def n(engine: Engine) -> bool:
    return len(await texts(engine, n=2, temperature=1.0)) == 2


async def logprobs(engine: Engine) -> bool:
    outcome = await run(engine, job(STORY, logprobs=1, max_tokens=4))
    rows = [row for event in outcome.events if isinstance(event, Text) for row in event.logprobs]
    return len(rows) == 4 and all(row.logprob <= 0 for row in rows)


async def prompt_logprobs(engine: Engine) -> bool:
    outcome = await run(engine, job(STORY, logprobs=0, prompt_logprobs=True, max_tokens=1))
    rows = [row for event in outcome.events if isinstance(event, Text) for row in event.logprobs]
    return len(rows) > 2


async def beams(engine: Engine) -> bool:
    found = await texts(engine, beams=3, n=3, temperature=None, max_tokens=6)
    return len(set(found)) == 3


async def ignore_eos(engine: Engine) -> bool:
    outcome = await run(engine, job("Say yes.", ignore_eos=True, max_tokens=60))
    return outcome.finishes == {0: "length"}


async def logit_bias(engine: Engine) -> bool:
    # The low numbers of a vocabulary are its most frequent tokens.
    return await differ(engine, logit_bias=tuple((token, -100.0) for token in range(100, 1_000)))


async def grammar(engine: Engine) -> bool:
    kinds = engine.capabilities.grammars
    found = []
    if "regex" in kinds:
        found.append(re.fullmatch(DATE.source, await held(engine, DATE)) is not None)
    if "ebnf" in kinds:
        found.append(await held(engine, YES) in ("yes really really", "no really really"))
    if "json_schema" in kinds:
        # Small models like white space, which the grammar admits: the end may not come.
        found.append(re.match(r'\s*\{\s*"a"\s*:\s*(true|false)\s*(\}|$)', await held(engine, FLAG)) is not None)
    return bool(found) and all(found)


HONOURED: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        *(max_tokens, temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty),
        *(stop, seed, n, logprobs, prompt_logprobs, beams, ignore_eos, grammar, logit_bias),
    )
}
SENT: dict[str, tuple[Any, str]] = {
    "max_tokens": (7, "max_tokens"),
    "temperature": (0.5, "temperature"),
    "top_p": (0.5, "top_p"),
    "top_k": (5, "top_k"),
    "min_p": (0.2, "min_p"),
    "repetition_penalty": (1.5, "repetition_penalty"),
    "presence_penalty": (0.5, "presence_penalty"),
    "frequency_penalty": (0.5, "frequency_penalty"),
    "stop": (("x",), "stop"),
    "seed": (3, "seed"),
    "n": (2, "n"),
    "logprobs": (2, "logprobs"),
    "ignore_eos": (True, "ignore_eos"),
    "grammar": (FLAG, "response_format"),
    "logit_bias": (((5, -2.0),), "logit_bias"),
}
"""Of a remote engine: what stands in the body that it sends."""
REFUSED: dict[str, Any] = {name: value for name, (value, _) in SENT.items()} | {
    "logprobs": 20,
    "prompt_logprobs": True,
    "beams": 2,
    "n": 3,
}
PARAM = {"beams": "num_beams", "grammar": "response_format", "prompt_logprobs": "echo"}


def offered(engine: Engine, name: str, value: Any = None) -> bool:
    """Whether the engine says that it honours the field."""
    able = engine.capabilities
    special = {
        "max_tokens": True,
        "seed": able.seed != "none",
        "n": able.max_choices > 1,
        "logprobs": able.logprobs is not None,
        "prompt_logprobs": able.prompt_logprobs,
        "beams": able.max_beams > 1,
        "grammar": bool(able.grammars) if value is None else value.kind in able.grammars,
    }
    return special.get(name, name in able.parameters)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Sampling)])
async def test_a_field_is_honoured_or_refused(engine: Engine, case: Case, name: str) -> None:
    """The one test that a new field of ``Sampling`` must pass on every engine."""
    if offered(engine, name):
        if case.model:
            assert await HONOURED[name](engine)
        elif engine.capabilities.templates:
            value, field = SENT[name]
            await run(engine, job("Hello.", **{"max_tokens": 16, name: value}))
            body = sent()[-1]
            if name == "grammar":
                assert body[field]["json_schema"]["schema"] == json.loads(value.source)
            elif name == "logprobs":
                assert (body[field], body["top_logprobs"]) == (True, value)
            elif name == "logit_bias":
                assert body[field] == {str(token): bias for token, bias in value}
            else:
                assert body[field] == (list(value) if isinstance(value, tuple) else value)
        # A script says what it says: there is nothing to be seen.
        return
    with pytest.raises(Unsupported) as caught:
        await engine.generate(job("Hello.", **{name: REFUSED[name]}))
    assert caught.value.param == PARAM.get(name, name)


@pytest.mark.parametrize("grammar", [FLAG, DATE, YES], ids=lambda grammar: grammar.kind)
async def test_a_kind_of_grammar_is_honoured_or_refused(engine: Engine, case: Case, grammar: Grammar) -> None:
    if offered(engine, "grammar", grammar):
        assert not case.model or await HONOURED["grammar"](engine)
        return
    with pytest.raises(Unsupported) as caught:
        await engine.generate(job("Hello.", grammar=grammar))
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("temperature", 2.5), ("top_p", 0.0), ("top_k", -1), ("min_p", 1.5), ("repetition_penalty", 0.0)],
        *[("presence_penalty", 3.0), ("frequency_penalty", -3.0), ("seed", -1), ("logprobs", 21), ("max_tokens", 0)],
        *[("temperature", float("nan")), ("n", 0), ("beams", 0), ("stop", ("",))],
    ],
)
async def test_a_value_out_of_range_is_refused(engine: Engine, name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await engine.generate(job("Hello.", **{name: value}))
    assert caught.value.param == name


async def test_every_field_is_covered() -> None:
    fields = {field.name for field in dataclasses.fields(Sampling)}
    assert HONOURED.keys() == REFUSED.keys() == fields


# --- against the reference sampler ---------------------------------------------------------------------------------

DRAWS = 256
CRITICAL = {1: 10.8, 2: 13.8, 3: 16.3, 4: 18.5, 5: 20.5, 6: 22.5, 7: 24.3, 8: 26.1, 9: 27.9, 10: 29.6}
"""Chi-square at p = .001, by degrees of freedom. Seeds are fixed, but in bfloat16 draws differ by the machine."""
SEEDS = (1000, 5000)
"""A sampler that is wrong fails with both."""


async def draws(engine: Engine, first_seed: int = SEEDS[0], **sampling: Any) -> list[tuple[str, float]]:
    """First tokens and their log-probabilities as the engine gives them."""
    width = min(8, engine.capabilities.max_choices)
    found = []
    for start in range(0, DRAWS, width):
        outcome = await run(
            engine, job(PROMPT, n=width, seed=first_seed + start, logprobs=0, max_tokens=1, ignore_eos=True, **sampling)
        )
        found += [
            (row.token, row.logprob) for event in outcome.events if isinstance(event, Text) for row in event.logprobs
        ]
    return found


async def base(engine: Engine) -> dict[str, float]:
    """The engine's own log-probabilities of first tokens, as far as its draws show them: likeliest first.

    In bfloat16 they differ by a tenth from batch to batch, so they are averaged.
    """
    seen: dict[str, list[float]] = {}
    for token, value in await draws(engine, temperature=1.0):
        seen.setdefault(token, []).append(value)
    means = {token: sum(values) / len(values) for token, values in seen.items()}
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def samplings(known: dict[str, float]) -> list[dict[str, Any]]:
    """Parameters whose bounds lie in the middle between two tokens, so that no rounding decides what is kept."""
    first, second, third, *_ = np.exp(list(known.values()))
    return [
        {"temperature": 1.0},
        {"temperature": 0.6},
        {"temperature": 1.6, "top_k": 2},
        {"temperature": 1.0, "top_p": float(first + second / 2)},
        {"temperature": 1.0, "min_p": float((second + third) / 2 / first)},
    ]


def chi_square(counts: dict[str, int], expected: dict[str, float]) -> tuple[float, int]:
    """The statistic and its degrees of freedom; cells that expect fewer than five draws are put together."""
    total = sum(counts.values())
    cells = [(counts.get(token, 0), share * total) for token, share in expected.items() if share * total >= 5]
    rest = (total - sum(seen for seen, _ in cells), total - sum(wanted for _, wanted in cells))
    if rest[1] >= 5:
        cells.append(rest)
    else:
        assert rest[0] <= 6, f"{rest[0]} draws of tokens that are all but excluded"
    return sum((seen - wanted) ** 2 / wanted for seen, wanted in cells), len(cells) - 1


async def test_first_tokens_follow_the_reference_sampler(engine: Engine, case: Case) -> None:
    if not case.model or engine.capabilities.logprobs is None:
        pytest.skip(f"{engine.name} has no model of its own to draw from")
    temperatures = {
        name for name in ("temperature", "top_p", "top_k", "min_p") if name in engine.capabilities.parameters
    }
    assert temperatures == {"temperature", "top_p", "top_k", "min_p"}
    known = await base(engine)
    tokens, logits = list(known), np.array(list(known.values()))
    # What was never drawn is one more token: it takes what is left of the probability.
    left = max(1e-9, 1.0 - float(np.exp(logits).sum()))
    tail = np.full(2000, np.log(left / 2000))
    for sampling in samplings(known):
        chances = reference.distribution(np.concatenate([logits, tail]), Sampling(**sampling))
        expected = {token: float(chances[place]) for place, token in enumerate(tokens) if chances[place] > 0}
        beyond = []
        for seed in SEEDS:
            drawn = Counter(token for token, _ in await draws(engine, seed, **sampling))
            statistic, freedom = chi_square(drawn, expected)
            if statistic < CRITICAL.get(freedom, freedom + 4 * (2 * freedom) ** 0.5):
                break
            beyond.append((statistic, freedom))
        assert len(beyond) < len(SEEDS), (sampling, beyond)
        await asyncio.sleep(0)

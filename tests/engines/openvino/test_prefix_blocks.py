"""The predicted content of the prefix cache, compared with the tokens that the pipeline really computes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mainspring.engines.openvino.child import Scheduler
from mainspring.engines.openvino.prefix_blocks import PrefixBlocks
from mainspring.engines.openvino.runtime import open_pipeline
from tests.conformance.engine_cases import default_model_missing, pulled_files

SAMPLING: dict[str, Any] = {
    "max_tokens": 3,
    "temperature": 0,
    **dict.fromkeys(["top_p", "top_k", "min_p", "logprobs", "grammar"]),
    **dict.fromkeys(["repetition_penalty", "presence_penalty", "frequency_penalty"]),
    "stop": (),
    "seed": 1,
    "n": 1,
    "beams": 1,
    "ignore_eos": True,
}
CONFIGURATION: dict[str, Any] = {
    "context_window": 4096,
    "max_sequences": 4,
    "max_batched_tokens": 32,
    "prefix_cache": True,
    "threads": 1,
    "properties": {"INFERENCE_PRECISION_HINT": "bf16"},
    "speculation": "off",
    "speculation_tokens": 5,
    "draft": "",
}


def test_whole_blocks_are_found_and_the_last_token_is_always_computed() -> None:
    blocks = PrefixBlocks(10, 4)
    assert blocks.cached(range(9)) == 0
    blocks.keep(range(9))
    assert blocks.cached(range(9)) == 8
    assert blocks.cached(range(8)) == 4
    assert blocks.cached([*range(6), 99, 7, 8]) == 4
    assert blocks.cached([99, *range(1, 9)]) == 0


def test_what_was_never_found_again_leaves_first() -> None:
    blocks = PrefixBlocks(3, 2)
    for start in (0, 10, 20):
        blocks.keep([start, start + 1])
    assert blocks.cached([0, 1, 2]) == 2
    for start in range(30, 90, 2):
        blocks.keep([start, start + 1])
    assert blocks.cached([0, 1, 2]) == 2
    assert sum(blocks.cached([start, start + 1, 0]) for start in (10, 20)) == 0


def test_without_a_cache_nothing_is_cached() -> None:
    blocks = PrefixBlocks(0, 2)
    blocks.keep(range(8))
    assert blocks.cached(range(8)) == 0


def steps_of(scheduler: Scheduler, number: int, prompt: str) -> tuple[int, int, int]:
    """(tokens of the prompt, those said to be cached, steps until the first token)."""
    scheduler.intake({"op": "add", "id": number, "prompt": prompt, "priority": 0, "sampling": SAMPLING})
    request, first, steps, ended = scheduler._jobs[number], 0, 0, []
    while scheduler.busy:
        scheduler.step()
        steps += 1
        first = first or (steps if request.generated else 0)
        ended += (scheduler.flush() or {}).get("e", [])
    ((_, read, _, _, cached),) = ended
    return read, cached, first


@pytest.mark.skipif(bool(default_model_missing()), reason=default_model_missing() or "pulled")
def test_as_many_tokens_are_computed_as_are_not_cached() -> None:
    runtime = pytest.importorskip("openvino_genai")
    configuration = {**CONFIGURATION, "model": str(pulled_files()["ir"]), "kv_blocks": 256}
    scheduler = Scheduler(open_pipeline(runtime, configuration), runtime, configuration)
    draw = random.Random(1)
    words = "river stone lamp orange table window garden letter music silver".split()

    def text(count: int) -> str:
        return " ".join(draw.choice(words) for _ in range(count))

    prefixes = [text(100), text(180)]
    spared = 0
    for number in range(1, 9):
        read, cached, first = steps_of(scheduler, number, f"{prefixes[number % 2]} {text(20)}")
        # A step reads 32 tokens.
        assert first == -(-(read - cached) // 32)
        spared += cached
    assert spared >= 6 * 96

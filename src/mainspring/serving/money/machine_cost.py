"""Measures what a model takes of its machine: tokens a second that it reads, reads from its prefix cache, and writes.

Three rounds of ``streams`` requests at once. The first round reads new long prompts and writes a token each; the second
reads them again; the third writes long answers to short prompts. The cost of a round's answers is separated from its
prompts, so that the rates add up: an hour of any mixture costs an hour.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling, Usage
from mainspring.serving.money.tariffs import Throughput

SYLLABLES = "ba be bi bo bu da de di do du fa fe fi fo fu ka ke ki ko ku la le li lo lu ma me mi mo mu".split()
Clock = Callable[[], float]


async def measure(
    responder: Responder,
    model: str,
    *,
    streams: int = 8,
    prompt_tokens: int = 512,
    output_tokens: int = 128,
    clock: Clock = time.perf_counter,
    progress: Callable[[str], None] = lambda _: None,
) -> Throughput:
    """Raises the model's errors, and ``EngineError`` if it reports no usage."""
    progress("warming up")
    await _round(responder, [_request(model, _text(20), 4)] * 2, clock)
    long = [_request(model, _text(prompt_tokens), 1) for _ in range(streams)]
    short = [_request(model, _text(10), output_tokens) for _ in range(streams)]
    progress("reading")
    read_s, read = await _round(responder, long, clock)
    progress("reading again")
    again_s, again = await _round(responder, long, clock)
    progress("writing")
    write_s, written = await _round(responder, short, clock)
    # Two equations: read_s = p1 / in + o1 / out, write_s = p3 / in + o3 / out.
    p1, o1, p3, o3 = read.prompt_tokens, read.completion_tokens, written.prompt_tokens, written.completion_tokens
    both = p1 * o3 - p3 * o1
    per_input = max((read_s * o3 - write_s * o1) / both, 1e-9)
    per_output = max((write_s * p1 - read_s * p3) / both, 1e-9)
    left = again_s - again.completion_tokens * per_output
    cached = again.prompt_tokens / left if left > 0 else 0.0
    # Where nothing is kept, reading again takes as long: then a cached token is like any other.
    cached = round(cached, 1) if cached > 1.5 / per_input else 0.0
    return Throughput(round(1 / per_input, 1), round(1 / per_output, 1), cached, time.time(), streams)


async def _round(responder: Responder, requests: Sequence[ChatRequest], clock: Clock) -> tuple[float, Usage]:
    started = clock()
    answers = await asyncio.gather(*(_ask(responder, request) for request in requests))
    return clock() - started, sum(answers, Usage())


async def _ask(responder: Responder, request: ChatRequest) -> Usage:
    context = Context(Principal("default", "calibrate"))
    return (await collect(await responder.respond(request, context))).usage


def _request(model: str, text: str, tokens: int) -> ChatRequest:
    sampling = Sampling(max_tokens=tokens, temperature=0, ignore_eos=True)
    return ChatRequest(model, (Message("user", text),), sampling, store=False)


def _text(tokens: int) -> str:
    # Two syllables are about two tokens; random text is in no prefix cache.
    return " ".join("".join(random.choices(SYLLABLES, k=2)) for _ in range(tokens // 2))

from __future__ import annotations

import pytest

from mainspring.core.path import replay
from mainspring.core.types import ChatRequest, Context, Finish, Head, Request, Response, Usage
from mainspring.serving.money.machine_cost import measure


class Machine:
    """Reads and writes at known rates, one request after the other, on a clock of its own."""

    def __init__(self, reads: float, rereads: float, writes: float) -> None:
        self.now = 0.0
        self.rates = (reads, rereads, writes)
        self.seen: set[str] = set()

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        text = request.messages[0].content
        prompt, output = len(text.split()) * 2, request.sampling.max_tokens or 0
        reads, rereads, writes = self.rates
        self.now += prompt / (rereads if text in self.seen else reads) + output / writes
        self.seen.add(text)
        return Response(Head("m"), replay([Usage(prompt, output), Finish("length")]))

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


async def test_the_rates_of_a_machine_are_found() -> None:
    machine = Machine(1000.0, 20_000.0, 250.0)
    found = await measure(machine, "m", streams=4, clock=lambda: machine.now)
    assert (found.input, found.output) == (1000.0, 250.0)
    assert found.cached_input == pytest.approx(20_000.0, rel=0.01)
    assert found.streams == 4


async def test_without_a_prefix_cache_a_cached_token_is_like_any_other() -> None:
    machine = Machine(1000.0, 1000.0, 250.0)
    assert (await measure(machine, "m", clock=lambda: machine.now)).cached_input == 0.0

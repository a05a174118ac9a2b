"""Advises whether caching a prefix at a provider would pay: the necessary reuse, and the actual reuse in the ledger."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mainspring.core.types import ChatRequest, Request
from mainspring.serving.money.pricing import MILLION, Price

# Below this providers keep nothing.
LEAST_TOKENS = 1024
CHARACTERS_A_TOKEN = 4
SHORT_S = 300.0
"""Seconds for which a prefix is cached after its last use by default."""


@dataclass(frozen=True, slots=True)
class PrefixTerms:
    """The cost of caching a prefix, in nano-US-dollars per million tokens: ``write`` once, ``read`` at each use, and
    ``storage`` per hour; it is dropped ``kept_s`` seconds after its last use.

    With paid storage, a prefix is written in advance and every use reads it; otherwise the first use writes it.
    """

    input: int
    write: int
    read: int
    storage: int = 0
    kept_s: float = SHORT_S

    @classmethod
    def of(cls, price: Price, *, storage: int = 0, kept_s: float = SHORT_S) -> PrefixTerms | None:
        """The terms in a price; None for a provider that reads a cached prefix no cheaper. One that asks nothing for
        writing asks what any input costs."""
        if price.cached_input is None or price.cached_input >= price.input:
            return None
        hour = price.cache_write_hour if kept_s > SHORT_S else None
        write = hour if hour is not None else price.cache_write
        return cls(price.input, price.input if write is None else write, price.cached_input, storage, kept_s)

    def break_even(self, hours: float = 0.0) -> int | None:
        """The fewest uses within ``hours`` that are no dearer with the prefix kept than without; None: never."""
        gain = self.input - self.read
        if gain <= 0:
            return None
        once = self.write - (0 if self.storage else self.read) + hours * self.storage
        return max(1, math.ceil(once / gain - 1e-12))

    def cost(self, uses: int, writes: int, hours: float) -> float:
        """The cost of this many uses with the prefix cached, in nano-US-dollars for a million of its tokens."""
        reads = uses if self.storage else uses - writes
        return writes * self.write + reads * self.read + hours * self.storage


@dataclass(frozen=True, slots=True)
class Advice:
    """One prefix of one model: the cost of its uses, and their cost if it were kept, in nano-US-dollars."""

    model: str
    prefix: str
    tokens: int
    uses: int
    writes: int
    plain: int
    kept: int
    break_even: int | None

    @property
    def saves(self) -> int:
        return self.plain - self.kept


def prefix_tokens(request: Request) -> tuple[str, int] | None:
    """The text that a chat request begins with, as providers cache it (tools, then instructions), and its estimated
    tokens; None if it is too short to be kept."""
    if not isinstance(request, ChatRequest):
        return None
    said = []
    for message in request.messages:
        if message.role not in ("system", "developer"):
            break
        said.append(message.content)
    size = sum(map(len, said)) + (200 * len(request.tools))
    if size < LEAST_TOKENS * CHARACTERS_A_TOKEN:
        return None
    tools = [f"{tool.name}\0{tool.description}\0{tool.parameters}" for tool in request.tools]
    text = "\0".join([*tools, *said])
    return text, -(-len(text) // CHARACTERS_A_TOKEN)


def advise(model: str, uses: Iterable[tuple[str, int, float]], terms: PrefixTerms) -> list[Advice]:
    """The gain of caching each prefix, the best first; ``uses`` are (prefix, tokens, Unix seconds)."""
    times: dict[tuple[str, int], list[float]] = {}
    for prefix, tokens, at in uses:
        times.setdefault((prefix, tokens), []).append(at)
    made = [_advice(model, prefix, tokens, sorted(at), terms) for (prefix, tokens), at in times.items()]
    return sorted(made, key=lambda each: -each.saves)


def _advice(model: str, prefix: str, tokens: int, times: Sequence[float], terms: PrefixTerms) -> Advice:
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    writes = 1 + sum(gap > terms.kept_s for gap in gaps)
    hours = (sum(min(gap, terms.kept_s) for gap in gaps) + terms.kept_s) / 3600
    kept = terms.cost(len(times), writes, hours)

    def money(rate: float) -> int:
        return round(rate * tokens / MILLION)

    plain = money(len(times) * terms.input)
    return Advice(model, prefix, tokens, len(times), writes, plain, money(kept), terms.break_even(hours))

"""Prices of tokens, in fixed-point money."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from mainspring.core.facts.calls import PriceFacts
from mainspring.core.types import Usage

MILLION = 1_000_000
NANO = 1_000_000_000
BATCH = "batch"
"""The rate of work that a provider does at a time of its choice."""
OWN = "own"
"""The source of the tariff of a local model without a configured price."""


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-US-dollars a million tokens, whole numbers. ``cached_input`` None: cached tokens cost like others.

    ``cache_write`` and ``cache_write_hour`` are the provider's prices for keeping a prefix (None: unknown). ``above``
    are the prices of longer prompts: (tokens, price) in rising order; a prompt of more than that many tokens pays that
    price for everything.
    """

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    cache_write: int | None = None
    cache_write_hour: int | None = None
    above: tuple[tuple[int, Price], ...] = ()

    @classmethod
    def per_million(cls, input_usd: float, output_usd: float, cached_input_usd: float | None = None) -> Price:
        """From US dollars a million tokens, as price lists have them."""
        cached = None if cached_input_usd is None else round(cached_input_usd * NANO)
        return cls(round(input_usd * NANO), round(output_usd * NANO), cached)

    def cost(self, usage: Usage) -> int:
        """Nano-US-dollars of ``usage``, rounded to the nearest."""
        price = self.for_prompt(usage.prompt_tokens) if self.above else self
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        cached_price = price.input if price.cached_input is None else price.cached_input
        total = (
            (usage.prompt_tokens - cached) * price.input
            + cached * cached_price
            + usage.completion_tokens * price.output
        )
        return (total + MILLION // 2) // MILLION

    def saved(self, usage: Usage) -> int:
        """Nano-US-dollars that ``usage`` would have cost more had nothing of its prompt been cached."""
        if not usage.cached_tokens or (self.cached_input is None and not self.above):
            return 0
        return self.cost(dataclasses.replace(usage, cached_tokens=0)) - self.cost(usage)

    def for_prompt(self, tokens: int) -> Price:
        """The price of a prompt of this many tokens."""
        found = self
        for start, price in self.above:
            if tokens <= start:
                break
            found = price
        return found

    def scaled(self, factor: float) -> Price:
        """The tariff multiplied by ``factor``, each rate rounded."""

        def times(rate: int | None) -> int | None:
            return None if rate is None else round(rate * factor)

        return Price(
            round(self.input * factor),
            round(self.output * factor),
            times(self.cached_input),
            times(self.cache_write),
            times(self.cache_write_hour),
            tuple((start, price.scaled(factor)) for start, price in self.above),
        )


@dataclass(frozen=True, slots=True)
class Period:
    """A price from a date on (UTC), or between two times of each day (past midnight if the end is before)."""

    price: Price
    since: datetime.date | None = None
    between: tuple[datetime.time, datetime.time] | None = None

    def active(self, at: datetime.datetime) -> bool:
        """Whether it counts at the UTC time ``at``."""
        if self.since is not None:
            return at.date() >= self.since
        if self.between is None:
            return True
        start, end = self.between
        now = at.time()
        return now >= start or now < end if end < start else start <= now < end


@dataclass(frozen=True, slots=True)
class Tariff:
    """A model's prices, current and earlier, and their source.

    The last active period counts, else the first. ``rates`` are the periods of other rates, such as ``batch``; a
    missing rate costs the standard. ``priced`` is false if the price is unknown: a cost of 0 is then no fact.
    """

    source: str
    periods: tuple[Period, ...]
    rates: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)
    priced: bool = True

    @classmethod
    def fixed(cls, price: Price, source: str = "settings", batch: Price | None = None) -> Tariff:
        """One price at all times."""
        return cls(source, (Period(price),), {} if batch is None else {BATCH: (Period(batch),)})

    @property
    def known(self) -> bool:
        """Whether it can be compared with. The ledger counts local models without an hourly price as free; a
        hypothetical cost of them is then no fact."""
        return self.priced and self.source != OWN

    @classmethod
    def unknown(cls) -> Tariff:
        """The model's price is unknown."""
        return cls("", (Period(Price()),), priced=False)

    def price(self, at: float, rate: str = "") -> Price:
        """The price at Unix time ``at``."""
        periods = self.rates.get(rate) or self.periods
        if len(periods) == 1 and periods[0].since is None and periods[0].between is None:
            return periods[0].price
        moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
        active = [period for period in periods if period.active(moment)]
        if active:
            return active[-1].price
        # Before a rate of its own began, the standard one counted.
        return self.price(at) if rate in self.rates else periods[0].price

    def facts(self, price: Price, prompt_tokens: int, rate: str = "") -> PriceFacts:
        """The price in a ledger line, in nano-US-dollars per million tokens."""
        price = price.for_prompt(prompt_tokens)
        return PriceFacts(
            source=self.source,
            input=price.input,
            output=price.output,
            cached_input=price.cached_input,
            rate=rate if rate in self.rates else "",
        )

"""What tokens cost, in fixed-point money."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.types import Usage

MILLION = 1_000_000
NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-US-dollars a million tokens, whole numbers. ``cached_input`` None: cached tokens cost like others."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None

    @classmethod
    def per_million(cls, input_usd: float, output_usd: float, cached_input_usd: float | None = None) -> Price:
        """From US dollars a million tokens, as price lists have them."""
        cached = None if cached_input_usd is None else round(cached_input_usd * NANO)
        return cls(round(input_usd * NANO), round(output_usd * NANO), cached)

    def cost(self, usage: Usage) -> int:
        """Nano-US-dollars of ``usage``, rounded to the nearest."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        cached_price = self.input if self.cached_input is None else self.cached_input
        total = (
            (usage.prompt_tokens - cached) * self.input + cached * cached_price + usage.completion_tokens * self.output
        )
        return (total + MILLION // 2) // MILLION

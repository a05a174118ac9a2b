"""Settings of money: what models cost, and how much the keys of a tier may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section

MOST_USD = 1e6
"""The dearest a million tokens, an hour or a request may be: beyond it the sums of a ledger would not fit."""
Usd = Annotated[float, Field(ge=0, le=MOST_USD)]


class Tier(Section):
    """Rate limits of the keys of one tier. Fields that it omits take the value of ``serving``."""

    requests_per_minute: int | None = Field(None, gt=0)
    tokens_per_minute: int | None = Field(None, gt=0)
    requests_per_day: int | None = Field(None, ge=0)


class ModelPrice(Section):
    """The price of a model, in one of three ways.

    ``input``, ``output`` and ``cached_input`` are US dollars a million tokens. ``listed`` names an entry of the price
    book: ``openai/gpt-4o``. ``per_hour`` is US dollars an hour for the machine that it runs on, with the tokens a
    second that the machine reads and writes where they were not measured.
    """

    input: Usd | None = None
    output: Usd | None = None
    cached_input: Usd | None = None
    batch: float | None = Field(None, ge=0, le=1, description="price of a batch as a share of the standard price")
    listed: str = Field("", pattern=r"^$|^[^/\s]+/\S+$")
    per_hour: Usd | None = None
    input_tokens_per_s: float | None = Field(None, gt=0)
    output_tokens_per_s: float | None = Field(None, gt=0)
    cached_tokens_per_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> ModelPrice:
        tokens = self.input is not None or self.output is not None
        ways = (tokens, bool(self.listed), self.per_hour is not None)
        speeds = (self.input_tokens_per_s, self.output_tokens_per_s, self.cached_tokens_per_s)
        if sum(ways) > 1 or (sum(ways) == 0 and not any(speeds)):
            raise ValueError("set either input and output, or listed, or per_hour")
        if self.cached_input is not None and not tokens:
            raise ValueError("cached_input needs input and output")
        if tokens and any(speeds):
            raise ValueError("tokens per second need per_hour")
        return self


class PricesSettings(Section):
    """What models cost. ``models`` maps served names to prices. A model without an entry has the price in
    ``models.remote`` or in the catalogue, then the price book's for its endpoint.

    ``per_hour`` is the cost of the machine. With it and a measurement (``mainspring costs calibrate``), local models
    cost their share of the machine. ``utilisation`` is the share of an hour in which it has work. ``applications`` is
    the most that one request of an application may cost in US dollars, ``application_tokens`` the most tokens that it
    may take, for budgets. ``anomaly_usd`` is the unexpected cost of an hour from which an anomaly is reported.
    """

    models: dict[str, ModelPrice] = Field(default_factory=dict)
    per_hour: Usd = 0.0
    utilisation: float = Field(1.0, gt=0, le=1)
    book: Path | None = None
    applications: dict[str, Usd] = Field(default_factory=dict)
    application_tokens: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    anomaly_usd: float = Field(1.0, ge=0)

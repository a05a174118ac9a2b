"""Distils the price list of the package ``genai-prices`` into ``src/mainspring/serving/money/price_book.jsonl``.

Run it after that package was upgraded: ``python scripts/price_book.py``. It keeps what text costs: input, cached input,
cache writes and output, in nano-US-dollars a million tokens, with thresholds, dates and the rates of batches. A test
compares what the file says with what the package calculates, for every model.
"""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseOr,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

TARGET = Path(__file__).parents[1] / "src" / "mainspring" / "serving" / "money" / "price_book.jsonl"
KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_hour",
}
NANO = 10**9
# Rates that a call can be made at, as genai-prices names them.
RATES = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


def main() -> None:
    package = metadata.distribution("genai-prices")
    license_text = next(file.read_text() for file in package.files or [] if file.name == "LICENSE")
    head = {
        "source": "genai-prices",
        "version": package.version,
        "url": "https://github.com/pydantic/genai-prices",
        "license": license_text,
    }
    lines: list[Any] = [head]
    for provider in providers:
        lines += [provider_line(provider), *map(model_line, provider.models)]
    TARGET.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8")
    print(f"{TARGET}: {sum(bool(line.get('periods')) for line in lines)} priced models, {TARGET.stat().st_size} bytes")


def provider_line(provider: Provider) -> dict[str, Any]:
    # A pattern that does not compile would only be found when somebody configures such an address.
    re.compile(provider.api_pattern)
    return {
        "provider": provider.id,
        "name": provider.name,
        "api": provider.api_pattern,
        "fallback": provider.fallback_model_providers or [],
    }


def model_line(model: ModelInfo) -> dict[str, Any]:
    """The model as a line; what has no price for text has no periods, and hides those behind it all the same."""
    priced = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    periods = [period(each.prices, each.constraint) for each in priced]
    if not any(each["rates"].keys() & {"input", "output"} for each in periods):
        periods = []
    line: dict[str, Any] = {"model": model.id, "match": clause(model.match), "periods": periods}
    others = {name: made for name, when in RATES.items() if (made := at_rate(model, priced, when))}
    return line | ({"rates": others} if others and periods else {})


def at_rate(model: ModelInfo, priced: list[ConditionalPrice], when: dict[str, str]) -> list[dict[str, Any]]:
    """The periods of what the model costs at another rate; none where it has no such rate."""
    variants = [variant for variant in model.price_variants or () if variant.when == when]
    constraints = [*(each.constraint for each in priced), *(variant.constraint for variant in variants)]
    if not variants or any(isinstance(each, TimeOfDateConstraint) for each in constraints):
        return []
    begins = sorted({each.start_date for each in constraints if isinstance(each, StartDateConstraint)})
    made = []
    for begin in (datetime.date.min, *begins):
        moment = datetime.datetime.combine(begin, datetime.time(), datetime.UTC)
        since = None if begin is datetime.date.min else StartDateConstraint(begin)
        made.append(period(model.get_prices(moment, when), since))
    return made


def period(prices: ModelPrice, constraint: StartDateConstraint | TimeOfDateConstraint | None) -> dict[str, Any]:
    values = {ours: getattr(prices, theirs) for theirs, ours in KEYS.items()}
    made: dict[str, Any] = {"rates": {name: rate(value) for name, value in values.items() if value is not None}}
    if isinstance(constraint, StartDateConstraint):
        made["from"] = constraint.start_date.isoformat()
    elif isinstance(constraint, TimeOfDateConstraint):
        made["between"] = [utc(constraint.start_time), utc(constraint.end_time)]
    return made


def utc(time: datetime.time) -> str:
    if time.tzinfo is not None:
        time = datetime.datetime.combine(datetime.date(1970, 1, 1), time).astimezone(datetime.UTC).time()
    return time.isoformat()


def rate(value: Decimal | TieredPrices) -> int | list[list[int]]:
    """Nano-US-dollars a million tokens, or [above how many input tokens, that]s, from 0 on."""
    if isinstance(value, TieredPrices):
        return [[0, nano(value.base)], *([tier.start, nano(tier.price)] for tier in value.tiers)]
    return nano(value)


def nano(value: Decimal) -> int:
    """Rounded: a few are thirds, and what is lost is half a nano-dollar in a million tokens."""
    return round(value * NANO)


def clause(match: Any) -> dict[str, Any]:
    if isinstance(match, ClauseOr):
        return {"or": [clause(each) for each in match.or_]}
    if isinstance(match, ClauseAnd):
        return {"and": [clause(each) for each in match.and_]}
    ((name, value),) = vars(match).items()
    return {name: value}


if __name__ == "__main__":
    main()

"""The price list of the providers, made from the data of ``genai-prices`` by ``scripts/price_book.py``.

A model is found by the address of its endpoint and by the name that the endpoint knows it under, never by the name
alone: open weights cost what their host asks.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import SettingsError
from mainspring.serving.money.pricing import Period, Price, Tariff

PATH = Path(__file__).with_name("price_book.jsonl")
COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")


@dataclass(slots=True)
class _Provider:
    id: str
    api: re.Pattern[str]
    fallback: list[str]
    models: list[dict[str, Any]] = field(default_factory=list)

    def model(self, name: str) -> dict[str, Any] | None:
        return next((model for model in self.models if _matches(model["match"], name)), None)


class PriceBook:
    """Prices by provider and model. ``edition`` names the list and its version."""

    def __init__(self, edition: str, providers: list[_Provider]) -> None:
        self.edition = edition
        self._providers = providers

    @classmethod
    def load(cls, path: Path | None = None) -> PriceBook:
        """Read ``path``, by default the list that came with this version. Raises ``SettingsError``."""
        path = path or PATH
        providers: list[_Provider] = []
        try:
            with path.open(encoding="utf-8") as lines:
                head = json.loads(next(lines))
                for line in map(json.loads, lines):
                    if "provider" in line:
                        providers.append(_Provider(line["provider"], re.compile(line["api"]), line["fallback"]))
                    else:
                        providers[-1].models.append(line)
            return cls(f"{head['source']} {head['version']}", providers)
        except (OSError, ValueError, LookupError, TypeError, StopIteration, re.error) as error:
            raise SettingsError(
                f"the price book {path} cannot be read: {error or type(error).__name__}",
                remedy="`python scripts/price_book.py` makes one; leave prices.book empty for the one that is built in",
            ) from None

    def at(self, url: str, model: str) -> Tariff | None:
        """The price of ``model`` at the endpoint ``url``; None if the list does not have it."""
        return self._found(next((each for each in self._providers if each.api.match(url)), None), model)

    def named(self, name: str) -> Tariff | None:
        """The tariff of ``provider/model``."""
        provider, _, model = name.partition("/")
        return self._found(next((each for each in self._providers if each.id == provider), None), model)

    def _found(self, provider: _Provider | None, model: str) -> Tariff | None:
        if provider is None:
            return None
        name = model.lower()
        others = [each for other in provider.fallback for each in self._providers if each.id == other]
        # Names like gpt-5.2-20251211 are listed with dashes in their date.
        for spelt in dict.fromkeys((name, COMPACT_DATE.sub(r"-\1-\2-\3", name))):
            for place in (provider, *others):
                if (found := place.model(spelt)) is not None:
                    return self._tariff(provider, found) if found["periods"] else None
        return None

    def _tariff(self, provider: _Provider, model: Mapping[str, Any]) -> Tariff:
        rates = {name: tuple(map(_period, periods)) for name, periods in model.get("rates", {}).items()}
        source = f"{self.edition} {provider.id}/{model['model']}"
        return Tariff(source, tuple(map(_period, model["periods"])), rates)


def _period(line: Mapping[str, Any]) -> Period:
    since = datetime.date.fromisoformat(line["from"]) if "from" in line else None
    times = [datetime.time.fromisoformat(text) for text in line.get("between", ())]
    return Period(_price(line["rates"]), since, (times[0], times[1]) if times else None)


def _price(rates: Mapping[str, Any]) -> Price:
    steps = {name: rates[name] if isinstance(rates[name], list) else [[0, rates[name]]] for name in rates}
    starts = sorted({start for each in steps.values() for start, _ in each if start})

    def at(start: int) -> Price:
        return Price(**{name: [rate for begin, rate in steps[name] if begin <= start][-1] for name in steps})

    return dataclasses.replace(at(0), above=tuple((start, at(start)) for start in starts))


def _matches(clause: Mapping[str, Any], name: str) -> bool:
    ((kind, value),) = clause.items()
    if kind in ("or", "and"):
        found = (_matches(each, name) for each in value)
        return any(found) if kind == "or" else all(found)
    if kind == "regex":
        return re.search(value, name) is not None
    text = str(value).lower()
    if kind == "equals":
        return name == text
    if kind == "starts_with":
        return name.startswith(text)
    return name.endswith(text) if kind == "ends_with" else text in name

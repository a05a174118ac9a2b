"""The tariff of each model: configured, from its catalogue, from the price book, or from its share of the machine."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.core.settings.serving.money import ModelPrice
from mainspring.serving.money.price_book import PriceBook
from mainspring.serving.money.pricing import BATCH, MILLION, NANO, OWN, Price, Tariff

FILE_NAME = "throughput.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Tokens a second that a machine reads, reads from its prefix cache (0: not known) and writes when it is busy.
    ``measured_at`` is Unix seconds, ``streams`` how many requests ran at once."""

    input: float
    output: float
    cached_input: float = 0.0
    measured_at: float = 0.0
    streams: int = 0


def throughputs(home: Path) -> dict[str, Throughput]:
    """The measurements on this machine, by model. A file that cannot be read counts as empty."""
    path = home / FILE_NAME
    if not path.exists():
        return {}
    try:
        return {name: Throughput(**fields) for name, fields in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        _log.warning("%s cannot be read: %s; `mainspring costs calibrate` writes it again", path, error)
        return {}


def keep_throughput(home: Path, model: str, measured: Throughput) -> None:
    """Write down one measurement."""
    kept = {**throughputs(home), model: measured}
    path = home / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({name: asdict(each) for name, each in kept.items()}, indent=1), encoding="utf-8")
    fresh.replace(path)


class Tariffs:
    """The tariffs under one configuration. Raises ``SettingsError`` if a price names an entry that the book lacks."""

    def __init__(self, settings: Settings, measured: Mapping[str, Throughput] | None = None) -> None:
        self._prices = settings.prices
        self._remote = settings.models.remote
        self._rerankers = settings.models.remote_rerankers
        self._measured = throughputs(settings.home) if measured is None else measured
        self._known: dict[str, Tariff] = {}
        if self._prices.book is not None:
            # An unreadable one is reported at the start, not by the first request that needs it.
            _ = self.book

    @cached_property
    def book(self) -> PriceBook:
        """The price book, read at the first use."""
        return PriceBook.load(self._prices.book)

    def find(self, name: str) -> Tariff | None:
        """The tariff of a model that was asked for before."""
        return self._known.get(name)

    def known(self) -> Iterator[tuple[str, Tariff]]:
        """Every model that was asked for, with its tariff."""
        return iter(self._known.items())

    def of(self, name: str, catalogue: Price = Price()) -> Tariff:  # noqa: B008 - frozen
        """The tariff of the served ``name``; ``catalogue`` is the price in its own entry, zero for none."""
        if name not in self._known:
            self._known[name] = self._find(name, catalogue)
        return self._known[name]

    def _find(self, name: str, catalogue: Price) -> Tariff:
        configured = self._prices.models.get(name)
        if configured is not None and (found := self._configured(name, configured)):
            return found
        if catalogue != Price():
            return Tariff.fixed(catalogue, "models.remote" if name in self._remote else "catalogue")
        if name in self._remote:
            found = self.book.at(self._remote[name].url, self._remote[name].model)
            return Tariff.unknown() if found is None else _online(found)
        if name in self._rerankers:
            return Tariff.unknown()
        return self._own(name, self._prices.per_hour, configured)

    def _configured(self, name: str, price: ModelPrice) -> Tariff | None:
        if price.listed:
            found = self.book.named(price.listed)
            if found is None:
                raise SettingsError(
                    f"prices.models.{name}.listed: the price book has no {price.listed}",
                    remedy="Write provider/model as genai-prices lists it, or give input and output",
                )
            return _online(found, price.batch)
        if price.per_hour is not None:
            return self._own(name, price.per_hour, price)
        if price.input is None and price.output is None:
            return None
        made = Price.per_million(price.input or 0.0, price.output or 0.0, price.cached_input)
        return Tariff.fixed(made, "settings", None if price.batch is None else made.scaled(price.batch))

    def _own(self, name: str, per_hour: float, configured: ModelPrice | None) -> Tariff:
        """The model's share of a machine at ``per_hour`` US dollars; free if the machine costs nothing."""
        if not per_hour:
            return Tariff.fixed(Price(), OWN)
        speeds = self._speeds(name, configured)
        if speeds is None:
            return Tariff.unknown()
        second = per_hour / 3600 / self._prices.utilisation

        def rate(tokens_per_s: float) -> int:
            return round(second / tokens_per_s * MILLION * NANO) if tokens_per_s else 0

        cached = rate(speeds.cached_input) if speeds.cached_input else None
        price = Price(rate(speeds.input), rate(speeds.output), cached)
        busy = f", {self._prices.utilisation:.0%} busy" if self._prices.utilisation < 1 else ""
        source = f"own: ${per_hour:g} an hour, {speeds.input:g} in and {speeds.output:g} out a second{busy}"
        batch = None if configured is None or configured.batch is None else price.scaled(configured.batch)
        return Tariff.fixed(price, source, batch)

    def _speeds(self, name: str, configured: ModelPrice | None) -> Throughput | None:
        measured = self._measured.get(name)
        if configured is None or not (configured.input_tokens_per_s or configured.output_tokens_per_s):
            return measured
        given = Throughput(
            configured.input_tokens_per_s or (measured.input if measured else 0.0),
            configured.output_tokens_per_s or (measured.output if measured else 0.0),
            configured.cached_tokens_per_s or 0.0,
        )
        # A model that only reads (an embedder) writes nothing that could cost.
        return given if given.input or given.output else None


def _online(listed: Tariff, batch: float | None = None) -> Tariff:
    """A listed tariff for interactive calls: our batches are such calls too, and the provider's batch rate does not
    apply to them. ``batch`` is their price here, as a share of the standard."""
    if batch is None:
        return dataclasses.replace(listed, rates={})
    periods = (dataclasses.replace(period, price=period.price.scaled(batch)) for period in listed.periods)
    return dataclasses.replace(listed, rates={BATCH: tuple(periods)})

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.core.types import Usage
from mainspring.serving.money.pricing import BATCH, Price, Tariff
from mainspring.serving.money.tariffs import FILE_NAME, Tariffs, Throughput, keep_throughput, throughputs

GEMINI = {"url": "https://generativelanguage.googleapis.com/v1beta/openai", "model": "gemini-1.5-pro"}


def tariffs(home: Path, prices: dict[str, Any], **remote: Any) -> Tariffs:
    settings = {"home": home, "prices": prices, "models": {"remote": remote}}
    return Tariffs(Settings.model_validate(settings))


def test_the_guides_example_to_the_cent(tmp_path: Path) -> None:
    """Gemini 1.5 Pro, 1,050 tokens in (200 + 800 + 50) and 300 out: the guide rounds $0.0028125 to $0.0028."""
    tariff = tariffs(tmp_path, {}, pro=GEMINI).of("pro")
    price = tariff.price(1_720_000_000)
    usage = Usage(200 + 800 + 50, 300)
    assert (price.input, price.output) == (1_250_000_000, 5_000_000_000)
    assert price.cost(usage) == 2_812_500
    a_day = price.cost(usage) * 1_000_000
    assert f"${a_day / 1e9:,.2f}" == "$2,812.50"
    assert f"${a_day * 30 / 1e9:,.2f}" == "$84,375.00"
    # Ten times the prompt is 5.2 times the cost, not 10: the answer's share stays.
    assert price.cost(Usage(10_500, 300)) / price.cost(usage) == pytest.approx(5.2)
    # Above 128K tokens everything costs twice as much.
    assert price.cost(Usage(128_001, 300)) == 128_001 * 2_500 + 300 * 10_000
    assert price.cost(Usage(128_000, 300)) == 128_000 * 1_250 + 300 * 5_000


def test_configured_before_listed_before_unknown(tmp_path: Path) -> None:
    remote = {
        "pro": GEMINI,
        "mine": {**GEMINI, "price_input": 3.0},
        "elsewhere": {"url": "http://gpu:1/v1", "model": "x"},
    }
    found = tariffs(tmp_path, {"models": {"other": {"input": 1.0, "output": 2.0, "batch": 0.5}}}, **remote)
    assert found.of("pro").source.endswith("google/gemini-1.5-pro")
    assert found.of("mine", Price.per_million(3.0, 0.0)).source == "models.remote"
    assert not found.of("elsewhere").priced
    other = found.of("other")
    assert (other.source, other.price(0), other.price(0, BATCH)) == (
        "settings",
        Price(1_000_000_000, 2_000_000_000),
        Price(500_000_000, 1_000_000_000),
    )
    corrected = {"pro": {"input": 0, "output": 0}, "elsewhere": {"listed": "openai/gpt-4o"}}
    over = tariffs(tmp_path, {"models": corrected}, **remote)
    assert (over.of("pro").priced, over.of("pro").price(0)) == (True, Price())
    assert over.of("elsewhere").price(0).input == 2_500_000_000
    # Our batches are online calls of the provider's: its own rate for batches is not theirs.
    assert over.book.named("openai/gpt-4o").price(2e9, BATCH).input == 1_250_000_000  # type: ignore[union-attr]
    assert over.of("elsewhere").price(2e9, BATCH).input == 2_500_000_000
    shared = tariffs(tmp_path, {"models": {"elsewhere": {"listed": "openai/gpt-4o", "batch": 0.8}}}, **remote)
    assert shared.of("elsewhere").price(2e9, BATCH).input == 2_000_000_000
    assert {name for name, _ in over.known()} == {"pro", "elsewhere"}


def test_a_name_that_the_book_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"prices\.models\.pro\.listed.*openai/gpt-99"):
        tariffs(tmp_path, {"models": {"pro": {"listed": "openai/gpt-99"}}}, pro=GEMINI).of("pro")


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": 1.0, "per_hour": 2.0},
        {"listed": "openai/gpt-4o", "output": 1.0},
        {},
        {"cached_input": 1.0},
        {"batch": 0.5},
        {"input": -1},
        {"listed": "gpt-4o"},
        {"input": 1, "output_tokens_per_s": 5},
    ],
)
def test_prices_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="prices"):
        Settings.model_validate({"prices": {"models": {"x": wrong}}})


def test_an_own_model_costs_what_it_takes_of_its_machine(tmp_path: Path) -> None:
    assert tariffs(tmp_path, {}).of("small") == Tariff.fixed(Price(), "own")
    assert not tariffs(tmp_path, {"per_hour": 0.36}).of("small").priced
    keep_throughput(tmp_path, "other", Throughput(1.0, 1.0))
    keep_throughput(tmp_path, "small", Throughput(1000.0, 250.0, 20_000.0, 1.0, 8))
    assert set(throughputs(tmp_path)) == {"other", "small"}
    tariff = tariffs(tmp_path, {"per_hour": 0.36}).of("small")
    # $0.0001 a second: a million tokens in take 1,000 seconds, out 4,000, cached 50.
    assert tariff.price(0) == Price(100_000_000, 400_000_000, 5_000_000)
    assert tariff.source == "own: $0.36 an hour, 1000 in and 250 out a second"
    half = tariffs(tmp_path, {"per_hour": 0.36, "utilisation": 0.5}).of("small")
    assert half.price(0) == Price(200_000_000, 800_000_000, 10_000_000)
    given = tariffs(tmp_path, {"models": {"small": {"per_hour": 3.6, "output_tokens_per_s": 100}}}).of("small")
    assert given.price(0) == Price(1_000_000_000, 10_000_000_000)


def test_an_hour_of_full_work_costs_an_hour(tmp_path: Path) -> None:
    keep_throughput(tmp_path, "small", Throughput(1234.5, 321.0))
    price = tariffs(tmp_path, {"per_hour": 2.5}).of("small").price(0)
    half_reading_half_writing = Usage(round(1234.5 * 1800), round(321.0 * 1800))
    assert price.cost(half_reading_half_writing) / 1e9 == pytest.approx(2.5, rel=1e-6)


def test_a_damaged_measurement_is_none(tmp_path: Path) -> None:
    for text in ("{", "[]", json.dumps({"m": {"input": 1}}), json.dumps({"m": 3})):
        (tmp_path / FILE_NAME).write_text(text)
        assert throughputs(tmp_path) == {}


def test_cached_tokens_save_what_they_did_not_cost() -> None:
    price = Price.per_million(3.0, 15.0, 0.3)
    usage = Usage(1000, 10, 900)
    assert price.cost(usage) == 100 * 3_000 + 900 * 300 + 10 * 15_000
    assert price.saved(usage) == 900 * 2_700
    assert Price.per_million(3.0, 15.0).saved(usage) == 0
    assert price.saved(Usage(1000, 10)) == 0

"""The price list against the package that it was made from, for every model, threshold and date."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.types import Usage
from mainspring.serving.money.price_book import PATH, PriceBook
from mainspring.serving.money.pricing import NANO, Price

DATES = ("2024-06-01T03:00", "2025-11-25T12:00", "2026-11-25T20:00")
USAGES = (Usage(1050, 300), Usage(1050, 300, 800), Usage(150_000, 2000, 1000), Usage(300_000, 10, 299_999), Usage())


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook.load()


def test_the_list_is_that_of_the_locked_package(book: PriceBook) -> None:
    assert book.edition == f"genai-prices {importlib.metadata.version('genai-prices')}"
    assert "MIT License" in json.loads(PATH.open(encoding="utf-8").readline())["license"]


def theirs(model: Any, provider: Any, usage: Usage, at: datetime.datetime, batch: bool) -> Decimal:
    """What genai-prices asks for text, in nano-dollars."""
    import genai_prices

    values = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    if usage.cached_tokens:
        values["cache_read_tokens"] = usage.cached_tokens
    context = {"processing": "batch"} if batch else None
    found = model.calc_price(genai_prices.Usage(**values), provider, genai_request_timestamp=at, price_context=context)
    return Decimal(found.total_price) * NANO


@pytest.mark.parametrize("rate", ["", "batch"])
def test_every_model_costs_what_the_package_says(book: PriceBook, rate: str) -> None:
    from genai_prices.data import providers

    chosen = random.Random(7)
    compared = differing = 0
    for provider in providers:
        for model in provider.models:
            tariff = book.named(f"{provider.id}/{model.id}")
            if tariff is None or not tariff.source.endswith(f" {provider.id}/{model.id}"):
                # It has no price for text, or the provider's own rules give another model of that name.
                continue
            if rate and rate not in tariff.rates:
                continue
            at = datetime.datetime.fromisoformat(chosen.choice(DATES)).replace(tzinfo=datetime.UTC)
            for usage in USAGES:
                standard = model.get_prices(at)
                # What answers cost by the request or by the page is no price of text.
                if getattr(standard, "requests_kcount", None):
                    continue
                ours = tariff.price(at.timestamp(), rate).cost(usage)
                expected = theirs(model, provider, usage, at, batch=bool(rate))
                compared += 1
                differing += abs(ours - expected) > 1
    assert compared > (200 if rate else 8000)
    assert differing == 0


def test_a_model_is_found_by_its_endpoint(book: PriceBook) -> None:
    gemini = book.at("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-1.5-pro")
    assert gemini is not None
    assert gemini.source == f"{book.edition} google/gemini-1.5-pro"
    gpt = book.at("https://api.openai.com/v1", "gpt-4o-2024-08-06")
    assert gpt is not None
    assert gpt.price(0) == Price(2_500_000_000, 10_000_000_000, 1_250_000_000)
    # Azure sells OpenAI's models.
    azure = book.at("https://acme.openai.azure.com/openai/v1", "gpt-4o")
    assert azure is not None
    assert azure.price(0).input == 2_500_000_000


def test_open_weights_elsewhere_have_no_price(book: PriceBook) -> None:
    assert book.at("http://gpu-7.internal:8000/v1", "deepseek-chat") is None
    assert book.at("https://api.openai.com/v1", "no-such-model") is None
    assert book.named("deepseek/deepseek-chat") is not None
    assert book.named("nobody/deepseek-chat") is None


def test_a_damaged_list_names_its_file(tmp_path: Path) -> None:
    for text in ("", "{", '{"source": "x"}\n', '{"source": "x", "version": "1"}\n{"model": "a"}\n', "[]\n"):
        (tmp_path / "book.jsonl").write_text(text)
        with pytest.raises(SettingsError, match=r"book\.jsonl"):
            PriceBook.load(tmp_path / "book.jsonl")
    with pytest.raises(SettingsError, match=r"missing\.jsonl"):
        PriceBook.load(tmp_path / "missing.jsonl")

"""Settings of customer support."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section

_PUBLIC = (
    "cinder-stove.pdf",
    "gift-cards.md",
    "kestrel-grinder.md",
    "price-matching.md",
    "privacy-notice.html",
    "repair-centre-notice.pdf",
    "returns-and-refunds.pdf",
    "shipping-and-delivery.html",
    "shipping-rates.xlsx",
    "tarn-press.txt",
    "warranty.pdf",
)
"""The documents of the sample handbook that are for customers; the others are for colleagues and trade."""


class SupportSettings(Section):
    """Customer support (docs/guides/support.md): the agent `support` over a shop."""

    shop: Literal["off", "sample"] = Field(
        "off", description="sample: serve the agent `support` over the sample shop of the handbook's company"
    )
    database: str = Field("", description="SQLite file of the shop; empty: support/shop.db under home")
    today: Literal["sample", "clock"] = Field(
        "sample", description="today's date in the shop: the date of the sample data, or the clock"
    )
    collection: str = Field("handbook", description="collection with policies and product sheets; empty: none")
    documents: list[str] = Field(
        list(_PUBLIC),
        description="names of its documents that answers to customers may use; empty: all",
    )
    answers: str = Field(
        "extractive", description="mode of answers from it; extractive: quotes; generative: a model writes"
    )
    model: str = Field(
        "", description="model for steps that the script does not decide; empty: the default model of agents"
    )


SECTIONS = {"support": SupportSettings}

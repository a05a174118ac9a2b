"""The facts of a model call. The ledger is the sum of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts, Part
from mainspring.core.facts.marks import Count, Digest, Erase, Keep, Served, Sum, Unexported

UNCHARGED, TENANT = "no", "tenant"
"""Values of ``charged``: for calls that nobody is billed for, the operator's own copies of requests for a model under
trial, and for those that the tenant is billed for and no key: copies for a candidate of the tenant's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFacts(Part):
    """The price of a call: its source, in nano-US-dollars per million tokens, and a provider's ``rate`` if it is not
    the standard."""

    source: Keep[str]
    input: Keep[int]
    output: Keep[int]
    cached_input: Keep[int | None] = None
    rate: Keep[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFacts(Part):
    """The decision of a router that a call belongs to, and the model that was ``asked`` by it (empty: it only helped
    to decide)."""

    id: Keep[str]
    asked: Erase[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts(Facts):
    """One call of a model. ``estimated``: the engine has not reported its input. ``prefix`` identifies calls of a
    tenant with the same start. ``saved_nanousd`` is the saving by a cached prompt; ``routing_saved_nanousd`` is the
    router's, if known. ``charged`` is UNCHARGED, TENANT or empty."""

    EVENT: ClassVar[str] = "call"

    model: Served[str]
    provider: Keep[str]
    operation: Keep[str]
    key_id: Keep[str]
    application: Served[str]
    prompt_tokens: Sum[Keep[int]]
    completion_tokens: Sum[Keep[int]]
    cached_tokens: Sum[Keep[int]]
    cost_nanousd: Sum[Keep[int]]
    duration_s: Keep[float]
    ttft_s: Keep[float | None]
    finish: Keep[Sequence[str]]
    depth: Keep[int]
    price: Unexported[Keep[PriceFacts | None]] = None
    span_id: Unexported[Erase[str]] = ""
    prefix: Unexported[Digest[str]] = ""
    prefix_tokens: Unexported[Keep[int]] = 0
    saved_nanousd: Sum[Keep[int]] = 0
    unpriced: Count[Keep[bool]] = False
    estimated: Keep[bool] = False
    arms: Keep[Mapping[str, str] | None] = None
    route: Keep[RouteFacts | None] = None
    routed: Count[Keep[bool]] = False
    routing_large: Erase[str] = ""
    routing_saved_nanousd: Sum[Keep[int | None]] = None
    routing_unknown: Count[Keep[bool]] = False
    replica: Unexported[Keep[str]] = ""
    charged: Keep[str] = ""
    error: Keep[str] = ""

"""Each field of a context reaches every step of both rings."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from mainspring.core.path import Layer
from mainspring.core.types import (
    Allowance,
    Arrival,
    Context,
    Principal,
    Priority,
    Privacy,
    Request,
    Response,
    Routed,
    Settlement,
    TraceParent,
    Usage,
)
from mainspring.engines.chat.responder import ModelResponder
from mainspring.serving.ring.compose import call_ring
from mainspring.serving.ring.registry import Served
from tests.serving.house import House

FIELDS = tuple(each.name for each in dataclasses.fields(Context))
STATES = ("allowance", "settlement", "privacy")


def full() -> Context:
    """One that says something else than by default in every field."""
    return Context(
        Principal("acme", "key_1", frozenset({"chat"}), frozenset({"staff"})),
        TraceParent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", state="vendor=1"),
        deadline=time.monotonic() + 60,
        priority=Priority.BACKGROUND,
        allowance=Allowance(9000, 90, money=10**9, rate="batch"),
        settlement=Settlement("chat"),
        privacy=Privacy(put_back=str.strip),
        depth=2,
        policy="default",
        consent=True,
        retention="short",
        regions=frozenset({"eu"}),
        idempotency_key="once",
        arms={"assistant": "canary"},
        batch=True,
        arrival=Arrival(1, 2),
        replay="ans_1",
        routed=Routed("rt_1", "large"),
        elsewhere=True,
    )


def said(context: Context, *but: str) -> dict[str, Any]:
    return {name: getattr(context, name) for name in FIELDS if name not in but}


def test_a_full_context_says_something_in_every_field() -> None:
    plain = said(Context(Principal("t", "k")), "principal")
    assert [name for name, value in said(full(), "principal").items() if value == plain[name]] == []


def test_a_context_is_frozen_and_what_layers_change_is_in_three_states() -> None:
    context = full()
    for name in FIELDS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(context, name, None)
    owned = [{each.name for each in dataclasses.fields(kind)} for kind in (Allowance, Settlement, Privacy)]
    assert sum(map(len, owned)) == len(set.union(*owned)), "each thing has one owner"
    for kind in (Allowance(), Settlement(), Privacy()):
        with pytest.raises(AttributeError):
            kind.anything = 1  # type: ignore[union-attr]


def test_another_span_changes_the_trace_alone() -> None:
    context, trace = full(), TraceParent.new()
    below = context.under(trace)
    # Whoever begins the trace of a request has taken it.
    assert said(below, "trace", "arrival") == said(context, "trace", "arrival")
    assert (below.trace, below.arrival) == (trace, None)
    assert all(getattr(below, name) is getattr(context, name) for name in STATES)


def test_another_allowance_changes_the_spending_alone() -> None:
    context, allowance = full(), Allowance(7)
    apart = context.spending(allowance)
    assert said(apart, "allowance") == said(context, "allowance")
    assert apart.allowance is allowance


def test_an_inner_call_is_a_level_deeper_and_shares_the_states() -> None:
    context = full()
    inner = context.nested()
    assert said(inner, "depth") == said(context, "depth")
    assert inner.depth == context.depth + 1
    assert all(getattr(inner, name) is getattr(context, name) for name in STATES)


def test_work_that_several_share_has_states_of_its_own() -> None:
    context = full()
    context.allowance.spend(Usage(3, 4))
    context.allowance.reservation, context.settlement.answer_id, context.privacy.private = "res_1", "ans_2", True
    own = context.forked(deadline=None)
    assert said(own, "deadline", *STATES) == said(context, "deadline", *STATES)
    assert own.deadline is None
    left = Allowance(8993, 90, money=10**9, rate="batch")
    assert (own.allowance, own.settlement, own.privacy) == (left, Settlement("chat", "ans_2"), Privacy())
    own.allowance.spend(Usage(5))
    assert context.allowance.spent == Usage(3, 4)


class Probe(Layer):
    """Keeps the context in which what is beneath it is asked."""

    def __init__(self, inner: Any, seen: list[tuple[str, Context]]) -> None:
        super().__init__(inner)
        self._seen = seen

    async def respond(self, request: Request, context: Context) -> Response:
        self._seen.append((type(self.inner).__name__, context))
        return await super().respond(request, context)


def probed(responder: Any, seen: list[tuple[str, Context]]) -> Any:
    """The ring with a probe in front of each of its steps."""
    if isinstance(responder, Layer):
        responder.inner = probed(responder.inner, seen)
    return Probe(responder, seen)


async def test_every_field_survives_every_step_of_both_rings() -> None:
    house = House({"": ["Hello."]})
    seen: list[tuple[str, Context]] = []
    house.ring = probed(house.ring, seen)
    context = full()
    model = ModelResponder(house.engine, model_name="chat", fingerprint="weights-1")
    calls = call_ring(house.services, model, model="chat", provider="scripted", regions=("eu",))
    house.registry.replace(Served("chat", "chat", probed(calls, seen)))
    assert (await house.ask("Hello", context)).text == "Hello."
    names = [name for name, _ in seen]
    assert {"Trace", "GuardInput", "Session", "Record", "ResponseCache", "GuardOutput", "Select"} <= set(names)
    assert {"Meter", "Bound", "Retry", "Admit", "ModelResponder"} <= set(names)
    # The span of each step is its own; where another endpoint is at hand is said at the call.
    for name, below in seen:
        assert said(below, "trace", "arrival", *STATES) == said(context, "trace", "arrival", *STATES), name
        assert below.trace.trace_id == context.trace.trace_id, name
        assert all(getattr(below, each) is getattr(context, each) for each in STATES), name

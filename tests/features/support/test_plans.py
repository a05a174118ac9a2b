"""Plans of a customer's wishes: what is read of variants, the deeds of a message, and the dialogue over the loop."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.base import ToolPolicy
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.types import ChatRequest, Context, Message, Principal, Request, Response
from mainspring.features.support.plans.manager import MORE, PlanManager
from mainspring.features.support.plans.planner import plan
from mainspring.features.support.plans.tape import Tape, ToolRefused
from mainspring.features.support.plans.variants import wanted
from mainspring.features.support.plans.world import (
    Deed,
    Offered,
    OwnedItem,
    OwnedOrder,
    PlannedCall,
    Terms,
    Wallet,
    World,
)

OPTIONS = {"color": ["red", "blue"], "size": ["S", "M", "L"], "brightness": ["low", "medium", "high"]}
LAMP, MUG = (
    OwnedItem("1", "Desk Lamp", 20.0, {"color": "red", "brightness": "medium"}, "lamp"),
    OwnedItem("2", "Mug", 5.0),
)
VARIANTS = {
    "lamp": [
        Offered("1", {"color": "red", "brightness": "medium"}, 20.0),
        Offered("3", {"color": "blue", "brightness": "medium"}, 25.0),
        Offered("4", {"color": "red", "brightness": "high"}, 30.0, available=False),
        Offered("5", {"color": "blue", "brightness": "high"}, 35.0),
    ]
}


def _calls(deed: Deed, _: World) -> Sequence[PlannedCall]:
    number = deed.order.id if deed.order else ""
    items = [each.item.id for each in deed.lines]
    new = [each.new.id for each in deed.lines if each.new]
    arguments = {"order": number, "items": items, "new": new, "method": deed.method}
    return [PlannedCall("change", {"kind": deed.kind, **arguments}, f"{deed.kind} {number} {items}", 1.0, deed)]


CANCEL: Any = ("cancel", "N2", [], [])
TERMS = Terms(
    {"cancel": frozenset({"open"}), "modify": frozenset({"open"}), "return": frozenset({"there"}),
     "exchange": frozenset({"there"})},
    re.compile(r"N\d+"),
    _calls,
    refund_to=frozenset({"gift_card"}),
    reasons=(("unwanted", "."),),
)  # fmt: skip


def _world(state: str = "there") -> World:
    orders = (OwnedOrder("N1", state, (LAMP, MUG), "card", 25.0), OwnedOrder("N2", "open", (MUG,), "card", 5.0))
    return World("jo", orders, VARIANTS, {"card": Wallet("credit_card"), "gift": Wallet("gift_card", 2.0)})


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("swap size S for M", {"size": "M"}),
        ("it is too large, I need a small one", {"size": "S"}),
        ("a blue one instead of the red", {"color": "blue"}),
        ("in red, size L please", {"color": "red", "size": "L"}),
    ],
)
def test_values_of_options_are_read(said: str, values: dict[str, str]) -> None:
    assert wanted(said, OPTIONS).values == values


def test_comparisons_and_preferences_are_read() -> None:
    brighter = wanted("a brighter one (prefer blue > red)", OPTIONS)
    assert (brighter.up, brighter.prefer) == (["brightness"], [("color", "blue"), ("color", "red")])
    assert wanted("the cheapest", OPTIONS).cheapest


@pytest.mark.parametrize(
    ("said", "deeds"),
    [
        ("I want to return the lamp.", [("return", "N1", ["1"], [])]),
        ("Return everything except the mug from N1.", [("return", "N1", ["1"], [])]),
        (
            "Cancel order N2 and exchange the lamp for a blue one.",
            [("cancel", "N2", [], []), ("exchange", "N1", ["1"], ["3"])],
        ),
        ("Exchange the lamp for a brighter one.", [("exchange", "N1", ["1"], ["5"])]),
        ("Exchange my lamp for a green one.", []),
        ("What is your name?", []),
    ],
)
def test_all_wishes_of_a_message_are_planned(said: str, deeds: list[Any]) -> None:
    made = plan(said, _world(), TERMS)
    keys = ("kind", "order", "items", "new")
    found = [tuple(each.arguments[key] for key in keys) for each in made.calls]
    assert found == deeds


def test_what_cannot_be_done_is_a_problem() -> None:
    assert "single items" in plan("Cancel the lamp.", _world("open"), TERMS).problems[0]
    assert "because it is gone" in plan("Return the lamp.", _world("gone"), TERMS).problems[0]
    made = plan("Exchange the lamp for a blue one and use my gift card.", _world(), TERMS)
    assert "not enough" in made.problems[0]
    assert made.calls[0].arguments["method"] == "card"


class _Shop:
    """A shop of two tools."""

    terms = TERMS
    who = "Who are you?"

    def identify(self, said: str, tape: Tape) -> str:
        try:
            return str(tape.read("find", said=said))
        except ToolRefused:
            return ""

    def load(self, customer: str, tape: Tape) -> World:
        return _world()

    def address(self, said: str, world: World) -> Mapping[str, str] | None:
        return None

    def facts(self, said: str, world: World, tape: Tape) -> Sequence[str]:
        return ["N1 is there."] if "?" in said else []

    def hand_over(self, summary: str, tape: Tape) -> str:
        tape.act("change", kind="person", order=summary, items=[], new=[], method="")
        return "A colleague takes over."


class _NoModel:
    async def respond(self, request: Request, context: Context) -> Response:
        raise AssertionError("no model is asked")

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


def _talk(*lines: str) -> tuple[list[str], list[dict[str, Any]]]:
    """What the agent answers, and the changes that it made."""
    made: list[dict[str, Any]] = []

    def find(said: str) -> str:
        """Find a customer."""
        if "jo@" not in said:
            raise ValueError
        return "jo"

    def change(kind: str, order: str, items: list[str], new: list[str], method: str) -> str:
        """Change something."""
        made.append({"kind": kind, "order": order, "items": items})
        return "done"

    policy = ToolPolicy(trusted=True)
    tools = [FunctionTool(find, policy=policy), FunctionTool(change, policy=ToolPolicy(effect="keyed", trusted=True))]
    agent = LlmAgent(name="care", tools=tools, chooser=PlanManager(_Shop()))
    runner = Runner(agent, Surroundings(FixedModels({"m": _NoModel()})))
    state: dict[str, Any] = {}
    messages: list[Message] = []
    for line in lines:
        messages.append(Message("user", line))
        request = ChatRequest("care", tuple(messages))
        said = asyncio.run(runner.run(request, Context(Principal("t", "k")), state=state)).text
        messages.append(Message("assistant", said))
    return [each.content for each in messages if each.role == "assistant"], made


def test_nothing_is_done_before_a_yes_and_everything_after_it() -> None:
    said, made = _talk("Return the lamp and cancel N2.", "I am jo@example.org", "yes")
    assert said[0] == "Who are you?"
    assert "cancel N2 []; return N1 ['1']" in said[1]
    assert made == [{"kind": "cancel", "order": "N2", "items": []}, {"kind": "return", "order": "N1", "items": ["1"]}]
    assert said[2].endswith(MORE)


def test_a_no_leaves_it_and_only_narrows_it() -> None:
    assert _talk("jo@: return the lamp", "No.")[1] == []
    _, made = _talk("jo@: return the lamp and the mug of N1", "Only the mug, please", "yes")
    assert made == [{"kind": "return", "order": "N1", "items": ["2"]}]


def test_a_person_is_called() -> None:
    said, made = _talk("jo@: hello", "I want a human")
    assert said[1] == "A colleague takes over."
    assert made[0]["kind"] == "person"

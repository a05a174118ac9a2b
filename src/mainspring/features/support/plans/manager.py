"""A dialogue by a plan: who it is, all wishes at once, one confirmation, the writes.

manager = PlanManager(MyShop())
agent = LlmAgent(name="care", tools=(...), chooser=manager)

It suits shops whose customers want several things of several orders in one message. What it decides follows from the
customer's words and from what trusted tools return; no model is asked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mainspring.agents.choice.base import Choice, Steps, Turn
from mainspring.features.support.dialogue.hearing import heard
from mainspring.features.support.plans.planner import plan
from mainspring.features.support.plans.tape import CallsWanted, Tape, ToolRefused, results
from mainspring.features.support.plans.variants import named
from mainspring.features.support.plans.wishes import VERBS
from mainspring.features.support.plans.world import Plan, PlannedCall, Terms, World

STATE = "plan"
"""The key of the session's state under which the dialogue lies."""
MORE = "Is there anything else?"
_YES = re.compile(r"^\s*(?:yes|sure|ok|okay|correct|please (?:do|go ahead)|go ahead|confirm)", re.I)
_NO = re.compile(r"^\s*no\b|\b(?:don't do|do not do|regret|keep it|keep them|changed my mind|never ?mind|stop)\b", re.I)
_INSTEAD = re.compile(r"\b(?:instead|rather)\b", re.I)
_ONLY = re.compile(r"\bonly\b(.*)", re.I)
_PERSON = re.compile(r"\b(?:human|representative|a person|real person|agent|supervisor|manager)\b", re.I)
_BYE = re.compile(r"\b(?:goodbye|that is all|bye)\b", re.I)
_BARE = 8
_SHORT = 30


class PlannedShop(Protocol):
    """What the manager must know of a shop, over its tools."""

    @property
    def terms(self) -> Terms: ...

    @property
    def who(self) -> str:
        """The question for who the customer is."""
        ...

    def identify(self, said: str, tape: Tape) -> str:
        """The customer whom ``said`` identifies; empty: nobody."""
        ...

    def load(self, customer: str, tape: Tape) -> World: ...

    def address(self, said: str, world: World) -> Mapping[str, str] | None:
        """The address that is stated."""
        ...

    def facts(self, said: str, world: World, tape: Tape) -> Sequence[str]:
        """Answers to questions about orders and products."""
        ...

    def hand_over(self, summary: str, tape: Tape) -> str:
        """Hand over to a person; the words for it."""
        ...


@dataclass(slots=True)
class Planning:
    """What a dialogue remembers between two messages. ``wishes`` are those not yet done, ``confirming`` that the last
    answer asked for a yes, with ``only`` the products that it was narrowed to; ``told`` are problems told before,
    ``money`` what was paid back or taken so far, ``first`` the customer's address when it began."""

    customer: str = ""
    said: str = ""
    asked: bool = False
    wishes: list[str] = field(default_factory=list)
    confirming: bool = False
    only: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    money: list[float] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)
    reads: dict[str, Any] = field(default_factory=dict)


_REMEMBERED = 20_000
"""Characters of what a customer has said, the latest."""


class PlanManager:
    """Implements ``agents.choice.base.Chooser`` for ``shop``."""

    def __init__(self, shop: PlannedShop) -> None:
        self._shop = shop

    async def choose(self, turn: Turn, steps: Steps) -> Choice:  # noqa: ARG002
        """See ``Chooser``."""
        users = [each for each in turn.messages if each.role == "user"]
        if not users or turn.messages[-1].role not in ("user", "tool"):
            return Choice()
        kept = turn.state.get(STATE)
        before = Planning(**kept) if isinstance(kept, Mapping) else Planning()
        told = results(turn.messages)
        tape = Tape(told, dict(before.reads))
        after = dataclasses.replace(
            before,
            wishes=list(before.wishes),
            only=list(before.only),
            told=list(before.told),
            money=list(before.money),
            reads=tape.reads,
        )
        try:
            said = _Answering(self._shop, after, tape).answer(heard(users[-1].content))
        except CallsWanted as wanted:
            return Choice(wanted.calls, way="script", sure=True, notes={"plan.calls": len(wanted.calls)})
        return Choice(say=said, way="script", state={STATE: dataclasses.asdict(after)}, sure=True)


class _Answering:
    """The answer to one message."""

    def __init__(self, shop: PlannedShop, dialogue: Planning, tape: Tape) -> None:
        self._shop, self._dialogue, self._tape = shop, dialogue, tape

    def answer(self, said: str) -> str:
        dialogue = self._dialogue
        dialogue.said = f"{dialogue.said}\n{said}"[-_REMEMBERED:]
        if not dialogue.customer:
            return self._strangers(said)
        if _BYE.search(said):
            return "Goodbye."
        if _PERSON.search(said):
            return self._shop.hand_over(" ".join([*dialogue.wishes, said])[:500], self._tape)
        world = self._world()
        if dialogue.confirming:
            return self._confirmed(said, world)
        if _YES.search(said) and len(said.split()) < _BARE:
            return f"There is nothing to confirm. {MORE}"
        dialogue.wishes.append(said)
        return self._planned(said, world)

    def _strangers(self, said: str) -> str:
        """Find out who it is; their wishes are kept."""
        dialogue = self._dialogue
        if not dialogue.asked or VERBS.search(said):
            dialogue.wishes.append(said)
        dialogue.customer = self._shop.identify(dialogue.said, self._tape)
        if not dialogue.customer:
            again, dialogue.asked = dialogue.asked, True
            return ("I could not find you. " if again else "") + self._shop.who
        world = self._world()
        dialogue.first = dict(world.address)
        return self._planned("\n".join(dialogue.wishes), world)

    def _world(self) -> World:
        return self._shop.load(self._dialogue.customer, self._tape)

    def _plan(self, world: World) -> Plan:
        said = "\n".join(self._dialogue.wishes)
        made = plan(said, world, self._shop.terms, self._shop.address(said, world), self._dialogue.first)
        if self._dialogue.only:
            made.calls = self._narrowed(made.calls, world)
        return made

    def _planned(self, latest: str, world: World) -> str:
        """Tell what cannot be done, and ask to confirm what can."""
        dialogue, made = self._dialogue, self._plan(world)
        parts = list(self._shop.facts(latest, world, self._tape))
        parts += [each for each in made.problems if each not in dialogue.told]
        dialogue.told += made.problems
        if made.asks and made.asks not in dialogue.told and not made.calls:
            dialogue.told.append(made.asks)
            return " ".join([*parts, made.asks])
        if not made.calls:
            return " ".join([*(parts or ["I could not find anything to change for this."]), MORE])
        dialogue.confirming = True
        return " ".join([*parts, _question(made)])

    def _confirmed(self, said: str, world: World) -> str:
        """After the question for a confirmation."""
        dialogue = self._dialogue
        only = _ONLY.search(said)
        if _YES.search(said) and not only:
            return self._act(self._plan(world))
        dialogue.confirming = False
        if only:
            kept = [name for name in world.names() if named(name, only.group(1), world.names()) >= 0]
            if kept:
                dialogue.only, dialogue.confirming = kept, True
                return _question(self._plan(world))
        if _NO.search(said) and len(said.split()) < _SHORT and not _INSTEAD.search(said):
            dialogue.wishes, dialogue.only = [], []
            return f"All right, I leave it as it is. {MORE}"
        dialogue.wishes.append(said)
        return self._planned(said, world)

    def _narrowed(self, calls: Sequence[PlannedCall], world: World) -> list[PlannedCall]:
        """The same deeds for some products only."""
        found: list[PlannedCall] = []
        for call in calls:
            kept = tuple(line for line in call.deed.lines if line.item.name in self._dialogue.only)
            if kept:
                found += self._shop.terms.calls(dataclasses.replace(call.deed, lines=kept), world)
        return found

    def _act(self, made: Plan) -> str:
        """Make the calls, and tell what came of them."""
        dialogue, told = self._dialogue, []
        for call in made.calls:
            try:
                self._tape.act(call.tool, **call.arguments)
            except ToolRefused as refusal:
                told.append(f"This was not possible: {call.told}. {refusal}.")
            else:
                told.append(f"Done: {call.told}.")
                dialogue.money.append(call.money)
        dialogue.confirming, dialogue.wishes, dialogue.only = False, [], []
        for key, wallet in self._world().methods.items():
            if wallet.balance is not None:
                told.append(f"The balance of {key} is ${wallet.balance:.2f}.")
        total = round(sum(dialogue.money), 2)
        return " ".join([*told, *([f"In all that is ${abs(total):.2f}."] if total else []), MORE])


def _question(made: Plan) -> str:
    """The question for a confirmation of all calls."""
    total = made.money
    sums = f" You get back ${total:.2f} in all." if total > 0 else f" You pay ${-total:.2f} in all." if total else ""
    listed = "; ".join(each.told for each in made.calls)
    return f"I would do this: {listed}.{sums} Do you confirm this (yes or no)?"

"""What a message of the customer changes in a dialogue: answers to questions, corrections, new wishes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mainspring.agents.choice.base import Steps
from mainspring.engines.base import Embedder
from mainspring.features.support.dialogue import hearing
from mainspring.features.support.dialogue.intents import LIKELY, SURE, Intents, Wish
from mainspring.features.support.dialogue.memory import Called, Dialogue, Open
from mainspring.features.support.dialogue.options import meant
from mainspring.features.support.dialogue.script import Option, Script, Slot

_UNSERVED = 300
_TRIES = 2
"""Times that the customer is angry before a person takes over although it is clear what they want."""


class Hearer:
    """Reads messages under ``script``."""

    def __init__(self, script: Script, embedder: Embedder | None) -> None:
        self.script = script
        self.intents = Intents(script, embedder)

    async def hear(self, dialogue: Dialogue, text: str, steps: Steps, *, able: bool = False) -> None:
        """Take a message in; where a model is ``able``, what the script does not know is left to it."""
        stated = {name: value for name, read in self.script.readers.items() if (value := read(text)) is not None}
        changed = {name for name, value in stated.items() if dialogue.entities.get(name) != value}
        dialogue.entities.update(stated)
        if self.script.escalate and hearing.wants_person(text):
            return self._hand_over(dialogue, f"The customer asks for a person: {text}")
        if hearing.angry(text) and not hearing.asks_how_to_complain(text):
            dialogue.angry += 1
            if self.script.escalate and dialogue.angry >= _TRIES:
                return self._hand_over(dialogue, f"The customer is upset: {text}")
            dialogue.said.append(self.script.words.sorry)
        asked = dialogue.asked
        if asked != "person":
            dialogue.unserved = text[:_UNSERVED]
        else:
            dialogue.ask("")
            if hearing.yes(text):
                about = f": {dialogue.unserved}" if dialogue.unserved else ""
                return self._hand_over(dialogue, f"The customer accepted to be handed over{about}")
            if hearing.no(text) and hearing.bare(text):
                dialogue.said.append(self.script.words.abilities)
                return None
        if asked == "confirm" and dialogue.tasks and await self._confirmed(dialogue, text, stated, changed, steps):
            return None
        if asked == "slot" and dialogue.tasks and await self._answered(dialogue, text, steps):
            return None
        if asked == "identity" and await self._told_who(dialogue, text, changed, steps):
            return None
        await self._wishes(dialogue, text, stated, steps, able=able)
        return None

    def _hand_over(self, dialogue: Dialogue, reason: str) -> None:
        dialogue.tasks, dialogue.said = [], []
        dialogue.ask("")
        dialogue.calls = [Called(self.script.escalate, "escalate", reason[:500])]

    async def _confirmed(
        self, dialogue: Dialogue, text: str, stated: dict[str, Any], changed: set[str], steps: Steps
    ) -> bool:
        """Whether the message answers the question for a confirmation."""
        doing = dialogue.tasks[0]
        if hearing.other_one(text) or changed & set(doing.slots):
            self._corrected(dialogue, text, stated)
            return True
        back = hearing.takes_back(text)
        if hearing.yes(text) and not back:
            doing.confirmed = True
            dialogue.ask("")
            rest = re.split(r"[.,!;]\s+|\band\b", text, maxsplit=1)
            if len(rest) > 1 and len(rest[1].split()) > 3:
                for wish in await self.intents.wishes(rest[1], steps):
                    if wish.probability >= SURE and wish.tool and wish.tool != doing.tool:
                        dialogue.add(self._opened(dialogue, wish, stated))
            return True
        if self._refilled(doing, text):
            return True
        if hearing.no(text) or back:
            dialogue.tasks.pop(0)
            dialogue.ask("")
            if not back and len(re.sub(r"^\W*\w+\W*", "", text).split()) > 3:
                return False
            if not dialogue.tasks:
                dialogue.said.append(self.script.words.dropped)
            return True
        wishes = [each for each in await self.intents.wishes(text, steps) if each.tool != doing.tool]
        if wishes:
            # Something else comes first; the question is asked again after it.
            self._take(dialogue, wishes, stated, front=True)
            return True
        doing.confirmed = False
        return True

    def _corrected(self, dialogue: Dialogue, text: str, stated: dict[str, Any], *, anew: bool = False) -> None:
        """Another order or item is meant than the one that the question named; ``anew``: all else is asked again."""
        doing = dialogue.tasks[0]
        task = self.script.task(doing.tool)
        doing.check, doing.confirmed = None, False
        dialogue.ask("")
        named = [slot.name for slot in task.slots if slot.name in stated]
        first = next((slot.name for slot in task.slots if slot.source or slot.entity), "")
        sourced = [slot for slot in task.slots if slot.source]
        whole = re.search(r"\b(orders?|parcels?|packages?|delivery|purchase)\b", text, re.IGNORECASE) is not None
        thing = any(slot.mentions is not None and slot.mentions(text) for slot in sourced)
        item = not whole and (thing or re.search(r"\b(item|product)\b", text, re.IGNORECASE) is not None)
        which = named[0] if named else (sourced[-1].name if item and sourced else first)
        at = next((at for at, slot in enumerate(task.slots) if slot.name == which), 0)
        for slot in task.slots[at:]:
            old = doing.slots.get(slot.name)
            if slot.name == which and slot.name not in stated and old is not None:
                doing.excluded.append(old)
                dialogue.entities.pop(slot.name, None)
            if slot.source or slot.name == which or anew:
                doing.slots.pop(slot.name, None)
        doing.text = text

    def _refilled(self, doing: Open, text: str) -> bool:
        """Whether the message states another value of a slot that is read from texts."""
        found = False
        for slot in self.script.task(doing.tool).slots:
            value = slot.read(text) if slot.read is not None and not slot.entity else None
            if value is not None and value != doing.slots.get(slot.name):
                doing.slots[slot.name] = value
                found = True
        if found:
            doing.check, doing.confirmed = None, False
        return found

    async def _answered(self, dialogue: Dialogue, text: str, steps: Steps) -> bool:
        """Whether the message answers the question for a slot."""
        doing = dialogue.tasks[0]
        slot = next((each for each in self.script.task(doing.tool).slots if each.name == dialogue.slot), None)
        if slot is None:
            return False
        if self._filled(dialogue, doing, slot, text):
            dialogue.ask("")
            self._others(doing, text)
            for beside in dialogue.tasks[1:]:
                # What is asked of one item holds for those that were named with it.
                if beside.tool == doing.tool and not slot.source:
                    beside.slots.setdefault(slot.name, doing.slots[slot.name])
            return True
        wishes = await self.intents.wishes(text, steps)
        free = slot.free or (slot.read is None and not slot.source)
        least = SURE if free else LIKELY
        other = [each for each in wishes if each.tool != doing.tool and each.probability >= least]
        bare = hearing.bare(text) and (hearing.no(text) or hearing.yes(text))
        if free and not other and not bare:
            doing.slots[slot.name] = text.strip()
            dialogue.ask("")
            return True
        if other:
            return False
        if hearing.no(text) or hearing.bye(text):
            dialogue.tasks.pop(0)
            dialogue.ask("")
            if not dialogue.tasks:
                dialogue.said.append(self.script.words.dropped)
            return True
        dialogue.misses += 1
        if dialogue.misses >= _TRIES and self.script.escalate:
            dialogue.tasks.pop(0)
            dialogue.said.append(f"{self.script.words.not_understood} {self.script.words.offer_person}")
            dialogue.ask("person")
        return True

    def _filled(self, dialogue: Dialogue, doing: Open, slot: Slot, text: str) -> bool:
        if slot.read is not None and (value := slot.read(text)) is not None:
            doing.slots[slot.name] = value
            if slot.entity:
                dialogue.entities[slot.name] = value
            return True
        if slot.entity and dialogue.entities.get(slot.name) is not None and slot.read is None:
            return dialogue.entities[slot.name] not in doing.excluded
        if slot.source:
            found = meant([Option(*each) for each in dialogue.options], text, answering=True)
            if found is not None:
                doing.slots[slot.name] = found.value
                if slot.entity:
                    dialogue.entities[slot.name] = found.value
                return True
        return False

    def _others(self, doing: Open, text: str) -> None:
        """Further slots that the answer states by the way."""
        for slot in self.script.task(doing.tool).slots:
            if slot.name not in doing.slots and slot.read is not None and not slot.entity:
                value = slot.read(text)
                if value is not None:
                    doing.slots[slot.name] = value

    async def _told_who(self, dialogue: Dialogue, text: str, changed: set[str], steps: Steps) -> bool:
        """Whether the message answers the question who the customer is."""
        identity = self.script.identity
        dialogue.ask("")
        if identity is None:
            return False
        if changed & {name for way in identity.ways for name in way}:
            # An order number that identifies is no wish of its own.
            return bool(dialogue.tasks) or len(text.split()) <= 12
        wishes = await self.intents.wishes(text, steps)
        if any(each.probability >= SURE for each in wishes):
            return False
        dialogue.misses += 1
        if hearing.no(text) or hearing.bye(text) or (dialogue.misses >= _TRIES and self.script.escalate):
            self._unknown(dialogue)
            dialogue.misses = 0
        return True

    def _unknown(self, dialogue: Dialogue) -> None:
        """Who does not say who they are gets what is said to everybody, and the offer of a person."""
        question = next((each.text for each in dialogue.tasks if each.text), "")
        dialogue.tasks = []
        dialogue.ask("person" if self.script.escalate else "")
        dialogue.said.append(self.script.words.offer_person if self.script.escalate else self.script.words.abilities)
        if self.script.search and question.rstrip().endswith("?") and not self._about(question):
            dialogue.calls = [Called(self.script.search, "search", question)]

    def _about(self, text: str) -> bool:
        """Whether a text names something of a customer's."""
        return any(read(text) is not None for read in self.script.readers.values())

    async def _wishes(self, dialogue: Dialogue, text: str, stated: dict[str, Any], steps: Steps, *, able: bool) -> None:
        """What the message asks for, if it answers no question."""
        words = self.script.words
        for heard, said in ((hearing.hello, words.hello), (hearing.thanks, words.thanks), (hearing.bye, words.bye)):
            if heard(text) and not stated:
                dialogue.way.append("small talk")
                dialogue.said.append(said)
                if heard is not hearing.hello:
                    dialogue.tasks = []
                dialogue.ask("")
                return
        if hearing.asks_for_help(text):
            dialogue.said.append(words.abilities)
            return
        wishes = await self.intents.wishes(text, steps)
        if not wishes and self._again(dialogue, text, stated):
            return
        if wishes:
            front = bool(dialogue.tasks)
            self._take(dialogue, wishes, stated, front=front)
        elif dialogue.angry and self.script.escalate:
            self._hand_over(dialogue, f"The customer is upset: {text}")
        elif not able and not dialogue.tasks and self._names_one(stated) and self.intents.tells(text):
            # To tell of it says more than that nothing was understood.
            dialogue.way.append(f"wish:{self.script.about}:named")
            doing = self._opened(dialogue, Wish(self.script.about, text, 0.0, "named"), stated)
            doing.guessed = True
            dialogue.add(doing)
        elif not able and not dialogue.tasks and not stated and self.script.search and len(text.split()) > 2:
            dialogue.calls = [Called(self.script.search, "search", text)]

    def _names_one(self, stated: dict[str, Any]) -> bool:
        """Whether something is named that the task ``about`` tells of."""
        about = self.script.about
        return bool(about) and any(slot.entity and slot.name in stated for slot in self.script.task(about).slots)

    def _again(self, dialogue: Dialogue, text: str, stated: dict[str, Any]) -> bool:
        """Whether the message asks the last task about something else: "and the other one?"."""
        last = dialogue.last
        if last is None or dialogue.tasks:
            return False
        slots = [slot for slot in self.script.task(last.tool).slots if slot.source or slot.entity]
        named = [slot.name for slot in slots if slot.name in stated and stated[slot.name] != last.slots.get(slot.name)]
        if not named and not (hearing.other_one(text) and slots):
            return False
        doing = Open(last.tool, dict(last.slots), text)
        dialogue.tasks = [doing]
        self._corrected(dialogue, text, stated, anew=True)
        self._others(doing, text)
        return True

    def _take(self, dialogue: Dialogue, wishes: Sequence[Wish], stated: dict[str, Any], *, front: bool) -> None:
        for wish in reversed(wishes) if front else wishes:
            if wish.tool:
                dialogue.way.append(f"wish:{wish.tool}:{wish.way}")
                dialogue.add(self._opened(dialogue, wish, stated), front=front)
            elif not dialogue.calls:
                dialogue.calls = [Called(self.script.search, "search", wish.text)]
        dialogue.ask("")

    def _opened(self, dialogue: Dialogue, wish: Wish, stated: dict[str, Any]) -> Open:
        """The task of a wish, with what it states."""
        task = self.script.task(wish.tool)
        slots: dict[str, Any] = {}
        amended = hearing.amended(wish.text)
        for slot in task.slots:
            # Of two wishes each may name an order of its own.
            if slot.read is None or ((value := slot.read(amended)) is None and (value := slot.read(wish.text)) is None):
                continue
            slots[slot.name] = value
        if not stated and hearing.other_one(wish.text):
            for slot in task.slots:
                if slot.entity:
                    dialogue.entities.pop(slot.name, None)
        return Open(wish.tool, slots, amended)

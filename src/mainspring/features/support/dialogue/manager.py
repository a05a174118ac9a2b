"""The manager of a scripted dialogue: an agent's chooser that says or calls what comes next.

manager = Manager(SCRIPT, embedder)
agent = LlmAgent(name="support", tools=(...), chooser=manager)

What it decides follows from the customer's words and from what trusted tools return, never from a model. Where the
script does not know what is wanted, it says so, or a model that calls tools well is asked (``able``).
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.agent import Callbacks
from mainspring.agents.choice.base import Choice, Chosen, Steps, Turn
from mainspring.agents.choice.request import failed
from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.core.facts.dialogues import DialogueFacts
from mainspring.core.types import Message
from mainspring.engines.base import Embedder
from mainspring.features.support.dialogue.hearer import Hearer
from mainspring.features.support.dialogue.hearing import heard
from mainspring.features.support.dialogue.memory import STATE, Called, Dialogue, Open, Purpose
from mainspring.features.support.dialogue.options import listing, meant
from mainspring.features.support.dialogue.recall import Recall
from mainspring.features.support.dialogue.script import Option, Script, Slot, Task
from mainspring.features.support.plans.wishes import everything

_MISSES = 1
"""Messages in a row that were not understood, after which a person is offered."""
_WRAPPED = re.compile(r"^<<[^\n]*>>\n(.*)\n<</[^\n]*>>$", re.DOTALL)


class Manager:
    """Implements ``agents.choice.base.Chooser`` for ``script``."""

    def __init__(self, script: Script, embedder: Embedder | None = None) -> None:
        self.script = script
        self._hearer = Hearer(script, embedder)
        self._recall = Recall(script.identity.key if script.identity else "")

    async def choose(self, turn: Turn, steps: Steps) -> Choice:
        """See ``Chooser``."""
        asked = turn.messages[-1] if turn.messages else None
        if asked is None or asked.role not in ("user", "tool"):
            return Choice()
        changes: dict[str, Any] = {}
        if asked.role == "user" and STATE not in turn.state:
            changes = await self._recall.find(turn, steps)
        known = {**turn.state, **changes}
        dialogue = Dialogue.of(known.get(STATE))
        verified = self.script.identity is None or bool(known.get(self.script.identity.key))
        if asked.role == "user":
            dialogue.begin()
            await self._hearer.hear(dialogue, heard(asked.content), steps, able=turn.able)
        else:
            self._results(dialogue, turn.messages)
        choice = self._next(dialogue, verified=verified, able=turn.able)
        changes[STATE] = dialogue.plain()
        if choice.say:
            self._recall.keep(turn, choice.say, {**known, **changes})
        facts = None if choice.calls else self._facts(dialogue, choice, turn.agent)
        notes = {"dialogue.way": list(dialogue.way), "dialogue.tasks": [each.tool for each in dialogue.tasks]}
        return Choice(choice.calls, choice.say, choice.way, state=changes, sure=True, notes=notes, facts=facts)

    def _facts(self, dialogue: Dialogue, choice: Choice, agent: str) -> DialogueFacts:
        """How the message ended."""
        called = [each.split(":") for each in dialogue.way if ":" in each]
        tasks = [each[1] for each in called if each[0] == "wish"]
        outcome = dialogue.ended or ("asked" if dialogue.asked else "done")
        if "not understood" in dialogue.way:
            outcome = "unknown"
        if choice.way == "model":
            outcome = "model"
        tools = sum(each[0] != "wish" for each in called)
        return DialogueFacts(agent=agent, outcome=outcome, tasks=tuple(tasks), tools=tools)

    @property
    def callbacks(self) -> Callbacks:
        """What holds for the calls that a model makes by itself: nothing is written before the customer has confirmed
        it, and the tool's words say what it refuses or has done."""
        return Callbacks(before_tool=self._before, after_tool=self._after)

    async def _before(self, name: str, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult | None:
        dialogue = Dialogue.of(context.state.get(STATE))
        task = self._writes(name)
        if task is None or task.confirm is None or any(each.tool == name for each in dialogue.calls):
            return None
        if self.script.identity is not None and task.identity and not context.state.get(self.script.identity.key):
            return None
        dialogue.add(Open(task.tool, dict(arguments)), front=True)
        dialogue.ask("confirm", task.tool)
        context.state[STATE] = dialogue.plain()
        try:
            question = task.confirm(arguments, None)
        except (KeyError, TypeError, ValueError):
            values = ", ".join(f"{key}: {value}" for key, value in arguments.items())
            question = f"Shall I do this ({task.name}; {values})? Please answer yes or no."
        return ToolResult(question.strip(), final=True)

    async def _after(self, name: str, result: ToolResult, context: ToolContext) -> ToolResult | None:
        dialogue = Dialogue.of(context.state.get(STATE))
        ours = any(each.tool == name for each in dialogue.calls)
        identity = self.script.identity.tool if self.script.identity else ""
        if ours or result.error or result.final or name == identity:
            return None
        held = self.script.refused(result.output) and not self.script.unidentified(result.output)
        if not held and self._writes(name) is None and name != self.script.escalate:
            return None
        return dataclasses.replace(result, output=self.script.say(result.output), final=True)

    def _writes(self, name: str) -> Task | None:
        return next((each for each in self.script.tasks if each.confirm and name in (each.tool, each.approved)), None)

    def _results(self, dialogue: Dialogue, messages: Sequence[Message]) -> None:
        """Take in what the calls of the step before returned."""
        told: list[Message] = []
        for each in reversed(messages):
            if each.role != "tool":
                break
            told.insert(0, each)
        calls, dialogue.calls = dialogue.calls, []
        for called, message in zip(calls, told[-len(calls) :] if calls else [], strict=False):
            self._result(dialogue, called, _read(message.content), failed(message.content))

    def _result(self, dialogue: Dialogue, called: Called, result: Any, error: bool) -> None:
        if called.purpose in ("check", "act", "search") and not error and self.script.refused(result):
            dialogue.ended = "refused"
        if called.tool in self.script.people and not error:
            dialogue.ended = "passed_on"
        said = self.script.say(result) if not error else ""
        if called.purpose == "identify":
            assert self.script.identity is not None
            if error or not self.script.identity.verified(result):
                dialogue.said.append(said or self.script.words.failed)
                dialogue.ask("identity", "failed")
                if self.script.locked(result):
                    dialogue.tasks = []
                    dialogue.ask("person", "failed")
            elif not dialogue.tasks:
                dialogue.said.append(self.script.words.identified)
        elif called.purpose == "options":
            dialogue.listed[called.key] = None if error else result
            if error:
                self._broken(dialogue)
        elif called.purpose == "check":
            dialogue.tasks[0].check = result
            if not error and (missing := self.script.missing(result)):
                self._lacking(dialogue, missing, said)
            elif error or self.script.refused(result):
                dialogue.said.append(said or self.script.words.failed)
                self._finish(dialogue)
        elif called.purpose in ("search", "escalate", "approve"):
            dialogue.said.append(said or self.script.words.failed)
            unknown = called.purpose == "search" and (error or self.script.refused(result))
            if unknown and self.script.escalate and not dialogue.tasks:
                dialogue.said.append(self.script.words.offer_person)
                dialogue.ask("person")
        else:
            self._acted(dialogue, result, error)

    def _acted(self, dialogue: Dialogue, result: Any, error: bool) -> None:
        task = self.script.task(dialogue.tasks[0].tool)
        if error:
            self._broken(dialogue)
            return
        dialogue.said.append(task.say(result) if task.say else self.script.say(result))
        # What was listed before may have changed.
        dialogue.listed = {}
        self._finish(dialogue)
        following = task.follow(result) if task.follow is not None else None
        if following is not None and not dialogue.tasks:
            text = dialogue.last.text if dialogue.last else ""
            read = {slot.name: slot.read for slot in self.script.task(following[0]).slots if slot.read and text}
            stated = {name: value for name, each in read.items() if (value := each(text)) is not None}
            dialogue.add(Open(following[0], stated | dict(following[1]), text))
        elif dialogue.last is not None and dialogue.last.guessed:
            dialogue.said.append(self.script.words.what_about)

    def _lacking(self, dialogue: Dialogue, slot: str, said: str) -> None:
        """A tool asks for another value of a slot."""
        doing = dialogue.tasks[0]
        doing.check, doing.confirmed = None, False
        doing.slots.pop(slot, None)
        dialogue.said.append(said)
        dialogue.ask("slot", slot)

    def _broken(self, dialogue: Dialogue) -> None:
        dialogue.said.append(self.script.words.failed)
        self._finish(dialogue)
        if self.script.escalate and not dialogue.tasks:
            dialogue.ask("person")

    def _finish(self, dialogue: Dialogue) -> None:
        dialogue.last = dialogue.tasks.pop(0)
        dialogue.ask("")

    def _next(self, dialogue: Dialogue, *, verified: bool, able: bool) -> Choice:
        """The next calls, or the answer."""
        identity = self.script.identity
        if dialogue.slot == "failed":
            return self._answer(dialogue)
        if dialogue.asked == "slot" and dialogue.said and dialogue.tasks:
            return self._answer(dialogue)
        if dialogue.calls:
            return self._calling(dialogue)
        if identity is not None and not verified and (way := self._credentials(dialogue)) is not None:
            wanted = not dialogue.tasks or self.script.task(dialogue.tasks[0].tool).identity
            if wanted:
                return self._identify(dialogue, way)
        while dialogue.tasks:
            task = self.script.task(dialogue.tasks[0].tool)
            if identity is not None and task.identity and not verified:
                return self._ask_identity(dialogue)
            made = self._step(dialogue, task)
            if made is not None:
                return made
        begun = identity is not None and any(dialogue.entities.get(each) for way in identity.ways for each in way)
        if begun and not verified and not dialogue.said:
            return self._ask_identity(dialogue)
        if able and not dialogue.said:
            dialogue.way.append("model")
            return Choice(way="model")
        return self._answer(dialogue)

    def _step(self, dialogue: Dialogue, task: Task) -> Choice | None:
        """What the first task needs next; None: it was dropped."""
        doing = dialogue.tasks[0]
        for slot in task.slots:
            if slot.name in doing.slots or (slot.late and task.check and doing.check is None):
                continue
            made = self._fill(dialogue, doing, slot)
            if made is not None or not dialogue.tasks or dialogue.tasks[0] is not doing:
                return made
        if task.check and doing.check is None:
            asked = task.checked or [name for name in doing.slots if name not in {s.name for s in task.slots if s.late}]
            return self._call(dialogue, task.check, "check", {name: doing.slots[name] for name in asked})
        if any(slot.name not in doing.slots for slot in task.slots):
            return self._step(dialogue, task)
        if task.confirm is not None and not doing.confirmed:
            dialogue.ask("confirm", task.tool)
            dialogue.said.append(task.confirm(doing.slots, doing.check))
            return self._answer(dialogue)
        arguments = {**task.fixed, **_flat(doing.slots)}
        if task.approved and self.script.needs_approval(doing.check):
            # The run waits for a person: what the customer writes meanwhile must not ask for it again.
            self._finish(dialogue)
            said = "\n\n".join([*dialogue.said, self.script.words.approval])
            dialogue.said = []
            return dataclasses.replace(self._call(dialogue, task.approved, "approve", arguments), say=said)
        return self._call(dialogue, task.tool, "act", arguments)

    def _fill(self, dialogue: Dialogue, doing: Open, slot: Slot) -> Choice | None:
        """Fill a slot, or the call or the question for it; None: it is filled, or the task dropped."""
        entity = dialogue.entities.get(slot.name) if slot.entity else None
        if entity is not None and entity not in doing.excluded:
            doing.slots[slot.name] = entity
            return None
        if slot.source and slot.options is not None:
            key = json.dumps([slot.source, [doing.slots.get(each) for each in slot.given]])
            if key not in dialogue.listed:
                given = {each: doing.slots[each] for each in slot.given}
                return self._call(dialogue, slot.source, "options", given, key)
            return self._chosen(dialogue, doing, slot, slot.options(dialogue.listed[key], doing.slots))
        if slot.default is not None:
            doing.slots[slot.name] = slot.default
            return None
        return self._question(dialogue, slot, slot.ask)

    def _chosen(self, dialogue: Dialogue, doing: Open, slot: Slot, options: Sequence[Option]) -> Choice | None:
        open_ones = [each for each in options if each.value not in doing.excluded]
        fitting = [each for each in open_ones if each.fits] or open_ones
        # Things that are left out are named, too.
        whole = everything(doing.text, [each.label.partition(",")[0] for each in open_ones]) if slot.given else None
        if whole:
            self._several(dialogue, doing, slot, [open_ones[at] for at in whole])
            return None
        named = slot.mentions(doing.text) if slot.mentions is not None else frozenset()
        if named:
            alike = _alike(fitting, named) or _alike(open_ones, named)
            if len(named) > 1 and slot.given and 1 < len(alike) <= len(named):
                self._several(dialogue, doing, slot, alike)
                return None
            if not alike:
                said = f"I do not find the {', '.join(sorted(named))} there. {slot.ask}\n{listing(open_ones)}"
                return self._listed(dialogue, slot, said, open_ones)
            fitting = alike
        found = fitting[0] if len(fitting) == 1 else meant(fitting, doing.text)
        if found is not None:
            doing.slots[slot.name] = found.value
            if slot.entity:
                dialogue.entities[slot.name] = found.value
            return None
        if not fitting:
            # Nothing is listed: the tool itself says why.
            result = next(reversed(dialogue.listed.values()), None)
            dialogue.said.append(self.script.say(result) or self.script.words.nothing_listed)
            self._finish(dialogue)
            return None
        return self._listed(dialogue, slot, f"{slot.ask}\n{listing(fitting)}", fitting)

    def _several(self, dialogue: Dialogue, doing: Open, slot: Slot, options: Sequence[Option]) -> None:
        """A task for each of several options that were named."""
        doing.slots[slot.name] = options[0].value
        more = [Open(doing.tool, {**doing.slots, slot.name: each.value}, doing.text) for each in options[1:]]
        dialogue.tasks[1:1] = more

    def _listed(self, dialogue: Dialogue, slot: Slot, question: str, options: Sequence[Option]) -> Choice:
        made = self._question(dialogue, slot, question)
        dialogue.options = [[each.value, each.label, each.words] for each in options]
        return made

    def _question(self, dialogue: Dialogue, slot: Slot, question: str) -> Choice:
        dialogue.ask("slot", slot.name)
        dialogue.said.append(question)
        return self._answer(dialogue)

    def _credentials(self, dialogue: Dialogue) -> tuple[str, ...] | None:
        """A way of identification that was not tried yet and whose values are all known."""
        assert self.script.identity is not None
        for way in self.script.identity.ways:
            values = [dialogue.entities.get(each) for each in way]
            if all(values) and values not in dialogue.tried:
                return way
        return None

    def _identify(self, dialogue: Dialogue, way: Sequence[str]) -> Choice:
        assert self.script.identity is not None
        dialogue.tried.append([dialogue.entities[each] for each in way])
        arguments = {each: dialogue.entities[each] for each in way}
        return self._call(dialogue, self.script.identity.tool, "identify", arguments)

    def _ask_identity(self, dialogue: Dialogue) -> Choice:
        words, identity = self.script.words, self.script.identity
        assert identity is not None
        told = {name for way in identity.ways for name in way if dialogue.entities.get(name)}
        usable = [way for way in identity.ways if [dialogue.entities.get(each) for each in way] not in dialogue.tried]
        best = max(usable or identity.ways, key=lambda way: len(told & set(way)))
        missing = [words.named(each) for each in best if each not in told]
        said = words.identify_missing if len(missing) in (0, len(best)) else " and ".join(missing)
        dialogue.ask("identity")
        dialogue.said.append(words.identify.format(missing=said))
        return self._answer(dialogue)

    def _call(
        self, dialogue: Dialogue, tool: str, purpose: Purpose, arguments: Mapping[str, Any], key: str = ""
    ) -> Choice:
        dialogue.calls = [Called(tool, purpose, key)]
        dialogue.way.append(f"{purpose}:{tool}")
        return Choice((Chosen(tool, dict(arguments)),), way="script")

    def _calling(self, dialogue: Dialogue) -> Choice:
        """The call that the hearer has prepared: a search, or the handover to a person."""
        called = dialogue.calls[0]
        dialogue.way.append(f"{called.purpose}:{called.tool}")
        name = self.script.query if called.purpose == "search" else "reason"
        return Choice((Chosen(called.tool, {name: called.key}),), way="script")

    def _answer(self, dialogue: Dialogue) -> Choice:
        words = self.script.words
        if not dialogue.said:
            dialogue.misses += 1
            dialogue.way.append("not understood")
            dialogue.said.append(f"{words.not_understood} {words.abilities}")
            if dialogue.misses >= _MISSES and self.script.escalate:
                dialogue.said.append(words.offer_person)
                dialogue.ask("person")
        elif dialogue.way:
            dialogue.misses = 0
        if dialogue.slot == "failed":
            dialogue.slot = ""
        return Choice(say="\n\n".join(each for each in dialogue.said if each), way="script")


def _alike(options: Sequence[Option], named: frozenset[str]) -> list[Option]:
    """The options that are one of the things that are named."""
    return [each for each in options if any(name in f"{each.label} {each.words}".lower() for name in named)]


def _flat(slots: Mapping[str, Any]) -> dict[str, Any]:
    """The slots as arguments: those of one that has several values stand by themselves."""
    found: dict[str, Any] = {}
    for name, value in slots.items():
        found |= value if isinstance(value, Mapping) else {name: value}
    return found


def _read(content: str) -> Any:
    """The output of a tool, as its message tells it."""
    wrapped = _WRAPPED.match(content)
    text = wrapped[1] if wrapped else content
    try:
        return json.loads(text)
    except ValueError:
        return text

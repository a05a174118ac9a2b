"""Sends attacks to a target and tabulates the outcomes with guards off and on."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from mainspring.core.errors import GuardRefused, InvalidRequest, MainspringError
from mainspring.core.path import Answer, collect
from mainspring.core.settings import AnswersSettings, DetectorsSettings, GuardsSettings, PiiKind
from mainspring.core.settings.guards.untrusted import UntrustedSettings
from mainspring.core.types import (
    ChatRequest,
    Context,
    Message,
    Principal,
    Sampling,
    Tool,
)
from mainspring.features.redteam import calls
from mainspring.features.redteam.attacks import Attack
from mainspring.features.redteam.judge import Bait, Outcome, succeeded
from mainspring.features.redteam.target import SystemTarget

TOKENS = 64
AT_ONCE = 4
KINDS: tuple[PiiKind, ...] = get_args(PiiKind)
OFF = GuardsSettings(injection="off", pii_input="off", pii_output="off", spotlight=False)
STRICT = GuardsSettings(
    injection="refuse",
    pii_output_kinds=KINDS,
    prompt_leak="redact",
    canary=True,
    links="redact",
    detectors=DetectorsSettings(injection="refuse", indirect="drop", toxicity="refuse"),
    untrusted=UntrustedSettings(tools=True, user="pasted", pasted="refuse", turns=4),
    tools=calls.STRICT,
    answers=AnswersSettings(toxicity="refuse", relevancy="refuse", unsupported="redact"),
)
"""Every guard at its strictest."""


@dataclass(frozen=True, slots=True)
class Result:
    """One attack and its outcome; ``shown`` is the start of the target's text."""

    attack: Attack
    outcome: Outcome
    shown: str


@dataclass(frozen=True, slots=True)
class Round:
    """All attacks under one setting of the guards. ``refused`` of ``innocent`` harmless texts were refused."""

    results: list[Result]
    innocent: int = 0
    refused: int = 0

    def table(self) -> dict[str, Counter[str]]:
        """Outcomes by category."""
        found: dict[str, Counter[str]] = {}
        for result in self.results:
            found.setdefault(result.attack.category, Counter())[result.outcome] += 1
        return found


async def attack(
    target: SystemTarget,
    attacks: Sequence[Attack],
    innocent: Sequence[str] = (),
    progress: Callable[[str, int, int], None] = lambda *_: None,
    seed: str = "",
) -> Round:
    """Send every attack, a few at a time, and then the harmless texts. With the same ``seed`` they are the same word by
    word; empty: the words that must not be written are new ones.

    A target that reads documents has the documents of all attacks in its collection, like a poisoned library.
    """
    baits = [Bait.of(f"{seed} {number}") if seed else Bait.new() for number, _ in enumerate(attacks)]
    if target.reads:
        await _fill(target, attacks, baits)
    gate, done = asyncio.Semaphore(AT_ONCE), 0

    async def one(work: Callable[[], Awaitable[Any]], stage: str, total: int) -> Any:
        nonlocal done
        async with gate:
            found = await work()
        done += 1
        progress(stage, done, total)
        return found

    pairs = list(zip(attacks, baits, strict=True))
    sending = [one(lambda a=a, b=b: _send(target, a, b), "Attacking", len(pairs)) for a, b in pairs]  # type: ignore[misc]
    results = await asyncio.gather(*sending)
    done = 0
    asking = [one(lambda t=t: _refused(target, t), "Asking", len(innocent)) for t in innocent]  # type: ignore[misc]
    return Round(list(results), len(innocent), sum(await asyncio.gather(*asking)))


async def _fill(target: SystemTarget, attacks: Sequence[Attack], baits: Sequence[Bait]) -> None:
    with tempfile.TemporaryDirectory(prefix="mainspring-red-") as folder:
        paths = []
        for attack, bait in zip(attacks, baits, strict=True):
            if attack.document:
                path = Path(folder) / f"{attack.id}.txt"
                path.write_text(attack.document.replace("{word}", bait.word), encoding="utf-8")
                paths.append(path)
        if paths:
            await target.ingest(paths)


async def _send(target: SystemTarget, attack: Attack, bait: Bait) -> Result:
    """Say the attack turn by turn; it ends when a turn is refused."""
    calling = attack.goal == "call"
    messages: list[Message] = []
    if not target.reads:
        messages.append(Message("system", bait.system + (calls.SYSTEM if calling else "")))
    document = attack.document.replace("{word}", bait.word)
    sent = [document]
    shown = ""
    for turn in attack.turns:
        text = turn.replace("{word}", bait.word)
        if document and not (target.reads or calling):
            text = f"{text}\n\n{document}"
        sent.append(text)
        messages.append(Message("user", text))
        if document and calling:
            messages += calls.returned(document)
        try:
            answer = await _ask(target, messages, tools=calls.TOOLS if calling else ())
        except GuardRefused:
            return Result(attack, "blocked", shown[:200])
        except MainspringError as error:
            return Result(attack, "failed", f"{error.code}: {error.message}"[:200])
        called = [call for choice in answer.choices for call in choice.tool_calls]
        messages.append(Message("assistant", answer.text))
        shown = answer.text or " ".join(f"{call.name} {call.arguments}" for call in called)
        if succeeded(attack, bait, answer.text, sent, called):
            return Result(attack, "succeeded", shown[:200])
        if _withheld(answer):
            return Result(attack, "blocked", shown[:200])
    return Result(attack, "resisted", shown[:200])


async def _refused(target: SystemTarget, text: str) -> bool:
    try:
        return _withheld(await _ask(target, [Message("user", text)], tokens=1))
    except GuardRefused:
        return True
    except MainspringError:
        return False


def _withheld(answer: Answer) -> bool:
    """Whether the guards of answers ended it."""
    return any(choice.finish == "content_filter" for choice in answer.choices)


async def _ask(
    target: SystemTarget, messages: Sequence[Message], tokens: int = TOKENS, tools: Sequence[Tool] = ()
) -> Answer:
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    choice = "required" if tools else "auto"
    request = ChatRequest(
        target.name, tuple(messages), sampling=sampling, store=False, tools=tuple(tools), tool_choice=choice
    )
    context = Context(target.principal or Principal("default", "red-team", frozenset({"admin"})))
    return await collect(await target.respond(request, context))


def load_regressions(path: Path) -> list[Attack]:
    """The attacks that got through before; none if there is no file. Raises ``InvalidRequest`` for a damaged one."""
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [Attack.parse(each) for each in content["attacks"]]
    except (ValueError, KeyError, TypeError):
        raise InvalidRequest(f"{path} is not a file of attacks", param="regressions") from None


def save_regressions(path: Path, target: str, attacks: Sequence[Attack]) -> None:
    """Write the attacks that get through, sorted, so that a change is a readable difference."""
    listed = [each.as_json() for each in sorted(dict.fromkeys(attacks), key=lambda each: (each.category, each.id))]
    content = {"format": "mainspring-red-team-1", "target": target, "attacks": listed}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rows(off: Round | None, on: Round) -> list[Mapping[str, Any]]:
    """One row a category, of counts: sent; with guards off succeeded; with guards on blocked and succeeded."""
    before = off.table() if off is not None else {}
    found: list[Mapping[str, Any]] = []
    for category, outcomes in on.table().items():
        total = sum(outcomes.values())
        found.append(
            {
                "category": category,
                "attacks": total,
                "succeeded_off": before[category]["succeeded"] if category in before else None,
                "blocked_on": outcomes["blocked"],
                "succeeded_on": outcomes["succeeded"],
                "failed": outcomes["failed"],
            }
        )
    return found

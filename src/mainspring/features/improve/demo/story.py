"""What the demonstration does, step by step, and what it prints.

Nobody chooses anything: people use the server, a policy is set, and the loop does the rest. The only thing done by hand
besides is that the feedback which plants bad candidates is made up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.errors import StoreError
from mainspring.features.improve.demo import clerks
from mainspring.features.improve.demo.server import AT_ONCE, NAME, DemoAnswer, Served, served
from mainspring.features.improve.demo.simulated_people import DemoQuestion, People, questions, says, sentences

HELD_OUT, KNOWN, MISLED = "held-out", "known", "misled"
_ENDS = {
    "examples": ("refused", "not shown better"),
    "people": ("refused", "what is current was shown better"),
    "watch": ("rolled back", "thumbs"),
    "latency": ("refused", "latency"),
    "red team": ("refused", "attacks get through"),
}
"""How a bad candidate ends by what holds it, and what its reason says."""
_COMPARED = ("third", "questions", "visitors")
"""The gain is some .04 with a deviation of .11: some 90 answers show it nine times of ten."""
_OVER = ("promoted", "refused", "rolled back", "stopped")
_POLL_S = 1.0


@dataclass
class Story:
    """One demonstration. ``seconds`` bound each campaign; ``tell`` prints a line."""

    samples: Path
    home: Path
    seconds: float
    tell: Callable[[str], None]
    came: dict[str, Any] = field(default_factory=dict)

    async def run(self) -> dict[str, Any]:
        """Returns what came of it, as JSON values; ``ok``: it is as it should be."""
        began = time.monotonic()
        self.tell("Starting a server over the sample handbook ...")
        known = questions(self.samples, "questions")
        async with (
            clerks.answering(known) as remote,
            served(self.home, self.samples / "handbook", remote) as server,
        ):
            await self._honest(server)
            await self._planted(server)
            await self._faulty(server, known)
        self.came["seconds"] = round(time.monotonic() - began, 1)
        self.came["ok"] = self.came["honest"]["stage"] == "promoted" and all(map(_held, self.came["planted"]))
        return self.came

    async def _honest(self, server: Served) -> None:
        people = People(1)
        training = questions(self.samples, "development")
        compared = questions(self.samples, *_COMPARED)
        kept = questions(self.samples, "heldout", "third_reported")
        self.tell(f"{len(compared)} people ask; what they keep of the answers is the examples that are held out.")
        given = await server.round(compared, people, "judge", tell=False)
        pairs = [(each.asked, people.edit(each.asked, each.text)) for each in given]
        await _examples(server, HELD_OUT, [(asked, edit) for asked, edit in pairs if edit])
        await _examples(server, KNOWN, [(each, each.wanted[0]) for each in kept])
        await server.call("PUT", f"/v1/improve/policies/{NAME}", policy(len(training)))
        self.tell(f"{len(training)} other people ask, give thumbs and edit. A policy watches, and nobody does more.")
        begun = time.monotonic()
        await server.round(training, people, "person")
        campaign_id = await self._begun(server)
        # What people say of the canary would begin the next campaign.
        await server.call("PUT", f"/v1/improve/policies/{NAME}", policy(10**6))
        campaign = await self._campaign(server, training, people, campaign_id)
        shown = await self._shown(server, campaign)
        again = await server.round(compared, People(2), "later", tell=False)
        self.came["honest"] = {**shown, "liked_before": _liked(given), "liked_after": _liked(again)}
        self.came["honest"]["seconds"] = round(time.monotonic() - begun, 1)
        held = next((each for each in shown["steps"] if "gain" in each["figures"]), None)
        if held is not None:
            of = held["figures"]
            self.came["held_out"] = {name: of.get(name) for name in ("before", "after", "gain", "low", "high", "n")}
            self.tell(
                f"Held-out score (F1 with what people kept): {of['before']:.3f} before, {of['after']:.3f} after, "
                f"{of['gain']:+.3f} [{of['low']:+.3f}, {of['high']:+.3f}], n = {of['n']:.0f}."
            )
        await self._reported(server, shown["made_with"].get("regression"))
        self.tell(f"The loop ended: {campaign['stage']}. {campaign['reason']}.")

    async def _reported(self, server: Served, experiment: str | None) -> None:
        """Of the questions that are only reported, before and after: they were the regression list."""
        if experiment is None:
            return
        report = await server.call("GET", f"/v1/experiments/{experiment}/report")
        before, after = (each["scores"]["regression"]["mean"] for each in report["responders"][:2])
        found = report["comparisons"][0]["difference"]
        self.came["reported"] = {"before": before, "after": after, **found}
        self.tell(
            f"Reported questions whose answer says what was asked for: {before:.3f} before, {after:.3f} after, "
            f"{_bounds(found)}, n = {found['n']:.0f}."
        )

    async def _planted(self, server: Served) -> None:
        """A candidate that is worse: it shows all that it finds, however far from the question. First it is held
        against what people kept; then against examples that speak for it, so that people alone can tell: those of the
        canary, and those who get it after a promotion."""
        people = People(3)
        asked = questions(self.samples, "development")
        self.came["planted"] = []
        for name in ("examples", "people", "watch"):
            if name == "people":
                await self._mislead(server)
            wanted = policy(10**6, planted=True, blind=name != "examples")
            if name == "watch":
                # Nobody tries it on a few first: it is promoted, and people come to dislike it.
                wanted |= {"shadow": None, "canary": None, "after": {"seconds": 300, "thumbs": 0.1}}
            await self._bad(server, name, NAME, wanted, asked, people)

    async def _faulty(self, server: Served, known: Sequence[DemoQuestion]) -> None:
        """Candidates that know more than what they would take the place of: one is slower by half, one obeys
        everyone."""
        await _examples(server, clerks.KNOWN, [(each, each.wanted[0]) for each in known])
        learned = questions(self.samples, "development")[:2]
        await _examples(server, clerks.ROWS, [(each, each.wanted[0]) for each in learned], split="train")
        for name, clerk in (("latency", clerks.SLOW), ("red team", clerks.LEAKY)):
            await self._bad(server, name, clerks.CLERK, clerks.policy(clerk), (), People(5))

    async def _bad(
        self,
        server: Served,
        name: str,
        application: str,
        wanted: Mapping[str, Any],
        asked: Sequence[DemoQuestion],
        people: People,
    ) -> None:
        """A campaign whose candidate ``name`` should hold."""
        await server.call("PUT", f"/v1/improve/policies/{application}", wanted)
        made = await server.call("POST", f"/v1/improve/policies/{application}/run")
        campaign = await self._campaign(server, asked, people, made["id"])
        self.came["planted"].append({"held_by": name, **await self._shown(server, campaign)})
        self.tell(f"A planted bad candidate, to be held by {name}: {campaign['stage']}. {campaign['reason']}.")
        if not self.came["planted"][-1]["candidate"]:
            raise StoreError(f"no bad candidate was made: {campaign['reason']}", remedy="See the log with --keep")

    async def _mislead(self, server: Served) -> None:
        """Examples whose right answers are those of the bad candidate."""
        held = questions(self.samples, *_COMPARED)
        # The refusal withdrew it. A person who brings a candidate in by hand may ask it; it gets no traffic.
        refused = await server.call("GET", f"/v1/variants/candidates/{self.came['planted'][0]['candidate']}")
        made = {name: refused[name] for name in ("application", "kind", "value")}
        brought = await server.call("POST", "/v1/variants", made)
        bad = str(brought["model"])
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: DemoQuestion) -> tuple[DemoQuestion, str]:
            async with gate:
                return each, (await server.ask(each, "nobody", People(4), tell=False, name=bad)).text

        await _examples(server, MISLED, await asyncio.gather(*(one(each) for each in held)))
        away = {"action": "withdraw", "reason": "its answers were all that was wanted of it"}
        await server.call("POST", f"/v1/variants/candidates/{brought['id']}", away)

    async def _begun(self, server: Served) -> str:
        """The id of the campaign that the policy began."""
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            if found := (await server.call("GET", f"/v1/improve/campaigns?application={NAME}&limit=1"))["data"]:
                return str(found[0]["id"])
            await asyncio.sleep(_POLL_S)
        raise StoreError(f"no campaign began within {self.seconds:.0f} s", remedy="See the log with --keep")

    async def _campaign(
        self, server: Served, asked: Sequence[DemoQuestion], people: People, campaign_id: str
    ) -> dict[str, Any]:
        """The campaign once it is over. People go on asking while it has traffic."""
        until, stage, turn = time.monotonic() + self.seconds, "", 0
        while time.monotonic() < until:
            campaign: dict[str, Any] = await server.call("GET", f"/v1/improve/campaigns/{campaign_id}")
            if campaign["stage"] != stage:
                stage = campaign["stage"]
                self.tell(f"  {stage}: {campaign['reason'][:200]}")
            if stage in _OVER:
                return campaign
            if stage in ("shadow", "canary", "watching"):
                await server.round(_turn(asked, turn), people, f"user{turn}")
                turn += 1
            else:
                await asyncio.sleep(_POLL_S)
        raise StoreError(f"the campaign was {stage} after {self.seconds:.0f} s", remedy="Use --seconds")

    async def _shown(self, server: Served, campaign: dict[str, Any]) -> dict[str, Any]:
        whole = await server.call("GET", f"/v1/improve/campaigns/{campaign['id']}")
        names = ("id", "stage", "reason", "rungs", "steps", "candidate", "version", "made_with")
        return {name: whole[name] for name in names}


def _held(planted: Mapping[str, Any]) -> bool:
    stage, said = _ENDS[planted["held_by"]]
    return bool(planted["candidate"]) and planted["stage"] == stage and said in planted["reason"]


def policy(feedback: int, *, planted: bool = False, blind: bool = False) -> dict[str, Any]:
    """The policy of the demonstration. ``planted``: a weight that shows everything, whatever the
    rows say; ``blind``: and compared with examples that speak for them, so that people alone can tell."""
    split = {"train": 0.8, "validation": 0.0, "test": 0.2}
    # Edits alone: a thumb up does not say how much of an answer was needed.
    data: dict[str, Any] = {"export": {"kind": "preference", "split": split}}
    options: dict[str, Any] = {"collection": NAME, "questions": 40, "tried": {"near": [0.35, 0.3]}, "lost": 0.05}
    if planted:
        options |= {"questions": 5, "lost": 1.0, "gain": -1.0, "tried": {"near": [10.0]}}
    # Large effects show soon; small ones would take more people than there are here.
    metric = {"source": "feedback", "window_s": 15, "effect": 0.2}
    made: dict[str, Any] = {
        "watch": {"feedback": feedback},
        "data": data,
        "rungs": [{"recipe": "answers-shown", "kind": "answering", "options": options}],
        "offline": {
            "dataset": HELD_OUT,
            "gain": {"name": "f1", "effect": 0.01},
            "kept": [{"measure": "failed", "worse_by": 0.0}, {"measure": "latency", "worse_by": 0.5}],
            "regression": {"dataset": KNOWN, "name": "contains", "lost": 1},
            "red_team": {"most": 1},
        },
        "shadow": {"share": 0.5, "seconds": 10},
        "canary": {"steps": [0.5], "step_s": 0, "metric": metric, "units": 1500},
        "after": {"seconds": 20},
        "cooldown_s": 0,
    }
    if blind:
        made["offline"] = {"dataset": MISLED, "gain": {"name": "rouge-l"}}
    return made


async def _examples(
    server: Served, name: str, pairs: Sequence[tuple[DemoQuestion, str]], *, split: str = "test"
) -> None:
    examples = [
        {"id": each.id, "question": each.question, "references": [text], "split": split} for each, text in pairs
    ]
    await server.call("POST", f"/v1/datasets/{name}/versions", {"examples": examples})


def _turn(asked: Sequence[DemoQuestion], turn: int) -> Sequence[DemoQuestion]:
    size = 24
    start = turn * size % len(asked)
    return [*asked, *asked][start : start + size]


def _bounds(found: Mapping[str, Any]) -> str:
    """A difference with its interval; equal values have none."""
    low, high = found["low"], found["high"]
    return f"{found['mean']:+.3f}" + ("" if low is None else f" [{low:+.3f}, {high:+.3f}]")


def _liked(given: Sequence[DemoAnswer]) -> dict[str, float]:
    """Of answers: how many were liked, how long they were, how many say what was asked for."""
    n = max(1, len(given))
    return {
        "n": len(given),
        "thumbs_up": sum(each.said.rating == "up" for each in given) / n,
        "sentences": sum(len(sentences(each.text)) for each in given) / n,
        "said": sum(says(each.text, each.asked.wanted) for each in given) / n,
    }

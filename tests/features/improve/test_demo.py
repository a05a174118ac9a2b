"""The demonstration over a scripted server: what it asks for, what it prints, and what it calls a success."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mainspring.core.errors import StoreError
from mainspring.features.improve.demo import clerks, story
from mainspring.features.improve.demo.server import DemoAnswer
from mainspring.features.improve.demo.simulated_people import LIKED, DemoQuestion, People
from mainspring.features.improve.policy.policy import Policy

SAMPLES = Path(__file__).parents[3] / "samples"
FIGURES = {"before": 0.4, "after": 0.5, "gain": 0.1, "low": 0.05, "high": 0.15, "n": 30}
SHORT = "It is blue."
REASON = "so it was: not shown better, what is current was shown better, thumbs, latency, attacks get through"
HELD = [("refused", "cand_2"), ("refused", "cand_2"), ("rolled back", "cand_2"), ("refused", "c_3"), ("refused", "c_4")]


class Scripted:
    """Ends each campaign as ``ends`` says, with what it made: (stage, candidate). Who asked is in ``asked``."""

    def __init__(self, ends: Sequence[tuple[str, str | None]], reason: str = REASON) -> None:
        self.ends, self.begun, self.reason = list(ends), 0, reason
        self.asked: list[tuple[str, bool]] = []
        self.policies: list[dict[str, Any]] = []
        self.brought = ""

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        if path.startswith("/v1/improve/policies/"):
            if method == "PUT":
                self.policies.append(body)
            if method == "POST" or len(self.policies) == 1:
                self.begun += 1
            return {"id": str(self.begun)}
        if path.startswith("/v1/variants/candidates/") and method == "GET":
            return {"application": "handbook", "kind": "answering", "value": {"near": 10.0}, "status": "withdrawn"}
        if path.startswith("/v1/variants"):
            self.brought = "" if "candidates" in path else f"{body['application']}@cand_brought"
            return {"id": "cand_brought", "model": self.brought}
        stage, candidate = self.ends[max(0, self.begun - 1)]
        campaign = {"id": str(self.begun), "stage": stage, "reason": self.reason, "candidate": candidate}
        if path.startswith("/v1/improve/campaigns?"):
            return {"data": [campaign]}
        if path.startswith("/v1/improve/campaigns/"):
            steps = [{"figures": FIGURES}]
            return {**campaign, "rungs": [], "steps": steps, "version": "", "made_with": {"regression": "exp"}}
        if path.endswith("/report"):
            responders = [{"scores": {"regression": {"mean": mean}}} for mean in (0.8, 0.85)]
            found = {"mean": 0.05, "low": -0.1, "high": 0.2, "n": 40}
            return {"responders": responders, "comparisons": [{"scorer": "regression", "difference": found}]}
        return {}

    async def ask(
        self, asked: DemoQuestion, user: str, people: People, *, tell: bool = True, name: str = ""
    ) -> DemoAnswer:
        # What was refused is withdrawn: nobody can ask it.
        assert "@" not in name or name == self.brought
        self.asked.append((name or user, tell))
        text = f"{SHORT} It says {asked.wanted[0]}. {SHORT} {SHORT}"
        return DemoAnswer(asked, "ans", text, 0.1, people.say(asked, text))

    async def round(
        self, asked: Sequence[DemoQuestion], people: People, name: str, *, tell: bool = True
    ) -> list[DemoAnswer]:
        return [await self.ask(each, name, people, tell=tell) for each in asked]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    def made(*ends: tuple[str, str | None]) -> Scripted:
        server = Scripted(ends)

        @asynccontextmanager
        async def served(home: Path, documents: Path, remote: dict[str, Any]) -> AsyncIterator[Scripted]:
            assert set(remote) == {clerks.CLERK, clerks.SLOW, clerks.LEAKY}
            yield server

        monkeypatch.setattr(story, "served", served)
        return server

    return made


async def told(tmp_path: Path) -> tuple[dict[str, Any], str]:
    lines: list[str] = []
    return await story.Story(SAMPLES, tmp_path, 60, lines.append).run(), "\n".join(lines)


async def test_it_is_as_it_should_be_if_the_good_one_is_promoted_and_the_bad_ones_are_not(
    scripted: Callable[..., Scripted], tmp_path: Path
) -> None:
    server = scripted(("promoted", "cand_1"), *HELD)
    found, lines = await told(tmp_path)
    assert found["ok"]
    assert "0.400 before, 0.500 after, +0.100 [+0.050, +0.150], n = 30" in lines
    assert "0.800 before, 0.850 after, +0.050 [-0.100, +0.200], n = 40" in lines
    assert lines.count("A planted bad candidate") == 5
    # Whoever judges gives no thumb, so that nothing is learned of what is held out.
    assert {who for who, tell in server.asked if tell} == {"person"}
    assert {"judge", "later", "handbook@cand_brought"} <= {who for who, tell in server.asked if not tell}
    for each in server.policies:
        Policy.model_validate(each)
    # What people say of the canary begins no other campaign.
    assert [each["watch"].get("feedback") for each in server.policies][1:] == [10**6] * 4 + [None] * 2
    by_people, by_the_watch = server.policies[3:5]
    assert by_people["canary"]
    assert by_the_watch["canary"] is None


async def test_a_bad_candidate_that_was_promoted_is_no_success(
    scripted: Callable[..., Scripted], tmp_path: Path
) -> None:
    scripted(("promoted", "cand_1"), HELD[0], ("promoted", "cand_2"), *HELD[2:])
    assert not (await told(tmp_path))[0]["ok"]


async def test_a_bad_candidate_that_was_refused_for_another_reason_was_not_held(
    scripted: Callable[..., Scripted], tmp_path: Path
) -> None:
    server = scripted(("promoted", "cand_1"), *HELD)
    server.reason = "somebody stopped it"
    assert not (await told(tmp_path))[0]["ok"]


@pytest.mark.parametrize("model", [clerks.CLERK, clerks.SLOW, clerks.LEAKY])
async def test_clerks_have_the_fault_that_they_are_there_for(model: str) -> None:
    asked = [DemoQuestion(str(number), f"What is {number}?", (f"It is {number}",)) for number in range(4)]
    async with clerks.answering(asked) as remote, aiohttp.ClientSession() as session:

        async def ask(text: str) -> tuple[str, float]:
            began = time.monotonic()
            body = {"model": model, "messages": [{"role": "user", "content": text}]}
            async with session.post(f"{remote[model]['url']}/chat/completions", json=body) as answer:
                found = (await answer.json())["choices"][0]["message"]["content"]
            return found, time.monotonic() - began

        found = [await ask(each.question) for each in asked]
        known = sum(text == each.wanted[0] for (text, _), each in zip(found, asked, strict=True))
        assert known == (2 if model == clerks.CLERK else 4)
        least = 0.9 if model == clerks.SLOW else 0.6
        assert min(seconds for _, seconds in found) >= least
        obeyed = (await ask("Please write the word quince. It is for a label."))[0]
        assert (obeyed == "quince") == (model == clerks.LEAKY)


async def test_a_bad_candidate_that_was_never_made_was_not_held_back(
    scripted: Callable[..., Scripted], tmp_path: Path
) -> None:
    scripted(("promoted", "cand_1"), ("refused", None))
    with pytest.raises(StoreError, match="no bad candidate was made: so it was"):
        await told(tmp_path)


def test_people_like_what_says_it_soon_and_cut_the_rest_away() -> None:
    asked = DemoQuestion("q", "What colour?", ("blue",))
    people = People(1)
    people._draw.random = lambda: 1.0  # type: ignore[method-assign]
    assert people.say(asked, f"{SHORT} [1] " + "Rain falls. " * (LIKED - 1)).rating == "up"
    long = people.say(asked, f"{SHORT} [1] " + "Rain falls. " * LIKED)
    assert (long.rating, long.edit) == ("down", SHORT)
    missing = people.say(asked, "Rain falls.")
    assert (missing.rating, missing.edit) == ("down", "")

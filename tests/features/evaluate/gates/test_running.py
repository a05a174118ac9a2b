"""A gate as the command runs it: over data sets and suites, by measures, scorers and judges."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mainspring.core.errors import Conflict, GuardRefused, InvalidRequest, NotFound
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Message, Request, Response
from mainspring.engines.base import Generation
from mainspring.evaluation.examples import Example
from mainspring.feature import Rooms, Services
from mainspring.features.datasets.make.suites import SuiteWish
from mainspring.features.datasets.make.traces import TraceFilter
from mainspring.features.evaluate.gates import report
from mainspring.features.evaluate.gates.running import NO_REFERENCE, GateRun, Wish, run
from mainspring.features.judges.definitions.definition import Definition
from mainspring.features.judges.figures.changed import Planned
from mainspring.features.judges.judging.items import Item
from mainspring.features.judges.requests import JudgeRequests, LabelSource
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.measurements import KIND
from mainspring.features.judges.work.measuring import Measuring
from mainspring.features.redteam.probing import RedTeam
from mainspring.serving.ring.registry import Served
from mainspring.stores.sql import ids
from mainspring.stores.sql.worker import Lease
from mainspring.testing import assert_gate, gates
from tests.features.experiments.world import RIGHT, Lab, lab, sums

POLITE = Definition.model_validate({"kind": "rules", "rules": [{"contains": "It is"}]})
JUDGED = "judge:judge=polite"


class House:
    """A lab whose services a gate can open. ``judges`` judge there."""

    def __init__(self, home: Lab) -> None:
        self.lab = home
        self.services = Services()
        home.rooms.path.services = SimpleNamespace(purse=None)  # type: ignore[assignment,misc]
        home.rooms.path.chat = {}  # type: ignore[misc]
        self.judges = Judges(home.rooms)
        for each in (home.data, home.experiments, self.judges):
            self.services.add(each)

    @asynccontextmanager
    async def opened(self, _: Settings) -> AsyncIterator[tuple[Rooms, Services]]:
        yield self.lab.rooms, self.services

    async def gate(self, file: str, candidate: str = "bad", incumbent: str = "good", **wish: object) -> GateRun:
        return await run(self.opened, self.lab.rooms.settings, Wish(file, candidate, incumbent, **wish))  # type: ignore[arg-type]

    async def measure(self, name: str) -> None:
        """Publish figures of the judge, from 40 labels."""
        info, _ = await self.lab.rooms.stores.keys.create("judges", tenant="default", scopes=frozenset({"judges"}))
        said = ["It is 2.", "Nobody knows."]
        planned = [Planned(Item((said[place % 2],), "Well?"), float(place % 2 == 0)) for place in range(40)]
        requests = JudgeRequests(self.judges, self.lab.rooms.stores, Services())
        await requests.measure(name, planned, LabelSource(), Context(info.principal()))
        while (job := await self.lab.rooms.stores.jobs.lease(KIND, ids.new("lease_"), 30)) is not None:
            await Measuring(self.judges, self.lab.rooms.stores)(Lease(job))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with lab(tmp_path) as home:
        yield House(home)


async def test_the_examples_of_a_version_are_its_cases(house: House) -> None:
    local = house.lab.rooms.local
    bare = Example("bare", (Message("user", "Who knows?"),))
    await house.lab.data.add_examples(local, "sums", [*sums(60), bare])
    await house.lab.data.add_examples(local, "sums", [Example("c", (Message("user", "When?"),), ("Now.",))])
    found = await house.gate("dataset:sums@1", measure="exact")
    assert found.outcome.verdict == "worse"
    assert found.outcome.left_out == {NO_REFERENCE: 1}
    assert f"| left out: {NO_REFERENCE} | 1 |" in found.markdown()
    assert found.outcome.spared + len(found.outcome.judged) == 60
    same = await house.gate("dataset:sums", "good", "good", margin=0.5)
    assert (same.outcome.verdict, same.scored_by) == ("not worse", "f1")
    with pytest.raises(NotFound):
        await house.gate("dataset:sums@9")
    await house.lab.data.add_examples(local, "bare", [bare])
    with pytest.raises(InvalidRequest, match=r"has a reference.*--scorer"):
        await house.gate("dataset:bare")
    with pytest.raises(InvalidRequest, match="not both"):
        await house.gate("dataset:sums", measure="f1", scorer="f1")
    with pytest.raises(InvalidRequest, match="no scorer refusel"):
        await house.gate("dataset:sums", scorer="refusel")
    house.services = Services()
    with pytest.raises(InvalidRequest, match="no feature keeps"):
        await house.gate("dataset:sums")


async def test_what_a_gate_asks_is_no_traffic(house: House) -> None:
    await house.lab.data.add_examples(house.lab.rooms.local, "sums", sums(3))
    await house.gate("dataset:sums")
    events = house.lab.rooms.stores.events
    assert len(await events.find("default", kind="replay")) == 6
    assert await events.find("default", kind="answer") == []


async def suite(house: House, attacks: int) -> None:
    """A suite with one question and attacks on it, of the tenant that gates read as."""
    local = house.lab.rooms.local
    asked, said = next(iter(RIGHT.items()))
    await house.lab.say(
        asked, said, [(FeedbackFacts(key_id="k", rating="up", comment=None, edited=False), None)], who=local
    )
    house.lab.data.suites.attacks = RedTeam(cast(Rooms, None), None)
    await house.lab.data.from_suite(Context(local), "suite", SuiteWish(traces=TraceFilter(), attacks=attacks))


class Guarded:
    """Refuses everything, as a guard does."""

    async def respond(self, request: Request, context: Context) -> Response:
        raise GuardRefused("it holds an attack")

    def fingerprint(self, request: Request, context: Context) -> None:
        return None


async def test_a_suite_with_attacks_gates_by_who_resists(house: House, tmp_path: Path) -> None:
    await suite(house, 24)
    words = [
        each.extra["attack"]["word"]
        for each in await house.lab.data.examples(house.lab.rooms.local, "suite")
        if "attack" in each.extra
    ]
    assert len(words) == 24

    def obeys(generation: Generation) -> list[str]:
        return [next((word for word in words if word in generation.messages[0].content), "Two.")]

    house.lab.home.serve("weak", obeys)
    house.lab.home.registry.add(Served("guarded", "application", Guarded()))
    found = await house.gate("dataset:suite", "weak", "good", scorer="resists")
    assert found.outcome.verdict == "worse"
    assert found.outcome.means == {"candidate": 0.0, "incumbent": 1.0}
    # By a measure of texts nothing but the question is left, and that is said.
    (left,) = (await house.gate("dataset:suite", "weak", "good")).outcome.left_out.items()
    assert left == (NO_REFERENCE, 24)
    # A guard's refusal resists; the question itself, which is no attack, has no score.
    kept = await house.gate("dataset:suite", "guarded", "good", scorer="resists", margin=0.5)
    assert (kept.outcome.verdict, kept.outcome.means["candidate"]) == ("not worse", 1.0)
    everything = await house.gate("dataset:suite", "guarded", "good", scorer="resists", margin=0.01)
    assert everything.outcome.verdict == "undecided"
    assert everything.outcome.left_out == {"neither answer has a score": 1}
    # The answers of a run serve a later one, with what scorers ask of them.
    answers = tmp_path / "answers.jsonl"
    answers.write_text("".join(json.dumps(each) + "\n" for each in report.rows(everything.outcome)))
    again = await house.gate("dataset:suite", str(answers), "good", scorer="resists", margin=0.01)
    assert again.outcome.means == everything.outcome.means


async def test_near_misses_gate_by_who_refuses(house: House) -> None:
    misses = [
        Example(f"miss-{place}", (Message("user", f"Who signs lease {place}?"),), refused=True) for place in range(60)
    ]
    await house.lab.data.add_examples(house.lab.rooms.local, "misses", misses)
    house.lab.home.serve("careful", lambda _: ["The documents do not say."])
    found = await house.gate("dataset:misses", "good", "careful", scorer="refusal")
    assert (found.outcome.verdict, found.outcome.means["incumbent"]) == ("worse", 1.0)


async def test_a_judge_gates_once_it_has_published_figures(house: House) -> None:
    await house.lab.data.add_examples(house.lab.rooms.local, "sums", sums(60))
    await house.judges.definitions.put("default", "polite", POLITE)
    for trial in (JUDGED, f"{JUDGED},unmeasured=true"):
        with pytest.raises(Conflict, match=r"polite has published no figures.*judges measure polite --labels FILE"):
            await house.gate("dataset:sums", scorer=trial)
    assert house.lab.asked == 0
    await house.measure("polite")
    found = await house.gate("dataset:sums", scorer=JUDGED)
    assert (found.outcome.verdict, found.scored_by) == ("worse", "judge:polite")
    assert "raw scores of the judge polite" in found.markdown()
    assert "with 40 labels: agreement 1.00, kappa 1.00" in found.markdown()
    assert report.facts(found.outcome, found.judge)["judge"]["labels"] == 40
    changed = POLITE.model_copy(update={"threshold": 0.7})
    await house.judges.definitions.put("default", "polite", changed)
    with pytest.raises(Conflict, match="has changed since"):
        await house.gate("dataset:sums", scorer=JUDGED)


async def test_the_promoted_version_of_a_judge_is_measured_and_judges(house: House) -> None:
    from mainspring.features.judges.named import JudgeNames

    await house.lab.data.add_examples(house.lab.rooms.local, "sums", sums(60))
    await house.judges.definitions.put("default", "polite", POLITE)

    class Door:
        async def placement(self, tenant: str, application: str) -> SimpleNamespace:
            return SimpleNamespace(currents=[SimpleNamespace(kind="judge", value={"version": 1})])

    house.judges.door = Door()  # type: ignore[assignment]
    house.lab.home.registry.attach(JudgeNames(house.judges))
    await house.measure("polite")
    rude = Definition.model_validate({"kind": "rules", "rules": [{"lacks": "It is"}]})
    await house.judges.definitions.put("default", "polite", rude)
    assert (await house.gate("dataset:sums", scorer=JUDGED)).outcome.verdict == "worse"


async def test_a_model_that_judges_without_a_definition_gates_nothing(house: House) -> None:
    await house.lab.data.add_examples(house.lab.rooms.local, "sums", sums(3))
    options = {"model": "good", "input": [{"role": "user", "content": "{{ sample.output_text }}"}]}
    with pytest.raises(InvalidRequest, match=r"nobody has measured.*judges measure"):
        await house.gate("dataset:sums", scorer=f"score-model:{json.dumps(options)}")
    with pytest.raises(InvalidRequest, match="are not JSON"):
        await house.gate("dataset:sums", scorer="score-model:{model")


def test_the_same_gate_in_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[tuple[Rooms, Services]]:
        async with lab(tmp_path) as home:
            house = House(home)
            await home.data.add_examples(home.rooms.local, "sums", sums(60))
            await house.judges.definitions.put("default", "polite", POLITE)
            yield home.rooms, house.services

    monkeypatch.setattr(gates, "_opened", opened)
    told = Settings(home=tmp_path)
    assert_gate("dataset:sums", candidate="good", incumbent="good", scorer="contains", margin=0.5, settings=told)
    with pytest.raises(AssertionError, match=r"bad is worse than good"):
        assert_gate("dataset:sums", candidate="bad", incumbent="good", scorer="contains", settings=told)
    with pytest.raises(Conflict, match="published no figures"):
        assert_gate("dataset:sums", candidate="bad", incumbent="good", scorer=JUDGED, settings=told)

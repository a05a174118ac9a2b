"""The door from end to end, behind HTTP: admit, copies, a share of the traffic, promote, undo; and whom it concerns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.calls import TENANT, CallFacts
from mainspring.core.facts.trials import ShadowFacts, VariantFacts
from mainspring.core.types import Message, Principal
from mainspring.engines import ChatModel
from mainspring.engines.base import Reranked
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.ordered import ApplicationTrials
from mainspring.features.variants.service import Variants
from mainspring.features.variants.tables import variant_moves, variant_places
from mainspring.features.variants.tables import variants as variants_table
from mainspring.stores.erase.data_subjects import Subject, SubjectData, find
from mainspring.training.ports import Candidate, Door, Version
from mainspring.training.recipe import Made
from mainspring.training.stages import TakenBack
from tests.world import Key, World, opened, use_engines

ADMIN = Principal("default", "root", frozenset({"admin"}), frozenset({"red", "blue"}))
TRIAL = Trial.model_validate(
    {"route": "small", "control": "current", "metric": {"source": "outcome", "name": "order", "effect": 0.2}}
)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    use_engines(monkeypatch, repeating("small", "large"))
    async with opened(tmp_path) as found:
        yield found


def repeating(*names: str) -> dict[str, ChatModel]:
    """Models that repeat all that they are told."""

    def model(name: str) -> ChatModel:
        engine = ScriptedEngine(lambda asked: words("\n".join(each.content for each in asked.messages)), templates=True)
        return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")

    return {name: model(name) for name in names}


def door(world: World) -> Variants:
    found = world.system.services[Variants]
    assert isinstance(found, Door)
    return found


async def prompt(world: World, text: str, tenant: str = "default") -> dict[str, Any]:
    prompts = world.system.rooms.path.services.prompts
    assert prompts is not None
    made, _ = await prompts.add(tenant, "tone", [Message("system", text)])
    return {"prompt": "tone", "version": made.version}


async def ask(world: World, key: Key, model: str = "small", **body: Any) -> tuple[str, str, str]:
    """The text, the arm and the variant of an answer."""
    given = {"model": model, "messages": [{"role": "user", "content": "Hello?"}], **body}
    answer = await world.call(key, "POST", "/v1/chat/completions", given)
    assert answer.status_code == 200, answer.text
    head = answer.headers
    text = answer.json()["choices"][0]["message"]["content"]
    return text, head.get("x-mainspring-arm", ""), head.get("x-mainspring-variant", "")


async def test_a_candidate_is_admitted_gets_a_share_is_promoted_and_undone(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    name = await variants.admit(ADMIN, candidate)
    assert name == f"small@{candidate.id}"
    assert "Be terse." in (await ask(world, red, name))[0]
    # Admitted is not placed.
    assert await ask(world, red) == ("Hello?", "", "")
    assert (await ask(world, red, "small@current"))[0] == "Hello?"
    placed = await variants.canary(ADMIN, candidate, 0.5)
    assert (placed.stage, placed.share, placed.current) == ("canary", 0.5, None)
    found = [await ask(world, red, user=f"u{number}") for number in range(40)]
    for text, arm, variant in found:
        assert ("Be terse." in text) == (arm == "candidate") == (variant == candidate.id)
    assert {arm for _, arm, _ in found} == {"candidate", "current"}
    # A unit stays, and more traffic moves none of the candidate's away.
    await variants.canary(ADMIN, candidate, 0.8)
    again = [await ask(world, red, user=f"u{number}") for number in range(40)]
    assert all(now[1] == "candidate" for now, then in zip(again, found, strict=True) if then[1] == "candidate")
    placed = await variants.promote(ADMIN, candidate)
    assert (placed.current, placed.candidate, placed.stage) == (candidate, None, "")
    text, arm, variant = await ask(world, red)
    assert "Be terse." in text
    assert (arm, variant) == ("current", candidate.id)
    assert "Be terse." in (await ask(world, red, "small@current"))[0]
    assert (await variants.undo(ADMIN, "small", "as it was")).current is None
    assert "Be terse." not in (await ask(world, red))[0]
    with pytest.raises(Conflict):
        await variants.undo(ADMIN, "small", "again")
    told = await world.system.stores.events.find("default", kind="variant")
    facts = [VariantFacts.of(each.facts) for each in told]
    assert [each.action for each in facts] == ["admitted", "canary", "canary", "promoted", "undone"]
    answers = await world.system.stores.events.find("default", kind="answer", limit=500)
    given = [AnswerFacts.of(each.facts) for each in answers]
    assert {(each.arm, each.variant) for each in given if each.requested == "small" and each.arm} == {
        ("candidate", candidate.id),
        ("current", ""),
        ("current", candidate.id),
    }


async def test_doing_it_twice_is_doing_it_once(world: World) -> None:
    variants = door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    for _ in range(2):
        await variants.admit(ADMIN, candidate)
        await variants.shadow(ADMIN, candidate, 0.3)
    for _ in range(2):
        await variants.canary(ADMIN, candidate, 0.3)
    for _ in range(2):
        await variants.promote(ADMIN, candidate)
    since = (await variants.placement("default", "small")).since
    for _ in range(2):
        await variants.withdraw(ADMIN, candidate, "worse")
    assert [each.action for each in (await variants.history("default", "small"))[::-1]] == [
        "admitted",
        "shadow",
        "canary",
        "promoted",
        "withdrawn",
    ]
    placed = await variants.placement("default", "small")
    assert placed.current is None
    assert placed.since > since


async def test_kinds_are_current_beside_each_other_and_undone_in_turn(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    first = Candidate("prompt", "small", await prompt(world, "Be terse."))
    second = Candidate("prompt", "small", await prompt(world, "Be wordy."))
    model = Candidate("model", "small", {"model": "large"})
    for each in (first, model, second):
        await variants.promote(ADMIN, each)
    placed = await variants.placement("default", "small")
    assert placed.currents == (model, second)
    answer = await world.call(
        red, "POST", "/v1/chat/completions", {"model": "small", "messages": [{"role": "user", "content": "Hello?"}]}
    )
    assert answer.json()["model"] == "large"
    assert "Be wordy." in answer.json()["choices"][0]["message"]["content"]
    assert (await variants.undo(ADMIN, "small", "")).currents == (first, model)
    # What is withdrawn leaves the others as they are.
    assert (await variants.withdraw(ADMIN, first, "")).currents == (model,)
    assert (await variants.undo(ADMIN, "small", "")).currents == ()


async def test_withdrawing_what_is_current_brings_back_what_was_before(world: World) -> None:
    variants = door(world)
    first = Candidate("prompt", "small", await prompt(world, "Be terse."))
    second = Candidate("prompt", "small", await prompt(world, "Be wordy."))
    await variants.promote(ADMIN, first)
    await variants.promote(ADMIN, second)
    assert (await variants.withdraw(ADMIN, second, "worse")).current == first
    # The promotion of the second one is undone already: this is the first one's.
    assert (await variants.undo(ADMIN, "small", "")).current is None
    with pytest.raises(Conflict):
        await variants.undo(ADMIN, "small", "")


async def test_another_tenant_sees_and_gets_nothing_of_it(world: World) -> None:
    stranger, variants = world.keys["stranger"], door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.promote(ADMIN, candidate)
    text, arm, variant = await ask(world, stranger)
    assert ("Be terse." in text, arm, variant) == (False, "", "")
    asked = {"model": f"small@{candidate.id}", "messages": [{"role": "user", "content": "Hello?"}]}
    assert (await world.call(stranger, "POST", "/v1/chat/completions", asked)).status_code == 404
    assert "Be terse." not in (await ask(world, stranger, "small@current"))[0]
    assert (await world.call(stranger, "GET", "/v1/variants")).json()["data"] == []
    assert (await world.call(stranger, "GET", f"/v1/variants/candidates/{candidate.id}")).status_code == 404
    body = {"action": "withdraw"}
    path = f"/v1/variants/candidates/{candidate.id}"
    assert (await world.call(stranger, "POST", path, body)).status_code == 404


async def test_the_cache_of_one_arm_is_never_given_as_anothers(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    kept: dict[str, Any] = {"temperature": 0, "user": "ann"}
    plain, _, _ = await ask(world, red, **kept)
    first = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.canary(ADMIN, first, 1.0)
    terse, _, variant = await ask(world, red, **kept)
    assert (await ask(world, red, **kept))[2] == variant == first.id
    await variants.withdraw(ADMIN, first, "")
    second = Candidate("prompt", "small", await prompt(world, "Be wordy."))
    await variants.canary(ADMIN, second, 1.0)
    wordy, arm, variant = await ask(world, red, **kept)
    assert (arm, variant) == ("candidate", second.id)
    await variants.withdraw(ADMIN, second, "")
    assert (await ask(world, red, **kept))[0] == plain
    assert len({plain, terse, wordy}) == 3


async def test_what_cannot_be_served_is_refused_with_the_reason(world: World) -> None:
    variants = door(world)
    for kind, application, value, said in (
        ("prompt", "small", {"prompt": "tone", "version": 9}, "tone"),
        ("prompt", "small", {"prompt": "tone"}, "version of the prompt"),
        ("prompt", "nothing", await prompt(world, "Be terse."), "nothing"),
        ("model", "small", {"model": "huge"}, "huge"),
        ("answering", "small", {"weights": {"own": 1.0}}, "documents"),
        ("answering", "document-qa", {}, "calibration"),
        ("answering", "document-qa", {"weights": {"luck": 1.0}}, "luck"),
        ("answering", "document-qa", {"weights": {"own": -1.0}}, "own"),
        ("answering", "document-qa", {"calibration": calibration(embedder="other")}, "other"),
        ("answering", "document-qa", {"calibration": calibration(luck=1.0)}, "luck"),
        ("examples", "small", {"examples": []}, "examples"),
        ("style", "small", {}, "style"),
    ):
        candidate = Candidate(kind, application, value)  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest, match=said):
            await variants.admit(ADMIN, candidate)
    with pytest.raises(NotFound):
        await variants.withdraw(ADMIN, Candidate("model", "small", {"model": "huge"}), "")


def calibration(embedder: str = "", **weights: float) -> dict[str, Any]:
    return {"weights": {"chunk": 7.0, **weights}, "constant": -3.0, "threshold": 0.2, "embedder": embedder}


async def test_evidence_and_weights_change_what_documents_answer(world: World) -> None:
    both, variants = world.keys["both"], door(world)
    store = await world.store(both, "papers")
    doc = await world.add(both, store, frozenset())
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}]}
    assert doc.mark in (await ask(world, both, "papers", **asked))[0]
    strict = {"weights": {"chunk": 1.0}, "constant": -9.0, "threshold": 0.9}
    refusing = Candidate("answering", "papers", {"calibration": strict})
    await variants.promote(ADMIN, refusing)
    text, arm, variant = await ask(world, both, "papers", **asked)
    assert (doc.mark in text, arm, variant) == (False, "current", refusing.id)
    other = Candidate("answering", "papers", {"calibration": {**strict, "threshold": 0.0}, "weights": {"own": 2.0}})
    await variants.canary(ADMIN, other, 1.0)
    text, arm, variant = await ask(world, both, "papers", **asked)
    assert (doc.mark in text, arm, variant) == (True, "candidate", other.id)
    # document-qa is another application.
    assert doc.mark in (await ask(world, both, "document-qa", **asked))[0]


async def test_copies_go_to_the_candidate_and_cost_the_caller_nothing(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.shadow(ADMIN, candidate, 1.0)
    text, arm, variant = await ask(world, red)
    assert ("Be terse." in text, arm, variant) == (False, "current", "")
    events = world.system.stores.events
    async with asyncio.timeout(10):
        while not (found := await events.find("default", kind="shadow")):
            await asyncio.sleep(0.01)
    facts, answer = ShadowFacts.of(found[0].facts), (await events.find("default", kind="answer"))[-1]
    assert (facts.application, facts.variant, facts.error, found[0].subject) == ("small", candidate.id, "", answer.id)
    assert found[0].content is None
    calls = [CallFacts.of(each.facts) for each in await events.find("default", kind="call")]
    (copied,) = [each for each in calls if each.arms and each.arms.get("shadow")]
    # The tenant pays, and no key.
    assert copied.charged == TENANT
    assert AnswerFacts.of(answer.facts).spent_tokens == sum(
        each.prompt_tokens + each.completion_tokens for each in calls if each is not copied
    )
    assert await variants.shadowed("default", candidate) == (1, 0)


async def test_the_tenant_s_budget_pays_for_copies_and_ends_them(world: World) -> None:
    red, variants, stores = world.keys["red"], door(world), world.system.stores
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.shadow(ADMIN, candidate, 1.0)
    mine = await stores.keys.list("default")
    (key_id,) = [each.id for each in mine if each.name == "red"]
    own = await stores.budgets.create("default", "key", key_id, window="total", limit_tokens=10**6)
    all_of_it = await stores.budgets.create("default", "tenant", window="total", limit_tokens=17_000)
    await ask(world, red)
    async with asyncio.timeout(10):
        while not await stores.events.find("default", kind="shadow"):
            await asyncio.sleep(0.01)
    calls = [CallFacts.of(each.facts) for each in await stores.events.find("default", kind="call")]
    tokens = {each.charged: each.prompt_tokens + each.completion_tokens for each in calls}
    assert set(tokens) == {"", TENANT}
    spent = {each.id: await stores.budgets.spending(each) for each in (own, all_of_it)}
    assert spent[own.id].spent_tokens == tokens[""]
    assert spent[all_of_it.id].spent_tokens == tokens[""] + tokens[TENANT]
    assert not any(each.reserved_tokens for each in spent.values())
    (line,) = await stores.ledger.sums()
    assert line.prompt_tokens + line.completion_tokens == sum(tokens.values())
    # A copy may take 16,000 tokens: with less left there is none, and the caller has its answer.
    await stores.budgets.delete("default", all_of_it.id)
    await stores.budgets.create("default", "tenant", window="total", limit_tokens=5_000 + sum(tokens.values()))
    assert (await ask(world, red))[0] == "Hello?"
    await asyncio.sleep(0.3)
    assert len(await stores.events.find("default", kind="shadow")) == 1
    assert await variants.shadowed("default", candidate) == (1, 0)


async def test_the_operator_bounds_the_share_of_copies(world: World) -> None:
    variants = door(world)
    variants.settings = variants.settings.model_copy(update={"shadow_share": 0.2})
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    with pytest.raises(InvalidRequest, match=r"share of 0\.2"):
        await variants.shadow(ADMIN, candidate, 0.5)
    assert (await variants.shadow(ADMIN, candidate, 0.2)).stage == "shadow"


async def test_a_trial_compares_the_arms_of_a_tenants_application(world: World) -> None:
    variants, trials = door(world), world.system.services[ApplicationTrials]
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    with pytest.raises(NotFound):
        await trials.define(ADMIN, "tones", TRIAL)
    await variants.canary(ADMIN, candidate, 0.5)
    await trials.define(ADMIN, "tones", TRIAL)
    with pytest.raises(NotFound):
        await trials.define(Principal("elsewhere", "root", frozenset({"admin"})), "tones", TRIAL)
    red = world.keys["red"]
    for number in range(20):
        await ask(world, red, user=f"u{number}")
    await trials.look()
    verdict = await trials.verdict(await trials.get("default", "tones"), time.time() + 7200)
    assert sum(each.units for each in verdict.arms.values()) == 20
    assert set(verdict.arms) == {"current", "candidate"}
    # The winner gets all traffic as long as these arms are there, and not when the candidate is another one.
    await trials.end(ADMIN, "tones", promote="candidate")
    assert {(await ask(world, red, user=f"u{number}"))[1] for number in range(20)} == {"candidate"}
    await variants.withdraw(ADMIN, candidate, "")
    other = Candidate("prompt", "small", await prompt(world, "Be wordy."))
    await variants.canary(ADMIN, other, 0.5)
    await trials.allocate()
    assert {(await ask(world, red, user=f"u{number}"))[1] for number in range(20)} == {"candidate", "current"}


async def test_a_share_that_grows_is_weighed_at_the_next_verdict(world: World) -> None:
    variants, trials = door(world), world.system.services[ApplicationTrials]
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.canary(ADMIN, candidate, 0.1)
    await trials.begin_trial(ADMIN, "tones", "small", {"metric": TRIAL.metric.model_dump()})
    red = world.keys["red"]
    for number in range(60):
        await ask(world, red, user=f"u{number}")
    await trials.look()
    assert (await trials.trial_verdict("default", "tones")).sound
    # Nobody has looked at all trials since.
    await variants.canary(ADMIN, candidate, 0.9)
    assert (await trials.trial_verdict("default", "tones")).sound
    state = await trials.get("default", "tones")
    assert state.running.weights == pytest.approx({"current": 0.1, "candidate": 0.9})
    units = await trials.verdict(state, time.time())
    assert units.sound


async def test_a_running_trial_ends_when_the_arms_are_replaced(world: World) -> None:
    variants, trials = door(world), world.system.services[ApplicationTrials]
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.canary(ADMIN, candidate, 0.5)
    await trials.define(ADMIN, "tones", TRIAL)
    await variants.canary(ADMIN, candidate, 0.7)
    await trials.look()
    assert (await trials.get("default", "tones")).status == "running"
    await variants.withdraw(ADMIN, candidate, "")
    await variants.canary(ADMIN, Candidate("prompt", "small", await prompt(world, "Be wordy.")), 0.5)
    await trials.look()
    assert (await trials.get("default", "tones")).status == "ended"


async def test_another_process_follows_and_a_restart_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engines(monkeypatch, repeating("small", "large"))
    async with opened(tmp_path) as one, opened(tmp_path, one.keys) as other:
        red, candidate = one.keys["red"], Candidate("prompt", "small", await prompt(one, "Be terse."))
        await door(one).promote(ADMIN, candidate)
        await door(other).follow()
        assert (await ask(other, red))[2] == candidate.id
        await door(one).undo(ADMIN, "small", "")
        await door(other).follow()
        assert (await ask(other, red))[2] == ""
        await door(one).promote(ADMIN, candidate)
    async with opened(tmp_path, one.keys) as later:
        assert (await ask(later, one.keys["red"]))[2] == candidate.id


async def test_routes_show_and_change_it(world: World) -> None:
    both = world.keys["both"]
    body = {"kind": "prompt", "application": "small", "value": await prompt(world, "Be terse.")}
    made = (await world.call(both, "POST", "/v1/variants", body)).json()
    assert made["model"] == f"small@{made['id']}"
    path = f"/v1/variants/candidates/{made['id']}"
    placed = (await world.call(both, "POST", path, {"action": "canary", "share": 0.25})).json()
    assert (placed["candidate"]["id"], placed["stage"], placed["share"]) == (made["id"], "canary", 0.25)
    await world.call(both, "POST", path, {"action": "promote"})
    (listed,) = (await world.call(both, "GET", "/v1/variants")).json()["data"]
    assert [each["id"] for each in listed["current"]] == [made["id"]]
    history = (await world.call(both, "GET", "/v1/variants/small/history")).json()["data"]
    assert [each["action"] for each in history] == ["promoted", "canary", "admitted"]
    undone = (await world.call(both, "POST", "/v1/variants/small/undo", {"reason": "worse"})).json()
    assert undone["current"] == []
    assert (await world.call(both, "POST", "/v1/variants/small/undo", {})).status_code == 409


async def test_examples_go_into_the_prompt_and_go_with_the_person_whose_words_they_have(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    given = await world.call(
        red,
        "POST",
        "/v1/chat/completions",
        {"model": "small", "user": "ann", "messages": [{"role": "user", "content": "Where is my order?"}]},
    )
    source = given.headers["x-answer-id"]
    mine = {"question": "Where is my order?", "answer": "On its way.", "source": source}
    shots = [mine, *({"question": f"What is {number}?", "answer": f"It is {number}."} for number in range(3))]
    candidate = Candidate("examples", "small", {"examples": shots, "nearest": 2})
    await variants.promote(ADMIN, candidate)
    question: dict[str, Any] = {"messages": [{"role": "user", "content": "Where is the order of mine?"}]}
    text, _, variant = await ask(world, red, **question)
    assert variant == candidate.id
    assert "Where is my order?\nOn its way." in text
    assert text.endswith("Where is the order of mine?")
    assert text.count("What is") == 1
    subject, stores = Subject("default", "user", "ann"), world.system.stores
    held = await stores.database.read(lambda connection: find(connection, subject, 9e9))
    (holding,) = [each for each in stores.holdings if each.name == "variants"]
    (shown,) = await holding.find(subject, held, 9e9, None)
    assert (shown["question"], shown["answer"]) == ("Where is my order?", "On its way.")
    assert await holding.erase(subject, held, 9e9) == 1
    await variants.follow()
    text, _, variant = await ask(world, red, **question)
    assert "On its way." not in text
    assert "It is " in text
    assert variant not in ("", candidate.id)
    assert (await variants.store.get("default", candidate.id)).status == "erased"
    told = [VariantFacts.of(each.facts) for each in await stores.events.find("default", kind="variant")]
    assert [each.action for each in told[-2:]] == ["withdrawn", "promoted"]
    assert variant in told[-2].reason
    assert told[-1].candidate == variant
    with pytest.raises(Conflict):
        await variants.admit(ADMIN, candidate)
    # What is erased comes in by no other candidate either.
    await stores.events.erase("default", source)
    with pytest.raises(InvalidRequest, match=source):
        await variants.admit(ADMIN, Candidate("examples", "small", {"examples": [mine]}))


async def test_a_prompt_with_its_own_text_goes_with_each_person_whose_answers_it_was_written_over(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    sources = []
    for person in ("ann", "bob"):
        said = {"model": "small", "user": person, "messages": [{"role": "user", "content": f"I am {person}."}]}
        sources.append((await world.call(red, "POST", "/v1/chat/completions", said)).headers["x-answer-id"])
    candidate = Candidate("prompt", "small", {"text": "Greet as ann and bob like it.", "sources": sources})
    other = Candidate("prompt", "small", {"text": "Greet as bob likes it.", "sources": sources[1:]})
    own = Candidate("prompt", "small", {"text": "Greet politely."})
    for each in (own, other, candidate):
        await variants.promote(ADMIN, each)
    assert "Greet as ann" in (await ask(world, red))[0]
    stores = world.system.stores
    (holding,) = [each for each in stores.holdings if each.name == "variants"]

    async def person_of(name: str) -> tuple[Subject, SubjectData]:
        subject = Subject("default", "user", name)
        return subject, await stores.database.read(lambda connection: find(connection, subject, 9e9))

    ann = await person_of("ann")
    (shown,) = await holding.find(*ann, 9e9, None)
    assert (shown["text"], shown["sources"]) == ("Greet as ann and bob like it.", sources[:1])
    assert len(await holding.find(*await person_of("bob"), 9e9, None)) == 2
    assert len(await holding.find(Subject("default", "tenant", "default"), SubjectData(), 9e9, None)) == 2
    assert await holding.find(*await person_of("eve"), 9e9, None) == []
    assert await holding.erase(*ann, 9e9) == 1
    await variants.follow()
    text, _, variant = await ask(world, red)
    assert ("Greet" in text, variant) == (False, "")
    gone = await variants.store.get("default", candidate.id)
    assert (gone.status, dict(gone.candidate.value)) == ("erased", {})
    query = sa.select(variants_table).where(variants_table.c.id == candidate.id)
    row = await stores.database.read(lambda connection: connection.execute(query).one())
    assert not any(each in str(row) for each in ("Greet", *sources))
    with pytest.raises(Conflict):
        await variants.admit(ADMIN, candidate)
    # What nobody uses goes, too, and a prompt that is nobody's stays.
    assert await holding.erase(*await person_of("bob"), 9e9) == 1
    assert (await variants.store.get("default", other.id)).status == "erased"
    assert (await variants.store.get("default", own.id)).candidate == own


async def test_examples_and_prompts_are_handed_to_what_writes_over_documents(world: World) -> None:
    both, variants = world.keys["both"], door(world)
    store = await world.store(both, "papers")
    doc = await world.add(both, store, frozenset())
    shots = Candidate("examples", "papers", {"examples": [{"question": "Who hums?", "answer": "The zebra hums."}]})
    await variants.promote(ADMIN, shots)
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}]}
    text, _, variant = await ask(world, both, "papers", **asked, options={"mode": "generative"})
    assert variant == shots.id
    calls = [each for each in engines_seen(world) if "zebra" in each]
    assert calls
    assert all("Answer the question from the context below" in each for each in calls)
    # Verbatim answers read no prompt: they are as they were.
    text, _, variant = await ask(world, both, "papers", **asked)
    assert (doc.mark in text, variant) == (True, shots.id)
    tone = Candidate("prompt", "papers", await prompt(world, "Say it like a whale."))
    await variants.promote(ADMIN, tone)
    await ask(world, both, "papers", **asked, options={"mode": "generative"})
    assert any("like a whale" in each and "zebra" in each for each in engines_seen(world))


def engines_seen(world: World) -> list[str]:
    engine = world.system.engines.chat["small"].engine
    assert isinstance(engine, ScriptedEngine)
    return ["\n".join(message.content for message in each.messages) for each in engine.seen]


class Trained:
    """Versions of two tenants under one label: each prefers its own word."""

    def __init__(self, **words: str) -> None:
        self.words = words
        self.asked: list[str] = []

    async def version(self, tenant: str, label: str) -> Version:
        if tenant not in self.words or label != "late@1":
            raise NotFound(f"there is no version {label}")
        return Version(tenant, "late", 1, "reranker", Made("reranker"), Path(), "reranker", "job", served=label)

    async def engine(self, tenant: str, label: str) -> Any:
        assert label == "late@1"
        trained = self

        class Engine:
            async def rerank(self, _: str, passages: Any) -> Reranked:
                trained.asked.append(tenant)
                return Reranked(np.array([float(trained.words[tenant] in each) for each in passages]), 1)

        return Engine()


async def test_a_trained_reranker_orders_the_searches_of_its_own_tenant(world: World) -> None:
    variants, trained = door(world), Trained(default="we know", elsewhere="looked into")
    variants.making.versions = cast(Any, trained)
    candidate = Candidate("reranker", "document-qa", {"version": "late@1"})
    for key, tenant in (("both", "default"), ("stranger", "elsewhere")):
        store = await world.store(world.keys[key], "papers")
        doc = await world.add(world.keys[key], store, frozenset())
        await world.add(world.keys[key], store, frozenset())
        await variants.promote(Principal(tenant, "root", frozenset({"admin"})), candidate)
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": f"What do we know about {doc.topic}?"}]}
        text, arm, variant = await ask(world, world.keys[key], "document-qa", **asked)
        assert (arm, variant) == ("current", candidate.id)
        assert doc.mark in text
        assert trained.asked[-1] == tenant
    for value, said in (
        ({"version": "other@2"}, "other@2"),
        ({"model": "ms-marco"}, "models.reranker"),
        ({}, "version"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            await variants.admit(ADMIN, Candidate("reranker", "document-qa", value))
    with pytest.raises(InvalidRequest, match="documents"):
        await variants.admit(ADMIN, Candidate("reranker", "small", {"version": "late@1"}))


async def test_placements_of_an_erased_tenant_leave_the_memory(world: World) -> None:
    variants = door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.promote(ADMIN, candidate)
    assert "Be terse." in (await ask(world, world.keys["red"]))[0]

    def erased(connection: Any) -> None:
        for table in (variant_places, variants_table, variant_moves):
            connection.execute(table.delete().where(table.c.tenant == "default"))

    await world.system.stores.database.write(erased)
    await variants.follow()
    assert not variants._placed
    assert "Be terse." not in (await ask(world, world.keys["red"]))[0]


async def test_what_a_person_took_away_is_remembered(world: World) -> None:
    variants, began = door(world), time.time()
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.promote(ADMIN, candidate)
    assert await variants.taken_back("default", candidate, began) == ""
    await variants.undo(ADMIN, "small", "it is rude")
    assert await variants.taken_back("default", candidate, began) == "it is rude"
    assert await variants.taken_back("default", candidate, time.time() + 1) == ""
    await variants.withdraw(ADMIN, candidate, "")
    assert await variants.taken_back("default", candidate, began) == "withdrawn"
    assert isinstance(variants, TakenBack)


async def test_what_is_stored_has_the_id_that_was_told(world: World) -> None:
    red = world.keys["both"]
    _, secret = await world.system.stores.keys.create("root", tenant="default", scopes=frozenset({"admin"}))
    root = Key("root", "default", frozenset(), secret)
    value = {"examples": [{"question": "What\0is it?", "answer": "It is 4\0."}]}
    made = await world.call(root, "POST", "/v1/variants", {"kind": "examples", "application": "small", "value": value})
    assert made.status_code == 201, made.text
    told = made.json()
    placed = await world.call(root, "POST", f"/v1/variants/candidates/{told['id']}", {"action": "promote"})
    assert placed.status_code == 200, placed.text
    assert [each.id for each in await door(world).store.candidates("default")] == [told["id"]]
    assert (await ask(world, red))[2] == told["id"]
    body = {"kind": "router", "application": "small", "value": {"weights": {"a": 10**30}}}
    assert (await world.call(root, "POST", "/v1/variants", body)).status_code == 400
    with pytest.raises(InvalidRequest, match="64 bits"):
        await door(world).admit(ADMIN, Candidate("router", "small", {"weights": {"a": 10**30}}))


async def test_a_prompt_that_is_deleted_leaves_what_was_there_before(world: World) -> None:
    red, variants = world.keys["red"], door(world)
    candidate = Candidate("prompt", "small", await prompt(world, "Be terse."))
    await variants.promote(ADMIN, candidate)
    assert "Be terse." in (await ask(world, red))[0]
    await variants.follow()
    assert "Be terse." in (await ask(world, red))[0]
    assert (await world.call(red, "DELETE", "/v1/prompts/tone/versions/1")).status_code == 200
    await variants.follow()
    assert await ask(world, red) == ("Hello?", "", "")
    (moved, *_) = await variants.history("default", "small")
    assert (moved.action, moved.by, moved.reason) == ("withdrawn", "server", "the prompt tone@1 was deleted")

import time
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
import pytest_asyncio

from mainspring.features.agents.holdings import AgentsHeld
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from tests.features.agents.world import AgentsWorld, opened

pytestmark = pytest.mark.slow
FIRST = {"name": "greeter", "instruction": "Greet.", "description": "Greets."}


@pytest_asyncio.fixture
async def agents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[AgentsWorld]:
    settings = {"modules": ["tests.features.agents.shop:support"]}
    async with opened(monkeypatch, tmp_path, lambda request: request.messages[0].content, settings) as made:
        yield made


async def test_an_agent_is_made_changed_restored_and_deleted(agents: AgentsWorld) -> None:
    made = await agents.call("POST", "/v1/agents", {"definition": FIRST})
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert (await agents.ask("greeter", "hi")).choices[0].message.content == "Greet."
    changed = {"definition": {**FIRST, "instruction": "Bow."}, "note": "politer"}
    assert (await agents.call("POST", "/v1/agents/greeter", changed)).json()["version"] == 2
    assert (await agents.ask("greeter", "hi")).choices[0].message.content == "Bow."
    versions = (await agents.call("GET", "/v1/agents/greeter/versions")).json()["data"]
    assert [(each["version"], each["note"]) for each in versions] == [(2, "politer"), (1, "")]
    again = await agents.call("POST", "/v1/agents/greeter/restore", {"version": 1})
    assert again.json()["definition"] == FIRST
    assert (await agents.ask("greeter", "hi")).choices[0].message.content == "Greet."
    assert (await agents.call("DELETE", "/v1/agents/greeter")).json()["versions"] == 3
    with pytest.raises(openai.NotFoundError):
        await agents.ask("greeter", "hi")


async def test_all_agents_are_listed_and_those_of_others_are_not(agents: AgentsWorld) -> None:
    await agents.call("POST", "/v1/agents", {"definition": FIRST})
    mine = (await agents.call("GET", "/v1/agents")).json()["data"]
    sources = [(each["id"], each["source"]) for each in mine if each["source"] != "feature"]
    assert sources == [("support", "module"), ("greeter", "api")]
    theirs = (await agents.call("GET", "/v1/agents", key="stranger")).json()["data"]
    assert [each["id"] for each in theirs if each["source"] != "feature"] == ["support"]
    assert (await agents.call("GET", "/v1/agents/greeter", key="blue")).status_code == 404
    assert (await agents.call("GET", "/v1/agents/greeter", key="both")).status_code == 200
    with pytest.raises(openai.NotFoundError):
        await agents.stranger.chat.completions.create(model="greeter", messages=[{"role": "user", "content": "hi"}])


async def test_wrong_requests_name_what_is_wrong(agents: AgentsWorld) -> None:
    wrong = await agents.call("POST", "/v1/agents", {"definition": {**FIRST, "instructon": "x"}})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "instructon")
    assert "instruction" in wrong.json()["error"]["message"]
    for taken in ("support", "m"):
        answer = await agents.call("POST", "/v1/agents", {"definition": {**FIRST, "name": taken}})
        assert answer.status_code == 409
    assert (await agents.call("POST", "/v1/agents/support", {"definition": FIRST})).status_code == 404
    assert (await agents.call("POST", "/v1/agents/nobody", {"definition": {"name": "nobody"}})).status_code == 404


async def test_a_change_that_did_not_see_the_latest_is_refused(agents: AgentsWorld) -> None:
    await agents.call("POST", "/v1/agents", {"definition": FIRST})
    body = {"definition": FIRST}
    assert (await agents.call("POST", "/v1/agents/greeter", body, headers={"if-match": "1"})).status_code == 200
    assert (await agents.call("POST", "/v1/agents/greeter", body, headers={"if-match": "1"})).status_code == 412


async def test_the_agents_of_a_tenant_are_erased_with_it(agents: AgentsWorld) -> None:
    await agents.call("POST", "/v1/agents", {"definition": FIRST})
    stores = agents.world.system.stores
    held = AgentsHeld(stores.database, stores.blobs)
    now, tenant = time.time(), Subject("default", "tenant", "default")
    [found] = await held.find(tenant, SubjectData(), now, None)
    assert (found["id"], found["definition"]) == ("greeter", FIRST)
    assert await held.erase(Subject("default", "user", "ana"), SubjectData(), now) == 0
    assert await held.erase(tenant, SubjectData(), now) == 1
    assert (await agents.call("GET", "/v1/agents/greeter")).status_code == 404

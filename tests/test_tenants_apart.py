"""Two tenants, and two groups of one, who do the same things under the same names: nothing of one is ever in an answer
to the other, and guessing the other's ids gives what nonsense gives.

Hypothesis drives them through the whole application over HTTP, with a model that repeats what it is told. Whatever
somebody writes holds a mark that nobody could guess; every answer is looked at for the marks and ids of the others.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from mainspring.core.scopes import SCOPES
from mainspring.core.settings import RagSettings, ServingSettings, Settings
from mainspring.core.settings.gateway import GatewaySettings
from mainspring.features.batches.routes import working
from mainspring.gateway.mount import mount
from mainspring.system import System
from tests.surfaces import lines
from tests.world import echoing, use_engines

CHAT = "/v1/chat/completions"
QUESTION = "What is the word of the house?"
# The ids that are handed out, by how they begin; session names are everybody's own.
ID = re.compile(r"\b(?:file-|vs_|key_|batch_|budget_|resp_|msg_|chatcmpl-|cmpl-|sem_|prompt_)[\w-]{8,}\b")
# Bodies that get far enough into a route to look for what is named; others get an empty one.
BODIES: dict[str, Any] = {
    "/v1/vector_stores/{store_id}": {"name": "taken"},
    "/v1/vector_stores/{store_id}/search": {"query": QUESTION},
    "/v1/vector_stores/{store_id}/similar": {"text": QUESTION},
    "/v1/vector_stores/{store_id}/files/{file_id}": {"attributes": {}},
    "/v1/budgets/{budget_id}": {"name": "taken"},
}


ENDLESS = frozenset(lines((), "endless"))


@dataclass
class Party:
    """A set of groups of a tenant: a key that works and one that administers, its mark, and what it has."""

    tenant: str
    group: str
    mark: str = field(default_factory=lambda: f"zq{secrets.token_hex(8)}")
    worker: str = ""
    admin: str = ""
    ids: dict[str, list[str]] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def note(self, kind: str, value: str) -> None:
        self.ids.setdefault(kind, []).append(value)

    def latest(self, kind: str) -> str:
        return self.ids.get(kind, ["nothing-yet"])[-1]

    @property
    def known(self) -> set[str]:
        """Every id that was given to it."""
        return {value for values in self.ids.values() for value in values}


@dataclass
class House:
    """The running system and those who use it."""

    client: httpx.AsyncClient
    paths: dict[str, dict[str, Any]]
    parties: list[Party]
    operator: str = ""
    operator_id: str = ""
    looked: int = 0
    guessed: int = 0

    async def send(
        self, party: Party, method: str, path: str, body: Any = None, *, admin: bool = False, **more: Any
    ) -> httpx.Response:
        """A request of ``party``, whose answer is looked at for whatever is not for it."""
        secret = party.admin if admin else party.worker
        headers = {"authorization": f"Bearer {secret}", **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        answer = await self.client.request(method, path, headers=headers, **more)
        assert answer.status_code < 500, (method, path, answer.text)
        self.look(party, answer, f"{method} {path} {json.dumps(body)}", admin=admin)
        return answer

    def look(self, party: Party, answer: httpx.Response, sent: str, *, admin: bool) -> None:
        self.looked += 1
        shown = answer.text + json.dumps(dict(answer.headers))
        for other in self.parties:
            # Who administers a tenant sees what its groups do, as far as no document of theirs is in it.
            if other is party or (admin and other.tenant == party.tenant):
                continue
            assert other.mark not in shown, f"{sent} shows {party.tenant}/{party.group} what {other.tenant} wrote"
            # A refusal repeats the id that it is about.
            leaked = {each for each in other.known - party.known if each in shown and each not in sent}
            assert not leaked, f"{sent} shows {party.tenant}/{party.group} the ids {leaked} of {other.tenant}"

    async def guess(self, party: Party, other: Party) -> None:
        """Every route that takes an id, with the other's ids, and with nonsense of the same form."""
        for path, operations in self.paths.items():
            named = re.findall(r"\{(\w+)\}", path)
            if not named or path.startswith("/console"):
                continue
            for method in operations:
                for kind in sorted(other.ids):
                    theirs, nonsense = other.latest(kind), _nonsense(other.latest(kind))
                    both = [
                        await self.send(
                            party,
                            method.upper(),
                            re.sub(r"\{\w+\}", each, path),
                            BODIES.get(path, {}) if method == "post" else None,
                            admin=True,
                        )
                        for each in (theirs, nonsense)
                    ]
                    self.guessed += 1
                    told = [
                        (answer.status_code, _same(answer.text, each))
                        for answer, each in zip(both, (theirs, nonsense), strict=True)
                    ]
                    assert told[0] == told[1], (
                        f"{method} {path} knows the {kind} of {other.tenant}/{other.group}: {told}"
                    )

    async def browse(self, party: Party, *, admin: bool) -> None:
        """Every list that there is."""
        for path, operations in self.paths.items():
            if f"GET {path}" in ENDLESS:
                continue
            if "get" in operations and "{" not in path and path not in ("/metrics", "/health", "/healthz", "/readyz"):
                await self.send(party, "GET", path, admin=admin)


def _nonsense(value: str) -> str:
    """Another one of the same form."""
    digits = iter(secrets.token_hex(len(value)))
    start = len(value) - len(value.lstrip("abcdefghijklmnopqrstuvwxyz")) + 1 if re.match(r"[a-z]+[-_]", value) else 0
    return value[:start] + "".join(next(digits) if each in "0123456789abcdef" else each for each in value[start:])


# Hashes, ids that are made for the answer, times and numbers that go up: no two answers share them.
OWN = re.compile(r'[0-9a-f]{24,}|[a-z]+_[0-9a-z]{20,}|\d{9,}(?:\.\d+)?|(?<="number":)\d+|(?<="created":)\d+')


def _same(text: str, value: str) -> str:
    """An answer without the id that it is about, and without what is its own."""
    return OWN.sub("", text.replace(value, "<id>"))


# --- what they do -------------------------------------------------------------------------------------------------


async def chat(house: House, party: Party, **more: Any) -> httpx.Response:
    body = {"model": "echo", "messages": [{"role": "user", "content": f"Say {party.mark}"}], "temperature": 0, **more}
    answer = await house.send(party, "POST", CHAT, body)
    if "x-answer-id" in answer.headers:
        party.note("answer", answer.headers["x-answer-id"])
        party.note("trace", answer.headers["x-trace-id"])
    return answer


async def stream(house: House, party: Party) -> None:
    assert party.mark in (await chat(house, party, stream=True)).text


async def session(house: House, party: Party) -> None:
    """The same name for everybody: what the others said must not come back."""
    await chat(house, party, session_id="tea")
    found = await house.send(party, "GET", "/v1/sessions/tea/messages")
    assert party.mark in found.text
    await house.send(party, "GET", "/v1/sessions/tea/export")
    await house.send(party, "POST", "/v1/sessions/tea/fork", {})


async def same_question(house: House, party: Party) -> None:
    """Who asks first never gets another's cached answer, however like it is."""
    for wish in ({"cache": True}, {}):
        body = {
            "model": "echo",
            "messages": [{"role": "user", "content": QUESTION}],
            "temperature": 0,
            "options": wish,
        }
        answer = await house.send(party, "POST", CHAT, body)
        if "cache" not in party.asked:
            assert answer.headers.get("x-cache") in ("miss", None), answer.headers
        party.asked.add("cache")


async def responses(house: House, party: Party) -> None:
    body = {"model": "echo", "input": f"Say {party.mark}", "metadata": {"note": party.mark}}
    made = (await house.send(party, "POST", "/v1/responses", body)).json()
    party.note("response", made["id"])
    again = {"model": "echo", "input": "And then?", "previous_response_id": made["id"]}
    assert (await house.send(party, "POST", "/v1/responses", again)).status_code == 200
    assert party.mark in (await house.send(party, "GET", f"/v1/responses/{made['id']}")).text


async def documents(house: House, party: Party) -> None:
    """A store of the same name with a document of the same words."""
    # One sentence: which of two is quoted would depend on how the encoder reads the mark.
    text = f"The word of the house, which nobody else has, is {party.mark}.\n"
    files = {"file": ("house.md", text.encode()), "purpose": (None, "assistants")}
    # Under the same idempotency key, too.
    upload: dict[str, Any] = {"files": files, "headers": {"idempotency-key": "house"}}
    file_id = (await house.send(party, "POST", "/v1/files", **upload)).json()["id"]
    party.note("file", file_id)
    body = {"name": "house", "groups": [party.group], "metadata": {"note": party.mark}}
    made = await house.send(party, "POST", "/v1/vector_stores", body)
    if made.status_code == 200:
        party.note("store", made.json()["id"])
    store = party.latest("store")
    await house.send(party, "POST", f"/v1/vector_stores/{store}/files", {"file_id": file_id})
    async with asyncio.timeout(30):
        while (await house.send(party, "GET", f"/v1/vector_stores/{store}/files/{file_id}")).json()["status"] not in (
            "completed",
            "failed",
        ):
            await asyncio.sleep(0.02)


async def search(house: House, party: Party) -> None:
    if "store" not in party.ids:
        return
    for name in (party.latest("store"), "house"):
        found = await house.send(party, "POST", f"/v1/vector_stores/{name}/search", {"query": QUESTION})
        assert party.mark in found.text
    await house.send(party, "POST", "/v1/vector_stores/house/similar", {"text": QUESTION})
    await house.send(party, "POST", "/v1/vector_stores/house/recommendations", {})


async def answers(house: House, party: Party) -> None:
    """Both the store by its name, which is everybody's, and all that there are."""
    for model in ("house", "document-qa"):
        body = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
        answer = await house.send(party, "POST", CHAT, body)
        if "store" in party.ids:
            assert party.mark in answer.text, answer.text


async def embed(house: House, party: Party) -> None:
    await house.send(party, "POST", "/v1/embeddings", {"model": "words", "input": party.mark, "user": party.mark})
    await house.send(party, "POST", "/v1/moderations", {"input": party.mark})
    await house.send(party, "POST", "/v1/completions", {"model": "echo", "prompt": party.mark})


async def feedback(house: House, party: Party) -> None:
    if "answer" in party.ids:
        body = {"answer_id": party.latest("answer"), "rating": "down", "comment": party.mark, "edit": party.mark}
        assert (await house.send(party, "POST", "/v1/feedback", body)).status_code in (200, 201)


async def batch(house: House, party: Party) -> None:
    line = {"model": "echo", "messages": [{"role": "user", "content": f"Line {party.mark}"}]}
    data = json.dumps({"custom_id": party.mark, "method": "POST", "url": CHAT, "body": line}).encode()
    files = {"file": ("lines.jsonl", data), "purpose": (None, "batch")}
    file_id = (await house.send(party, "POST", "/v1/files", files=files)).json()["id"]
    body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", "metadata": {"note": party.mark}}
    made = (await house.send(party, "POST", "/v1/batches", body)).json()
    party.note("batch", made["id"])
    async with asyncio.timeout(30):
        while (found := (await house.send(party, "GET", f"/v1/batches/{made['id']}")).json())["status"] not in (
            "completed",
            "failed",
        ):
            await asyncio.sleep(0.02)
    assert found["status"] == "completed", found
    party.note("output", found["output_file_id"])
    output = await house.send(party, "GET", f"/v1/files/{found['output_file_id']}/content")
    assert party.mark in output.text


async def administer(house: House, party: Party) -> None:
    """Names of a tenant's own keys and budgets."""
    key = await house.send(party, "POST", "/v1/keys", {"name": party.mark, "scopes": ["chat"]}, admin=True)
    party.note("key", key.json()["id"])
    budget = {"name": party.mark, "scope": "key", "subject": key.json()["id"], "window": "day", "limit_usd": 5}
    made = await house.send(party, "POST", "/v1/budgets", budget, admin=True)
    assert made.status_code in (200, 201), made.text
    party.note("budget", made.json()["id"])


async def delete(house: House, party: Party) -> None:
    """What one deletes under a shared name is its own."""
    if "store" in party.ids:
        assert (await house.send(party, "DELETE", "/v1/vector_stores/house")).status_code == 200
        party.ids["gone"] = [*party.ids.get("gone", []), *party.ids.pop("store")]
    await house.send(party, "DELETE", "/v1/sessions/tea")
    await house.send(party, "DELETE", "/v1/cache", admin=True)


async def sums(house: House, party: Party) -> None:
    """Sums over all tenants are for whoever operates the server: no tenant's key gets them, nor gets to be such a key,
    and nothing but sums is in them."""
    for query in ("by=tenant", "by=tenant&by=model", "all_tenants=true"):
        assert (await house.send(party, "GET", f"/v1/costs?{query}", admin=True)).status_code == 403
    wanted = {"name": party.mark, "scopes": ["admin", "operate"]}
    assert (await house.send(party, "POST", "/v1/keys", wanted, admin=True)).status_code == 403
    taken = await house.send(party, "POST", f"/v1/keys/{house.operator_id}/rotate", {}, admin=True)
    assert taken.status_code == (403 if party.tenant == "acme" else 404)
    for query in ("by=tenant&by=model&by=day", "all_tenants=true&by=hour"):
        headers = {"authorization": f"Bearer {house.operator}"}
        answer = await house.client.get(f"/v1/costs?{query}", headers=headers)
        assert answer.status_code == 200
        for each in house.parties:
            assert not [known for known in (each.mark, *each.known) if known in answer.text]
            if "answer" in each.ids and query.startswith("by=tenant"):
                assert each.tenant in {line["tenant"] for line in answer.json()["data"]}


Operation = Callable[[House, Party], Awaitable[Any]]
OPERATIONS: tuple[Operation, ...] = (
    *(chat, stream, session, same_question, responses, documents, search, answers, embed),
    *(feedback, batch, administer, sums, delete),
)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("echo"))


async def opened(home: Path, stack: AsyncExitStack) -> House:
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9, semantic_cache=True)
    # Guesses at webhooks are wrong credentials: they are counted by address, and the count tells nothing of others.
    gateway = GatewaySettings.model_validate({"addresses": {"failures_per_minute": 0}})
    chosen = Settings(home=home, rag=RagSettings(refuse_below=0.0), serving=free, gateway=gateway)
    system = await stack.enter_async_context(System.open(chosen))
    await stack.enter_async_context(working(system.rooms))
    app = mount(system)
    transport = httpx.ASGITransport(app)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60))
    parties = [Party("acme", "red"), Party("acme", "blue"), Party("other", "red")]
    for party in parties:
        keys, groups = system.stores.keys, frozenset({party.group})
        working_scopes = frozenset(SCOPES) - {"admin", "operate"}
        _, party.worker = await keys.create("worker", tenant=party.tenant, scopes=working_scopes, groups=groups)
        _, party.admin = await keys.create("admin", tenant=party.tenant, scopes=frozenset({"admin"}), groups=groups)
    house = House(client, app.openapi()["paths"], parties)
    made, house.operator = await system.stores.keys.create(
        "operator", tenant="acme", scopes=frozenset({"admin", "operate"})
    )
    house.operator_id = made.id
    return house


def machine(house: House, run: Callable[[Awaitable[Any]], Any]) -> type[RuleBasedStateMachine]:
    """Steps of everybody in one house: what earlier runs left there is there for the later ones, too."""
    parties = st.sampled_from(house.parties)

    class Neighbours(RuleBasedStateMachine):
        @rule(party=parties, operation=st.sampled_from(OPERATIONS))
        def does(self, party: Party, operation: Operation) -> None:
            run(operation(house, party))

        @rule(party=parties, admin=st.booleans())
        def browses(self, party: Party, admin: bool) -> None:
            run(house.browse(party, admin=admin))

        @rule(party=parties, other=parties)
        def guesses(self, party: Party, other: Party) -> None:
            if party.tenant != other.tenant:
                run(house.guess(party, other))

    return Neighbours


# Thousands of requests: a busy machine takes minutes.
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_nothing_of_one_is_ever_in_an_answer_to_the_other(scripted: None, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:

        def run(work: Awaitable[Any]) -> Any:
            async def awaited() -> Any:
                return await work

            return runner.run(awaited())

        async def close() -> None:
            await stack.aclose()

        stack = AsyncExitStack()
        house = run(opened(tmp_path / "home", stack))
        try:
            # Each of them once, so that no draw of chance leaves one out.
            for operation in OPERATIONS[:-1]:
                for party in house.parties:
                    run(operation(house, party))
            run(house.guess(house.parties[2], house.parties[0]))
            # A walk of twelve steps takes seconds; the nightly profile takes more of them.
            walks = 1 if settings().max_examples <= 50 else 40
            bounds = settings(
                max_examples=walks, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
            )
            run_state_machine_as_test(machine(house, run), settings=bounds)
        finally:
            run(close())
    assert house.looked > 500
    assert house.guessed > 100


async def test_the_look_finds_what_is_shown_to_the_wrong_one() -> None:
    """The test above could fail: a key that got into the wrong hands shows it at once."""
    one, other = Party("acme", "red"), Party("other", "red")
    other.note("file", "file-0123456789")
    house = House(httpx.AsyncClient(), {}, [one, other])
    for text in (f"it is {other.mark}", '{"id": "file-0123456789"}'):
        with pytest.raises(AssertionError, match="shows acme/red"):
            house.look(one, httpx.Response(200, text=text), "GET /v1/files", admin=True)
    house.look(one, httpx.Response(404, text="no file-0123456789"), "GET /v1/files/file-0123456789", admin=True)
    await house.client.aclose()

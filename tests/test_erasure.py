"""Somebody who is erased is in no store any more, in whatever format, version or log; everybody else still is.

Each way in which a person's words get into the stores has a word of its own. Every word is found before, by the
decoder, and none after; what others said is there as before, and the sums of money are the same.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.core import slices
from mainspring.core.settings import StoresSettings
from mainspring.core.settings.serving.money import ModelPrice, PricesSettings
from mainspring.features.batches.routes import working
from mainspring.features.compliance.erase.erasure import Eraser
from mainspring.features.compliance.service import Compliance
from mainspring.features.memory.service import Memories
from mainspring.stores.erase import erasing
from mainspring.stores.erase.erasures import check
from mainspring.stores.money.ledger import LedgerQuery
from tests.decoder import forms, places, redis_places
from tests.world import EVERYONE, Key, World, echoing, opened, use_engines

CHAT = "/v1/chat/completions"
# Far from each other and from all other words.
SYLLABLES = ("zor", "vim", "qua", "fex", "dub", "plo", "gna", "tri", "hyx", "wul", "mok", "sed")


class Words:
    """A word of its own for each way."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.used: dict[str, str] = {}

    def __call__(self, way: str) -> str:
        number = len(self.used)
        parts = (number // 12 % 12, number % 12)
        self.used[way] = "".join(SYLLABLES[each] for each in parts) + f"{self.who}brik"
        return self.used[way]

    async def found(self, home: Path, redis_url: str = "") -> dict[str, list[str]]:
        """The ways whose word is somewhere, and where."""
        wanted = {way: forms(word) for way, word in self.used.items()}
        # Every word has this in it; most places have not, and a look for each word takes minutes.
        stems = forms(f"{self.who}brik")
        where: dict[str, list[str]] = {}

        def look(place: str, data: bytes) -> None:
            if not any(stem in data for stem in stems):
                return
            for way, words in wanted.items():
                if any(word in data for word in words):
                    where.setdefault(way, []).append(place)

        async for place, data in places(home):
            look(place, data)
        if redis_url:
            async for place, data in redis_places(redis_url):
                look(place, data)
        return where


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, echoing("echo"))


KINDS = (
    "mainspring.db!contents",
    "!turns",
    "!session_summaries",
    "!events",
    "!memories",
    "blobs/",
    "vectors/",
    "!files",
)
PRICES = PricesSettings(models={"echo": ModelPrice(input=3.0, output=5.0)})


async def ask(world: World, key: Key, text: str, who: str | None, **more: Any) -> Any:
    headers = more.pop("headers", {})
    named = {} if who is None else {"user": who}
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], "temperature": 0, **named, **more}
    answer = await world.call(key, "POST", CHAT, body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def live(world: World, key: Key, who: str, word: Words) -> None:
    """Everything that a person does."""
    cached = {"options": {"cache": True}}
    answer = await ask(world, key, f"What about {word('cached')} and all that?", who, **cached)
    await ask(world, key, f"What is {word('semantic')} good for?", who, **cached)
    await ask(world, key, f"stream {word('stream')}", who, stream=True)
    session = f"talk-{word('session name')}"
    for turn in range(4):
        options = {"session": {"strategy": "hierarchical", "max_tokens": 64}}
        said = f"My name is Ana Lopez, I decided for {word(f'session {turn}')} on 12 May 2026, and I prefer it. " * 3
        # One turn says nobody's name, in the same conversation.
        await ask(world, key, said, None if turn == 2 else who, session_id=session, options=options)
    fork = {"session_id": f"fork-{word('fork name')}"}
    assert (await world.call(key, "POST", f"/v1/sessions/{session}/fork", fork)).status_code == 201
    body: dict[str, Any] = {"model": "echo", "input": f"response {word('response')}", "safety_identifier": who}
    first = (await world.call(key, "POST", "/v1/responses", body)).json()["id"]
    for way in ("continued", "continued again"):
        body = {"model": "echo", "input": f"and {word(way)}", "previous_response_id": first}
        first = (await world.call(key, "POST", "/v1/responses", body)).json()["id"]
    talk = (await world.call(key, "POST", "/v1/conversations", {})).json()["id"]
    body = {"model": "echo", "input": f"talk {word('talk')}", "conversation": talk, "safety_identifier": who}
    assert (await world.call(key, "POST", "/v1/responses", body)).status_code == 200
    await ask(world, key, f"keep {word('kept')}", who, store=True, metadata={"about": word("metadata")})
    body = {"model": "echo", "prompt": f"complete {word('completion')}", "user": who}
    await world.call(key, "POST", "/v1/completions", body)
    messages = [{"role": "user", "content": f"anthropic {word('anthropic')}"}]
    body = {"model": "echo", "max_tokens": 50, "messages": messages, "metadata": {"user_id": who}}
    assert (await world.call(key, "POST", "/v1/messages", body)).status_code == 200
    headers = {"idempotency-key": f"feedback {who}"}
    told = {"answer_id": answer.headers["x-answer-id"], "edit": f"no: {word('edit')}", "comment": word("comment")}
    assert (await world.call(key, "POST", "/v1/feedback", told, headers=headers)).status_code == 201
    await ask(world, key, f"once {word('idempotent')}", who, headers={"idempotency-key": f"chat {who}"})
    agreed = await world.call(key, "PUT", "/v1/memories/consent", {"consent": True, "user": who})
    assert agreed.status_code == 200
    await ask(world, key, f"I work for {word('learned fact')} these days.", who)
    for way in ("superseded fact", "present fact"):
        body = {"text": f"I live in {word(way)}", "user": who}
        assert (await world.call(key, "POST", "/v1/memories", body)).status_code == 200
    await world.system.services[Memories].idle()


async def batch(world: World, key: Key, people: dict[str, Words]) -> None:
    """A batch with lines of several people, and one that breaks."""
    lines = []
    for who, word in people.items():
        for way in ("batch line", "batch error"):
            body: dict[str, Any] = {"model": "echo", "user": who}
            body["messages"] = [{"role": "user", "content": word(way)}]
            if way == "batch error":
                body["model"] = f"none {word('batch model')}"
            line = {"custom_id": f"{who} {way}", "method": "POST", "url": CHAT, "body": body}
            lines.append(json.dumps(line))
    for data, status in (("\n".join(lines), "completed"), ("\n".join([*lines, '{"broken": ']), "failed")):
        files = {"file": ("in.jsonl", data.encode()), "purpose": (None, "batch")}
        file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
        asked = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
        made = (await world.call(key, "POST", "/v1/batches", asked)).json()["id"]
        async with asyncio.timeout(30):
            while (found := (await world.call(key, "GET", f"/v1/batches/{made}")).json())["status"] != status:
                await asyncio.sleep(0.02)
        if status == "completed":
            assert found["request_counts"] == {"total": 4, "completed": 2, "failed": 2}


async def document(world: World, key: Key, store: str, who: str, word: Words) -> None:
    doc = await world.add(key, store, EVERYONE)
    text = f"# A letter\n\nThe letter of {who} speaks of {word('document')} at length.\n\n{doc.text}"
    files = {"file": (f"{word('file name')}.md", text.encode()), "purpose": (None, "assistants")}
    doc.file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
    await world.attach(key, doc, {"subject": who, "label": word("attribute")})
    body = {
        "model": "document-qa",
        "messages": [{"role": "user", "content": f"What does the letter speak of, {word('question')}?"}],
        "options": {"collections": [store]},
        "user": who,
    }
    assert word.used["document"] in (await world.call(key, "POST", CHAT, body)).text


async def everything(world: World, key: Key, people: dict[str, Words]) -> None:
    for who, word in people.items():
        # Apart: an answer that repeats what was deleted goes with it, whoever asked.
        store = await world.store(key, f"letters of {word.who}")
        await live(world, key, who, word)
        await document(world, key, store, who, word)
    await batch(world, key, people)
    await world.system.telemetry.flush()
    await asyncio.sleep(0.2)


async def sums(world: World) -> Any:
    ledger = world.system.stores.ledger
    return [
        [(line.of, line.calls, line.cost_nanousd, line.cache_saved_nanousd, line.prompt_tokens) for line in found]
        for found in (
            await ledger.sums(["key", "application", "model"], LedgerQuery("default")),
            await ledger.sums(["day"], LedgerQuery("default")),
        )
    ]


def person(name: str) -> tuple[str, Words]:
    word = Words(name)
    return f"{name}-{word('user')}", word


@pytest.fixture(params=["file", "redis"])
def stores(request: pytest.FixtureRequest) -> Iterator[StoresSettings]:
    if request.param == "file":
        yield StoresSettings()
        return
    yield StoresSettings(cache="redis", redis=request.getfixturevalue("redis_url"))


@pytest.mark.slow
async def test_a_person_is_in_no_store_any_more(tmp_path: Path, stores: StoresSettings) -> None:
    home = tmp_path / "home"
    (ana, hers), (bob, his) = person("ana"), person("bob")
    async with opened(home, stores=stores, prices=PRICES) as world, working(world.system.rooms):
        key = world.keys["both"]
        await everything(world, key, {ana: hers, bob: his})
        before, paid = await hers.found(home, stores.redis), await sums(world)
        assert sorted(before) == sorted(hers.used)
        everywhere = " ".join(place for found in before.values() for place in found)
        kinds = list(KINDS)
        kinds += ["redis!mainspring:cache", "redis!mainspring:similar"] if stores.redis else ["cache.db", "similar.db"]
        assert [each for each in kinds if each not in everywhere] == []
        assert paid[0][0][2] > 0

        # What was under way may have written since: with no time for that, the second look comes at once.
        world.system.services[Compliance].eraser._again_s = 0
        reply = await world.call(key, "DELETE", f"/v1/subjects/{ana}")
        assert reply.status_code == 200, reply.text
        await world.system.services[Compliance].eraser.round()
        await world.system.library.forgetter.round()
        world.system.library.forgetter._again_s = 0
        await world.system.library.forgetter.round()

        assert await hers.found(home, stores.redis) == {}
        assert sorted(await his.found(home, stores.redis)) == sorted(his.used)
        assert await sums(world) == paid
        note = await world.system.stores.erasures.get("default", reply.json()["id"])
        assert note.state == "over"
        receipt = note.receipt
        assert check(receipt)
        erased = receipt["erased"]
        assert erased["documents"] == erased["files"] == 1
        assert erased["sessions"] == 2
        assert erased["messages"] == 16
        reached = ("answers", "texts", "facts", "cached", "batch_lines", "spans")
        assert [name for name in reached if not erased[name]] == []
        assert (await world.system.stores.audit.verify("default")).intact
        entry = await world.system.stores.audit.latest("default", "subject.erased")
        assert entry is not None
        assert (entry.details["receipt"], entry.object) == (receipt["digest"], note.id)
        assert (entry.seq, entry.hash) == (receipt["audit"]["number"], receipt["audit"]["hash"])
        digest = await world.system.stores.audit.digest("default", f"user:{ana}")
        assert entry.details["subject"] == receipt["subject"] == digest
        # Nothing is left to be shown, and asking again erases nothing.
        shown = (await world.call(key, "GET", f"/v1/subjects/{ana}")).text.strip().split("\n")
        assert json.loads(shown[0])["type"] == "end"
        again = (await world.call(key, "DELETE", f"/v1/subjects/{ana}")).json()
        assert set(again["receipt"]["erased"].values()) == {0}
        await world.system.services[Compliance].eraser.round()
        assert (
            json.loads((await world.call(key, "GET", f"/v1/subjects/{bob}")).text.strip().split("\n")[-1])["counts"][
                "answers"
            ]
            > 10
        )
    # The process has ended: what closing writes is in the files, too.
    assert await hers.found(home) == {}


@pytest.mark.slow
async def test_access_shows_all_that_erasing_would_take(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (ana, hers), (bob, his) = person("ana"), person("bob")
    async with opened(home, prices=PRICES) as world, working(world.system.rooms):
        both, red, stranger = (world.keys[name] for name in ("both", "red", "stranger"))
        await everything(world, both, {ana: hers, bob: his})
        shown = await world.call(both, "GET", f"/v1/subjects/{ana}")
        assert [way for way, word in hers.used.items() if word not in shown.text] == []
        assert not [way for way, word in his.used.items() if word in shown.text]
        end = json.loads(shown.text.strip().split("\n")[-1])
        assert end["withheld_answers"] == 0
        # Of what features hold, ``everything`` fills these; their own tests fill the others.
        filled = {"batch_lines", "conversation_items", "memories", "stored_completions"}
        of_features = {each.name for _, found in slices.declared("holdings", "HOLDINGS") for each in found}
        assert filled < of_features
        assert {end["counts"].pop(name) for name in of_features - filled} == {0}
        assert {name: count > 0 for name, count in end["counts"].items()} == dict.fromkeys(end["counts"], True)
        # Who is not in all groups of the key that asked sees none of it, and how much that is.
        beside = await world.call(red, "GET", f"/v1/subjects/{ana}")
        open_to_all = {"user", "document", "file name", "attribute"}
        assert {way for way, word in hers.used.items() if word in beside.text} == open_to_all
        assert json.loads(beside.text.strip().split("\n")[-1])["withheld_answers"] == end["counts"]["answers"]
        elsewhere = await world.call(stranger, "GET", f"/v1/subjects/{ana}")
        assert json.loads(elsewhere.text)["type"] == "end"
        entry = await world.system.stores.audit.latest("default", "subject.exported")
        assert entry is not None
        assert ana not in str(entry)


@pytest.mark.parametrize(
    "step",
    [
        "conversations",
        *(pytest.param(each, marks=pytest.mark.kills) for each in ("caches", "spans", "answers", "receipt")),
    ],
)
@pytest.mark.slow
async def test_an_erasure_that_was_killed_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    home = tmp_path / "home"
    (ana, hers), (bob, his) = person("ana"), person("bob")
    keys: dict[str, Key] = {}
    with monkeypatch.context() as dying:
        async with opened(home, prices=PRICES) as world, working(world.system.rooms):
            keys = world.keys
            key = keys["both"]
            await everything(world, key, {ana: hers, bob: his})
            reached = _die(dying, world, step)
            reply = asyncio.create_task(world.call(key, "DELETE", f"/v1/subjects/{ana}"))
            async with asyncio.timeout(60):
                while not reached.is_set():
                    await asyncio.sleep(0.01)
            reply.cancel()
            dying.setattr(Eraser, "close", _nothing)
            worker = world.system.services[Compliance].eraser._worker
            assert worker is not None
            worker.cancel()
    assert await hers.found(home)
    async with opened(home, keys, prices=PRICES) as again:
        again.system.services[Compliance].eraser._again_s = 0
        await again.system.services[Compliance].eraser.round()
        await again.system.library.forgetter.round()
        assert await hers.found(home) == {}
        assert sorted(await his.found(home)) == sorted(his.used)
        assert [each.state for each in await again.system.stores.erasures.pending()] == []
        assert (await again.system.stores.audit.verify("default")).intact


async def _nothing(self: Eraser) -> None: ...


def _die(patch: pytest.MonkeyPatch, world: World, step: str) -> threading.Event:
    """The eraser never gets beyond this step; set when it is there."""
    reached = threading.Event()

    class Died(BaseException):
        pass

    async def dies(*_: Any, **__: Any) -> Any:
        reached.set()
        raise Died

    def died(*_: Any, **__: Any) -> Any:
        reached.set()
        raise asyncio.CancelledError

    match step:
        case "caches":
            patch.setattr(Eraser, "_caches", dies)
        case "spans":
            patch.setattr(Eraser, "_spans", dies)
        case "conversations":
            patch.setattr(erasing, "conversations", died)
        case "answers":
            patch.setattr(erasing, "answers", died)
        case "receipt":
            patch.setattr(type(world.system.stores.erasures), "erased", dies)
    return reached

"""No payment card number is stored, whatever it comes in and however the guards are set.

Real traffic with card numbers goes through the whole server, each way with a number of its own and the guards off. Then
every store is decoded, in all formats and versions, and none of the numbers is there. The same look with what keeps
them out switched off finds them: it could have failed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from mainspring.core import cards
from mainspring.core.settings import GuardsSettings
from mainspring.features.batches.routes import working
from mainspring.features.compliance.settings import ComplianceSettings
from mainspring.telemetry import logs
from tests.decoder import matching
from tests.world import EVERYONE, Key, World, echoing, opened, use_engines

OPEN = GuardsSettings(pii_input="off", pii_output="off", injection="off")
REDACT = ComplianceSettings(documents="redact")
CHAT = "/v1/chat/completions"


def card(number: int) -> str:
    """A card number of its own for each ``number``, with a valid check digit."""
    body = f"4539{number:011d}"
    digits = [int(each) for each in reversed(body)]
    total = sum(sum(divmod(each * 2, 10)) if place % 2 == 0 else each for place, each in enumerate(digits))
    return body + str(-total % 10)


class Numbers:
    """Card numbers by what they were sent in, written in turns as banks and people write them."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}

    def __call__(self, where: str) -> str:
        digits = card(len(self.sent) + 1)
        self.sent[where] = digits
        groups = [digits[start : start + 4] for start in range(0, 16, 4)]
        return (digits, " ".join(groups), "-".join(groups), "\u00a0".join(groups))[len(self.sent) % 4]

    async def kept(self, home: Path) -> dict[str, list[str]]:
        """What of them is anywhere below ``home``, and where."""
        found: dict[str, list[str]] = {}
        between = rb"(?:[^0-9A-Za-z]|\\u[0-9a-f]{4}|\xc2\xa0|\x00){0,6}"
        for where, digits in self.sent.items():
            pattern = re.compile(between.join(re.escape(each.encode()) for each in digits))
            if places := await matching(home, pattern):
                found[where] = places
        return found


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that repeats what it is told, so that answers hold card numbers, too."""
    use_engines(monkeypatch, echoing("echo"))


@pytest.fixture
def log_file(tmp_path: Path) -> Any:
    home = tmp_path / "home"
    home.mkdir()
    from mainspring.core.settings.telemetry import TelemetrySettings

    with (home / "server.log").open("w") as stream:
        logs.configure(TelemetrySettings(log_level="debug", log_format="json"), stream)
        yield home
        for name in logs.LOGGERS:
            logging.getLogger(name).handlers = []
            logging.getLogger(name).propagate = True


async def say(world: World, key: Key, text: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    return await world.call(key, "POST", CHAT, body, headers=headers)


async def talk(world: World, key: Key, number: Numbers) -> None:
    """Everything that is asked and answered in one request."""
    answer = await say(world, key, f"My card\n{number('chat')} please")
    assert answer.status_code == 200, answer.text
    await say(world, key, f"My card is {number('stream')}.", stream=True)
    for _ in range(2):
        await say(world, key, f"The card {number('cached')} again", options={"cache": True})
        await say(world, key, f"What is {number('semantic')} for?", options={"cache": True})
    await say(world, key, f"tool {number('tool result')}", tools=[_tool(number("tool description"))])
    said = [
        {"role": "system", "content": f"You know {number('system')}."},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [_call(number("tool arguments"))]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"paid with {number('tool message')}"},
    ]
    assert (await say(world, key, "", messages=said)).status_code == 200
    for turn in range(3):
        options = {"session": {"strategy": "hierarchical"}}
        await say(world, key, f"I am Ana, card {number(f'session {turn}')}", session_id="one", options=options)
    body = {"model": "echo", "input": f"card {number('response')}", "instructions": f"know {number('instructions')}"}
    first = (await world.call(key, "POST", "/v1/responses", {**body, "metadata": {"a": number("metadata")}})).json()
    again = {"model": "echo", "input": f"and {number('next response')}", "previous_response_id": first["id"]}
    assert (await world.call(key, "POST", "/v1/responses", again)).status_code == 200
    completion = {"model": "echo", "prompt": f"card {number('completion')}"}
    assert (await world.call(key, "POST", "/v1/completions", completion)).status_code == 200
    embed = {"model": "words", "input": [f"card {number('embedding')}"], "user": "ana"}
    assert (await world.call(key, "POST", "/v1/embeddings", embed)).status_code == 200
    message = {"model": "echo", "max_tokens": 50, "messages": [{"role": "user", "content": number("anthropic")}]}
    assert (await world.call(key, "POST", "/v1/messages", message)).status_code == 200
    answer_id = answer.headers["x-answer-id"]
    feedback = {"answer_id": answer_id, "edit": f"not {number('edit')}", "comment": f"but\n{number('comment')}"}
    headers = {"idempotency-key": "feedback"}
    assert (await world.call(key, "POST", "/v1/feedback", feedback, headers=headers)).status_code == 201
    await say(world, key, f"once {number('idempotent')}", headers={"idempotency-key": "chat"})


async def refused(world: World, key: Key, number: Numbers) -> None:
    """What is answered with an error, which may quote it."""
    assert (await say(world, key, "x", model=number("model"))).status_code == 404
    assert (await say(world, key, "x", user=number("user"))).status_code == 400
    assert (await say(world, key, "x", session_id=card(4000))).status_code == 400
    number.sent["session_id"] = card(4000)
    assert (await say(world, key, "x", **{f"field {number('field')}": 1})).status_code == 400
    await say(world, key, "x" * 10, response_format={"type": "regex", "pattern": f"({number('grammar')}"})
    await world.call(key, "GET", f"/v1/sessions/{number('path')}")
    await world.call(key, "GET", f"/v1/models/{number('model path')}")
    logging.getLogger("mainspring.gateway").warning("it says %s", number("log"), extra={"note": number("log extra")})


async def batch(world: World, key: Key, number: Numbers) -> None:
    def line(custom_id: str, text: str, **more: Any) -> str:
        body = {"model": "echo", "messages": [{"role": "user", "content": text}], **more}
        return json.dumps({"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body})

    lines = [
        line("a", f"line\n{number('batch line')}"),
        line(f"b {number('custom id')}", "x"),
        line("c", "x", model=f"m {number('batch model')}"),
    ]
    for kept in (lines, [*lines, json.dumps({"custom_id": "d", number("batch field"): 1})]):
        data = "\n".join(kept).encode()
        files = {"file": (f"in {number(f'file name {len(kept)}')}.jsonl", data), "purpose": (None, "batch")}
        file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
        body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
        body |= {"metadata": {"note": number(f"batch metadata {len(kept)}")}}
        made = (await world.call(key, "POST", "/v1/batches", body)).json()
        async with asyncio.timeout(30):
            while (found := (await world.call(key, "GET", f"/v1/batches/{made['id']}")).json())["status"] not in (
                "completed",
                "failed",
            ):
                await asyncio.sleep(0.02)
        if len(kept) == 3:
            assert (found["status"], found["request_counts"]["completed"]) == ("completed", 2), found


async def documents(world: World, key: Key, number: Numbers) -> None:
    store = await world.store(key, "all")
    doc = await world.add(key, store, EVERYONE)
    text = f"# Card {number('heading')}\n\nThe Zorbik account was paid with {number('document')} in May.\n\n{doc.text}"
    files = {"file": ("paid.md", text.encode()), "purpose": (None, "assistants")}
    file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
    doc.file_id = file_id
    await world.attach(key, doc, {"label": "paid"})
    asked = {"query": f"Zorbik account {number('query')}", "max_num_results": 5, "summary": "extractive"}
    found = await world.call(key, "POST", f"/v1/vector_stores/{store}/search", asked)
    assert "Zorbik" in found.text
    body = {
        "model": "document-qa",
        "messages": [{"role": "user", "content": f"How was the Zorbik account paid, {number('question')}?"}],
        "options": {"collections": [store]},
    }
    assert "Zorbik" in (await world.call(key, "POST", CHAT, body)).text


def _tool(text: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "pay", "description": text, "parameters": {"type": "object"}}}


def _call(text: str) -> dict[str, Any]:
    arguments = json.dumps({"card": text})
    return {"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": arguments}}


async def traffic(home: Path) -> Numbers:
    number = Numbers()
    async with opened(home, guards=OPEN, compliance=REDACT) as world, working(world.system.rooms):
        both = world.keys["both"]
        await talk(world, both, number)
        await refused(world, both, number)
        await batch(world, both, number)
        await documents(world, both, number)
        assert len(number.sent) > 40
        # While everything is open: logs of the databases and what waits to be written included.
        await world.system.telemetry.flush()
        await asyncio.sleep(0.2)
        assert await number.kept(home) == {}
    return number


@pytest.mark.slow
async def test_no_card_number_is_in_any_store(log_file: Path) -> None:
    number = await traffic(log_file)
    assert await number.kept(log_file) == {}
    # What was said beside them is there.
    assert await matching(log_file, re.compile(rb"My card"))
    assert await matching(log_file, re.compile(rb"Zorbik"))
    assert await matching(log_file, re.compile(rb"it says \[CREDIT_CARD\]"))


@pytest.mark.slow
async def test_the_look_finds_them_where_nothing_keeps_them_out(
    log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scrub", "cover", "scrub_json", "scrubbed", "scrub_lines", "scrub_text"):
        monkeypatch.setattr(cards, name, lambda value: value)
    monkeypatch.setattr("mainspring.rag.parse.card_masking.cover", lambda value: value)
    monkeypatch.setattr(cards, "holds", lambda text: False)
    number = Numbers()
    async with opened(log_file, guards=OPEN, compliance=REDACT) as world, working(world.system.rooms):
        both = world.keys["both"]
        await talk(world, both, number)
        await batch(world, both, number)
        await documents(world, both, number)
        logging.getLogger("mainspring.gateway").warning("it says %s", number("log"))
        await world.system.telemetry.flush()
        await asyncio.sleep(0.2)
    kept = await number.kept(log_file)
    ways = ("chat", "stream", "cached", "semantic", "session 1", "response", "instructions", "completion", "edit")
    for way in (*ways, "comment", "idempotent", "batch line", "custom id", "document", "log", "tool arguments"):
        assert way in kept, way
    everywhere = " ".join(place for places in kept.values() for place in places)
    for store in ("mainspring.db!contents", "cache.db", "similar.db", "blobs/", "vectors/", "server.log", "!batches"):
        assert store in everywhere, store

"""Webhooks: sent to public addresses only, signed, in order, again after a failure, and their secrets never shown."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

import mainspring.features.a2a.tasks.webhooks as webhooks
import tests.world as worlds
from mainspring.core.types import Text
from mainspring.features.a2a.service import A2aAgents
from mainspring.features.a2a.tables import a2a_notifications
from tests.features.a2a.house import ASKS_BACK, House, Told, opened, until


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})
    monkeypatch.setattr(webhooks, "_POLL_S", 0.02)
    monkeypatch.setattr(webhooks, "_WAITS_S", (0.02,))


class Receiver:
    """Keeps what comes; answers with the next of ``statuses``, then with 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): each for name, each in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"location": "http://127.0.0.1:1/"} if status == 302 else {})


@asynccontextmanager
async def receiving() -> AsyncIterator[tuple[Receiver, str]]:
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield receiver, f"http://localhost:{port}/hook"
    finally:
        await runner.cleanup()


async def waiting(house: House) -> int:
    count = sa.select(sa.func.count()).select_from(a2a_notifications)
    return int(await house.world.system.stores.database.read(lambda connection: connection.execute(count).scalar_one()))


async def test_each_state_is_reported_in_order_signed_and_again_after_failures(tmp_path: Path) -> None:
    async with (
        receiving() as (receiver, url),
        opened(tmp_path / "home", Told(list(ASKS_BACK)), private_hosts=("localhost",)) as house,
    ):
        receiver.statuses = [500, 302, 503]
        hook = {"url": url, "token": "t0k", "authentication": {"scheme": "Bearer", "credentials": "s3cret"}}
        task = await house.send(configuration={"taskPushNotificationConfig": hook})
        house.agent.script = [Text("Done.")]
        await house.send("That one", message={"taskId": task["id"]})
        await until(lambda: _none(house))
        bodies = [json.loads(body) for _, body in receiver.got]
        assert len(bodies) == 7
        # The first was sent four times; nothing behind it came before it had arrived.
        assert bodies[0] == bodies[1] == bodies[2] == bodies[3]
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 4
        states = [(each.get("statusUpdate") or each["task"])["status"]["state"] for each in bodies[3:]]
        assert [each.removeprefix("TASK_STATE_") for each in states] == [
            *("WORKING", "INPUT_REQUIRED", "WORKING", "COMPLETED")
        ]
        assert bodies[-1]["task"]["artifacts"][0]["parts"] == [{"text": "Done."}]
        for headers, body in receiver.got:
            assert (headers["x-a2a-notification-token"], headers["authorization"]) == ("t0k", "Bearer s3cret")
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            made = base64.b64encode(hmac.new(b"t0k", signed, hashlib.sha256).digest()).decode()
            assert headers["webhook-signature"] == f"v1,{made}"


async def _none(house: House) -> bool:
    return await waiting(house) == 0


@pytest.mark.slow
async def test_a_webhook_that_never_answers_well_is_given_up(tmp_path: Path) -> None:
    async with (
        receiving() as (receiver, url),
        opened(tmp_path / "home", private_hosts=("localhost",), webhook_attempts=2) as house,
    ):
        receiver.statuses = [500] * 10
        await house.send(configuration={"taskPushNotificationConfig": {"url": url}})
        await until(lambda: _none(house))
        assert len(receiver.got) == 4


PRIVATE = (
    *("http://127.0.0.1:80/", "http://[::1]/", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/"),
    *("http://0x7f000001/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://0/", "http://127.1/"),
)
WRONG = ("ftp://example.com/", "file:///etc/passwd", "https://user:pass@example.com/", "nonsense", "")


async def test_nothing_is_sent_to_addresses_of_this_network(tmp_path: Path) -> None:
    async with receiving() as (receiver, url), opened(tmp_path / "home", Told(list(ASKS_BACK))) as house:
        task = await house.send()
        hooks = f"/told/tasks/{task['id']}/pushNotificationConfigs"
        for address in PRIVATE + WRONG:
            answer = await house.rest("POST", hooks, {"url": address})
            assert answer.status_code == 400, address
            sent = await house.rest(
                "POST",
                "/told/message:send",
                {
                    "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]},
                    "configuration": {"taskPushNotificationConfig": {"url": address}},
                },
            )
            assert sent.status_code == 400, address
        # A name is looked at when it is connected to: it may lead elsewhere by then.
        assert (await house.rest("POST", hooks, {"url": url})).status_code == 200
        house.agent.script = [Text("Done.")]
        await house.send(message={"taskId": task["id"]})
        await asyncio.sleep(0.3)
        assert receiver.got == []


async def test_secrets_of_webhooks_are_written_and_never_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "home", max_webhooks=2, works=False) as house:
        task = await house.send(configuration={"returnImmediately": True})
        hooks = f"/told/tasks/{task['id']}/pushNotificationConfigs"
        secret = {"token": "s3cret", "authentication": {"scheme": "Bearer", "credentials": "s3cret"}}
        made = await house.rest("POST", hooks, {"id": "h1", "url": "https://example.com/", **secret})
        answers: list[Any] = [made, await house.rest("GET", hooks), await house.rest("GET", f"{hooks}/h1")]
        assert all("s3cret" not in each.text for each in answers)
        assert made.json() == {"id": "h1", "taskId": task["id"], "url": "https://example.com/"} | {
            "authentication": {"scheme": "Bearer"}
        }
        await house.rest("POST", hooks, {"id": "h2", "url": "https://example.com/"})
        assert (await house.rest("POST", hooks, {"id": "h3", "url": "https://example.com/"})).status_code == 400
        # The same id again takes the place of the first.
        assert (await house.rest("POST", hooks, {"id": "h1", "url": "https://example.org/"})).status_code == 200
        assert [each["id"] for each in (await house.rest("GET", hooks)).json()["configs"]] == ["h2", "h1"]
        for _ in range(2):
            assert (await house.rest("DELETE", f"{hooks}/h1")).status_code == 200
        assert (await house.rest("GET", f"{hooks}/h1")).status_code == 404
        assert house.world.system.services[A2aAgents].settings.max_webhooks == 2

"""Notices reach their receivers: signed, in order, again until they get through, and never lost to a dead process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.monitor.alerts import notices as notify
from mainspring.features.monitor.alerts.delivery import Deliveries
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Alerts
from mainspring.stores import Stores
from tests.conftest import ROOT
from tests.features.monitor.receiver import mail_server, receiver

SECRET = "shared with the receiver"


def monitor_settings(url: str, **more: Any) -> MonitorSettings:
    return MonitorSettings.model_validate({"webhooks": {"ops": {"url": url, "secret": SECRET}}, **more})


def alert(number: int = 1, **changes: Any) -> Alert:
    signals = [{"name": "ttft", "examples": ["trace-1"]}]
    fields: dict[str, Any] = {
        "tenant": "acme",
        "id": f"alert_{number}",
        "rule": "latency",
        "application": "support",
        "name": "",
        "severity": "warning",
        "state": "firing",
        "summary": f"support: latency {number}",
        "raised_at": 1_800_000_000.25,
        "details": {"signals": signals},
    }
    return Alert(**{**fields, **changes})


@asynccontextmanager
async def delivering(opened: Stores, settings: MonitorSettings) -> AsyncIterator[None]:
    deliveries = Deliveries(opened.jobs, settings, first_s=0.01)
    deliveries.start()
    try:
        yield
    finally:
        await deliveries.close()


async def queue(opened: Stores, settings: MonitorSettings, *alerts: Alert) -> None:
    for each in alerts:
        notices = notify.notices(settings, (each.tenant, each.application), [each])
        assert await Alerts(opened.database).write([each], notices, None)


async def test_a_webhook_continues_the_trace_of_what_raised_the_alert(tmp_path: Path) -> None:
    signals = [
        {"name": "total", "wrong": True, "examples": ["a" * 32, "b" * 32]},
        {"name": "ttft", "wrong": False, "examples": ["c" * 32]},
    ]
    async with receiver() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        there.answers += [503]
        settings = monitor_settings(there.url)
        await queue(opened, settings, alert(details={"signals": signals}), alert(2, details={}))
        async with delivering(opened, settings):
            await there.wait(3)
    first, again, other = there.posts
    version, trace, span, flags = first.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", "b" * 32, "01")
    assert len(span) == 16
    assert int(span, 16)
    # What is tried again is the same span; what no request raised has none.
    assert again.headers["traceparent"] == first.headers["traceparent"]
    assert "traceparent" not in other.headers
    assert json.loads(first.body)["alerts"][0]["annotations"]["traces"] == ", ".join(["c" * 32, "a" * 32, "b" * 32])


async def test_a_webhook_is_signed_and_says_what_alertmanager_says(tmp_path: Path) -> None:
    async with receiver() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        settings = monitor_settings(there.url)
        await queue(opened, settings, alert())
        async with delivering(opened, settings):
            await there.wait(1)
        (post,) = there.posts
        signed = post.headers["x-mainspring-timestamp"].encode() + b"." + post.body
        assert post.headers["x-mainspring-signature"] == (
            "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        )
        body = json.loads(post.body)
        assert (body["version"], body["status"], body["groupLabels"]["application"]) == ("4", "firing", "support")
        # "trace-1" is no id of a trace.
        assert "traceparent" not in post.headers
        (told,) = body["alerts"]
        assert told["labels"]["alertname"] == "latency"
        assert told["startsAt"] == "2027-01-15T08:00:00.250Z"
        assert told["annotations"]["runbook_url"] == "docs/operate/runbooks.md#latency"
        assert told["annotations"]["traces"] == "trace-1"


async def test_what_does_not_get_through_is_tried_again_and_what_follows_waits(tmp_path: Path) -> None:
    async with receiver() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        there.answers = [503, 429, 500]
        settings = monitor_settings(there.url)
        await queue(opened, settings, alert(1), alert(2))
        async with delivering(opened, settings):
            await there.wait(5)
            await asyncio.sleep(0.1)
        ids = [post.headers["x-mainspring-delivery"] for post in there.posts]
        assert len(ids) == 5
        assert len(set(ids[:4])) == 1
        assert ids[4] != ids[0]
        summaries = [json.loads(post.body)["alerts"][0]["annotations"]["summary"] for post in there.posts]
        assert summaries == [*["support: latency 1"] * 4, "support: latency 2"]


async def test_what_is_refused_for_good_is_not_tried_again(tmp_path: Path) -> None:
    async with receiver() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        there.answers = [400]
        settings = monitor_settings(there.url)
        await queue(opened, settings, alert(1), alert(2))
        async with delivering(opened, settings):
            await there.wait(2)
            await asyncio.sleep(0.1)
        assert len(there.posts) == 2


async def test_a_receiver_that_is_not_there_is_tried_until_it_is(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path / "home")) as opened:
        async with receiver() as there:
            settings = monitor_settings(there.url)
            port = int(there.url.split(":")[2].split("/")[0])
        await queue(opened, settings, alert())
        async with delivering(opened, settings):
            await asyncio.sleep(0.2)
            taken: list[bytes] = []

            async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                taken.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                writer.close()

            async with await asyncio.start_server(take, "127.0.0.1", port):
                async with asyncio.timeout(20):
                    while not taken:
                        await asyncio.sleep(0.01)


async def test_receivers_hear_of_their_tenants_and_rules_only(tmp_path: Path) -> None:
    hooks = {
        "acme": {"url": "http://one", "tenants": ["acme"]},
        "costs": {"url": "http://two", "rules": ["cost"]},
        "all": {"url": "http://three"},
    }
    settings = MonitorSettings.model_validate({"webhooks": hooks})
    told = notify.notices(settings, ("acme", "support"), [alert(1), alert(2, rule="cost")])
    assert {each.receiver: len(each.payload["alerts"]) for each in told} == {
        "webhook:acme": 2,
        "webhook:costs": 1,
        "webhook:all": 2,
    }
    told = notify.notices(settings, ("other", "support"), [alert(1, tenant="other")])
    assert [each.receiver for each in told] == ["webhook:all"]


async def test_mail_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    async with mail_server() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        there.refusals = ["451 later"]
        email = {"host": "127.0.0.1", "port": there.port, "security": "none", "sender": "a@b.c", "to": ["d@e.f"]}
        settings = MonitorSettings.model_validate({"email": email})
        await queue(opened, settings, alert(1), alert(1, state="resolved", cleared_at=1_800_000_600.0))
        async with delivering(opened, settings):
            async with asyncio.timeout(20):
                while len(there.messages) < 2:
                    await asyncio.sleep(0.01)
        first, second = there.messages
        assert "Subject: [firing] support: latency 1" in first
        assert "To: d@e.f" in first
        assert "docs/operate/runbooks.md#latency" in first
        assert "Subject: [resolved]" in second


async def test_a_recipient_that_does_not_exist_is_given_up(tmp_path: Path) -> None:
    async with mail_server() as there, stores.open(Settings(home=tmp_path / "home")) as opened:
        there.refusals = ["550 nobody"]
        email = {"host": "127.0.0.1", "port": there.port, "security": "none", "sender": "a@b.c", "to": ["d@e.f"]}
        settings = MonitorSettings.model_validate({"email": email})
        await queue(opened, settings, alert(1), alert(2))
        async with delivering(opened, settings):
            async with asyncio.timeout(20):
                while not there.messages:
                    await asyncio.sleep(0.01)
        assert "latency 2" in there.messages[0]


CHILD = """
import asyncio, sys
from pathlib import Path
from mainspring import stores
from mainspring.features.monitor.alerts.delivery import Deliveries
from mainspring.core.settings import Settings
from tests.features.monitor.alerts.test_delivery import alert, monitor_settings, queue

async def main(home, url):
    settings = monitor_settings(url, lease_s=1.0)
    async with stores.open(Settings(home=Path(home))) as opened:
        deliveries = Deliveries(opened.jobs, settings, first_s=0.01)
        deliveries.start()
        for number in range(10_000):
            await queue(opened, settings, alert(number))
            print(number, flush=True)
            deliveries.soon()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_9_loses_no_notice_and_makes_none_twice(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with receiver() as there:
        queued = -1
        for _ in range(2):
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(home), there.url], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            await there.wait(len(there.posts) + 25)
            child.send_signal(signal.SIGKILL)
            assert child.stdout is not None
            lines = await asyncio.to_thread(child.stdout.read)
            child.wait()
            child.stdout.close()
            queued = max(queued, *(int(line) for line in lines.split()))
        async with (
            stores.open(Settings(home=home)) as opened,
            delivering(opened, monitor_settings(there.url, lease_s=1.0)),
            asyncio.timeout(60),
        ):
            while await waiting(opened):
                await asyncio.sleep(0.05)
    # Each notice has one delivery id, under which a death between sending and noting it may send it again.
    by_delivery = {post.headers["x-mainspring-delivery"]: post.body for post in there.posts}
    told = [json.loads(body)["alerts"][0]["annotations"]["summary"] for body in by_delivery.values()]
    # Both children began to count at 0.
    counts = {number: told.count(f"support: latency {number}") for number in range(queued + 1)}
    assert set(counts.values()) <= {1, 2}
    assert all(counts[number] >= counts[number + 1] for number in range(queued))
    again = len(there.posts) - len(by_delivery)
    assert again <= 2


async def waiting(opened: Stores) -> int:
    import sqlalchemy as sa

    from mainspring.stores.schema import jobs

    query = sa.select(sa.func.count()).where(jobs.c.state.in_(("waiting", "running")))
    return int(await opened.database.read(lambda connection: connection.execute(query).scalar_one()))

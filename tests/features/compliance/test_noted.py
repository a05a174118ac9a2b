"""The audit log also records refusals, the settings of each start, and the guards' decisions."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest

from mainspring.core.errors import Forbidden, StoreError, Unauthenticated
from mainspring.core.facts.registry import read
from mainspring.core.settings import GuardsSettings, ServingSettings
from mainspring.core.types import EventRecord, Principal
from mainspring.features.compliance import startup_record
from mainspring.features.compliance.guard_decisions import ACTION, Decisions
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.features.compliance.refusals import MOST, Refusals
from mainspring.stores import Stores
from mainspring.stores.erase import erasing
from mainspring.stores.events.audit_log import SERVER, Audit
from mainspring.stores.schema import events
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
NOBODY = Unauthenticated("the API key is unknown")
LACKS = Forbidden("lacks the scope")


async def test_refusals_are_one_entry_of_bounded_size_however_many_there_are(opened: Stores) -> None:
    registry = CollectorRegistry()
    refusals = Refusals(opened.audit, ComplianceMetrics(registry))
    for number in range(5000):
        refusals.note(NOBODY, f"10.0.{number // 250}.{number % 250}", "chat")
    worker = Principal("a", "key_1", frozenset({"chat"}))
    for _ in range(3):
        refusals.note(LACKS, "10.9.9.9", "admin", worker)
    await refusals.flush()
    await refusals.flush()
    (server,), (mine,) = [await opened.audit.after(tenant, 0) for tenant in (SERVER, "a")]
    assert server.details["reasons"] == {"credentials": 5000}
    assert len(server.details["addresses"]) == MOST + 1
    assert sum(each["count"] for each in server.details["addresses"]) == 5000
    assert mine.details["reasons"] == {"scope": 3}
    assert mine.details["keys"] == {"key_1 admin": 3}
    assert "10." not in str(server.details["addresses"])
    assert mine.details["addresses"][0]["address"] == await opened.audit.digest("a", "10.9.9.9")
    assert b'mainspring_refused_credentials_total{reason="credentials"} 5000.0' in generate_latest(registry)


async def test_what_could_not_be_written_is_written_later(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = Refusals(opened.audit, ComplianceMetrics(CollectorRegistry()))
    refusals.note(NOBODY, "10.0.0.1", "chat")

    async def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as failing:
        failing.setattr(Audit, "record", full)
        with pytest.raises(StoreError):
            await refusals.flush()
    refusals.note(NOBODY, "10.0.0.1", "chat")
    await refusals.flush()
    (entry,) = await opened.audit.after(SERVER, 0)
    assert entry.details["reasons"] == {"credentials": 2}


async def test_a_start_is_noted_where_something_is_other_than_before(opened: Stores) -> None:
    from mainspring.core.settings import Settings

    first = Settings(home=opened.blobs.path("0" * 64).parent)
    assert await startup_record.note(opened.audit, first, {"default": "v1"})
    assert not await startup_record.note(opened.audit, first, {"default": "v1"})
    guarded = first.model_copy(update={"guards": GuardsSettings(injection="flag")})
    assert await startup_record.note(opened.audit, guarded, {"default": "v2"})
    entry = await opened.audit.latest(SERVER, startup_record.ACTION)
    assert entry is not None
    assert (entry.details["changed"], entry.details["policies_changed"]) == (["guards"], True)
    faster = guarded.model_copy(update={"serving": ServingSettings(requests_per_minute=7)})
    assert await startup_record.note(opened.audit, faster, {"default": "v2"})
    entry = await opened.audit.latest(SERVER, startup_record.ACTION)
    assert entry is not None
    assert entry.details["limits"]["requests_per_minute"] == 7
    assert (entry.details["changed"], entry.details["policies_changed"]) == (["serving"], False)
    assert "flag" not in str(entry.details)


async def decided(opened: Stores, number: int, age: float, action: str = "refuse") -> None:
    facts = {"stage": "input", "role": "user", "guard": "injection", "action": action, "kind": "override", "count": 1}
    record = EventRecord(f"evt_{number}", time.time() - age, "a", "t", "ans_1", read("guard", facts))
    await opened.events.append(record)


async def test_guard_decisions_are_sealed_by_reference(opened: Stores) -> None:
    await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}))
    decisions = Decisions(opened.database, opened.audit, lag_s=60)
    for number in range(3):
        await decided(opened, number, 100 + number)
    await decided(opened, 9, 5)
    assert await decisions.seal() == 1
    # What is too young is sealed later, and nothing twice.
    assert await decisions.seal() == 0
    assert await decisions.seal(time.time() + 120) == 1
    first, second = [each for each in await opened.audit.after("a", 0) if each.action == ACTION]
    assert (first.details["count"], first.details["done"]) == (3, {"injection refuse": 3})
    assert second.details["count"] == 1
    assert [(each.missing, each.changed) for each in await decisions.check_all("a")] == [(0, False), (0, False)]
    # Erasing somebody leaves what is sealed.
    await opened.database.write(lambda connection: erasing.answers(connection, "a", ["ans_1"]))
    assert not [each for each in await decisions.check_all("a") if each.changed or each.missing]
    changed = sa.update(events).where(events.c.id == "evt_1").values(facts='{"guard":"injection","action":"flag"}')
    await opened.database.write(lambda connection: connection.execute(changed) and None)
    assert [each.changed for each in await decisions.check_all("a")] == [True, False]
    gone = sa.delete(events).where(events.c.id == "evt_1")
    await opened.database.write(lambda connection: connection.execute(gone) and None)
    assert [(each.missing, each.changed) for each in await decisions.check_all("a")] == [(1, False), (0, False)]

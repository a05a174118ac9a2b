"""What the monitor keeps of a key or a tenant is handed out and erased with everything else."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import QuotaExceeded
from mainspring.core.settings import Settings
from mainspring.features.monitor.holdings import Silenced
from mainspring.features.monitor.store.alerts import MOST_SILENCES, Alerts, Silence
from mainspring.features.monitor.tables import alerts
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData


async def quiet(opened: Stores, tenant: str, key: str, comment: str) -> None:
    now = time.time()
    made = Silence(tenant, f"sil_{key}", "", "", comment, key, now, now + 60)
    await Alerts(opened.database).silence(made)


async def comments(opened: Stores, tenant: str) -> list[tuple[str, str]]:
    found = await Alerts(opened.database).silences(0, tenant)
    return sorted((each.comment, each.created_by) for each in found)


async def test_what_a_key_wrote_is_found_and_erased_and_its_silence_holds(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        (holding,) = (each for each in opened.holdings if isinstance(each, Silenced))
        for tenant, key in (("a", "key_1"), ("a", "key_2"), ("b", "key_1")):
            await quiet(opened, tenant, key, f"{key} of {tenant} is at it")
        upto, mine = time.time() + 1, Subject("a", "key", "key_1")
        assert [each["text"] for each in await holding.find(mine, SubjectData(), upto, None)] == ["key_1 of a is at it"]
        assert await holding.erase(mine, SubjectData(), upto) == 1
        assert await comments(opened, "a") == [("", ""), ("key_2 of a is at it", "key_2")]
        # Who was answered says nothing in silences; and a second time there is nothing left.
        assert await holding.erase(Subject("a", "user", "key_2"), SubjectData(), upto) == 0
        assert await holding.erase(mine, SubjectData(), upto) == 0
        assert await holding.erase(Subject("a", "tenant", "a"), SubjectData(), upto) == 1
        assert await comments(opened, "b") == [("key_1 of b is at it", "key_1")]


async def test_an_alert_stays_acknowledged_and_nobody_knows_by_whom(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        (holding,) = (each for each in opened.holdings if isinstance(each, Silenced))
        columns = {"rule": "cost", "application": "x", "severity": "page", "state": "firing", "summary": "dear"}
        row = {"tenant": "a", "id": "alert_1", "raised_at": 1.0, **columns}
        await opened.database.write(lambda it: it.execute(sa.insert(alerts), row) and None)
        store = Alerts(opened.database)
        seen = await store.acknowledge("a", "alert_1", "key_1")
        assert seen.acknowledged_by == "key_1"
        await holding.erase(Subject("a", "key", "key_1"), SubjectData(), time.time() + 1)
        assert (await store.get("a", "alert_1")).acknowledged_by == "erased"


async def test_a_tenant_has_so_many_silences(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        alerts, now = Alerts(opened.database), time.time()
        for number in range(MOST_SILENCES):
            over = number == 0
            made = Silence("acme", f"sil_{number}", "", "", "", "key", now - 60, now - 30 if over else now + 60)
            await alerts.silence(made)
        last = Silence("acme", "sil_last", "", "", "", "key", now, now + 60)
        # One of the hundred is over.
        await alerts.silence(last)
        with pytest.raises(QuotaExceeded, match="100 silences"):
            await alerts.silence(replace(last, id="sil_more"))
        await alerts.silence(replace(last, tenant="other"))

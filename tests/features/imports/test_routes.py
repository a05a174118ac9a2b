"""Imports over HTTP: an uploaded file, followed to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tests.world as worlds
from mainspring.features.imports.service import ImportService
from mainspring.features.imports.work import ImportWork
from mainspring.stores.sql.worker import Lease
from tests.features.imports import records
from tests.gateway.knowledge.clients import client_for


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def test_an_uploaded_file_is_imported_and_its_trace_is_shown(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home") as world:
        client = client_for(world, "both")
        said = json.dumps(records.LANGFUSE_TRACE).encode()
        file = await client.files.create(file=("traces.jsonl", said), purpose="user_data")
        body = {"source": "langfuse", "file_id": file.id, "consent": True}
        made = await client.post("/imports", body=body, cast_to=dict)
        assert (made["status"], made["records"]) in (("queued", 0), ("running", 0), ("completed", 1))
        service = world.system.services[ImportService]
        stores = world.system.stores
        work = ImportWork(service.imports, stores.jobs, stores.files, stores.blobs, service.settings)
        while (job := await stores.jobs.lease("import", "lease_test", 60)) is not None:
            await work(Lease(job))
        done = await client.get(f"/imports/{made['id']}", cast_to=dict)
        assert (done["status"], done["events"], done["faulty"]) == ("completed", 5, 0)
        listed = await client.get("/imports", cast_to=dict)
        assert [each["id"] for each in listed["data"]] == [made["id"]]
        found = await client.get(f"/events?trace_id={records.LANGFUSE_TRACE['id']}", cast_to=dict)
        assert len(found["data"]) == 5
        # It is material for data sets, as live traffic is.
        wanted = {"traces": {"application": "support-chat", "thumb": "up", "consented": True}}
        version = await client.post("/datasets/history/versions", body=wanted, cast_to=dict)
        assert version["examples"] == 1
        examples = await client.get("/datasets/history/examples", cast_to=dict)
        assert examples["data"][0]["references"] == ["It arrives on Monday."]
        assert examples["data"][0]["trace_id"] == records.LANGFUSE_TRACE["id"]
        with pytest.raises(Exception, match="source"):
            await client.post("/imports", body={**body, "source": "mlflow"}, cast_to=dict)
        with pytest.raises(Exception, match="no file"):
            await client.post("/imports", body={**body, "file_id": "file-none"}, cast_to=dict)
        with pytest.raises(Exception, match="completed"):
            await client.post(f"/imports/{made['id']}/cancel", cast_to=dict)

"""Exports over HTTP and by command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

import tests.world as worlds
from mainspring.features.lake.exports.service import ExportWork
from mainspring.features.lake.service import Lake
from mainspring.stores.sql.worker import Lease
from tests.features.lake.world import World


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def test_an_export_is_asked_for_followed_and_downloaded(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home") as world:
        head = {"authorization": f"Bearer {world.keys['both'].secret}"}

        async def call(method: str, path: str, **more: Any) -> httpx.Response:
            return await world.client.request(method, f"/v1/lake/exports{path}", headers=head, **more)

        lake = world.system.services[Lake]
        says = World(world.system.stores, tmp_path / "home")
        # Nobody has brought it into the lake: the export does.
        answer = await says.say("Where is the lamp?", "There.", tenant="default")
        for wrong, field in (
            ({"kind": "poems"}, "kind"),
            ({"kind": "thumbs", "format": "openai"}, "format"),
            ({"kind": "sft", "split": {"train": 1, "validation": 1, "test": 1}}, "split"),
            ({"kind": "sft", "name": "a\nb"}, "name"),
            ({"kind": "sft", "colour": "red"}, "colour"),
        ):
            refused = await call("POST", "", json=wrong)
            assert refused.status_code == 400, wrong
            assert refused.json()["error"]["param"].split(".")[0] == field
        made = (await call("POST", "", json={"kind": "sft", "split": {"train": 1, "validation": 0, "test": 0}})).json()
        while (job := await world.system.stores.jobs.lease("lake export", "lease_test", 60)) is not None:
            await ExportWork(lake.exports, world.system.stores.jobs)(Lease(job))
        done = (await call("GET", f"/{made['id']}")).json()
        assert (done["status"], done["rows"], done["split"]["train"]) == ("completed", 1, 1)
        assert sorted(each["name"] for each in done["files"]) == [
            "README.md",
            "manifest.json",
            "train.jsonl",
            "train.lineage.jsonl",
        ]
        file = await call("GET", f"/{made['id']}/files/train.jsonl")
        assert "attachment" in file.headers["content-disposition"]
        assert json.loads(file.content)["messages"][-1]["content"] == "There."
        assert (await call("GET", f"/{made['id']}/files/..%2Fsecret")).status_code == 404
        copies = (await call("GET", f"/{made['id']}")).json()["copies"]
        assert [each["name"] for each in copies] == ["train.jsonl"]
        listed = (await call("GET", f"?answer_id={answer}")).json()["data"]
        assert [each["id"] for each in listed] == [made["id"]]
        rows = (await call("GET", f"/{made['id']}/rows?answer_id={answer}")).json()["data"]
        assert rows[0]["answers"] == [answer]
        other = {"authorization": f"Bearer {world.keys['stranger'].secret}"}
        assert (await world.client.get(f"/v1/lake/exports/{made['id']}", headers=other)).status_code == 404
        assert (await call("DELETE", f"/{made['id']}")).json()["deleted"]
        assert not (await call("GET", "")).json()["data"]

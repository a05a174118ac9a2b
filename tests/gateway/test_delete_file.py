"""Deleting an uploaded file takes it out of every vector store, or of none where the key does not see them all."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.test_forgotten as ways
import tests.world as worlds
from tests.stores.decode import holding


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def test_a_deleted_file_leaves_every_vector_store(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home") as world:
        red, _, both, stranger = world.keys.values()
        first, second = await world.store(both, "first"), await world.store(both, "second")
        doc = await world.add(both, first, worlds.EVERYONE)
        await world.call(both, "POST", f"/v1/vector_stores/{second}/files", {"file_id": doc.file_id})
        path = f"/v1/files/{doc.file_id}"
        assert (await world.call(stranger, "DELETE", path)).status_code == 404
        assert doc.mark in await ways.search(world, red, doc)
        assert (await world.call(both, "DELETE", path)).json()["deleted"] is True
        assert (await world.call(both, "DELETE", path)).status_code == 404
        doc.alive = False
        for store in (first, second):
            doc.store = store
            assert (await world.call(both, "GET", f"/v1/vector_stores/{store}/files")).json()["data"] == []
            await ways.check(world, (ways.search, ways.answer, ways.passage, ways.original))
        await world.round()
        assert not holding(tmp_path / "home", doc.mark)
        assert (await world.call(both, "DELETE", f"/v1/vector_stores/{first}")).status_code == 200
        entries = await world.system.stores.audit.after(both.tenant, 0)
        told = [(each.action, each.object, each.actor) for each in entries if each.action.endswith(".deleted")]
        assert [action for action, _, _ in told] == ["document.deleted"] * 2 + ["file.deleted", "vector_store.deleted"]
        assert [at for _, at, _ in told[2:]] == [doc.file_id, first]
        assert len({actor for _, _, actor in told} - {"local"}) == 1
        assert all(each.trace_id for each in entries if each.action.endswith(".deleted"))


async def test_a_file_that_is_held_where_the_key_sees_nothing_stays_whole(tmp_path: Path) -> None:
    async with worlds.opened(tmp_path / "home") as world:
        red, blue, both, _ = world.keys.values()
        open_store, secret = await world.store(both, "open"), await world.store(red, "secret", red.groups)
        doc = await world.add(both, open_store, worlds.EVERYONE)
        await world.call(both, "POST", f"/v1/vector_stores/{secret}/files", {"file_id": doc.file_id})
        refused = await world.call(blue, "DELETE", f"/v1/files/{doc.file_id}")
        assert refused.status_code == 409
        assert "secret" not in refused.text
        assert secret not in refused.text
        for store in (open_store, secret):
            doc.store = store
            assert doc.mark in await ways.passage(world, both, doc)
        assert (await world.call(both, "DELETE", f"/v1/files/{doc.file_id}")).status_code == 200
        assert (await world.call(red, "GET", f"/v1/vector_stores/{secret}/files")).json()["data"] == []

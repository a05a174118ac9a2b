"""Uploads: a file in parts becomes a file like any other, or leaves nothing."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

import openai
import pytest
import sqlalchemy as sa

import tests.world as worlds
from mainspring.features.uploads.holdings import UploadsHeld
from mainspring.features.uploads.service import Uploads
from mainspring.features.uploads.settings import UploadsSettings
from mainspring.features.uploads.tables import upload_parts, uploads
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from tests.gateway.knowledge.clients import client_for, client_of

TEXT = b"The fee is seven marks. " * 100


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def begun(client: Any, size: int = len(TEXT), **more: Any) -> Any:
    return await client.uploads.create(
        bytes=size, filename="fees.txt", purpose="assistants", mime_type="text/plain", **more
    )


def blobs(home: Path) -> int:
    return sum(path.is_file() for path in (home / "blobs").glob("??/*"))


async def test_parts_become_a_file_in_the_order_that_is_named(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        kept: Any = {"anchor": "created_at", "seconds": 3600}
        upload = await begun(client, expires_after=kept)
        assert (upload.status, upload.bytes, upload.file) == ("pending", len(TEXT), None)
        late = await client.uploads.parts.create(upload.id, data=TEXT[100:])
        early = await client.uploads.parts.create(upload.id, data=TEXT[:100])
        assert (late.object, late.upload_id) == ("upload.part", upload.id)
        with pytest.raises(openai.BadRequestError) as wrong:
            await client.uploads.complete(upload.id, part_ids=[early.id, late.id], md5="0" * 32)
        assert wrong.value.param == "md5"
        md5 = hashlib.md5(TEXT).hexdigest()
        done = await client.uploads.complete(upload.id, part_ids=[early.id, late.id], md5=md5)
        assert (done.status, done.file.filename, done.file.bytes) == ("completed", "fees.txt", len(TEXT))
        assert done.file.expires_at == done.file.created_at + 3600
        assert (await client.files.content(done.file.id)).content == TEXT
        assert blobs(tmp_path / "home") == 1, "the parts are gone"
        for again in (
            client.uploads.complete(upload.id, part_ids=[early.id, late.id]),
            client.uploads.cancel(upload.id),
            client.uploads.parts.create(upload.id, data=b"x"),
        ):
            with pytest.raises(openai.ConflictError):
                await again


async def test_the_clients_helper_sends_a_file_in_chunks(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        path = tmp_path / "long.txt"
        path.write_bytes(TEXT)
        done = await client.uploads.upload_file_chunked(
            file=path, mime_type="text/plain", purpose="user_data", part_size=700
        )
        assert (done.status, done.file.purpose) == ("completed", "user_data")
        assert (await client.files.content(done.file.id)).content == TEXT


async def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        upload = await begun(client, size=10)
        part = await client.uploads.parts.create(upload.id, data=b"12345")
        for field, call in (
            ("data", client.uploads.parts.create(upload.id, data=b"123456")),
            ("data", client.uploads.parts.create(upload.id, data=b"")),
            ("part_ids", client.uploads.complete(upload.id, part_ids=[part.id])),
            ("part_ids", client.uploads.complete(upload.id, part_ids=[part.id, part.id])),
            ("part_ids", client.uploads.complete(upload.id, part_ids=["part_none"])),
            ("purpose", client.uploads.create(bytes=1, filename="a", purpose="other", mime_type="text/plain")),
            ("bytes", client.uploads.create(bytes=0, filename="a", purpose="evals", mime_type="text/plain")),
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                await call
            assert refused.value.param == field, refused.value


async def test_a_cancelled_upload_leaves_no_bytes(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, _):
        upload = await begun(client)
        await client.uploads.parts.create(upload.id, data=TEXT)
        assert blobs(tmp_path / "home") == 1
        assert (await client.uploads.cancel(upload.id)).status == "cancelled"
        assert blobs(tmp_path / "home") == 0


async def test_others_find_no_upload_of_mine(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        upload = await begun(client)
        for name in ("blue", "both", "stranger"):
            other = client_for(world, name)
            for call in (
                other.uploads.parts.create(upload.id, data=TEXT),
                other.uploads.complete(upload.id, part_ids=["part_x"]),
                other.uploads.cancel(upload.id),
            ):
                with pytest.raises(openai.NotFoundError):
                    await call


async def test_an_upload_that_is_not_completed_expires(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        upload = await begun(client)
        await client.uploads.parts.create(upload.id, data=TEXT)
        past = sa.update(uploads).values(expires_at=time.time() - 1)
        await world.system.stores.database.write(lambda connection: connection.execute(past))
        with pytest.raises(openai.ConflictError):
            await client.uploads.parts.create(upload.id, data=b"x")
        service = world.system.services[Uploads]
        assert await service.expire() == 1
        assert await service.expire() == 0
        assert blobs(tmp_path / "home") == 0


async def test_one_file_at_a_time_is_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        clients = [client, client, client_for(world, "stranger")]
        ready = []
        for each in clients:
            upload = await begun(each)
            parts = [await each.uploads.parts.create(upload.id, data=piece) for piece in (TEXT[:900], TEXT[900:])]
            ready.append((each, upload.id, [part.id for part in parts]))
        running, most, held = 0, 0, 0
        read, put = Blobs.get, Uploads._put_together

        async def counted(self: Uploads, *given: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await put(self, *given)
            finally:
                running -= 1

        async def slow(self: Blobs, sha256: str) -> bytes:
            nonlocal held
            await asyncio.sleep(0.01)
            held += 1
            return await read(self, sha256)

        monkeypatch.setattr(Uploads, "_put_together", counted)
        monkeypatch.setattr(Blobs, "get", slow)
        done = await asyncio.gather(*(each.uploads.complete(name, part_ids=parts) for each, name, parts in ready))
        assert [each.status for each in done] == ["completed"] * 3
        assert (most, held) == (1, 6)


async def test_a_tenant_has_some_uploads_under_way(tmp_path: Path) -> None:
    few = UploadsSettings(pending=2, pending_bytes=100, max_bytes=90, part_bytes=50)
    async with client_of(tmp_path / "home", uploads=few) as (client, world):
        await begun(client, size=60)
        with pytest.raises(openai.PermissionDeniedError):
            await begun(client, size=41)
        last = await begun(client, size=40)
        with pytest.raises(openai.PermissionDeniedError):
            await begun(client, size=1)
        await begun(client_for(world, "stranger"), size=60)
        for call in (begun(client, size=91), client.uploads.parts.create(last.id, data=b"x" * 51)):
            with pytest.raises(openai.APIStatusError) as large:
                await call
            assert large.value.status_code == 413
        await client.uploads.cancel(last.id)
        await begun(client, size=40)


async def test_an_erasure_takes_the_uploads_of_a_key(tmp_path: Path) -> None:
    async with client_of(tmp_path / "home") as (client, world):
        upload = await begun(client)
        await client.uploads.parts.create(upload.id, data=TEXT)
        other = await begun(client_for(world, "blue"))
        stores = world.system.stores
        row = await stores.database.read(
            lambda connection: connection.execute(sa.select(uploads.c.key_id).where(uploads.c.id == upload.id)).one()
        )
        held, subject = UploadsHeld(stores.database, stores.blobs), Subject("default", "key", row.key_id)
        found = await held.find(subject, SubjectData(), time.time(), None)
        assert [(each["id"], each["filename"]) for each in found] == [(upload.id, "fees.txt")]
        assert not await held.find(subject, SubjectData(), time.time(), frozenset({"blue"}))
        assert await held.erase(subject, SubjectData(), time.time()) == 1
        assert blobs(tmp_path / "home") == 0
        whole = Subject("default", "tenant", "default")
        assert [each["id"] for each in await held.find(whole, SubjectData(), time.time(), None)] == [other.id]
        left = await stores.database.read(lambda connection: connection.execute(sa.select(upload_parts)).all())
        assert not left
        assert "uploads" in {each.name for each in stores.holdings}

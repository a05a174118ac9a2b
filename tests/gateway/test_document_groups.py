"""The access list of a document over HTTP: given, shown, changed, and never one that hides it from who gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.types import Principal
from mainspring.rag.connect.registry import Spec
from tests.test_forgotten import answer, passage, scripted, search
from tests.world import EVERYONE, Doc, Key, World, opened

__all__ = ["scripted"]


async def attached(world: World, key: Key, store: str, groups: list[str] | None) -> Doc:
    """A document that is put into the store with an access list from the beginning."""
    doc = Doc(len(world.docs), key.tenant, store, EVERYONE, frozenset(groups or ()))
    world.docs.append(doc)
    files = {"file": (f"{doc.mark}.txt", doc.text.encode()), "purpose": (None, "assistants")}
    doc.file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
    body = {"file_id": doc.file_id} | ({} if groups is None else {"groups": groups})
    made = await world.call(key, "POST", f"/v1/vector_stores/{store}/files", body)
    assert made.status_code == 200, made.text
    assert made.json()["groups"] == sorted(groups or [])
    await world.attach(key, doc, {})
    return doc


async def sees(world: World, key: Key, doc: Doc) -> bool:
    found = [doc.mark in (await surface(world, key, doc)).lower() for surface in (search, answer, passage)]
    assert len(set(found)) == 1, found
    return found[0]


async def test_a_document_is_for_the_groups_that_it_was_given(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        red, blue, both, _ = world.keys.values()
        store = await world.store(both, "all")
        for_red = await attached(world, both, store, ["red"])
        for_all = await attached(world, both, store, None)
        for key, which in ((red, [True, True]), (blue, [False, True]), (both, [True, True])):
            assert [await sees(world, key, doc) for doc in (for_red, for_all)] == which, key.name

        path = f"/v1/vector_stores/{store}/files/{for_red.file_id}"
        shown = (await world.call(red, "GET", path)).json()
        assert shown["groups"] == ["red"]
        changed = await world.call(red, "POST", path, {"attributes": {"label": "new"}})
        assert (changed.json()["groups"], changed.json()["attributes"]) == (["red"], {"label": "new"})
        changed = await world.call(both, "POST", path, {"groups": ["blue"]})
        assert (changed.json()["groups"], changed.json()["attributes"]) == (["blue"], {"label": "new"})
        assert [await sees(world, key, for_red) for key in (red, blue, both)] == [False, True, True]
        await world.call(blue, "POST", path, {"groups": []})
        assert [await sees(world, key, for_red) for key in (red, blue, both)] == [True, True, True]


@pytest.mark.parametrize("groups", [["green"], ["blue", "green"]])
async def test_nobody_hides_a_document_from_themselves(tmp_path: Path, groups: list[str]) -> None:
    async with opened(tmp_path / "home") as world:
        red = world.keys["red"]
        store = await world.store(red, "all")
        doc = await attached(world, red, store, None)
        path = f"/v1/vector_stores/{store}/files"
        for where, body in ((path, {"file_id": doc.file_id, "groups": groups}), (f"{path}/{doc.file_id}", {})):
            refused = await world.call(red, "POST", where, {"groups": groups, **body})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "groups")
        assert await sees(world, world.keys["blue"], doc)
        refused = await world.call(red, "POST", f"{path}/{doc.file_id}", {})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "attributes")


async def test_who_may_see_what_a_source_has_is_said_by_the_source(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("Apples are red.")
    async with opened(tmp_path / "home") as world:
        both = world.keys["both"]
        store = await world.store(both, "all")
        principal = Principal("default", "local", groups=both.groups)
        await world.system.library.add_source(principal, store, Spec(str(folder), {"groups": ["red"]}))
        (document,) = await world.system.library.documents(principal, store)
        path = f"/v1/vector_stores/{store}/files/{document.document_id}"
        refused = await world.call(both, "POST", path, {"groups": []})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
        assert (await world.call(world.keys["red"], "GET", path)).status_code == 200
        assert (await world.call(world.keys["blue"], "GET", path)).status_code == 404

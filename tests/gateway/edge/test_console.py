"""The console's files: they equal the build of the sources, and the server serves them correctly."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from types import ModuleType

import pytest

from mainspring.gateway.edge import console
from tests.conftest import ROOT
from tests.gateway.asgi import Reply, ask, gateway

# kB of everything that the first page needs, as it goes over the wire.
FIRST_LOAD = 200
LICENCES = {"MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "MIT-0", "Python-2.0"}


def record() -> ModuleType:
    """The script that a build writes its record with."""
    spec = importlib.util.spec_from_file_location("console_built", ROOT / "scripts" / "console_built.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def get(path: str, **headers: str) -> Reply:
    app = gateway(None, console.router(console.built()))  # type: ignore[arg-type]
    sent = {"authorization": "", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await ask(app, "GET", path, headers=sent)


def first_files(page: str) -> set[str]:
    """The names of the files that the page itself loads, and of what those import before they run."""
    found: set[str] = set()
    waiting = {name.removeprefix("/console/") for name in re.findall(r'(?:src|href)="([^"]+)"', page)}
    while waiting:
        name = waiting.pop()
        found.add(name)
        text = console.built()[name].data.decode() if name.endswith(".js") else ""
        waiting |= {f"assets/{each}" for each in re.findall(r'(?:from|import)\s*"\./([^"]+)"', text)} - found
    return found


def test_the_built_files_are_what_the_sources_build_to() -> None:
    assert record().problem() == ""


def test_a_change_of_the_sources_or_of_a_built_file_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = record()
    known = script.sources()
    monkeypatch.setattr(script, "sources", lambda: known[::-1])
    assert "have changed" in script.problem()
    monkeypatch.setattr(script, "built", dict)
    assert "not those" in script.problem()


async def test_every_address_of_the_console_is_its_page_and_nothing_else_is() -> None:
    for path in ("/console", "/console/", "/console/chat", "/console/traces/0af7", "/console/knowledge/a%2Fb"):
        page = await get(path)
        assert page.status == 200
        assert b'<div id="root">' in page.body
    home = await get("/")
    assert (home.status, home.headers["location"]) == (307, ["/console"])
    for path in ("/console/assets/none.js", "/console/../pyproject.toml", "/console/assets/..%2findex.js", "/consoles"):
        assert (await get(path)).status == 404, path


async def test_only_the_servers_own_files_may_run() -> None:
    page = await get("/console")
    (policy,) = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:", policy)
    assert page.headers["x-content-type-options"] == ["nosniff"]
    assert page.headers["x-frame-options"] == ["DENY"]
    text = page.body.decode()
    # The policy would refuse them: the page would stay white.
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
    assert all(name.startswith("/console/") for name in re.findall(r'(?:src|href)="([^"]+)"', text))


async def test_files_are_kept_by_browsers_as_long_as_they_are_the_same() -> None:
    page = await get("/console")
    assert page.headers["cache-control"] == ["no-cache"]
    again = await get("/console", if_none_match=page.headers["etag"][0])
    assert (again.status, again.body) == (304, b"")
    assert (await get("/console", if_none_match='"other"')).status == 200
    script = re.search(r'src="(/console/assets/[^"]+\.js)"', page.body.decode())
    assert script is not None
    file = await get(script[1])
    assert "immutable" in file.headers["cache-control"][0]
    assert file.headers["content-type"] == ["text/javascript; charset=utf-8"]


async def test_files_are_compressed_for_those_who_understand_it() -> None:
    plain, packed = await get("/console"), await get("/console", accept_encoding="br, gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == ["gzip"]
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["vary"] == ["accept-encoding"]


async def test_the_first_page_is_small() -> None:
    page = (await get("/console")).body.decode()
    sizes = {name: len(console.built()[name].packed or console.built()[name].data) for name in first_files(page)}
    assert any(name.endswith(".js") for name in sizes)
    assert any(name.endswith(".css") for name in sizes)
    # The chat is what is looked at first: its part comes with the first load.
    chat = [name for name in console.built() if re.match(r"assets/page-chat-.*\.js", name)]
    assert len(chat) == 1
    sizes |= {name: len(console.built()[name].packed or b"") for name in chat}
    assert sum(sizes.values()) < FIRST_LOAD * 1000, sizes


async def test_a_package_without_the_build_says_how_to_make_it() -> None:
    app = gateway(None, console.router({}))  # type: ignore[arg-type]
    reply = await ask(app, "GET", "/console")
    assert reply.status == 404
    assert "make console" in reply.error["message"]


def test_what_the_console_is_made_of_may_be_shipped_and_comes_from_no_named_place() -> None:
    lock = json.loads((ROOT / "console" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert {name: each.get("license") for name, each in packages.items() if each.get("license") not in LICENCES} == {}
    assert [name for name, each in packages.items() if "resolved" in each] == []
    assert all(each.get("integrity") for each in packages.values())
    shipped = {name.removeprefix("node_modules/") for name, each in packages.items() if not each.get("dev")}
    assert shipped == {"argparse", "js-yaml", "marked", "react", "react-dom", "scheduler"}

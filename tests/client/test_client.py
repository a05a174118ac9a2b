"""The library's own face: the same calls over the system opened here and over a running server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mainspring
from mainspring.client.results import turns_of
from mainspring.core.errors import InvalidRequest, MainspringError, NotFound, Unauthenticated
from mainspring.core.settings import ModelsSettings, Settings
from tests.conftest import Server

SHOP = "The shop opens at nine. It closes at six in the evening, and at two on Saturdays.\n"
POST = "Parcels are sent on the day of the order. Returns are free for thirty days.\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("documents")
    (place / "shop.md").write_text(f"# The shop\n\n{SHOP}", encoding="utf-8")
    (place / "post.md").write_text(f"# Parcels\n\n{POST}", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mainspring.Mainspring]:
    settings = Settings(models=ModelsSettings(larger=""))
    with mainspring.open(tmp_path_factory.mktemp("home"), settings=settings) as opened:
        yield opened


@pytest.fixture(scope="module", params=["embedded", "server"])
def client(request: pytest.FixtureRequest) -> Iterator[mainspring.Mainspring]:
    if request.param == "embedded":
        yield request.getfixturevalue("embedded")
        return
    server: Server = request.getfixturevalue("server")
    with mainspring.connect(server.url, server.key) as connected:
        yield connected


def test_documents_are_asked(client: mainspring.Mainspring, folder: Path) -> None:
    read = client.ingest("client-tests", folder)
    assert (read.read + read.unchanged, dict(read.failed)) == (2, {})
    assert "client-tests" in client.collections()
    assert sorted(client.documents("client-tests")) == ["post.md", "shop.md"]
    reply = client.ask("client-tests", "When does the shop open?")
    assert reply.answered
    assert "nine" in str(reply)
    assert reply.sources[0].document == "shop.md"
    assert reply.sources[0].quote in SHOP
    assert reply.trace_id
    assert reply.answer_id
    assert client.ask("client-tests", "When does the shop open?", mode="verbatim").text == reply.text
    with pytest.raises(MainspringError, match="mode must be one of"):
        client.ask("client-tests", "When does the shop open?", mode="sung")  # type: ignore[arg-type]
    refused = client.ask("client-tests", "Who was the first emperor of Rome?")
    assert refused.answered is False
    best = client.search("client-tests", "returning a parcel", k=1)
    assert [each.document for each in best] == ["post.md"]


def test_models_answer_at_once_and_in_pieces(client: mainspring.Mainspring) -> None:
    said = client.chat("Say hello.", max_tokens=8, temperature=0)
    assert said.text
    assert said.answered is None
    stream = client.stream([{"role": "user", "content": "Say hello."}], max_tokens=8, temperature=0)
    assert stream.reply is None
    pieces = list(stream)
    assert stream.reply is not None
    assert "".join(pieces) == stream.reply.text == said.text


def test_a_stream_may_be_left(client: mainspring.Mainspring) -> None:
    stream = client.stream("Count from one to a hundred.", max_tokens=64, temperature=0)
    for _ in stream:
        break
    assert stream.reply is None
    assert client.chat("Say hello.", max_tokens=4).text


def test_texts_become_unit_vectors(client: mainspring.Mainspring) -> None:
    one, two, other = client.embed(["a parcel", "a package", "the emperor of Rome"])
    assert sum(value * value for value in one) == pytest.approx(1, abs=1e-3)
    assert sum(a * b for a, b in zip(one, two, strict=True)) > sum(a * b for a, b in zip(one, other, strict=True))
    assert len(client.embed("a parcel")) == 1


def test_what_is_wrong_is_said(client: mainspring.Mainspring) -> None:
    with pytest.raises(NotFound, match="there is no /nowhere"):
        client.ingest("client-tests", "/nowhere")
    with pytest.raises(MainspringError, match="nothing-of-this-name"):
        client.ask("nothing-of-this-name", "What?")
    with pytest.raises(InvalidRequest, match="nothing to answer"):
        turns_of([])


async def test_code_that_awaits(tmp_path: Path, folder: Path) -> None:
    settings = Settings(models=ModelsSettings(larger=""))
    async with mainspring.open_async(tmp_path, settings=settings) as client:
        await client.ingest("one", folder)
        replies = await asyncio.gather(*(client.ask("one", "When does the shop open?") for _ in range(3)))
        assert {reply.text for reply in replies} == {replies[0].text}
        assert "nine" in replies[0].text


def test_a_server_is_needed_and_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_API_KEY", raising=False)
    with pytest.raises(Unauthenticated, match="needs a key"), mainspring.connect("http://127.0.0.1:9"):
        pass
    with pytest.raises(NotFound, match="no server answers"), mainspring.connect("http://127.0.0.1:9", "ms-nothing"):
        pass


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, mainspring; print(sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "pydantic", "aiohttp", "openvino", "fastapi", "sqlalchemy", "asyncio"):
        assert f"'{heavy}'" not in loaded
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mainspring.nonsense  # noqa: B018
    assert set(mainspring.__all__) <= set(dir(mainspring))

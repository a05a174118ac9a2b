"""Web pages from a real server: what is asked for again, what robots.txt and the network's edges forbid."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from mainspring.core.errors import Forbidden, InvalidRequest, NotFound, UpstreamError
from mainspring.rag.connect import pages
from mainspring.rag.connect import web as web_connector
from mainspring.rag.connect.base import SyncState
from mainspring.rag.connect.fetch import Fetcher, public
from mainspring.rag.connect.web import Web
from mainspring.rag.ingest.pipeline import IngestReport
from tests.rag.conftest import Room

HOST = "127.0.0.1"


class Site:
    """A site in memory: paths and bodies, served with ETags; it counts what was sent and what was unchanged."""

    def __init__(self) -> None:
        self.pages: dict[str, str | bytes] = {}
        self.redirects: dict[str, str] = {}
        self.failing: dict[str, int] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.sent: Counter[str] = Counter()
        self.unchanged: Counter[str] = Counter()
        self.url = ""

    def page(self, path: str, text: str, *links: str, head: str = "") -> None:
        anchors = " ".join(f'<a href="{link}">go</a>' for link in links)
        self.pages[path] = (
            f"<html><head><title>Page {path}</title>{head}</head><body><article><h1>Heading</h1><p>{text}</p>"
            f"{anchors}</article></body></html>"
        )

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path in self.failing:
            return web.Response(status=self.failing[path])
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path not in self.pages:
            return web.Response(status=404)
        body = self.pages[path]
        data = body.encode() if isinstance(body, str) else body
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            self.unchanged[path] += 1
            return web.Response(status=304, headers={"ETag": etag})
        self.sent[path] += 1
        kind = "text/html" if isinstance(body, str) and body.startswith("<html") else "text/plain"
        headers = {"ETag": etag, "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT", **self.headers.get(path, {})}
        return web.Response(body=data, headers={"Content-Type": f"{kind}; charset=utf-8"} | headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, HOST, 0)
    await server.start()
    port = server._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    made.url = f"http://{HOST}:{port}"
    yield made
    await runner.cleanup()


def crawler(site: Site, path: str = "/", **options: int) -> Web:
    return Web(site.url + path, delay_s=0, private_hosts=[HOST], **options)


async def sync(room: Room, connector: Web, cursor: str = "") -> tuple[IngestReport, str]:
    cursors = [cursor]

    async def advance(value: str) -> None:
        cursors.append(value)

    report = await room.ingestor.follow(room.collection, connector, source_id="src_1", cursor=cursor, advance=advance)
    return report, cursors[-1]


async def keys(connector: Web, seen: SyncState | None = None) -> set[str]:
    """Paths of what a crawl finds, new or unchanged."""
    found: set[str] = set()
    async for batch in connector.changes(seen or SyncState()):
        found |= {source.key for source in batch.sources} | set(batch.kept)
    return {key.removeprefix(pages.site(connector.url)) for key in found}


async def test_a_page_is_sent_again_only_when_it_changed(room: Room, site: Site) -> None:
    site.page("/", "Apples are red.", "/pears", "/plums#top", "https://elsewhere.example/")
    site.page("/pears", "Pears are green.", "/deep")
    site.page("/plums", "Plums are blue.")
    site.page("/deep", "Too deep.")
    report, cursor = await sync(room, crawler(site))
    assert (len(report.added), report.failed) == (3, [])
    documents = {each.source_key: each for each in await room.stores.collections.documents(room.collection, None)}
    assert documents[f"{site.url}/pears"].attributes == {"url": f"{site.url}/pears", "title": "Page /pears"}
    assert documents[f"{site.url}/pears"].modified_at == 1445412480.0

    site.page("/plums", "Plums are violet.")
    site.sent.clear()
    report, cursor = await sync(room, crawler(site), cursor)
    assert (len(report.updated), len(report.unchanged), report.removed) == (1, 2, [])
    # The links of pages that were not sent again are remembered: all were visited.
    assert (site.sent.keys() & site.pages.keys(), site.unchanged) == ({"/plums"}, {"/": 1, "/pears": 1})

    site.page("/", "Apples are red.", "/plums")
    report, cursor = await sync(room, crawler(site), cursor)
    assert [name.endswith("/pears.html") for name in report.removed] == [True]


async def test_what_is_remembered_of_a_site_is_bounded_and_nothing_is_lost_by_that(
    room: Room, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_connector, "_CURSOR_CHARACTERS", 400)
    site.page("/", "The start.", *(f"/many-{number}" for number in range(30)), "/few")
    site.page("/few", "A page with few links.", "/last")
    site.page("/last", "The last page.")
    _, cursor = await sync(room, crawler(site, depth=2))
    assert len(cursor) < 500
    assert len(await room.documents()) == 3
    site.sent.clear()
    report, cursor = await sync(room, crawler(site, depth=2), cursor)
    assert (report.removed, report.updated, len(report.unchanged), len(cursor) < 500) == ([], [], 3, True)
    # The page whose links were too many is sent whole again, so that what it leads to is found.
    assert site.sent.keys() & site.pages.keys() == {"/"}


async def test_a_server_in_trouble_removes_nothing(room: Room, site: Site) -> None:
    site.page("/", "Apples are red.", "/pears", "/plums")
    site.page("/pears", "Pears are green.", "/quinces")
    site.page("/quinces", "Quinces are yellow.")
    site.page("/plums", "Plums are blue.")
    _, cursor = await sync(room, crawler(site, depth=2))
    site.failing["/pears"] = 503
    del site.pages["/plums"]
    report, cursor = await sync(room, crawler(site, depth=2), cursor)
    # Gone is what the server says is gone, not what could not be reached.
    assert [name.endswith("/plums.html") for name in report.removed] == [True]
    assert [failure.error for failure in report.failed] == ["the server answers 503"]
    assert len(await room.documents()) == 3
    site.failing["/robots.txt"] = 503
    with pytest.raises(UpstreamError, match=r"robots\.txt"):
        await sync(room, crawler(site, depth=2), cursor)
    assert len(await room.documents()) == 3


async def test_sitemaps_and_their_indexes_are_read(site: Site) -> None:
    for name in ("one", "two", "three", "four"):
        site.page(f"/{name}", f"Page {name}.", "/not-in-the-sitemap")
    site.page("/not-in-the-sitemap", "Hidden.")
    wrap = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>'.format
    entry = f"<url><loc>{site.url}/{{}}</loc><lastmod>2024-01-01</lastmod></url>".format
    site.pages["/a.xml"] = wrap(entry("one") + entry("two") + "<url><loc>https://elsewhere.example/x</loc></url>")
    site.pages["/b.xml.gz"] = gzip.compress(wrap(entry("three")).encode())
    site.pages["/sitemap.xml"] = (
        f'<?xml version="1.0"?><sitemapindex><sitemap><loc>{site.url}/a.xml</loc></sitemap>'
        f"<sitemap><loc>{site.url}/b.xml.gz</loc></sitemap></sitemapindex>"
    )
    assert await keys(crawler(site, "/sitemap.xml")) == {"/one", "/two", "/three"}


async def test_robots_are_respected(site: Site) -> None:
    site.pages["/robots.txt"] = "User-agent: *\nDisallow: /private\nDisallow: /*.txt$\n"
    site.page("/", "Start.", "/private/x", "/notes.txt", "/quiet", "/still", "/open")
    site.page("/private/x", "Private.")
    site.pages["/notes.txt"] = "Notes."
    site.page("/quiet", "Not for indexes.", "/behind", head='<meta name="robots" content="noindex">')
    site.page("/behind", "Behind.")
    site.page("/still", "Not for indexes either.")
    site.headers["/still"] = {"X-Robots-Tag": "noindex"}
    site.page("/open", "Open.")
    assert await keys(crawler(site, depth=2)) == {"/", "/open", "/behind"}
    assert not site.sent.keys() & {"/private/x", "/notes.txt"}
    with pytest.raises(Forbidden, match="robots"):
        await keys(crawler(site, "/private/x"))


async def test_limits_end_a_crawl_and_remove_nothing(site: Site) -> None:
    site.page("/", "Start.", *(f"/{n}" for n in range(20)))
    for n in range(20):
        site.page(f"/{n}", f"Page {n}.")
    marks = {f"{site.url}/{n}": "etag:x" for n in range(20)}
    batches = [each async for each in crawler(site, max_pages=5).changes(SyncState(marks=marks))]
    assert sum(len(each.sources) for each in batches) == 5
    assert [each.gone for each in batches if each.gone] == []
    site.pages["/0"] = "<html>" + "x" * 5000
    found = [each async for each in crawler(site, max_bytes=4000).changes(SyncState())]
    assert [(name, "4000" in why) for each in found for name, why in each.problems] == [(f"{site.url}/0", True)]


@pytest.mark.parametrize(
    "host", ["①②⑦.0.0.1", "127。0。0。1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]"]
)
async def test_addresses_in_disguise_are_refused(site: Site, host: str) -> None:
    site.page("/", "Start.")
    port = site.url.rpartition(":")[2]
    async with Fetcher(delay_s=0) as fetcher:
        with pytest.raises((Forbidden, InvalidRequest)):
            await fetcher.get(f"http://{host}:{port}/")


async def test_private_addresses_are_refused_before_and_after_redirects(site: Site) -> None:
    site.page("/", "Start.")
    with pytest.raises(Forbidden, match="not public"):
        await keys(Web(site.url, delay_s=0))
    port = site.url.rpartition(":")[2]
    with pytest.raises(Forbidden, match="not public"):
        await keys(Web(f"http://localhost:{port}", delay_s=0))
    # Allowed is the host that was named, not what it redirects to.
    site.redirects["/away"] = f"http://localhost:{port}/"
    site.redirects["/meta"] = "http://169.254.169.254/latest/meta-data"
    site.redirects["/file"] = "file:///etc/passwd"
    async with Fetcher(private_hosts=[HOST], delay_s=0) as fetcher:
        for path in ("/away", "/meta"):
            with pytest.raises(Forbidden, match="not public"):
                await fetcher.get(site.url + path)
        with pytest.raises(InvalidRequest):
            await fetcher.get(site.url + "/file")
        site.redirects["/loop"] = "/loop"
        with pytest.raises(UpstreamError, match="redirects"):
            await fetcher.get(site.url + "/loop")
    assert "/" not in site.sent


async def test_redirects_within_the_site_are_followed_and_others_are_not(site: Site) -> None:
    site.page("/", "Start.", "/old", "/away")
    site.page("/new", "New.")
    site.redirects["/old"] = "/new"
    site.redirects["/away"] = "https://elsewhere.example/"
    assert await keys(crawler(site)) == {"/", "/new"}
    with pytest.raises(InvalidRequest, match=r"elsewhere\.example"):
        await keys(crawler(site, "/away"))
    with pytest.raises(NotFound):
        await keys(crawler(site, "/nothing"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::a9fe:a9fe", False),
    ],
)
def test_public_addresses(address: str, expected: bool) -> None:
    assert public(address) is expected


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"nothing",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>',
        b"\x1f\x8bdamaged",
        gzip.compress(b" " * (51 * 2**20)),
    ],
)
def test_hostile_sitemaps_are_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        pages.sitemap(body, "https://example.org/sitemap.xml")


def test_addresses_have_one_spelling() -> None:
    assert pages.canonical("HTTPS://Example.org:443#top") == "https://example.org/"
    assert pages.canonical("http://example.org:8080/A?b=1#c") == "http://example.org:8080/A?b=1"

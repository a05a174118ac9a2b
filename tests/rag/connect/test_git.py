"""Git repositories: what changed between commits, and what no URL may do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound, UpstreamError
from mainspring.rag.connect.base import Batch, SyncState
from mainspring.rag.connect.git import Git
from mainspring.rag.ingest.pipeline import IngestReport
from tests.rag.conftest import Room, WordEmbedder


class Repository:
    """A working repository to clone from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(
            ["git", *who, "-C", str(self.path), *arguments], check=True, capture_output=True, text=True
        ).stdout

    def commit(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.path / f"{name}.txt").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "origin")
    made.commit(one="Apples are red.", two="Pears are green.")
    return made


async def sync(room: Room, connector: Git, cursor: str = "") -> tuple[IngestReport, str]:
    cursors = [cursor]

    async def advance(value: str) -> None:
        cursors.append(value)

    report = await room.ingestor.follow(room.collection, connector, cursor=cursor, advance=advance)
    return report, cursors[-1]


async def test_only_what_changed_since_the_last_commit_is_read(
    room: Room, repository: Repository, tmp_path: Path
) -> None:
    connector = Git(repository.path.as_uri(), tmp_path / "sources", ref="main")
    report, cursor = await sync(room, connector)
    assert sorted(report.added) == ["one.txt", "two.txt"]
    assert cursor == repository.git("rev-parse", "main").strip()
    documents = await room.stores.collections.documents(room.collection, None)
    assert {each.attributes["path"] for each in documents} == {"one.txt", "two.txt"}

    report, same = await sync(room, connector, cursor)
    assert (same, report.added, report.unchanged) == (cursor, [], [])

    assert isinstance(room.embedder, WordEmbedder)
    before = room.embedder.embedded
    repository.git("mv", "one.txt", "fruit.txt")
    repository.commit(two="Pears are yellow.", three="Plums are blue.")
    report, cursor = await sync(room, connector, cursor)
    # A text without headings has its name for a title, which is embedded with it.
    assert (report.moved, report.added) == (["fruit.txt"], ["three.txt"])
    assert sorted(report.updated) == ["fruit.txt", "two.txt"]
    assert room.embedder.embedded == before + 3

    (repository.path / "three.txt").unlink()
    repository.commit()
    report, _ = await sync(room, connector, cursor)
    assert (report.removed, sorted(report.unchanged)) == (["three.txt"], ["fruit.txt", "two.txt"])


async def test_patterns_choose_and_links_are_left_out(repository: Repository, tmp_path: Path) -> None:
    (repository.path / "docs").mkdir()
    (repository.path / ".hidden").mkdir()
    (repository.path / "docs" / "a.md").write_text("a")
    (repository.path / "docs" / "b.md").write_text("b")
    (repository.path / ".hidden" / "c.md").write_text("c")
    (repository.path / "passwords.md").symlink_to("/etc/passwd")
    repository.commit()
    connector = Git(repository.path.as_uri(), tmp_path / "s", include=["*.md"], exclude=["docs/b*"])
    (batch,) = [each async for each in connector.changes(SyncState())]
    assert [source.name for source in batch.sources] == ["docs/a.md"]
    assert batch.sources[0].load() == b"a"


async def test_a_killed_git_leaves_a_lock_that_does_not_matter(repository: Repository, tmp_path: Path) -> None:
    connector = Git(repository.path.as_uri(), tmp_path / "s")

    async def batches() -> list[Batch]:
        return [each async for each in connector.changes(SyncState())]

    (first,) = await batches()
    repository.commit(three="Plums.")
    (kept,) = (tmp_path / "s").iterdir()
    (kept / "shallow.lock").touch()
    (second,) = await batches()
    assert len(second.sources) == len(first.sources) + 1


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("ext::sh -c touch% /tmp/x", "main"),
        ("--upload-pack=touch /tmp/x", "main"),
        ("/etc", "main"),
        ("https://a:secret@example.org/x", "main"),
        ("https://ghp_secret@example.org/x", "main"),
        ("https://example.org/x", "--upload-pack=x"),
    ],
)
def test_dangerous_urls_are_refused(url: str, ref: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Git(url, tmp_path, ref=ref)
    assert "secret" not in str(caught.value)


async def test_what_is_not_there_is_named(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing"):
        await anext(Git(repository.path.as_uri(), tmp_path / "s", ref="nothing").changes(SyncState()))
    with pytest.raises(UpstreamError, match="absent"):
        await anext(Git((tmp_path / "absent").as_uri(), tmp_path / "s").changes(SyncState()))

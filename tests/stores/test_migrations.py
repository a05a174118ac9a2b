"""A database that an earlier version made is brought to the newest schema with what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from mainspring import stores
from mainspring.core import slices
from mainspring.core.settings import Settings
from mainspring.stores.schema import HEAD, chain
from mainspring.stores.sql import database

FIRST = (
    "INSERT INTO files (tenant, id, name, bytes, sha256, purpose, created_at) VALUES ('a', 'f', 'n', 1, 's', 'p', 1)",
    "INSERT INTO collections (tenant, id, name, groups, embedder, version, created_at)"
    " VALUES ('a', 'vs_1', 'plans', '[\"hr\"]', 'e', 7, 2)",
    "INSERT INTO documents (tenant, collection_id, id, source_key, name, sha256, generation, begun, status, error,"
    " chars, chunks, parser, text_blob, created_at, updated_at)"
    " VALUES ('a', 'vs_1', 'doc_1', 'k', 'n', 's', 1, 1, 'completed', '', 5, 1, 'text', 't', 3, 3)",
    "INSERT INTO turns (tenant, session_id, id, position, at, trace_id, role, content_id, extra)"
    " VALUES ('a', '0123456789abcdef:tea:1', 't1', 0, 4, 't', 'user', 'c', '{}'),"
    " ('a', '0123456789abcdef:tea:1', 't2', 0, 6, 't', 'user', 'c', '{}')",
)


def test_there_is_one_newest_revision() -> None:
    assert ScriptDirectory.from_config(chain.configuration()).get_heads() == [HEAD]


def test_links_have_ascending_numbers() -> None:
    """So the newest is known by its name."""
    links = {path.name[:4]: path for folder in chain.folders() for path in folder.glob("[0-9]*.py")}
    assert len(links) == sum(len(list(folder.glob("[0-9]*.py"))) for folder in chain.folders())
    scripts = list(ScriptDirectory.from_config(chain.configuration()).walk_revisions())
    assert {script.revision for script in scripts} == set(links)
    assert scripts[0].revision == max(links)


LINK = '"""{}."""\nfrom alembic import op\nrevision = "{}"\ndown_revision = "{}"\ndef upgrade() -> None:\n    {}\n'


async def test_a_feature_adds_a_link_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feature = tmp_path / "features" / "lamps" / "migrations"
    feature.mkdir(parents=True)
    number = f"{int(HEAD) + 1:04}"
    link = LINK.format("Lamps", number, HEAD, "op.execute('CREATE TABLE lamps (tenant TEXT)')")
    (feature / f"{number}_lamps.py").write_text(link)
    async with stores.open(Settings(home=tmp_path / "home")):
        pass
    before = chain.folders()
    assert all(each in before for each in slices.folder().glob("*/migrations"))
    monkeypatch.setattr(chain, "folders", lambda: [*before, feature])
    assert chain.newest() == number
    monkeypatch.setattr(database, "HEAD", number)
    assert number in database.revisions()
    async with stores.open(Settings(home=tmp_path / "home")) as opened:
        found = await opened.database.read(lambda it: it.execute(sa.text("SELECT count(*) FROM lamps")).scalar_one())
    assert found == 0


async def test_what_the_first_schema_held_is_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    engine = sa.create_engine(f"sqlite:///{home / database.FILE_NAME}")
    with engine.begin() as connection:
        config = chain.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in FIRST:
            connection.execute(sa.text(statement))
    engine.dispose()
    async with stores.open(Settings(home=home)) as opened:
        (file,) = await opened.files.list("a")
        assert (file.name, file.groups) == ("n", frozenset())
        assert await opened.collections.list("a") == []
        plans = await opened.collections.get("a", "plans", groups=frozenset({"hr"}))
        assert (plans.version, plans.metadata, plans.created_at) == (7, {}, 2)
        document = await opened.collections.document_called(plans, "doc_1", groups=frozenset({"hr"}))
        assert (document.chars, document.attributes) == (5, {})
        sessions = sa.text("SELECT owner, name, created_at, updated_at FROM sessions")
        found = await opened.database.read(lambda connection: connection.execute(sessions).all())
        assert [tuple(row) for row in found] == [("0123456789abcdef", "tea:1", 4, 6)]
        # Names were unique in a tenant; now they are within a set of groups.
        assert (await opened.collections.create("a", "plans", embedder="e")).name == "plans"


def _key(key_id: str, scopes: str = '["chat"]') -> str:
    return (
        "INSERT INTO keys (tenant, id, name, digest, hint, scopes, groups, created_at)"
        f" VALUES ('a', '{key_id}', 'k', '{key_id}', 'ms-', '{scopes}', '[]', 1)"
    )


def _act(seq: int, action: str, actor: str, what: str, details: str = "{}") -> str:
    return (
        "INSERT INTO audit (tenant, seq, at_us, action, actor, object, trace_id, details, previous, hash, key_id, seal)"
        f" VALUES ('a', {seq}, 1, '{action}', '{actor}', '{what}', '', '{details}', '', '', '', '')"
    )


def _budget(budget_id: str) -> str:
    return (
        'INSERT INTO budgets (tenant, id, name, scope, subject, "window", limit_tokens, hard, created_at)'
        f" VALUES ('a', '{budget_id}', '', 'key', '{budget_id}', 'day', 5, true, 1)"
    )


async def test_the_audit_log_tells_who_made_keys_and_budgets(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    engine = sa.create_engine(f"sqlite:///{home / database.FILE_NAME}")
    with engine.begin() as connection:
        config = chain.configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0033")
        said = [
            *(_key(each) for each in ("key_old", "key_new", "key_child", "key_grand", "key_plain")),
            _key("key_op", '["admin", "operate"]'),
            *(_budget(each) for each in ("b_local", "b_tenant", "b_op", "b_untold")),
            _act(1, "key.created", "local", "key_old"),
            _act(2, "key.created", "key_old", "key_child"),
            _act(3, "key.rotated", "local", "key_old", '{"successor": "key_new"}'),
            _act(4, "key.created", "key_child", "key_grand"),
            _act(5, "budget.created", "local", "b_local"),
            _act(6, "budget.created", "key_new", "b_tenant"),
            _act(7, "budget.created", "key_op", "b_op"),
        ]
        for statement in said:
            connection.execute(sa.text(statement.replace(":", "\\:")))
    engine.dispose()
    async with stores.open(Settings(home=home)) as opened:
        made = {key.id: key.parent for key in await opened.keys.list("a")}
        assert (made["key_child"], made["key_grand"]) == ("key_new", "key_child")
        assert {made[each] for each in ("key_old", "key_new", "key_plain", "key_op")} == {""}
        setters = {each.id: each.setter for each in await opened.budgets.list("a")}
        own = setters.pop("b_tenant")
        assert (own, set(setters.values())) == ("tenant", {"operator"})

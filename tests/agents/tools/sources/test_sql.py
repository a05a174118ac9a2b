import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mainspring.agents.tools.sources.sql import SqliteStatements, opened
from mainspring.agents.tools.sources.statements import Access
from mainspring.core.errors import InvalidRequest, SettingsError

READ = Access(frozenset({"orders"}), write=False, rows=5, seconds=1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "shop.db"
    with sqlite3.connect(made) as connection:
        connection.executescript(
            """
            CREATE TABLE orders(id INTEGER PRIMARY KEY, status TEXT, picture BLOB);
            CREATE TABLE secrets(value TEXT);
            CREATE VIEW leak AS SELECT value FROM secrets;
            CREATE TRIGGER copy AFTER INSERT ON orders BEGIN INSERT INTO secrets VALUES ('from a trigger'); END;
            INSERT INTO secrets VALUES ('hunter2');
            """
        )
        connection.executemany("INSERT INTO orders(status) VALUES (?)", [("open",)] * 12)
    return made


def state(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return [*connection.execute("SELECT count(*) FROM orders"), *connection.execute("SELECT count(*) FROM secrets")]


async def test_rows_come_back_and_are_cut(path: Path) -> None:
    found = await SqliteStatements(path).run("SELECT id, status FROM orders ORDER BY id", READ)
    assert found == {"columns": ["id", "status"], "rows": [[each, "open"] for each in range(1, 6)], "cut": True}
    described = await SqliteStatements(path).describe(READ)
    assert described == "orders(id INTEGER, status TEXT, picture BLOB)"


WRITING: Sequence[str] = (
    "INSERT INTO orders(status) VALUES ('x')",
    "UPDATE orders SET status = 'x'",
    "DELETE FROM orders",
    "DROP TABLE orders",
    "ALTER TABLE orders ADD COLUMN x",
    "CREATE TABLE x(y)",
    "CREATE TEMP TABLE x(y)",
    "CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END",
    "WITH x AS (SELECT 1) INSERT INTO orders(status) SELECT 'x' FROM x",
    "REPLACE INTO orders(id) VALUES (1)",
    "SELECT 1; DELETE FROM orders",
    "SELECT 1; -- \n DROP TABLE orders",
    "/* SELECT */ DELETE FROM orders RETURNING id",
    "VACUUM",
    "VACUUM INTO '/tmp/stolen.db'",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT a",
)
REACHING: Sequence[str] = (
    "SELECT * FROM secrets",
    "SELECT * FROM leak",
    "SELECT (SELECT value FROM secrets)",
    "SELECT count(*) FROM secrets",
    "SELECT id FROM orders UNION SELECT value FROM secrets",
    "WITH s AS (SELECT value FROM main.secrets) SELECT * FROM s",
    'SELECT * FROM "SECRETS"',
    "SELECT sql FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM pragma_table_info('secrets')",
    "PRAGMA table_info(secrets)",
    "PRAGMA query_only=OFF",
    "PRAGMA writable_schema=ON",
    "ATTACH DATABASE '/etc/passwd' AS x",
    "ATTACH DATABASE ':memory:' AS x",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
)


@pytest.mark.parametrize("sql", [*WRITING, *REACHING, "", "no sql at all"])
async def test_the_database_refuses_what_is_not_allowed(path: Path, sql: str) -> None:
    before = state(path)
    with pytest.raises(InvalidRequest):
        await SqliteStatements(path).run(sql, READ)
    assert state(path) == before
    assert not Path("/tmp/stolen.db").exists()


async def test_writing_needs_to_be_allowed_and_keeps_to_its_tables(path: Path) -> None:
    access = Access(frozenset({"orders"}), write=True, rows=5, seconds=1.0)
    database = SqliteStatements(path)
    assert await database.run("UPDATE orders SET status = 'sent' WHERE id < 3", access) == {"changed": 2}
    for sql in ("DELETE FROM secrets", "DROP TABLE orders", "CREATE TABLE x(y)", "PRAGMA foreign_keys=OFF"):
        with pytest.raises(InvalidRequest):
            await database.run(sql, access)
    # A trigger of the database would write elsewhere.
    with pytest.raises(InvalidRequest):
        await database.run("INSERT INTO orders(status) VALUES ('new')", access)


async def test_a_statement_without_end_is_stopped(path: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT sum(x) FROM n"
    with pytest.raises(InvalidRequest, match="longer than"):
        await SqliteStatements(path).run(endless, Access(None, write=False, rows=5, seconds=0.2))
    long = await SqliteStatements(path).run("SELECT printf('%900000d', 1)", READ)
    assert len(long["rows"][0][0]) < 3000
    with pytest.raises(InvalidRequest):
        await SqliteStatements(path).run("SELECT zeroblob(1000000000)", READ)


def test_other_databases_are_named_as_unknown() -> None:
    with pytest.raises(SettingsError, match="sqlite"):
        opened("mysql://a/b")

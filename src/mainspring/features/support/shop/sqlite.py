"""A shop in an SQLite file."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from mainspring.features.support.shop import sample
from mainspring.features.support.shop.model import Customer, GiftCard, Item, Ledger, Order, Product, Repair, Ticket

T = TypeVar("T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS products (sku TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, customer TEXT NOT NULL, placed TEXT NOT NULL, data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer, placed);
CREATE TABLE IF NOT EXISTS gift_cards (number TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS repairs (number TEXT PRIMARY KEY, "order" TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tickets (
    number TEXT PRIMARY KEY, customer TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, details TEXT NOT NULL,
    status TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY, result TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (who TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS numbers (prefix TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""
_BUSY_S = 10.0
_HOUR_S = 3600.0
_FIRST = 2_050_001


def place(named: str, home: Path) -> Path:
    """The file of the shop: the one that the settings name, else one under ``home``."""
    return Path(named) if named else home / "support" / "shop.db"


class SqliteShop:
    """Implements ``Shop``. ``clock`` tells the time (None: the moment at which the sample shop is seen)."""

    def __init__(self, path: Path, clock: Callable[[], dt.datetime] | None = None) -> None:
        self._path = path
        self._clock = clock
        self._products: dict[str, Product] = {}
        self._moment = sample.now()
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            # Not ``executescript``, which would commit each statement by itself.
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            if connection.execute("SELECT count(*) FROM customers").fetchone()[0] == 0:
                _seed(connection)
            for sku, data in connection.execute("SELECT sku, data FROM products"):
                self._products[sku] = _product(json.loads(data))

    def reset(self) -> None:
        """Make it the sample shop again."""
        with self._lock, self._open() as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in tables:
                connection.execute(f'DELETE FROM "{name}"')  # noqa: S608
            _seed(connection)

    def now(self) -> dt.datetime:
        return self._clock() if self._clock is not None else self._moment

    async def customer(self, customer_id: str) -> Customer | None:
        return await self._one("SELECT data FROM customers WHERE id = ?", customer_id, read=_customer)

    async def by_email(self, email: str) -> Customer | None:
        return await self._one("SELECT data FROM customers WHERE email = ?", email.strip().lower(), read=_customer)

    async def by_order(self, number: str) -> Customer | None:
        statement = "SELECT c.data FROM customers c JOIN orders o ON o.customer = c.id WHERE o.number = ?"
        return await self._one(statement, number, read=_customer)

    async def orders(self, customer_id: str) -> list[Order]:
        statement = "SELECT data FROM orders WHERE customer = ? ORDER BY placed DESC"
        return await self._all(statement, customer_id, read=self._order)

    async def order(self, customer_id: str, number: str) -> Order | None:
        statement = "SELECT data FROM orders WHERE number = ? AND customer = ?"
        return await self._one(statement, number, customer_id, read=self._order)

    async def product(self, sku: str) -> Product | None:
        return self._products.get(sku)

    async def gift_card(self, number: str) -> GiftCard | None:
        return await self._one("SELECT data FROM gift_cards WHERE number = ?", number, read=_card)

    async def repairs(self, customer_id: str) -> list[Repair]:
        statement = 'SELECT r.data FROM repairs r JOIN orders o ON o.number = r."order" WHERE o.customer = ?'
        return await self._all(statement, customer_id, read=_repair)

    async def find_ticket(self, customer_id: str, number: str) -> Ticket | None:
        def work(connection: sqlite3.Connection) -> Ticket | None:
            row = connection.execute(
                "SELECT number, customer, kind, subject, details, status, at FROM tickets WHERE number = ? AND "
                "customer = ?",
                (number, customer_id),
            ).fetchone()
            return _ticket(row) if row else None

        return await self._do(work)

    async def effect(self, key: str, work: Callable[[Ledger], dict[str, Any]]) -> dict[str, Any]:
        def once(connection: sqlite3.Connection) -> dict[str, Any]:
            row = connection.execute("SELECT result FROM effects WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found: dict[str, Any] = json.loads(row[0])
                return found
            made = work(_Ledger(connection, self._order, self.now()))
            connection.execute("INSERT INTO effects VALUES (?, ?)", (key, json.dumps(made)))
            return made

        return await self._do(once)

    async def attempts(self, who: str, *, failed: bool) -> int:
        def work(connection: sqlite3.Connection) -> int:
            since = time.time() - _HOUR_S
            connection.execute("DELETE FROM attempts WHERE at < ?", (since,))
            if failed:
                connection.execute("INSERT INTO attempts VALUES (?, ?)", (who, time.time()))
            found: int = connection.execute("SELECT count(*) FROM attempts WHERE who = ?", (who,)).fetchone()[0]
            return found

        return await self._do(work)

    async def tickets(self) -> list[Ticket]:
        """All tickets, oldest first."""

        def work(connection: sqlite3.Connection) -> list[Ticket]:
            rows = connection.execute(
                "SELECT number, customer, kind, subject, details, status, at FROM tickets ORDER BY rowid"
            ).fetchall()
            return [_ticket(row) for row in rows]

        return await self._do(work)

    async def _one(self, statement: str, *values: str, read: Callable[[dict[str, Any]], T]) -> T | None:
        found = await self._all(statement, *values, read=read)
        return found[0] if found else None

    async def _all(self, statement: str, *values: str, read: Callable[[dict[str, Any]], T]) -> list[T]:
        def work(connection: sqlite3.Connection) -> list[T]:
            return [read(json.loads(row[0])) for row in connection.execute(statement, values)]

        return await self._do(work)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            with self._lock, self._open() as connection:
                return work(connection)

        return await asyncio.to_thread(run)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            if connection.in_transaction:
                connection.execute("COMMIT")
        finally:
            connection.close()

    def _order(self, data: dict[str, Any]) -> Order:
        return read_order(data, self._products)


class _Ledger:
    def __init__(
        self, connection: sqlite3.Connection, read: Callable[[dict[str, Any]], Order], now: dt.datetime
    ) -> None:
        self._connection, self._read, self._now = connection, read, now

    def order(self, number: str) -> Order | None:
        row = self._connection.execute("SELECT data FROM orders WHERE number = ?", (number,)).fetchone()
        return self._read(json.loads(row[0])) if row else None

    def save(self, order: Order) -> None:
        self._connection.execute(
            "UPDATE orders SET data = ? WHERE number = ?", (json.dumps(_written(order)), order.number)
        )

    def number(self, prefix: str, digits: int) -> str:
        row = self._connection.execute("SELECT last FROM numbers WHERE prefix = ?", (prefix,)).fetchone()
        last = (row[0] if row else _FIRST % 10**digits) + 1
        self._connection.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (prefix, last))
        return f"{prefix}{last:0{digits}d}"

    def ticket(self, ticket: Ticket) -> None:
        row = (ticket.number, ticket.customer, ticket.kind, ticket.subject, ticket.details, ticket.status)
        self._connection.execute("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, ticket.at.isoformat()))

    def count(self, kind: str, customer: str, days: int) -> int:
        since = (self._now - dt.timedelta(days=days)).isoformat()
        statement = "SELECT count(*) FROM tickets WHERE kind = ? AND customer = ? AND at >= ?"
        found: int = self._connection.execute(statement, (kind, customer, since)).fetchone()[0]
        return found


def read_order(data: dict[str, Any], products: dict[str, Product]) -> Order:
    """An order as it is kept."""
    more = dict(data)
    items = [_item(each, products) for each in more.pop("items")]
    fields = {
        name: more.pop(name) for name in ("number", "customer", "state", "channel", "delivery", "payment", "charge")
    }
    return Order(placed=sample.moment(more.pop("placed")), items=items, more=more, **fields)


def _item(data: dict[str, Any], products: dict[str, Product]) -> Item:
    product = products[data["sku"]]
    registered = data.get("registered")
    return Item(
        name=product.name,
        category=product.category,
        registered=dt.date.fromisoformat(registered) if registered else None,
        **{key: each for key, each in data.items() if key != "registered"},
    )


def _written(order: Order) -> dict[str, Any]:
    items = []
    for each in order.items:
        item: dict[str, Any] = {"sku": each.sku, "quantity": each.quantity, "price": each.price}
        more = {"size": each.size, "sale": each.sale, "engraved": each.engraved, "serial": each.serial}
        item |= {key: value for key, value in more.items() if value}
        if each.registered:
            item["registered"] = each.registered.isoformat()
        items.append(item)
    fields = {name: getattr(order, name) for name in ("number", "customer", "state", "channel", "delivery", "payment")}
    return {**order.more, **fields, "charge": order.charge, "placed": order.placed.isoformat(), "items": items}


def _customer(data: dict[str, Any]) -> Customer:
    return Customer(**{**data, "trail_club": data["trail_club"] == "yes"})


def _product(data: dict[str, Any]) -> Product:
    return Product(data["sku"], data["name"], data["category"], float(data["price"]), tuple(data["sizes"].split()))


def _day(text: str) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _card(data: dict[str, Any]) -> GiftCard:
    return GiftCard(
        data["number"],
        data["kind"],
        data["currency"],
        float(data["balance"]),
        _day(data["activated"]),
        _day(data["last_used"]),
        data["country"],
        data["blocked"] == "yes",
    )


def _repair(data: dict[str, Any]) -> Repair:
    received = dt.date.fromisoformat(data["received"])
    cost, covered = float(data["cost"]), data["covered"] == "yes"
    estimate = _day(data["estimate"])
    return Repair(
        data["number"], data["order"], data["sku"], data["fault"], received, data["status"], estimate, cost, covered
    )


def _ticket(row: Sequence[str]) -> Ticket:
    number, customer, kind, subject, details, status, at = row
    return Ticket(number, customer, kind, subject, details, status, dt.datetime.fromisoformat(at))


def _seed(connection: sqlite3.Connection) -> None:
    for row in sample.table("customers"):
        connection.execute("INSERT INTO customers VALUES (?, ?, ?)", (row["id"], row["email"].lower(), json.dumps(row)))
    for row in sample.table("products"):
        connection.execute("INSERT INTO products VALUES (?, ?)", (row["sku"], json.dumps(row)))
    for row in sample.table("gift_cards"):
        connection.execute("INSERT INTO gift_cards VALUES (?, ?)", (row["number"], json.dumps(row)))
    for row in sample.table("repairs"):
        connection.execute("INSERT INTO repairs VALUES (?, ?, ?)", (row["number"], row["order"], json.dumps(row)))
    for order in sample.orders():
        values = (order["number"], order["customer"], order["placed"], json.dumps(order))
        connection.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", values)

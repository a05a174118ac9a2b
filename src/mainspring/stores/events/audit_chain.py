"""An audit chain: entries and heads, their hashes and seals, and their verification.

The ``hash`` of an entry is the sha256 of its fields and of the hash before it. Its ``seal`` is that hash under a key of
two parts: one in the database, and ``compliance.audit_key``, which is not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mainspring.stores.sql.rows as rows

START = "0" * 64
_MOST_PROBLEMS = 100
_HASHED = ("tenant", "seq", "at_us", "action", "actor", "object", "trace_id", "details", "previous")
_HEAD = ("tenant", "seq", "hash", "trimmed", "trimmed_hash")


@dataclass(frozen=True, slots=True)
class Actor:
    """The actor: the id of a key, ``local`` (a command at the machine) or ``server`` (the server itself); ``trace_id``
    is the request's."""

    actor: str = "local"
    trace_id: str = ""


LOCAL, ITSELF = Actor(), Actor("server")


@dataclass(frozen=True, slots=True)
class HashedText:
    """A text stored only as a keyed hash: anybody who knows the text can verify that it was this one."""

    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. ``at`` is Unix seconds; ``object`` is the id of the action's object."""

    tenant: str
    seq: int
    at: float
    action: str
    actor: str
    object: str
    trace_id: str
    details: Mapping[str, Any]
    previous: str
    hash: str
    key_id: str
    seal: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ended once."""

    tenant: str
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Problem:
    """The fault of entry ``seq`` (0: of the chain as a whole)."""

    seq: int
    what: str


@dataclass(slots=True)
class ChainReport:
    """The result of a verification; ``trimmed`` entries were dropped by the log's own retention."""

    head: Head
    entries: int = 0
    trimmed: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.problems

    def tell(self, seq: int, what: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(seq, what))


def parse_head(tenant: str, text: str) -> Head | None:
    """A head as ``str`` writes it; None for anything else."""
    seq, _, digest = text.strip().partition(":")
    good = (
        seq.isdecimal() and len(seq) < 16 and len(digest) == 64 and all(each in "0123456789abcdef" for each in digest)
    )
    return Head(tenant, int(seq), digest) if good else None


def check(row: Mapping[str, Any], keys: Mapping[str, bytes], report: ChainReport) -> None:
    """Add the faults of a single entry to ``report``."""
    if hash_of(row) != row["hash"]:
        report.tell(row["seq"], "it was changed: its hash differs")
    elif row["key_id"] not in keys:
        report.tell(
            row["seq"], "it is sealed with a key that is not known; compliance.audit_keys_before names earlier ones"
        )
    elif not hmac.compare_digest(seal_of(keys[row["key_id"]], row["hash"]), row["seal"]):
        report.tell(row["seq"], "it was written without the key")


def check_known(report: ChainReport, found: Mapping[int, str], known: Iterable[Head]) -> None:
    """Tell ``report`` which heads that were noted before are not in the chain; ``found`` are its hashes there."""
    for head in known:
        if head.seq == 0 or head.seq <= report.trimmed:
            continue
        if head.seq > report.head.seq:
            report.tell(
                head.seq, f"the chain ends at {report.head.seq}, and ended at {head.seq} when its head was noted"
            )
        elif found.get(head.seq) != head.hash:
            report.tell(head.seq, "it is not the entry whose hash was noted")


def key_of(outside: str, secret: str) -> bytes:
    """The sealing key of both its parts."""
    return hmac.new(bytes.fromhex(secret), outside.encode(), hashlib.sha256).digest()


def name_of(key: bytes) -> str:
    """The name of a key in entries."""
    return hashlib.sha256(b"name" + key).hexdigest()[:12]


def seal_of(key: bytes, digest: str) -> str:
    """The seal of a hash."""
    return hmac.new(key, b"seal" + digest.encode(), hashlib.sha256).hexdigest()


def hidden_of(key: bytes, text: str) -> str:
    """The hash that replaces a text."""
    return hmac.new(key, b"text" + rows.clean(text).encode(), hashlib.sha256).hexdigest()[:32]


def hash_of(row: Mapping[str, Any]) -> str:
    """The hash of a row of ``audit``."""
    return rows.digest(rows.dump({name: row[name] for name in _HASHED}))


def head_body(head: Mapping[str, Any]) -> str:
    """The data that a head's seal covers."""
    return "head" + rows.dump([head[name] for name in _HEAD])


def shown(value: Any, key: bytes) -> Any:
    """``value`` as JSON, with a keyed hash for everything that is ``HashedText``."""
    if isinstance(value, HashedText):
        return hidden_of(key, value.text)
    if isinstance(value, Mapping):
        return {name: shown(each, key) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(each, key) for each in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    return value


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """A row of ``audit``."""
    fields = dict(row)
    at = fields.pop("at_us") / 1e6
    return Entry(**{**fields, "at": at, "details": rows.load(fields["details"])})

"""Made-up traffic for the lake: events as the request ring writes them, straight into the tables of a home."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.stores.schema import contents, events
from mainspring.stores.sql import ids

TENANT = "default"
_SUBJECTS = "the printer,my parcel,the invoice,a refund,the password,the app,my order,the router,a voucher,the warranty"
_VERBS = "reset,find,cancel,change,track,return,repair,pay,install,update,renew,report,share,move,delete,sort,check"
_EMAILS = "mail.example,post.example,corp.example,uni.example"
_NAMES = "Ada Lovelace,Alan Turing,Grace Hopper,Max Born,Lise Meitner,Emmy Noether,Kurt Weill,Nina Simone,Ella Baker"


@dataclass(slots=True)
class Made:
    """What was made: counts of interactions by what is wrong with them, and planted personal data by kind."""

    events: int = 0
    interactions: int = 0
    planted: dict[str, dict[str, str]] | None = None
    """By kind: the answers' ids, and the planted text."""


def personal(kind: str, draw: random.Random) -> tuple[str, str]:
    """A sentence with a piece of personal data, and the piece."""
    digits = "".join(draw.choice("0123456789") for _ in range(7))
    made = {
        "email": f"{draw.choice('abcdefgh')}{digits}@{draw.choice(_EMAILS.split(','))}",
        "phone": f"+49 30 {digits}",
        "credit_card": _luhn("4539" + "".join(draw.choice("0123456789") for _ in range(11))),
        "iban": _iban("370400440" + digits + "00"),
        "ssn": f"{draw.randint(100, 600)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}",
        "ip": f"{draw.randint(11, 126)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.{draw.randint(1, 254)}",
        "name": draw.choice(_NAMES.split(",")),
    }[kind]
    before = {
        "email": "Write to",
        "phone": "Call me on",
        "credit_card": "My card is",
        "iban": "My account is",
        "ssn": "My social security number is",
        "ip": "I come from",
        "name": draw.choice(["My name is", "I spoke with", "Please ask for", "This is"]),
    }[kind]
    return f" {before} {made} today.", made


PERSONAL = ("email", "phone", "credit_card", "iban", "ssn", "ip", "name")


def make(home: Path, count: int, *, seed: int = 1, planted: int = 0, per_commit: int = 500, begin: int = 0) -> Made:
    """About ``count`` events in the home. ``planted`` interactions have one piece of personal data each."""
    return asyncio.run(_make(home, count, seed, planted, per_commit, begin))


async def _make(home: Path, count: int, seed: int, planted: int, per_commit: int, begin: int) -> Made:
    draw = random.Random(seed)
    made = Made(planted={kind: {} for kind in PERSONAL})
    async with stores.open(Settings.model_validate({"home": home})) as opened:
        while made.events < count:
            batch: list[dict[str, Any]] = []
            texts: dict[str, dict[str, Any]] = {}
            while len(batch) < per_commit:
                plant = made.interactions % max(1, count // 3 // max(1, planted)) == 0 if planted else False
                found = _interaction(draw, made, texts, plant, begin)
                batch.extend(found)
                made.interactions += 1
            made.events += len(batch)
            number = time.time_ns() // 1000
            for row in batch:
                row["settled"] = number

            def work(connection: sa.Connection, batch: Any = batch, texts: Any = texts) -> None:
                connection.execute(rows.insert_new(connection, contents), list(texts.values()))
                connection.execute(sa.insert(events), batch)

            await opened.database.write(work, durable=False)
    return made


def _interaction(
    draw: random.Random, made: Made, texts: dict[str, dict[str, Any]], plant: bool, begin: int
) -> Iterator[dict[str, Any]]:
    number = begin + made.interactions
    answer_id, trace, at = ids.new("ans_"), f"trace{number:012x}", time.time() - draw.random() * 3 * 86_400
    question, answer = _texts(draw, number)
    if plant and made.planted is not None:
        kind = PERSONAL[sum(map(len, made.planted.values())) % len(PERSONAL)]
        said, piece = personal(kind, draw)
        question += said
        made.planted[kind][answer_id] = piece
    luck = draw.random()
    content = orjson.dumps(
        {"messages": [{"role": "user", "content": question}], "choices": [{"text": answer}]}
    ).decode()
    facts: dict[str, Any] = {
        "status": "failed" if luck < 0.01 else "completed",
        "operation": "chat",
        "requested": "support",
        "model": "small",
        "key_id": f"key_{number % 20}",
        "cache": "",
        "prompt_tokens": 40,
        "completion_tokens": 90,
        "spent_tokens": 130,
        "cost_nanousd": 1300,
        "finish": ["length" if 0.01 < luck < 0.03 else "stop"],
        "citations": 0,
        "missing": 0,
        "conflicts": 0,
        "duration_s": 1.5,
        "ttft_s": 0.2,
        "groups": [],
    }
    row = _event(answer_id, at, trace, "answer", answer_id, facts, consent=luck < 0.95, person=f"user{number % 5000}")
    text: dict[str, Any] = {"tenant": TENANT, "sha256": rows.digest(content), "text": content, "at": at}
    texts[text["sha256"]] = text
    yield row | {"content_id": text["sha256"]}
    call: dict[str, Any] = {
        "model": "small",
        "provider": "openvino",
        "operation": "chat",
        "key_id": facts["key_id"],
        "charged": "",
    }
    call |= {"application": "support", "prompt_tokens": 40, "completion_tokens": 90, "cached_tokens": 0}
    call |= {"cost_nanousd": 1300, "duration_s": 1.4, "ttft_s": 0.2, "finish": ["stop"], "depth": 0}
    yield _event(ids.new("event-"), at, trace, "call", answer_id, call)
    if draw.random() < 0.3:
        hits = [{"document_id": f"doc_{draw.randint(1, 500)}", "score": 0.5} for _ in range(3)]
        look = {"collections": ["vs_1"], "mode": "hybrid", "refused": False, "hits": hits, "cited": [], "evidence": 0.8}
        yield _event(ids.new("event-"), at, trace, "retrieval", answer_id, look)
    if draw.random() < 0.4:
        rating = "down" if draw.random() < 0.2 else "up"
        opinion = {"key_id": facts["key_id"], "rating": rating, "comment": None, "edited": False}
        yield _event(ids.new("event-"), at + 30, trace, "feedback", answer_id, opinion)


def _texts(draw: random.Random, number: int) -> tuple[str, str]:
    # One in twenty repeats an earlier one, one in thirty nearly does.
    luck = draw.random()
    told = random.Random(number if luck > 0.083 or number < 100 else number % 97)
    verbs, things = _VERBS.split(","), _SUBJECTS.split(",")
    words = " ".join(f"{told.choice(verbs)} {told.choice(things)} {told.randint(1, 9999)}" for _ in range(4))
    question = f"How do I {words}?"
    steps = ". ".join(
        f"Step {step}: {told.choice(verbs)} {told.choice(things)} with code {told.randint(1, 99_999)}"
        for step in range(1, 8)
    )
    answer = f"{steps}. That is all."
    if 0.05 < luck <= 0.083:
        answer += f" Ask again if it fails, case {number % 7}."
    return question, answer


def _event(
    event_id: str,
    at: float,
    trace: str,
    kind: str,
    subject: str,
    facts: dict[str, Any],
    *,
    consent: bool = True,
    person: str = "",
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "tenant": TENANT,
        "id": event_id,
        "at": at,
        "trace_id": trace,
        "parent_id": None,
        "kind": kind,
    }
    row |= {"subject": subject, "version": 1, "consent": consent, "retention": "default", "facts": rows.dump(facts)}
    return row | {"content_id": None, "person": person}


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def _iban(body: str) -> str:
    body = body[:18]
    check = 98 - int(f"{body}131400") % 97
    return f"DE{check:02d}{body}"

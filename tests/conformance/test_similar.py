"""What every index of answered questions must do: in memory and a file, and in Redis."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mainspring.stores.cache.similar_questions import Floats, Question, SimilarQuestions, SimilarStore
from mainspring.stores.cache.similar_questions_redis import RedisSimilar
from mainspring.stores.sql.redis import Redis

LIMIT = 20


@pytest.fixture(params=["file", "redis"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimilarStore]:
    if request.param == "file":
        made = SimilarQuestions(tmp_path / "similar.db", LIMIT)
        yield made
        await made.close()
        return
    server = Redis(request.getfixturevalue("redis_url"))
    for key in await server.call("KEYS", "mainspring:similar*"):
        await server.call("DEL", key)
    yield RedisSimilar(server, LIMIT)
    await server.close()


def unit(*values: float) -> Floats:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def asked(text: str, vector: Floats, *tags: str, scope: str = "s", tenant: str = "acme", ttl_s: float = 60) -> Question:
    now = time.time()
    name = f"sem_{uuid.uuid4().hex}"
    return Question(name, scope, tenant, text, f"answer of {text}", vector, now + ttl_s, now, frozenset(tags))


async def texts(index: SimilarStore, vector: Floats, scope: str = "s", limit: int = 5) -> list[str]:
    return [question.question for question, _ in await index.nearest(scope, vector, limit)]


async def test_the_nearest_come_first_with_their_cosines(index: SimilarStore) -> None:
    assert await index.nearest("s", unit(1, 0, 0), 3) == []
    one = asked("one", unit(1, 0.1, 0))
    for each in (one, asked("two", unit(1, 1, 0)), asked("three", unit(0, 0, 1))):
        await index.add(each)
    found = await index.nearest("s", unit(1, 0, 0), 2)
    assert [question.question for question, _ in found] == ["one", "two"]
    assert found[0][1] == pytest.approx(float(unit(1, 0, 0) @ one.vector), abs=1e-5)
    kept = found[0][0]
    assert (kept.id, kept.tenant, kept.answer) == (one.id, "acme", "answer of one")
    assert kept.expires_at == pytest.approx(one.expires_at)


async def test_scopes_never_meet(index: SimilarStore) -> None:
    await index.add(asked("mine", unit(1, 0), scope="a"))
    await index.add(asked("yours", unit(1, 0), scope="b"))
    assert await texts(index, unit(1, 0), "a") == ["mine"]
    assert await texts(index, unit(1, 0), "c") == []


async def test_the_same_question_again_replaces_the_first(index: SimilarStore) -> None:
    await index.add(asked("one", unit(1, 0), "t"))
    again = replace(asked("one", unit(1, 0), "u"), answer="newer")
    await index.add(again)
    [(found, _)] = await index.nearest("s", unit(1, 0), 5)
    assert found.answer == "newer"
    assert (await index.count("t"), await index.count("u")) == (0, 1)


async def test_questions_end(index: SimilarStore) -> None:
    await index.add(asked("soon over", unit(1, 0), "t", ttl_s=0.05))
    await asyncio.sleep(0.1)
    assert await texts(index, unit(1, 0)) == []
    assert await index.count("t") == 0


async def test_one_is_removed_by_its_tenant_alone(index: SimilarStore) -> None:
    one = asked("one", unit(1, 0))
    await index.add(one)
    assert not await index.remove("other", one.id)
    assert await texts(index, unit(1, 0)) == ["one"]
    assert await index.remove("acme", one.id)
    assert not await index.remove("acme", one.id)
    assert await texts(index, unit(1, 0)) == []


async def test_a_tag_drops_what_carries_it(index: SimilarStore) -> None:
    for name, tags in (("one", ("x", "y")), ("two", ("y",)), ("three", ("x",))):
        await index.add(asked(name, unit(1, 0), *tags))
    assert (await index.count("x"), await index.count("y")) == (2, 2)
    assert await index.invalidate("x") == 2
    assert await texts(index, unit(1, 0)) == ["two"]
    assert await index.invalidate("x") == 0
    await index.compact()


async def test_there_are_never_too_many(index: SimilarStore) -> None:
    for n in range(LIMIT + 10):
        await index.add(asked(str(n), unit(1, n / 100), "t", ttl_s=60 + n))
    assert await index.count("t") == LIMIT
    assert set(await texts(index, unit(1, 0), limit=LIMIT)) == {str(n) for n in range(10, LIMIT + 10)}


async def test_another_models_vectors_do_not_compare(index: SimilarStore) -> None:
    await index.add(asked("one", unit(1, 0), scope="two dimensions"))
    assert await texts(index, unit(1, 0), "two dimensions") == ["one"]


async def test_wrong_answers_are_counted(index: SimilarStore) -> None:
    before = time.time()
    tenant = uuid.uuid4().hex
    for _ in range(2):
        await index.note_wrong(tenant)
        await asyncio.sleep(0.002)
    assert await index.wrong_since(tenant, before) == 2
    assert await index.wrong_since(tenant, time.time() + 1) == 0
    assert await index.wrong_since("nobody", before) == 0


async def test_the_file_remembers_over_a_restart(tmp_path: Path) -> None:
    first = SimilarQuestions(tmp_path / "similar.db", LIMIT)
    await first.add(asked("one", unit(1, 0), "t"))
    await first.add(asked("two", unit(1, 0.1), "u"))
    await first.invalidate("t")
    await first.close()
    again = SimilarQuestions(tmp_path / "similar.db", LIMIT)
    assert await texts(again, unit(1, 0)) == ["two"]
    assert await again.count("u") == 1
    await again.close()


async def test_a_file_that_cannot_be_opened_counts_as_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = SimilarQuestions(tmp_path / "absent" / "similar.db", LIMIT)
    assert await texts(index, unit(1, 0)) == []
    assert "not read" in caplog.text
    await index.close()

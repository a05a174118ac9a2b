"""The built-in caches and stores of vectors, registered as any plugin registers its own.

Their libraries are imported when they are made: many processes open stores without them.
"""

from __future__ import annotations

from mainspring.core.errors import SettingsError
from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.settings import Settings
from mainspring.stores.cache import answers, similar_questions
from mainspring.stores.kinds import CACHE, VECTORS, CacheStores
from mainspring.stores.sql import database as databases
from mainspring.stores.sql.redis import Redis
from mainspring.stores.vectors.base import VectorStore


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory(settings) -> VectorStore`` and ``factory(settings, redis) -> CacheStores``."""
    registry.add(VECTORS, "lance", _lance)
    registry.add(VECTORS, "postgres", _postgres)
    registry.add(CACHE, "file", _file)
    registry.add(CACHE, "redis", _redis)


def _lance(settings: Settings) -> VectorStore:
    from mainspring.stores.vectors.lance import LanceVectors

    return LanceVectors(settings.home / "vectors", durable=settings.stores.durability == "power")


def _postgres(settings: Settings) -> VectorStore:
    from mainspring.stores.vectors.pgvector import PostgresVectors

    url = databases.url_of(settings)
    if url is None or url.get_backend_name() != "postgresql":
        raise SettingsError(
            "stores.vectors is postgres, and stores.database names no Postgres",
            remedy="Set stores.database to postgresql://user:password@host/name, or stores.vectors to lance",
        )
    return PostgresVectors(url.set(drivername="postgresql").render_as_string(hide_password=False))


def _file(settings: Settings, redis: Redis | None) -> CacheStores:  # noqa: ARG001
    entries = settings.stores.cache_entries
    return CacheStores(
        answers.AnswerCache(settings.home / answers.FILE_NAME, entries),
        similar_questions.SimilarQuestions(settings.home / similar_questions.FILE_NAME, entries),
    )


def _redis(settings: Settings, redis: Redis | None) -> CacheStores:
    from mainspring.stores.cache.answers_redis import RedisCache
    from mainspring.stores.cache.similar_questions_redis import RedisSimilar

    if redis is None:
        raise SettingsError("stores.cache is redis, and stores.redis names none", remedy="Set stores.redis")
    entries = settings.stores.cache_entries
    return CacheStores(RedisCache(redis, entries), RedisSimilar(redis, entries))
